"""Stores that the frameworks themselves filled, imported, and gone on with as docs/migrating.md says."""

import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import Service
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

from scripts.importing.command import run
from scripts.local.signals import Stop
from tests.json_module import json_module
from warmthread import AsyncMemory, Memory
from warmthread.langchain import WarmthreadChatMessageHistory
from warmthread.openai_agents import BudgetedSession

PAGE = (Path(__file__).parents[3] / "docs" / "migrating.md").read_text()
SNIPPETS = {
    part.partition("\n")[0]: part.partition("```python\n")[2].partition("```")[0]
    for part in PAGE.split("\n## ")
    if "```python" in part
}
CALL: dict[str, Any] = {"name": "weather", "args": {"city": "Rome"}, "id": "call_1", "type": "tool_call"}
MESSAGES: list[BaseMessage] = [
    HumanMessage("What is the weather in Rome?"),
    AIMessage("", tool_calls=[CALL]),
    ToolMessage("Sunny", tool_call_id="call_1"),
    AIMessage("It is sunny."),
]
ITEMS: list[Any] = [
    {"role": "user", "content": "What is the weather in Rome?"},
    {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": '{"city":"Rome"}'},
    {"type": "function_call_output", "call_id": "call_1", "output": "Sunny"},
    {"role": "assistant", "content": "It is sunny."},
]


@pytest.fixture
def other(service: Service) -> Iterator[str]:
    """A Redis with the JSON module, as redis-py finds it."""
    with json_module(service.store.redis_url) as url:
        yield url


def imported(service: Service, url: str, kind: str, folder: Path, *options: str) -> dict[str, str]:
    """Import, and return the conversations by their ids in the source."""
    to = ["--to", service.url, "--key", service.key, "--map", str(folder / "map")]
    stop = Stop()
    try:
        assert run(["--from", kind, "--source", url, *to, *options], stop) == 0
        assert run(["--from", kind, "--source", url, *to, "--verify"], stop) == 0
    finally:
        stop.undo()
    lines = map(json.loads, (folder / "map").read_text().splitlines())
    return {line["source_id"]: line["conversation_id"] for line in lines}


def gone_on(title: str, service: Service, conversation_id: str) -> dict[str, Any]:
    """Run the lines of docs/migrating.md, and return what they define."""
    names: dict[str, Any] = {"AsyncMemory": AsyncMemory, "Memory": Memory, "BudgetedSession": BudgetedSession}
    names |= {"WarmthreadChatMessageHistory": WarmthreadChatMessageHistory, "text": "And in Paris?"}
    names |= {"url": service.url, "key": service.key, "conversation_id": conversation_id}
    exec(SNIPPETS[title], names)
    return names


async def test_a_session_of_openai_agents_goes_on(service: Service, other: str, tmp_path: Path) -> None:
    from agents.extensions.memory import RedisSession

    session = RedisSession.from_url("user-1", url=f"{other}?protocol=2")
    await session.add_items(ITEMS)
    ids = imported(service, other, "openai-agents", tmp_path)
    await session.add_items([{"role": "user", "content": "later"}])
    assert imported(service, other, "openai-agents", tmp_path) == ids
    await session.clear_session()
    await session.close()
    taken = gone_on("openai-agents", service, ids["user-1"])["session"]

    found = await taken.get_items()
    assert [each.get("role", each["type"]) for each in found] == [
        *("user", "function_call", "function_call_output", "assistant", "user"),
    ]
    await taken.memory.http.aclose()


@pytest.mark.parametrize("package", ["langchain_community.chat_message_histories", "langchain_redis"])
def test_a_history_of_langchain_goes_on(service: Service, other: str, tmp_path: Path, package: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Both tell that they will be gone one day.
        module: Any = __import__(package, fromlist=["RedisChatMessageHistory"])
        address = {"url" if "community" in package else "redis_url": f"{other}?protocol=2"}
        history = module.RedisChatMessageHistory("user-1", **address)
        history.add_messages(MESSAGES)
        ids = imported(service, other, "langchain", tmp_path)
        history.redis_client.delete(*history.redis_client.keys("*user-1*"))
        history.redis_client.close()
    taken = gone_on("LangChain", service, ids["user-1"])["history"]

    found = taken.messages
    assert found[0].content == "What is the weather in Rome?"
    assert found[-1].content == "It is sunny."
    if "community" in package:  # langchain-redis keeps no calls, and a result without its call is in no context.
        assert [each.type for each in found] == ["human", "ai", "tool", "ai"]
        assert found[1].tool_calls == [CALL]
    taken.memory.http.close()


@pytest.mark.parametrize("title", ["agent-memory-server", "Assistants"])
def test_a_turn_goes_on_where_there_is_no_adapter(service: Service, http: httpx.Client, title: str) -> None:
    headers = {"authorization": f"Bearer {service.key}"}
    made = http.post(f"{service.url}/v1/conversations", json={"items": ITEMS}, headers=headers).json()["id"]
    names = gone_on(title, service, made)

    assert "Paris" in json.dumps(names["context"].messages[-1])
    names["memory"].http.close()
