"""langchain-core and LangGraph: messages with calls both ways, and an agent whose model gets contexts."""

from typing import Any

import httpx
import pytest
from conftest import Counts, Service
from langchain_core.language_models.fake_chat_models import FakeMessagesListChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.outputs import ChatResult
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from scripted import BUDGET, CITIES, SYSTEM, TURNS, answer, asks_tool, observation, question

from warmthread import Memory
from warmthread.langchain import WarmthreadChatMessageHistory, fit, from_chat, pre_model_hook, to_chat, trimmer


@pytest.fixture
def memory(service: Service, http: httpx.Client) -> Memory:
    head = [{"role": "system", "content": SYSTEM}]
    return Memory.create(service.url, service.key, head, http=http, format="chat", model="gpt-4o", budget=BUDGET)


def call(turn: int) -> AIMessage:
    arguments = {"city": CITIES[turn % len(CITIES)], "turn": turn}
    return AIMessage(
        content="",
        tool_calls=[{"name": "weather", "args": arguments, "id": f"call_{turn}"}],
        response_metadata={"model_name": "scripted"},
        additional_kwargs={"reasoning": f"Thought {turn}"},
    )


def plain(message: BaseMessage) -> tuple[Any, ...]:
    calls = message.tool_calls if isinstance(message, AIMessage) else getattr(message, "tool_call_id", None)
    return message.type, message.content, calls


EVERY_KIND = [
    HumanMessage(
        [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": "https://a.b/c"}}]
    ),
    call(1),
    ToolMessage("sunny", tool_call_id="call_1"),
    AIMessage("An old town."),
]


def test_messages_with_calls_go_both_ways(memory: Memory) -> None:
    history = WarmthreadChatMessageHistory(memory)
    history.add_messages(EVERY_KIND)

    assert [plain(message) for message in history.messages] == [
        ("system", SYSTEM, None),
        *(plain(message) for message in EVERY_KIND),
    ]
    history.clear()
    assert history.messages == []


def test_what_chat_has_no_form_for_is_left_out_and_broken_calls_are_kept() -> None:
    thought: list[str | dict[Any, Any]] = [
        {"type": "thinking", "thinking": "t", "signature": "s"},
        {"type": "text", "text": "hi"},
    ]
    broken = AIMessage(thought, invalid_tool_calls=[{"name": "weather", "args": "{bad", "id": "call_1", "error": None}])
    chat = to_chat(broken)

    assert chat["content"] == [{"type": "text", "text": "hi"}]
    assert chat["tool_calls"][0]["function"] == {"name": "weather", "arguments": "{bad"}
    back = from_chat(chat)
    assert isinstance(back, AIMessage)
    assert back.invalid_tool_calls[0]["args"] == "{bad"


def test_the_trimmer_appends_what_is_new_in_one_request(service: Service, memory: Memory, counts: Counts) -> None:
    trim = trimmer(memory)
    counts.requests = 0
    first = trim.invoke([HumanMessage("one")])
    second = trim.invoke([*first, AIMessage("two"), HumanMessage("three")])
    again = trim.invoke(second)

    assert counts.requests == 3
    assert [message.content for message in again] == [SYSTEM, "one", "two", "three"]
    assert len(memory.items()) == 4


def test_what_comes_again_after_a_crash_is_appended_once(memory: Memory) -> None:
    new = [HumanMessage("one", id="m1")]
    fit(memory, new)
    fit(memory, new)

    assert len(memory.items()) == 2


class Model(FakeMessagesListChatModel):
    """Says what a script says. `inputs` are what it was sent."""

    inputs: list[list[BaseMessage]] = []  # noqa: RUF012 - pydantic copies it.

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        self.inputs.append(messages)
        return super()._generate(messages, *args, **kwargs)

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self


@tool
def weather(city: str, turn: int) -> str:
    """Say what the weather is."""
    return observation(turn)


def test_thirty_turns_of_a_langgraph_agent_stay_within_the_budget(
    service: Service, memory: Memory, counts: Counts
) -> None:
    from langgraph.prebuilt import create_react_agent

    said: list[BaseMessage] = []
    for turn in range(TURNS):
        said += [call(turn)] if asks_tool(turn) else []
        said.append(AIMessage(answer(turn), additional_kwargs={"reasoning": f"Answered {turn}"}))
    model = Model(responses=said)
    with pytest.warns(DeprecationWarning, match="create_react_agent"):
        agent = create_react_agent(
            model, [weather], pre_model_hook=pre_model_hook(lambda _: memory), checkpointer=InMemorySaver()
        )
    config: RunnableConfig = {"configurable": {"thread_id": "1"}}
    counts.requests = 0
    service.store.reset()
    for turn in range(TURNS):
        state = agent.invoke({"messages": [HumanMessage(question(turn))]}, config)
        assert state["messages"][-1].content == answer(turn)

    assert len(said) == len(model.inputs) == counts.requests == service.store.requests
    kept = {(plain(message)[1], str(message.additional_kwargs)) for message in said}
    with httpx.Client(base_url=service.url, headers={"authorization": f"Bearer {service.key}"}) as api:
        for sent in model.inputs:
            body = {"model": "gpt-4o", "messages": [to_chat(message) for message in sent]}
            assert api.post("/v1/tokens/count", json=body).json()["tokens"] <= BUDGET
            assert isinstance(sent[0], SystemMessage)
            replies = [message for message in sent if isinstance(message, AIMessage)]
            assert {(message.content, str(message.additional_kwargs)) for message in replies} <= kept
    assert min(map(len, model.inputs[-10:])) > 10
    assert len(memory.items(order="desc")) == 100
