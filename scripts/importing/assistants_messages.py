"""
A message of a thread of OpenAI's Assistants API, as an item.

Texts, refusals and pictures that the user sent become parts. Assistants' pictures, citations and attachments have no
place: pictures of an assistant are refused by the Responses API, and citations and attachments point into vector stores
and sandboxes that stay where they are. The marks of citations within a text stay as they are.
"""

from typing import Any

from scripts.importing.source import Json, Record

ROLES = ("user", "assistant")
STATUSES = ("completed", "incomplete", "in_progress")


def message_record(message: Json, at: str) -> Record:
    """Return the record of a `thread.message`."""
    key = str(message.get("id") or "")
    role, content = message.get("role"), message.get("content")
    if role not in ROLES:
        return Record(at, key, wrong=f"a message of the role {role!r} has no place here", field="role")
    if not isinstance(content, list):
        return Record(at, key, wrong="it has to be a list", field="content")
    left_out = ["attachments"] if message.get("attachments") else []
    parts: list[Json] = []
    for number, block in enumerate(content):
        made = _part(block, by_assistant=role == "assistant")
        if isinstance(made, str) and made.startswith("!"):
            return Record(at, key, wrong=made[1:], field=f"content[{number}]")
        if isinstance(made, str):
            left_out.append(made)
            continue
        parts.append(made)
        if _annotations(block):
            left_out.append("annotations")
    if not parts:
        return Record(at, key, left_out=(*left_out, "message without text"))
    item: Json = {"type": "message", "role": role, "content": parts}
    if key:
        item["id"] = key
    if message.get("status") in STATUSES:
        item["status"] = message["status"]
    return Record(at, key, values=(item,), left_out=tuple(left_out))


def _part(block: Any, *, by_assistant: bool) -> Json | str:
    """Return the part that a block becomes, the name of what is left out, or behind a `!` what is wrong."""
    kind = block.get("type") if isinstance(block, dict) else None
    value = block.get(kind) if isinstance(block, dict) and isinstance(kind, str) else None
    match kind:
        case "text" if isinstance(value, dict):
            return {"type": "output_text" if by_assistant else "input_text", "text": value.get("value")}
        case "refusal":
            return {"type": "refusal", "refusal": value}
        case "image_file" | "image_url" if isinstance(value, dict):
            if by_assistant:
                return "image of the assistant"
            place = {"image_url": value.get("url")} if kind == "image_url" else {"file_id": value.get("file_id")}
            return {"type": "input_image", **place, **({"detail": value["detail"]} if value.get("detail") else {})}
    return f"!a part of the type {kind!r} has no place here"


def _annotations(block: Any) -> bool:
    text = block.get("text")
    return isinstance(text, dict) and bool(text.get("annotations"))
