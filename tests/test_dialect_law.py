"""
The law of docs/dialects.md: what was appended in a format, and is asked for in it with room for all, is equal to it in
the format's normal form.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.proving.borders import normal_forms
from scripts.proving.contexts.dialogues import read_dialogues
from tests.dialogues import DIALOGUES
from tests.examples import examples
from tests.messages import Dialogue, log_of, read, shown

DATA = Path(__file__).parent / "data"


def chat(members: dict[str, Any]) -> Any:
    return normal_forms.chat(members["messages"])


def anthropic(members: dict[str, Any]) -> Any:
    return normal_forms.anthropic(members["messages"], members["system"])


def gemini(members: dict[str, Any]) -> Any:
    return normal_forms.gemini(members["contents"], members.get("system_instruction"))


NORMAL: dict[str, Callable[[dict[str, Any]], Any]] = {"chat": chat, "anthropic": anthropic, "gemini": gemini}


def as_members(dialogue: Dialogue) -> dict[str, Any]:
    """Return the members of a request, named as a context of its format names them."""
    match dialogue.context_format:
        case "chat":
            return {"messages": dialogue.messages}
        case "anthropic":
            return {"messages": dialogue.messages, "system": dialogue.system or []}
    return {"contents": dialogue.messages, "system_instruction": dialogue.system}


def assert_comes_back(dialogue: Dialogue) -> None:
    normal = read(dialogue.context_format, dialogue.messages, dialogue.system)
    members = shown(dialogue.context_format, log_of(normal))

    assert NORMAL[dialogue.context_format](members) == NORMAL[dialogue.context_format](as_members(dialogue))


@pytest.mark.parametrize("dialogue", DIALOGUES, ids=lambda each: f"{each.context_format}: {each.name}")
def test_every_shape_comes_back(dialogue: Dialogue) -> None:
    assert_comes_back(dialogue)


@st.composite
def joined(draw: st.DrawFn) -> Dialogue:
    """Dialogues one behind the other: ids of calls come again, and only the last may end with an open call."""
    context_format = draw(st.sampled_from(sorted({each.context_format for each in DIALOGUES})))
    own = [each for each in DIALOGUES if each.context_format == context_format]
    closed = [each for each in own if "open" not in each.name]
    chosen = [*draw(st.lists(st.sampled_from(closed), max_size=5)), draw(st.sampled_from(own))]
    messages = [message for each in chosen for message in each.messages]
    system = None if context_format == "chat" else chosen[0].system
    return Dialogue("", context_format, messages, system)


@given(joined())
@settings(max_examples=examples(200), deadline=None)
def test_dialogues_one_behind_the_other_come_back(dialogue: Dialogue) -> None:
    assert_comes_back(dialogue)


def recorded() -> list[list[dict[str, Any]]]:
    names = ("tau_airline_12", "swe_agent_marshmallow_1867")
    dialogues = [each for name in names for each in read_dialogues(DATA / f"{name}.jsonl")]
    return [[_as_openai_has_it(message) for message in each.messages] for each in dialogues]


def _as_openai_has_it(message: dict[str, Any]) -> dict[str, Any]:
    known = ("role", "content", "tool_calls", "tool_call_id")
    made = {name: value for name, value in message.items() if name in known and value is not None}
    if message["role"] == "tool" and "tool_call_id" not in made:
        made["tool_call_id"] = message["tool_call_ids"][0]
    return made


def _as_anthropic(messages: list[dict[str, Any]]) -> Dialogue:
    """Return chat messages as Anthropic's, for which calls have objects."""
    made: list[dict[str, Any]] = []
    system = []
    for message in messages:
        content = message.get("content") or []
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else list(content)
        if message["role"] == "system":
            system += blocks
            continue
        role = message["role"]
        if role == "tool":
            role, blocks = "user", [{"type": "tool_result", "tool_use_id": message["tool_call_id"], "content": blocks}]
        for call in message.get("tool_calls", []):
            arguments = normal_forms.value_of(call["function"]["arguments"])
            arguments = arguments if isinstance(arguments, dict) else {"arguments": arguments}
            blocks.append({"type": "tool_use", "id": call["id"], "name": call["function"]["name"], "input": arguments})
        made.append({"role": role, "content": blocks})
    return Dialogue("", "anthropic", made, system)


def _as_gemini(messages: list[dict[str, Any]]) -> Dialogue:
    """Return chat messages as Gemini's; calls and answers keep their ids."""
    made: list[dict[str, Any]] = []
    system: list[dict[str, Any]] = []
    names = {call["id"]: call["function"]["name"] for each in messages for call in each.get("tool_calls", [])}
    for message in messages:
        content = message.get("content") or []
        texts = [content] if isinstance(content, str) else [part["text"] for part in content]
        parts: list[dict[str, Any]] = [{"text": text} for text in texts]
        if message["role"] == "system":
            system += parts
            continue
        if message["role"] == "tool":
            call_id = message["tool_call_id"]
            answer = {"id": call_id, "name": names.get(call_id, "f"), "response": {"output": "".join(texts)}}
            parts = [{"functionResponse": answer}]
        for call in message.get("tool_calls", []):
            arguments = normal_forms.value_of(call["function"]["arguments"])
            arguments = arguments if isinstance(arguments, dict) else {"arguments": arguments}
            called = {"id": call["id"], "name": call["function"]["name"], "args": arguments}
            parts.append({"functionCall": called})
        made.append({"role": "model" if message["role"] == "assistant" else "user", "parts": parts})
    return Dialogue("", "gemini", made, {"parts": system} if system else None)


@pytest.mark.parametrize("context_format", NORMAL)
def test_recorded_dialogues_come_back(context_format: str) -> None:
    make = {"chat": lambda each: Dialogue("", "chat", each), "anthropic": _as_anthropic, "gemini": _as_gemini}
    for messages in recorded():
        assert_comes_back(make[context_format](messages))
