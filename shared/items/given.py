"""
What a body brings to be remembered: items, or messages of another API. Every cold instance imports this.

    FIELDS           what a body may have in place of `items`
    given_forms      the ways in which they go together
    read_given       which of them a body has; shared/items/messages.py makes items of it
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from shared.errors import InvalidValue
from shared.request.parameters import choice, json
from shared.routes import Form

FORMATS = ("chat", "anthropic", "gemini")

SYSTEM_FIELDS = ("system", "system_instruction", "systemInstruction")
"""The names of the system prompt: Anthropic's, and Gemini's in both spellings."""

FIELDS = (
    json("messages", "chat_messages", "messages in place of items: the model's own replies, and what it was asked"),
    json("contents", "gemini_messages", "the same by Gemini's name"),
    choice("format", FORMATS, "of what the messages are; `chat` without, `gemini` for contents"),
    json("system", "anthropic_system", "the system prompt that stands beside Anthropic's messages, or Gemini's"),
    json("system_instruction", "gemini_system", "the same by Gemini's name"),
    json("systemInstruction", "gemini_system", "the same"),
)
"""What a body may have in place of `items`; docs/dialects.md says what becomes of it."""

_NAMES = ("items", *(field.name for field in FIELDS))


def given_forms(*required: str, listed: str = "messages") -> tuple[Form, ...]:
    """
    Return the ways to bring items or messages; *required*: what items without messages must have. *listed* says how
    many messages there may be, as scripts/openapi/dialects.py names it.
    """

    def form(context_format: str, *members: str, needed: tuple[str, ...]) -> Form:
        schemas = ((members[0], f"{context_format}_{listed}"), ("format", f"format_{context_format}"))
        system = (("system", f"{context_format}_system"),) if "system" in members else ()
        return Form(needed, without=tuple(name for name in _NAMES if name not in members), schemas=(*schemas, *system))

    return (
        Form(required, without=tuple(field.name for field in FIELDS)),
        form("chat", "messages", "format", needed=("messages",)),
        form("anthropic", "messages", "format", "system", needed=("messages", "format")),
        form("gemini", "messages", "format", "system", needed=("messages", "format")),
        form("gemini", "contents", "format", "systemInstruction", needed=("contents",)),
        form("gemini", "contents", "format", "system_instruction", needed=("contents",)),
    )


class Given(NamedTuple):
    """
    *value* is what the body has as *field*: `items`, or `messages` or `contents` in *context_format*, "" for items.
    *system* is its system prompt, which it has as *system_field*.
    """

    value: object
    field: str = "items"
    context_format: str = ""
    system: object = None
    system_field: str = "system"


def read_given(values: Mapping[str, Any], *, or_none: bool = False) -> Given:
    """
    Return what *values* of a body bring. *or_none*: there may be nothing.

    Raises:   InvalidValue: two things are there, or none; a format that is none; a system prompt beside items.
    """
    there = [name for name in ("items", "messages", "contents") if values.get(name) is not None]
    context_format = values.get("format")
    prompts = [name for name in SYSTEM_FIELDS if values.get(name) is not None]
    if len(there) > 1:
        raise InvalidValue(f"{there[1]} must not stand beside {there[0]}.", param=there[1])
    if len(prompts) > 1:
        raise InvalidValue(f"{prompts[1]} must not stand beside {prompts[0]}.", param=prompts[1])
    if there in ([], ["items"]):
        if besides := [name for name in ("format", *SYSTEM_FIELDS) if values.get(name) is not None]:
            reason = "must stand beside messages" if not there else "must not stand beside items"
            raise InvalidValue(f"{besides[0]} {reason}.", param=besides[0])
        if not there and not or_none:
            raise InvalidValue("items, or messages, is required.", param="items")
        return Given(values.get("items"))
    [field] = there
    context_format = context_format or ("gemini" if field == "contents" else "chat")
    if field == "contents" and context_format != "gemini":
        raise InvalidValue("contents are Gemini's: format must be 'gemini'.", param="format")
    system_field = prompts[0] if prompts else "system"
    if system_field != "system" and context_format != "gemini":
        raise InvalidValue(f"{system_field} is Gemini's: send it as system.", param=system_field)
    return Given(values[field], field, context_format, values.get(system_field), system_field)


def count_given(given: Given) -> int:
    """Return how many items *given* makes, or some more: each part and each call of a message may become one."""
    listed = given.value if isinstance(given.value, list) else []
    members = (
        [len(member) for member in each.values() if isinstance(member, list)] for each in listed if type(each) is dict
    )
    return sum(max(1, sum(lengths)) for lengths in members)
