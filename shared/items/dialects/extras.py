"""
Extras: what a message brought along that items have no form for, one JSON object beside the body of an item.

    {
      "format": "chat" | "anthropic" | "gemini"     the only format that shows any of it
      "content": [0, [1, {…}], {…}]                 how the parts of the item stand in that format
      "left_out": [1]                               these elements of `content` are kept, and shown nowhere
      "fields": {…}                                 members over those of what the item becomes in that format
      "block": {…}                                  stands in the place of what the item would become
      "refusal": 1                                  this part is the message's `refusal`, and no part of its content
      "is_id_made": true                            the call, or the answer, came without an id: it goes without
      "call": {…}                                   members over those of the call's entry in `tool_calls`
    }

Only `format` is always there. What is not JSON's own is that of the format: names, shapes, base64.

**content** is there when the parts, as the format shows them, are not all there is to them. An element is

    n          the part n of the body (of a message's `content`, of an output's `output`), as the format shows it
    [n, {…}]   the same, with these members over it
    {…}        a part that items have no form for, as it came; every other format has to name its item

A part that `content` does not mention does not stand there. An `output` that is a string is part 0. Left out is what
the provider would refuse: audio that is none, all of an answer that is nothing but results of Anthropic's own calls
without these, or such calls without their results.

**fields** lie over

    chat       the message: `name`, `audio`, and what servers add to replies (chat_servers.py), `reasoning_content` for
               instance. They stand with the first item of the message
    anthropic  the block: `signature` of thinking, `is_error` of a result, `caller` of a call
    gemini     the part: `thoughtSignature`; what is within `functionCall` and `functionResponse` stands in an object of
               that name, e.g. {"thoughtSignature": "…", "functionResponse": {"name": "f", "willContinue": true}}

"Over" means: an object goes member by member into the one that is there, all else replaces what is there.

**block** is Anthropic's redacted_thinking, the body then is a reasoning item that says nothing.

Thinking is a reasoning item of one `summary_text`, or of none, without `encrypted_content`, whose extras name its
format: `{"format": "anthropic", "fields": {"signature": "…"}}`. It is a thinking block, or a part with `thought: true`,
there, and nowhere else.

Which items came in one message, and in which order, their marks and the log say (Item.message).
"""

from collections.abc import Mapping
from typing import Any, Literal

Format = Literal["chat", "anthropic", "gemini"]

type Json = dict[str, Any]
type Element = int | list[Any] | Json
"""Of `content`."""

_THOUGHTS = ("reasoning_content", "reasoning")
_LISTED_THOUGHTS = ("reasoning_details", "thinking_blocks")
_SAID_ASIDE = (*_THOUGHTS, *_LISTED_THOUGHTS, "annotations", "audio", "executed_tools", "images")
"""Members of a chat message that hold what it says, besides its content and its calls."""


def content_of(elements: list[Element]) -> list[Element]:
    """Return *elements*, [] where they say no more than that all parts stand there as they are."""
    return [] if elements == list(range(len(elements))) else elements


def extras_of(context_format: Format, **members: Any) -> Json:
    """Return extras of the *members* that say something, {} when none does; nothing at all is what most items need."""
    said = {name: value for name, value in members.items() if value or type(value) is int}  # 0 is a place.
    return {"format": context_format, **said} if said else {}


def name_in(extras: Mapping[str, Any]) -> str:
    """Return the name of who speaks, which chat messages have and count; "" for nobody's."""
    fields = extras.get("fields", {}) if extras.get("format") == "chat" else {}
    return str(fields.get("name", ""))


def has_foreign(extras: Mapping[str, Any]) -> bool:
    """Tell whether something of the message stands in *extras* only, so that other formats cannot show all of it."""
    if not extras:
        return False
    if "block" in extras or (extras["format"] == "chat" and any(map(extras.get("fields", {}).get, _SAID_ASIDE))):
        return True
    return any(isinstance(element, dict) for element in extras.get("content", ()))


def thoughts_in(extras: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what a chat message thinks, as a server added it; once, though a server may say it twice."""
    if extras.get("format") != "chat":
        return ()
    fields = extras.get("fields", {})
    thoughts = [each for part in extras.get("content", ()) if isinstance(part, dict) for each in _thoughts_of(part)]
    for name in _THOUGHTS:
        if fields.get(name):
            return (*thoughts, fields[name])
    listed: list[Any] = next((fields[name] for name in _LISTED_THOUGHTS if fields.get(name)), [])
    return (*thoughts, *(each for part in listed if isinstance(part, dict) for each in _thoughts_of(part)))


def _thoughts_of(part: Json) -> list[str]:
    """Return the texts of a part that thinks; Mistral's has a list of texts."""
    said = part.get("thinking") or part.get("summary") or (part.get("text") if part.get("type") != "text" else None)
    listed = said if isinstance(said, list) else [said]
    texts = [each.get("text") if isinstance(each, dict) else each for each in listed]
    return [text for text in texts if isinstance(text, str)]
