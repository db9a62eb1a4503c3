"""scripts/import, of drawn conversations in each source's form: what is read back is what was there."""

import json
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scripts.proving.borders import normal_forms
from tests.examples import examples
from tests.imports import Importing, Json, Store, context_of, items_of

pytestmark = pytest.mark.unmeasured

drawn = settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
numbers = count(1)
texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=30)
arguments = st.dictionaries(texts, st.one_of(texts, st.integers(), st.none(), st.booleans()), max_size=3)


def brought(importing: Importing, kind: str, session: str, source: str | None = None) -> str:
    """Import a session, which must be taken as it is; return the conversation that it became."""
    told = importing.told(kind, "--only", session, source=source)

    assert (told[session]["state"], told[session]["refusals"]) == ("imported", [])
    conversation_id: str = importing.mapped()[session]["conversation_id"]
    return conversation_id


def without(items: list[Json], *names: str) -> list[Json]:
    return [{name: value for name, value in item.items() if name not in names} for item in items]


def what_is_said(items: list[Json]) -> list[Json]:
    return without(items, "id", "created_at")


@st.composite
def item_turns(draw: st.DrawFn) -> list[Json]:
    """Turns of items of the Responses API: a question, perhaps calls with their outputs, an answer."""
    items: list[Json] = []
    for turn in range(draw(st.integers(1, 4))):
        part = {"type": "input_text", "text": draw(texts)}
        items.append({"role": "user", "content": draw(st.sampled_from([[part], part["text"]]))})
        for number in range(draw(st.integers(0, 2))):
            call_id = f"c{turn}{number}"
            if draw(st.booleans()):
                summary = [{"type": "summary_text", "text": draw(texts)}]
                items.append({"type": "reasoning", "summary": summary, "encrypted_content": "sealed"})
            call = {"call_id": call_id, "name": "f", "arguments": json.dumps(draw(arguments))}
            items.append({"type": "function_call", **call})
            items.append({"type": "function_call_output", "call_id": call_id, "output": draw(texts)})
        said = [{"type": "output_text", "text": draw(texts), "annotations": []}]
        items.append({"type": "message", "role": "assistant", "status": "completed", "content": said})
    return items


@given(item_turns())
@drawn
def test_items_of_openai_agents(importing: Importing, store: Store, api: httpx.Client, items: list[Json]) -> None:
    session = f"r{next(numbers)}"
    store.call("RPUSH", f"agents:session:{session}:messages", *map(json.dumps, items))
    direct = api.post("/v1/conversations", json={"items": items}).json()["id"]

    imported = items_of(api, brought(importing, "openai-agents", session))

    assert what_is_said(imported) == what_is_said(items_of(api, direct))


@st.composite
def chat_turns(draw: st.DrawFn) -> list[Json]:
    messages: list[Json] = [{"role": "system", "content": draw(texts)}] if draw(st.booleans()) else []
    for turn in range(draw(st.integers(1, 4))):
        parts = [{"type": "text", "text": text} for text in draw(st.lists(texts, min_size=1, max_size=3))]
        messages.append({"role": "user", "content": draw(st.sampled_from([parts, parts[0]["text"]]))})
        ids = [f"c{turn}{number}" for number in range(draw(st.integers(0, 3)))]
        if ids:
            calls = [
                {"id": each, "type": "function", "function": {"name": "f", "arguments": json.dumps(draw(arguments))}}
                for each in ids
            ]
            messages.append({"role": "assistant", "content": draw(st.none() | texts), "tool_calls": calls})
            messages += [{"role": "tool", "tool_call_id": each, "content": draw(texts)} for each in ids]
        messages.append({"role": "assistant", "content": draw(texts)})
    return messages


