"""
Which parts items are made of: PART_TYPES, one entry a type, which says all there is to say about it.

    shape       the name of its shape in types_shapes.py
    is_text     its `text` is all there is to it, unless it has citations: such parts are checked by hand
    filled_in   what OpenAI's stored form requires and its input form does not, where absent or null
    chat        its form in a Chat Completions message of a role; None where it has none

Images and files exist in user messages only, refusals in assistant messages only, as in the chat API, and only where
their source is one that it takes. A document is text wherever it is mentioned.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from shared.items.fitting import UNNAMED_FILE, file_url, image_url
from shared.items.mentions import mentioned_path, reference

Part = dict[str, Any]


type Filling = Callable[[], Any]
type MakeChatPart = Callable[[Mapping[str, Any], str], Part | None]


class PartType(NamedTuple):
    """*filled_in*: makers of values by field. *chat* takes a part and the role of the message."""

    shape: str
    is_text: bool
    filled_in: Mapping[str, Filling]
    chat: MakeChatPart


def chat_text(text: str) -> Part:
    """Return *text* as a part of a chat message."""
    return {"type": "text", "text": text}


def string_field(fields: Mapping[str, Any], name: str) -> str:
    """Return a string field; "" for an absent one or null, which some clients send for an empty name."""
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def _text(part: Mapping[str, Any], _role: str) -> Part:
    text = part.get("text")
    return {"type": "text", "text": text if isinstance(text, str) else ""}


def _refusal(part: Mapping[str, Any], role: str) -> Part:
    refusal = string_field(part, "refusal")
    return {"type": "refusal", "refusal": refusal} if role == "assistant" else chat_text(refusal)


def _image(part: Mapping[str, Any], role: str) -> Part | None:
    url = part.get("image_url")
    taken = image_url(url) if role == "user" and isinstance(url, str) else None
    if taken is None:
        return None
    image = {"url": taken}
    if part.get("detail") in ("low", "high"):  # "auto" is what an image without a detail has.
        image["detail"] = part["detail"]
    return {"type": "image_url", "image_url": image}


def _file(part: Mapping[str, Any], role: str) -> Part | None:
    if (path := mentioned_path(part)) is not None:
        return chat_text(reference(path))
    if role != "user":
        return None
    if file_id := string_field(part, "file_id"):
        return {"type": "file", "file": {"file_id": file_id}}
    if (file_data := file_url(string_field(part, "file_data"))) is None:
        return None
    filename = string_field(part, "filename") or UNNAMED_FILE
    return {"type": "file", "file": {"file_data": file_data, "filename": filename}}


_NOTHING: Mapping[str, Filling] = {}
_DETAIL: Mapping[str, Filling] = {"detail": lambda: "auto"}

PART_TYPES: Mapping[str, PartType] = {
    "input_text": PartType("InputText", is_text=True, filled_in=_NOTHING, chat=_text),
    "output_text": PartType("OutputText", is_text=True, filled_in={"annotations": list}, chat=_text),
    "text": PartType("Text", is_text=True, filled_in=_NOTHING, chat=_text),
    "summary_text": PartType("Text", is_text=True, filled_in=_NOTHING, chat=_text),
    "reasoning_text": PartType("Text", is_text=True, filled_in=_NOTHING, chat=_text),
    "refusal": PartType("Refusal", is_text=False, filled_in=_NOTHING, chat=_refusal),
    "input_image": PartType("InputImage", is_text=False, filled_in=_DETAIL, chat=_image),
    "computer_screenshot": PartType("InputImage", is_text=False, filled_in=_DETAIL, chat=_image),
    "input_file": PartType("InputFile", is_text=False, filled_in=_NOTHING, chat=_file),
}

TEXT_TYPES = frozenset(name for name, each in PART_TYPES.items() if each.is_text)
IMAGE_PART_TYPES = frozenset(name for name, each in PART_TYPES.items() if each.shape == "InputImage")

SAID_FIELDS: Mapping[object, str] = {**dict.fromkeys(TEXT_TYPES, "text"), "refusal": "refusal"}
"""Where a part says its text, by type; of others there is none."""
