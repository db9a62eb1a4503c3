"""
Counting what a caller shows us: a text, items, or chat messages, and the tools that go with them.

Nothing is stored. A text counts as itself; items and messages count as the prompt that they become, by the same
rule as contexts.
"""

from collections.abc import Mapping
from functools import partial
from itertools import count
from typing import Any, NamedTuple

from shared.errors import InvalidValue, wrong_kind
from shared.items.checking import run_checks
from shared.items.counts import count_items
from shared.items.given import FIELDS as MESSAGE_FIELDS
from shared.items.given import Given, read_given
from shared.items.kinds import ASSISTANT_SIDE, Kind
from shared.items.messages import normal_items
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
    *(field for field in MESSAGE_FIELDS if field.name != "messages"),
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
    instructions, tools or a schema is a message of the user. Messages of another `format` count as the items that they
    make.

    Raises:   InvalidValue, TextNotCountable, which name the field.
    """
    model, encoding = read_encoding(values, default=None)
    given = read_given({name: value for name, value in values.items() if name != "items"}, or_none=True)
    if given.context_format and values["input"] is not None:
        raise InvalidValue(f"input must be alone, not beside {given.field}.", param="input")
    if not given.context_format:
        given = Given(values["input"], "input")
    elif given.system is not None and given.context_format == "chat":
        raise InvalidValue("system is for Anthropic's messages and Gemini's contents.", param=given.system_field)
    beside = _beside(values, encoding)
    if isinstance(given.value, str) and beside:
        given = given._replace(value=[{"role": "user", "content": given.value}])
    async with naming(counter.pool, values[given.field], given.field):
        tokens, is_text = await _count(counter, encoding, given)
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


async def _count(counter: Counter, encoding: str, given: Given) -> tuple[int, bool]:
    """Return the tokens of a text, of messages or of items, and whether all of it is text."""
    value, field = given.value, given.field
    if isinstance(value, str) and field == "input":
        return sum(await counter.count(encoding, [value])), True
    if not isinstance(value, list):
        raise wrong_kind(field, "a string or a list" if field == "input" else "a list", value)
    if len(value) > ITEMS_MAX:
        raise InvalidValue(f"{field} must hold at most {ITEMS_MAX} elements, not {len(value)}.", param=field)
    is_chat = not any(isinstance(each, dict) and "type" in each for each in value) if field == "input" else False
    if is_chat or given.context_format == "chat":
        tokens = await rule.count_messages(counter, encoding, value, path=field)
        return tokens, all(_is_text_message(message) for message in value)
    return await _count_items(counter, encoding, given, len(value))


async def _count_items(counter: Counter, encoding: str, given: Given, length: int) -> tuple[int, bool]:
    is_large = length > LARGE_ITEMS or bool(given.context_format)
    marks, traits = await run_checks(counter.pool, is_large, partial(_describe, given))
    tokens, frame_tokens, name, mark = rule.REPLY_TOKENS, 0, "", ""
    for each, trait, counts in zip(marks, traits, await count_items(counter, encoding, traits), strict=True):
        tokens += counts.content_tokens
        is_named_anew = trait.kind == Kind.ASSISTANT and frame_tokens > 0 and trait.name != name
        if trait.kind not in ASSISTANT_SIDE or is_named_anew or each != mark:
            frame_tokens, mark = 0, each
        # Consecutive assistant-side items are one chat message and share its frame.
        tokens += max(0, counts.overhead_tokens - frame_tokens)
        if trait.kind in ASSISTANT_SIDE:
            frame_tokens = max(frame_tokens, counts.overhead_tokens)
        if trait.kind == Kind.ASSISTANT:
            name = trait.name
    return tokens, all(trait.is_text for trait in traits)


def _describe(given: Given) -> tuple[list[str], list[Traits]]:
    """Return the marks of the messages that items came in, and the items' traits."""
    ids = count(1)
    normal = normal_items(given, lambda prefix: f"{prefix}_{next(ids)}", allow_empty=True, count_max=ITEMS_MAX)
    return [each.message for each in normal], [describe(each.item, each.extras) for each in normal]


def _is_text_message(message: Mapping[str, Any]) -> bool:
    return isinstance(message.get("content"), str) and not message.get("tool_calls")
