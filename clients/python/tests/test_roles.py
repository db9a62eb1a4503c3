"""
The least role of a key that each adapter needs: `append` for all that agents do, `full` for what takes away, `read` for
what only looks. With real keys of these roles.
"""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from agents import Agent, OpenAIConversationsSession, RunConfig, Runner
from conftest import Service
from langchain_core.language_models.fake_chat_models import FakeMessagesListChatModel
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.prebuilt import create_react_agent
from openai import AsyncOpenAI, PermissionDeniedError
from pydantic_ai import Agent as PydanticAgent
from pydantic_ai.capabilities import ProcessHistory
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from scripted import BUDGET, question
from test_openai_agents import Scripted, weather

from warmthread import AsyncMemory, Memory
from warmthread.errors import Problem, Unauthorized
from warmthread.langchain import WarmthreadChatMessageHistory, pre_model_hook, trimmer
from warmthread.openai_agents import BudgetedSession
from warmthread.pydantic_ai import history_processor

WANTED: Any = {"model": "gpt-4o", "budget": BUDGET}
SAID = {"role": "user", "content": "Hello"}


@pytest.fixture
def appending(service: Service) -> Service:
    """The service, called with a key that may append and no more."""
    return service.with_role("append")


@pytest.fixture
def reading(service: Service) -> Service:
    return service.with_role("read")


@pytest.fixture
def memory(appending: Service, http: httpx.Client) -> Memory:
    return Memory.create(appending.url, appending.key, [SAID], http=http, **WANTED)


@pytest.fixture
async def amemory(appending: Service, ahttp: httpx.AsyncClient) -> AsyncMemory:
    return await AsyncMemory.create(appending.url, appending.key, [SAID], http=ahttp, **WANTED)


def is_refused(error: Problem, role: str, needed: str) -> bool:
    return (error.status, error.code, error.fields["role"], error.fields["required_role"]) == (
        *(403, "insufficient_role"),
        *(role, needed),
    )


def check_nothing_is_taken_away(memory: Memory, *takes: Callable[[], object]) -> None:
    """Each of *takes* is refused, and the memory is what it was."""
    before, conversation = memory.items(), memory.conversation_id
    for take in takes:
        with pytest.raises(Unauthorized) as refused:
            take()
        assert is_refused(refused.value, "append", "full")
    assert (memory.items(), memory.conversation_id) == (before, conversation)


async def check_nothing_is_taken_away_async(memory: AsyncMemory, *takes: Callable[[], Any]) -> None:
    before, conversation = await memory.items(), memory.conversation_id
    for take in takes:
        with pytest.raises(Unauthorized) as refused:
            await take()
        assert is_refused(refused.value, "append", "full")
    assert (await memory.items(), memory.conversation_id) == (before, conversation)


def test_a_memory_appends_and_sums_up_by_append_and_takes_away_by_full(memory: Memory, service: Service) -> None:
    memory.append([{"role": "assistant", "content": "Hi."}])
    context = memory.turn([{"role": "user", "content": "How are you?"}])
    items = memory.items()
    memory.summarise("They greet.", items[1]["id"])

    assert (len(context.messages), len(memory.context().messages)) == (3, 2)
    check_nothing_is_taken_away(memory, memory.restart, lambda: memory.delete_item(items[0]["id"]))
    memory.key = service.key
    memory.delete_item(items[0]["id"])
    memory.restart()
    assert memory.items() == []


async def test_a_memory_under_asyncio_does_the_same(amemory: AsyncMemory) -> None:
    await amemory.append([{"role": "assistant", "content": "Hi."}])
    await amemory.turn([{"role": "user", "content": "How are you?"}])
    [first, second, _] = await amemory.items()
    await amemory.summarise("They greet.", second["id"])

    await check_nothing_is_taken_away_async(amemory, amemory.restart, lambda: amemory.delete_item(first["id"]))


def test_a_memory_that_is_only_looked_at_takes_read(memory: Memory, reading: Service) -> None:
    memory.key = reading.key

    assert memory.items() != []
    assert memory.context().messages != []
    for write in (
        lambda: memory.append([SAID]),
        lambda: memory.turn([SAID]),
        lambda: memory.summarise("So far.", memory.items()[0]["id"]),
        lambda: Memory.create(memory.url, memory.key, http=memory.http, **WANTED),
    ):
        with pytest.raises(Unauthorized) as refused:
            write()
        assert is_refused(refused.value, "read", "append")
    assert len(memory.items()) == 1


async def test_a_session_of_openai_agents_runs_by_append_and_takes_away_by_full(amemory: AsyncMemory) -> None:
    session = BudgetedSession(amemory)
    agent = Agent(name="travel", model=Scripted(), tools=[weather])
    config = RunConfig(call_model_input_filter=session.trim, tracing_disabled=True)
    for turn in range(3):
        assert (await Runner.run(agent, question(turn), session=session, run_config=config)).final_output

    assert len(await session.get_items()) > 3
    await check_nothing_is_taken_away_async(amemory, session.pop_item, session.clear_session)


async def test_openai_agents_own_session_does_as_well(appending: Service, service: Service) -> None:
    """Its own way to OpenAI's conversations, with nothing but another address."""
    client = AsyncOpenAI(base_url=f"{appending.url}/v1", api_key=appending.key)
    session = OpenAIConversationsSession(openai_client=client)
    agent = Agent(name="travel", model=Scripted(), tools=[weather])
    config = RunConfig(tracing_disabled=True)
    for turn in range(2):
        assert (await Runner.run(agent, question(turn), session=session, run_config=config)).final_output
    before = await session.get_items()

    for take in (session.pop_item, session.clear_session):
        with pytest.raises(PermissionDeniedError, match="takes 'full'"):
            await take()
    assert await session.get_items() == before != []
    await client.close()


def test_a_history_of_langchain_is_added_to_by_append_and_cleared_by_full(memory: Memory) -> None:
    history = WarmthreadChatMessageHistory(memory)
    history.add_messages([AIMessage("Hi."), HumanMessage("How are you?")])

    assert [message.content for message in history.messages] == ["Hello", "Hi.", "How are you?"]
    check_nothing_is_taken_away(memory, history.clear)


def test_a_trimmer_and_a_hook_of_langchain_take_append(memory: Memory, appending: Service, http: httpx.Client) -> None:
    trimmed = trimmer(memory).invoke([HumanMessage("one")])
    other = Memory.create(appending.url, appending.key, http=http, **WANTED)
    model = FakeMessagesListChatModel(responses=[AIMessage("two")])
    with pytest.warns(DeprecationWarning, match="create_react_agent"):
        agent = create_react_agent(model, [], pre_model_hook=pre_model_hook(other))
    state = agent.invoke({"messages": [("user", "one")]})

    assert [message.content for message in trimmed] == ["Hello", "one"]
    assert state["messages"][-1].content == "two"
    assert len(other.items()) == 1


async def test_a_processor_of_pydantic_ai_takes_append(amemory: AsyncMemory) -> None:
    def model(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        return ModelResponse(parts=[TextPart(f"answer to {len(messages)}")])

    agent = PydanticAgent(FunctionModel(model), capabilities=[ProcessHistory(history_processor(amemory))])
    history: list[ModelMessage] = []
    for turn in range(3):
        history = (await agent.run(question(turn), message_history=history)).all_messages()

    # The last answer is appended with the next question.
    assert [each["role"] for each in await amemory.items()] == ["user", *("user", "assistant") * 2, "user"]