def as_langchain(message: Json) -> Json:
    """Return a chat message as message_to_dict of langchain-core writes it."""
    kind = {"user": "human", "assistant": "ai"}.get(message["role"], message["role"])
    data: Json = {"content": message["content"] or "", "additional_kwargs": {}, "response_metadata": {}, "type": kind}
    data |= {"name": None, "id": None}
    if kind == "ai":
        calls = [
            {"name": each["function"]["name"], "args": json.loads(each["function"]["arguments"]), "id": each["id"]}
            for each in message.get("tool_calls", [])
        ]
        data |= {"tool_calls": [{**each, "type": "tool_call"} for each in calls], "invalid_tool_calls": []}
    if kind == "tool":
        data |= {"tool_call_id": message["tool_call_id"], "artifact": None, "status": "success"}
    return {"type": kind, "data": data}


@given(messages=chat_turns(), is_new=st.booleans())
@drawn
def test_messages_of_langchain(
    importing: Importing, store: Store, api: httpx.Client, messages: list[Json], is_new: bool
) -> None:
    session = f"r{next(numbers)}"
    stored = [as_langchain(message) for message in messages]
    if is_new:
        for number, each in enumerate(stored):
            document = {**each, "message_id": f"{number}", "session_id": session, "timestamp": 1e9 + number / 1_000}
            # Names do not sort as times do: ULIDs of one millisecond are drawn.
            store.call("JSON.SET", f"chat:{session}:{-number % 7}{number}", "$", json.dumps(document))
    else:
        for each in stored:
            store.call("LPUSH", f"message_store:{session}", json.dumps(each))

    conversation_id = brought(importing, "langchain", session)

    shown = context_of(api, conversation_id, "chat")["messages"]
    assert normal_forms.chat(shown) == normal_forms.chat(messages)


said = st.lists(st.tuples(st.sampled_from(["user", "assistant"]), texts), min_size=1, max_size=8)


def spoken(items: list[Json]) -> list[tuple[str, Any]]:
    return [(item["role"], item["content"][0]["text"]) for item in items]


@given(said)
@drawn
def test_messages_of_agent_memory_server(
    importing: Importing, store: Store, api: httpx.Client, messages: list[tuple[str, str]]
) -> None:
    session = f"r{next(numbers)}"
    listed = [{"role": role, "content": text, "id": f"{at}"} for at, (role, text) in enumerate(messages)]
    document = json.dumps({"session_id": session, "messages": listed, "created_at": 1})
    store.call("JSON.SET", f"working_memory:{session}", "$", document)

    assert spoken(items_of(api, brought(importing, "agent-memory-server", session))) == messages


@given(said, st.booleans())
@drawn
def test_messages_of_assistants(
    importing: Importing, api: httpx.Client, tmp_path: Path, messages: list[tuple[str, str]], is_newest_first: bool
) -> None:
    thread = f"thread_{next(numbers)}"
    listed = [
        {
            "id": f"msg_{at}",
            "object": "thread.message",
            "created_at": 1_700_000_000 + at // 2 if not is_newest_first else 1_700_000_000 + at,
            "thread_id": thread,
            "role": role,
            "content": [{"type": "text", "text": {"value": text, "annotations": []}}],
        }
        for at, (role, text) in enumerate(messages)
    ]
    listed = listed[::-1] if is_newest_first else listed
    (tmp_path / "thread.json").write_text(json.dumps({"object": "list", "data": listed}, indent=1))

    assert spoken(items_of(api, brought(importing, "assistants", thread, str(tmp_path / "thread.json")))) == messages


@given(item_turns())
@drawn
def test_items_of_another_warmthread(
    importing: Importing, api: httpx.Client, other_api: httpx.Client, items: list[Json]
) -> None:
    there = other_api.post("/v1/conversations", json={"items": items}).json()["id"]
    key = other_api.headers["authorization"].removeprefix("Bearer ")
    told = importing.told("warmthread", "--only", there, "--source-key", key, source=importing.url)

    assert told[there]["state"] == "imported"
    imported = items_of(api, importing.mapped()[there]["conversation_id"])
    assert without(imported, "created_at") == without(items_of(other_api, there), "created_at")
