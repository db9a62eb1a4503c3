"""The runner of openai-agents, unchanged, over a session that answers with contexts."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
from agents import Agent, ModelResponse, RunConfig, Runner, Usage, function_tool
from agents.models.interface import Model
from agents.run_config import CallModelData, ModelInputData
from conftest import Counts, Service
from openai.types.responses import (
    ResponseFunctionToolCall,
    ResponseOutputMessage,
    ResponseOutputText,
    ResponseReasoningItem,
)
from openai.types.responses.response_reasoning_item import Summary
from scripted import BUDGET, JSON, TURNS, answer, asks_tool, observation, question

from warmthread import AsyncMemory
from warmthread.openai_agents import BudgetedSession

LOOP = 12


class Scripted(Model):
    """Asks its tool *calls* times a turn, then answers. `inputs` are what it was sent."""

    def __init__(self, calls: int = 1) -> None:
        self.inputs: list[list[JSON]] = []
        self.calls = calls

    async def get_response(self, system_instructions: Any, input: Any, *args: Any, **kwargs: Any) -> ModelResponse:  # noqa: A002
        self.inputs.append([dict(each) for each in input])
        users = [each for each in input if each.get("role") == "user"]
        said = users[-1]["content"]
        turn = int((said if isinstance(said, str) else said[0]["text"]).split()[1].rstrip(":"))
        done = len(input) - 1 - max(index for index, each in enumerate(input) if each.get("role") == "user")
        number = len(self.inputs)
        output: list[Any] = [
            ResponseReasoningItem(
                id=f"rs_{number}",
                type="reasoning",
                summary=[Summary(text=f"Thought {number}", type="summary_text")],
                encrypted_content=f"sealed{number}",
            )
        ]
        if asks_tool(turn) and number % (self.calls + 1) != 0 and (self.calls > 1 or done == 0):
            output.append(
                ResponseFunctionToolCall(
                    id=f"fc_{number}",
                    call_id=f"call_{number}",
                    type="function_call",
                    name="weather",
                    arguments=f'{{"turn": {turn}}}',
                )
            )
        else:
            text = ResponseOutputText(type="output_text", text=answer(turn), annotations=[])
            output.append(
                ResponseOutputMessage(
                    id=f"msg_{number}", type="message", role="assistant", status="completed", content=[text]
                )
            )
        return ModelResponse(output=output, usage=Usage(), response_id=None)

    def stream_response(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        raise NotImplementedError


@function_tool
def weather(turn: int) -> str:
    return observation(turn)


async def session_of(service: Service, http: httpx.AsyncClient, **wanted: Any) -> BudgetedSession:
    memory = await AsyncMemory.create(service.url, service.key, http=http, model="gpt-4o", budget=BUDGET, **wanted)
    return BudgetedSession(memory)


async def tokens_of(service: Service, items: list[JSON]) -> int:
    async with httpx.AsyncClient(base_url=service.url, headers={"authorization": f"Bearer {service.key}"}) as api:
        answer = await api.post("/v1/tokens/count", json={"model": "gpt-4o", "input": items})
    return int(answer.raise_for_status().json()["tokens"])


async def test_thirty_turns_stay_within_the_budget_and_hold_reasoning_and_tools_whole(
    service: Service, ahttp: httpx.AsyncClient, counts: Counts
) -> None:
    model, session = Scripted(), await session_of(service, ahttp)
    agent = Agent(name="travel", model=model, tools=[weather])
    config = RunConfig(call_model_input_filter=session.trim, tracing_disabled=True)
    counts.requests = 0
    service.store.reset()
    added = 0
    for turn in range(TURNS):
        result = await Runner.run(agent, question(turn), session=session, run_config=config)
        added += 1 + len(result.raw_responses)

        assert result.final_output == answer(turn)

    assert counts.requests == service.store.requests == TURNS + added
    for sent in model.inputs:
        assert await tokens_of(service, sent) <= BUDGET
        calls = [each["call_id"] for each in sent if each["type"] == "function_call"]
        assert calls == [each["call_id"] for each in sent if each["type"] == "function_call_output"]
        led_to = [sent[index + 1].get("type") for index, each in enumerate(sent) if each.get("type") == "reasoning"]
        assert set(led_to) <= {"function_call", "message"}
        assert all(each["encrypted_content"].startswith("sealed") for each in sent if each.get("type") == "reasoning")
    assert min(map(len, model.inputs[-10:])) > 10


async def test_a_loop_of_tool_calls_is_trimmed_within_its_turn(service: Service, ahttp: httpx.AsyncClient) -> None:
    model, session = Scripted(calls=LOOP * 3), await session_of(service, ahttp)
    agent = Agent(name="travel", model=model, tools=[weather])
    config = RunConfig(call_model_input_filter=session.trim, tracing_disabled=True)

    result = await Runner.run(agent, question(1), session=session, run_config=config, max_turns=100)

    assert result.final_output == answer(1)
    assert len(model.inputs) > LOOP
    for sent in model.inputs:
        assert await tokens_of(service, sent) <= BUDGET
        assert json.dumps(question(1), ensure_ascii=False) in json.dumps(sent[0], ensure_ascii=False)
    assert len(model.inputs[-1]) < 3 * len(model.inputs)


async def test_items_leave_room_for_the_input(service: Service, ahttp: httpx.AsyncClient) -> None:
    session = await session_of(service, ahttp)
    for turn in range(TURNS):
        await session.add_items([{"role": "user", "content": question(turn)}])
        await session.add_items([{"role": "assistant", "content": answer(turn)}])

    tokens = await tokens_of(service, [dict(each) for each in await session.get_items()])

    assert BUDGET // 2 < tokens <= BUDGET - BUDGET // 4
    assert len(await session.get_items(limit=3)) == 3


async def test_what_needs_some_of_the_room_is_answered_all_the_same(service: Service, ahttp: httpx.AsyncClient) -> None:
    session = await session_of(service, ahttp)
    await session.add_items([{"role": "user", "content": "word " * 1_800}])

    [item] = await session.get_items()

    assert 1_800 <= await tokens_of(service, [dict(item)]) <= BUDGET


async def test_ids_that_are_made_up_or_come_again_are_replaced(service: Service, ahttp: httpx.AsyncClient) -> None:
    session = await session_of(service, ahttp)
    for made_up in ("msg_1", "msg_1", "__fake_id__", "__fake_id__"):
        said: Any = {"id": made_up, "role": "assistant", "content": "hello"}
        await session.add_items([said])

    stored: list[Any] = await session.get_items()
    assert len({item["id"] for item in stored}) == 4


async def test_the_newest_item_is_popped_and_the_session_cleared(service: Service, ahttp: httpx.AsyncClient) -> None:
    session = await session_of(service, ahttp)
    await session.add_items([{"role": "user", "content": "one"}, {"role": "user", "content": "two"}])
    before = session.session_id

    popped: Any = await session.pop_item()
    assert popped["content"][0]["text"] == "two"
    assert len(await session.get_items()) == 1

    await session.clear_session()
    assert session.session_id != before
    assert await session.get_items() == []
    assert await session.pop_item() is None


async def test_an_input_that_was_made_by_someone_else_is_left_as_it_is(
    service: Service, ahttp: httpx.AsyncClient
) -> None:
    session = await session_of(service, ahttp)
    await session.add_items([{"role": "user", "content": "one"}])
    agent = Agent(name="travel")
    other = ModelInputData(input=[{"role": "user", "content": "two"}], instructions="brief")
    more = ModelInputData(input=[{"role": "user", "content": "one"}, *other.input], instructions="brief")

    assert await session.trim(CallModelData(other, agent, None)) is other
    trimmed = await session.trim(CallModelData(more, agent, None))
    assert [dict(each).get("role") for each in trimmed.input] == ["user", "user"]
    assert trimmed.instructions == "brief"
