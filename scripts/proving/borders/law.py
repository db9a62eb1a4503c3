"""
The law of docs/dialects.md: what was appended in a format, and is asked for in it with room for all, is equal to it in
the format's normal form.

    outcome(dialogue)      both sides of it, to be compared
    in_each(messages)      chat messages as a dialogue of each dialect
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from scripts.proving.borders import normal_forms
from scripts.proving.borders.conversation import Batch, Conversation, log_of
from scripts.proving.contexts.dialogues import folded
from shared.context.fit import fit
from shared.context.render import render

Json = dict[str, Any]

ROOM = 10**9


class Dialogue(NamedTuple):
    """*system* stands beside *messages* where the API has it there."""

    name: str
    context_format: str
    messages: list[Json]
    system: Any = None


def batches(dialogue: Dialogue, cuts: Sequence[int] = ()) -> list[Batch]:
    """Return *dialogue* as it is appended: at once, or before each of *cuts* anew."""
    bounds = sorted({0, *(at for at in cuts if at < len(dialogue.messages))})
    made: list[Batch] = []
    for start, end in zip(bounds, [*bounds[1:], len(dialogue.messages)], strict=True):
        batch: Json = {"format": dialogue.context_format, "messages": dialogue.messages[start:end]}
        made.append(batch if start or dialogue.system is None else {**batch, "system": dialogue.system})
    return made


def outcome(dialogue: Dialogue, cuts: Sequence[int] = ()) -> tuple[Any, Any]:
    """Return the normal forms of what comes back of *dialogue*, and of itself."""
    name = dialogue.context_format
    log = log_of(Conversation(batches(dialogue, cuts)), len)
    members = render(name, fit(folded(log, name), ROOM)).members
    shown = {member: json.loads(value) for member, value in members.items()}
    if name == "gemini":
        contents, system = shown["contents"], shown.get("system_instruction")
        return normal_forms.gemini(contents, system), normal_forms.gemini(dialogue.messages, dialogue.system)
    if name == "anthropic":
        come_back = normal_forms.anthropic(shown["messages"], shown["system"])
        return come_back, normal_forms.anthropic(dialogue.messages, dialogue.system)
    return normal_forms.chat(shown["messages"]), normal_forms.chat(dialogue.messages)


def in_each(messages: Sequence[Json]) -> Iterator[Dialogue]:
    """Yield recorded chat *messages* as each API would have had them."""
    as_sent = [_as_openai_has_it(message) for message in messages]
    yield Dialogue("", "chat", as_sent)
    yield _as_anthropic(as_sent)
    yield _as_gemini(as_sent)


def _as_openai_has_it(message: Json) -> Json:
    known = ("role", "content", "tool_calls", "tool_call_id")
    made = {name: value for name, value in message.items() if name in known and value is not None}
    if message["role"] == "tool" and "tool_call_id" not in made:
        made["tool_call_id"] = message["tool_call_ids"][0]
    return made


def _as_anthropic(messages: list[Json]) -> Dialogue:
    """Return chat messages as Anthropic's, for which calls have objects."""
    made: list[Json] = []
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
            function = call["function"]
            blocks.append({"type": "tool_use", "id": call["id"], "name": function["name"], "input": _object(function)})
        made.append({"role": role, "content": blocks})
    return Dialogue("", "anthropic", made, system)


def _as_gemini(messages: list[Json]) -> Dialogue:
    """Return chat messages as Gemini's; calls and answers keep their ids."""
    made: list[Json] = []
    system: list[Json] = []
    # Recorded dialogues use ids again: an answer is to the newest call of its id.
    names: dict[str, str] = {}
    for message in messages:
        content = message.get("content") or []
        texts = [content] if isinstance(content, str) else [part["text"] for part in content]
        parts: list[Json] = [{"text": text} for text in texts]
        if message["role"] == "system":
            system += parts
            continue
        if message["role"] == "tool":
            call_id = message["tool_call_id"]
            answer = {"id": call_id, "name": names.get(call_id, "f"), "response": {"output": "".join(texts)}}
            parts = [{"functionResponse": answer}]
            if made and "functionResponse" in made[-1]["parts"][0]:  # It takes all results in one content.
                made[-1]["parts"] += parts
                continue
        for call in message.get("tool_calls", []):
            names[call["id"]] = call["function"]["name"]
            called = {"id": call["id"], "name": call["function"]["name"], "args": _object(call["function"])}
            parts.append({"functionCall": called})
        made.append({"role": "model" if message["role"] == "assistant" else "user", "parts": parts})
    return Dialogue("", "gemini", made, {"parts": system} if system else None)


def _object(function: Json) -> Json:
    arguments = normal_forms.value_of(function["arguments"])
    return arguments if isinstance(arguments, dict) else {"arguments": arguments}
