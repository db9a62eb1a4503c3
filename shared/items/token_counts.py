"""
Counting what a caller shows us: a text, items, or chat messages, and the tools that go with them.

Nothing is stored. A text counts as itself; items and messages count as the prompt that they become, by the same
rule as contexts.
"""

from collections.abc import Mapping
from itertools import count
from typing import Any, NamedTuple

from shared.errors import InvalidValue, wrong_kind
from shared.items.counts import count_items
from shared.items.kinds import ASSISTANT_SIDE, Kind
from shared.items.normalize import normalize_items
from shared.items.traits import Traits, describe
from shared.request.parameters import json
from shared.tokens import rule
from shared.tokens.counter import Counter
from shared.tokens.models import ENCODING, MODEL, read_encoding
from shared.tokens.requests import OTHERS, OURS, answer_schema
from shared.tokens.where import naming

ITEMS_MAX = 10_000
LARGE_ITEMS = 100
"""Checking and describing more than these takes about a millisecond, and goes to a thread."""

FIELDS = (
    MODEL,
    ENCODING,
    json("input", "count_input", "a text, items of a conversation, or chat messages", nullable=False),
    json("messages", "messages", "chat messages, as a Chat Completions body has them", nullable=False),
    json("tools", "tools", "the tools that go with them"),
    *OTHERS,
)


class TokenCount(NamedTuple):
    """*exact*: the provider would bill this number; else it is ours, by the documented rule."""

    tokens: int
    encoding: str
    exact: bool


async def count_tokens(counter: Counter, values: Mapping[str, Any]) -> TokenCount:
    """
    Return the count of what *values* of FIELDS say: `{model | encoding, input: text | items | messages, …}`.

    A list without any `type` is chat messages, any other list is items. `messages` says so explicitly, so that
    the body of a Chat Completions request counts as it stands. So does that of a Responses request: a text beside
    instructions, tools or a schema is a message of the user.

    Raises:   InvalidValue, TextNotCountable, which name the field.
    """
    model, encoding = read_encoding(values, default=None)
    field = "input" if values["messages"] is None else "messages"
    if field == "messages" and values["input"] is not None:
        raise InvalidValue("input must be alone, not beside messages.", param="input")
    value, beside = values[field], _beside(values, encoding)
    if isinstance(value, str) and beside:
        value = [{"role": "user", "content": value}]
    async with naming(counter.pool, values[field], field):
        tokens, is_text = await _count(counter, encoding, value, field)
    for name, parts in beside.items():
        async with naming(counter.pool, values[name], name):
            tokens += await rule.count_parts(counter, encoding, [parts])
    is_known = model is None or model.exact
    return TokenCount(tokens, encoding, is_known and is_text and not beside.keys() & OURS)


def _beside(values: Mapping[str, Any], encoding: str) -> dict[str, rule.Parts]:
    """Return what is counted besides messages and items, by the name of its field; what counts nothing is left out."""
    parts: dict[str, rule.Parts] = {}
    if values["instructions"] is not None:
        parts["instructions"] = rule.message_parts({"role": "system", "content": values["instructions"]})
    for name in ("tools", "functions"):
        if (tools := values[name]) is not None:
            if name == "functions" and isinstance(tools, list):
                tools = [{**each, "type": "function"} if isinstance(each, dict) else each for each in tools]
            parts[name] = rule.tools_parts(tools, encoding, path=name)
    for name in ("response_format", "text"):
        if (schema := answer_schema(name, values[name])) is not None:
            parts[name] = schema
    return {name: each for name, each in parts.items() if each.texts or each.fixed_tokens}


async def _count(counter: Counter, encoding: str, value: object, field: str) -> tuple[int, bool]:
    """Return the tokens of a text, of messages or of items, and whether all of it is text."""
    if isinstance(value, str) and field == "input":
        return sum(await counter.count(encoding, [value])), True
    if not isinstance(value, list):
        raise wrong_kind(field, "a list" if field == "messages" else "a string or a list", value)
    if len(value) > ITEMS_MAX:
        raise InvalidValue(f"{field} must hold at most {ITEMS_MAX} elements, not {len(value)}.", param=field)
    if field == "messages" or not any(isinstance(each, dict) and "type" in each for each in value):
        tokens = await rule.count_messages(counter, encoding, value, path=field)
        return tokens, all(_is_text_message(message) for message in value)
    return await _count_items(counter, encoding, value)


async def _count_items(counter: Counter, encoding: str, value: list[Any]) -> tuple[int, bool]:
    traits = await counter.pool.run_when(len(value) > LARGE_ITEMS, _describe, value)
    tokens, frame_tokens, name = rule.REPLY_TOKENS, 0, ""
    for trait, counts in zip(traits, await count_items(counter, encoding, traits), strict=True):
        tokens += counts.content_tokens
        is_named_anew = trait.kind == Kind.ASSISTANT and frame_tokens > 0 and trait.name != name
        if trait.kind not in ASSISTANT_SIDE or is_named_anew:
            frame_tokens = 0
        # Consecutive assistant-side items are one chat message and share its frame.
        tokens += max(0, counts.overhead_tokens - frame_tokens)
        if trait.kind in ASSISTANT_SIDE:
            frame_tokens = max(frame_tokens, counts.overhead_tokens)
        if trait.kind == Kind.ASSISTANT:
            name = trait.name
    return tokens, all(trait.is_text for trait in traits)


def _describe(value: list[Any]) -> list[Traits]:
    ids = count(1)
    normal = normalize_items(
        value, lambda prefix: f"{prefix}_{next(ids)}", path="input", allow_empty=True, count_max=ITEMS_MAX
    )
    return [describe(each.item) for each in normal]


def _is_text_message(message: Mapping[str, Any]) -> bool:
    return isinstance(message.get("content"), str) and not message.get("tool_calls")
