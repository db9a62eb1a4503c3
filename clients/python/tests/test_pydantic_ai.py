"""A pydantic-ai agent whose model requests are contexts."""

from typing import Any

import httpx
import pytest
from conftest import Counts, Service
from pydantic_ai import Agent
from pydantic_ai.capabilities import ProcessHistory
from pydantic_ai.messages import (
    DocumentUrl,
    ImageUrl,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models.function import AgentInfo, FunctionModel
from scripted import BUDGET, TURNS, answer, arguments, asks_tool, observation, question

from warmthread import AsyncMemory
from warmthread.pydantic_ai import history_processor


async def memory_of(service: Service, http: httpx.AsyncClient, **wanted: Any) -> AsyncMemory:
    return await AsyncMemory.create(
        service.url, service.key, http=http, format="chat", model="gpt-4o", budget=BUDGET, **wanted
    )


async def tokens_of(memory: AsyncMemory, messages: list[ModelMessage]) -> int:
    """What *messages* count, but for thinking, which chat messages do not have."""
    chats: list[dict[str, Any]] = []
    for part in (part for message in messages for part in message.parts):
        match part:
            case UserPromptPart(content=str() as content):
                chats.append({"role": "user", "content": content})
            case TextPart(content=content):
                chats.append({"role": "assistant", "content": content})
            case ToolCallPart():
                function = {"name": part.tool_name, "arguments": part.args_as_json_str()}
                call = {"id": part.tool_call_id, "type": "function", "function": function}
                chats.append({"role": "assistant", "content": None, "tool_calls": [call]})
            case ToolReturnPart(content=content):
                chats.append({"role": "tool", "tool_call_id": part.tool_call_id, "content": content})
            case _:
                assert isinstance(part, ThinkingPart)
    headers = {"authorization": f"Bearer {memory.key}"}
    async with httpx.AsyncClient(base_url=memory.url, headers=headers) as api:
        counted = await api.post("/v1/tokens/count", json={"model": "gpt-4o", "messages": chats})
    return int(counted.raise_for_status().json()["tokens"])


async def test_thirty_turns_stay_within_the_budget_and_hold_thinking(
    service: Service, ahttp: httpx.AsyncClient, counts: Counts
) -> None:
    memory = await memory_of(service, ahttp)
    sent: list[list[ModelMessage]] = []
    instructions: list[str | None] = []
    turn = 0

    def model(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        sent.append(messages)
        instructions.append(info.instructions)
        thought = ThinkingPart(f"Thought {len(sent)}", signature=f"signed{len(sent)}", provider_name="function")
        newest = messages[-1].parts[-1]
        if asks_tool(turn) and isinstance(newest, UserPromptPart):
            return ModelResponse([thought, ToolCallPart("weather", arguments(turn), f"call_{turn}")])
        return ModelResponse([thought, TextPart(answer(turn))])

    agent = Agent(
        FunctionModel(model),
        instructions="You answer briefly.",
        capabilities=[ProcessHistory(history_processor(memory))],
    )

    @agent.tool_plain
    def weather(city: str, days: list[int]) -> str:
        return observation(turn)

    counts.requests = 0
    service.store.reset()
    history: list[ModelMessage] = []
    for turn in range(TURNS):
        result = await agent.run(question(turn), message_history=history)
        history = result.all_messages()
        assert result.output == answer(turn)

    assert len(sent) == counts.requests == service.store.requests
    assert set(instructions) == {"You answer briefly."}
    assert len(sent[-1]) > 10
    for messages in sent:
        assert await tokens_of(memory, messages) <= BUDGET
        assert isinstance(messages[0], ModelRequest)
        responses = [message for message in messages if isinstance(message, ModelResponse)]
        assert all(isinstance(message.parts[0], ThinkingPart) for message in responses)
        calls = [p.tool_call_id for m in messages for p in m.parts if isinstance(p, ToolCallPart)]
        assert calls == [p.tool_call_id for m in messages for p in m.parts if isinstance(p, ToolReturnPart)]
    assert (await memory.context()).tokens <= BUDGET


async def test_an_instance_that_holds_nothing_goes_on(service: Service, ahttp: httpx.AsyncClient) -> None:
    memory = await memory_of(service, ahttp)
    before: list[ModelMessage] = [
        ModelRequest([SystemPromptPart("Be brief."), UserPromptPart(["What is it?", ImageUrl("https://a.b/c")])]),
        ModelResponse([ToolCallPart("look", '{"x":  1}', "call_1")]),
        ModelRequest([ToolReturnPart("look", "a house", "call_1")]),
        ModelResponse([TextPart("A house.")]),
        ModelRequest([UserPromptPart("And there?")]),
    ]
    await history_processor(memory)(before)
    after = await history_processor(memory)([ModelRequest([UserPromptPart("Sure?")], instructions="I")])

    assert [[type(part) for part in message.parts] for message in after] == [
        [SystemPromptPart, UserPromptPart],
        [ToolCallPart],
        [ToolReturnPart],
        [TextPart],
        [UserPromptPart, UserPromptPart],
    ]
    request: Any = after[0]
    assert request.parts[1].content[1].url == "https://a.b/c"
    returned: Any = after[2].parts[0]
    assert (returned.tool_name, returned.content, returned.tool_call_id) == ("look", "a house", "call_1")
    assert isinstance(after[-1], ModelRequest)
    assert after[-1].instructions == "I"
    assert await history_processor(memory)(after) == after


async def test_what_chat_cannot_say_is_refused_and_not_dropped(service: Service, ahttp: httpx.AsyncClient) -> None:
    memory = await memory_of(service, ahttp)
    with pytest.raises(ValueError, match="DocumentUrl has no form"):
        await history_processor(memory)([ModelRequest([UserPromptPart([DocumentUrl("https://a.b/c.pdf")])])])

    assert await memory.items() == []
