"""
Counting what a caller shows us: a text, items, or messages, and the tools that go with them.

    items or messages -> what an append would store of them -> what a context in their format sends of that -> counts

Nothing is stored. A text counts as itself. What an append refuses is refused here as well, by the same name; only so
many more elements are taken, none at all, and items that an append takes one batch after the other.
"""

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any, NamedTuple

from shared.context.format_rules import CHAT, RULES
from shared.context.whole import Whole, whole_of
from shared.errors import InvalidValue, wrong_kind
from shared.items.counts import ROLE_TOKENS, Counts, count_items
from shared.items.given import FIELDS as MESSAGE_FIELDS
from shared.items.given import Given, read_given
from shared.items.item import Item
from shared.items.messages import normal_items
from shared.items.normalize import NormalItem
from shared.items.part_types import PART_TYPES
from shared.items.traits import Traits, describe
from shared.request.parameters import json
from shared.tokens import rule
from shared.tokens.counter import Counter
from shared.tokens.models import ENCODING, MODEL, read_encoding
from shared.tokens.requests import OTHERS, OURS, answer_schema
from shared.tokens.where import Texts, naming

ITEMS_MAX = 10_000

_OF_ITEMS = PART_TYPES.keys() - {"text", "refusal"}
"""Types of parts that chat messages do not have."""

FIELDS = (
    MODEL,
    ENCODING,
    json("input", "count_input", "a text, items of a conversation, or chat messages", nullable=False),
    json("messages", "chat_messages_to_count", "chat messages, as a Chat Completions body has them", nullable=False),
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
    instructions, tools or a schema is a message of the user. Messages count as their `format` sends them, items as
    chat does.

    Raises:   InvalidValue, TextNotCountable, which name the field.
    """
    model, encoding = read_encoding(values, default=None)
    given = read_given({name: value for name, value in values.items() if name != "items"}, or_none=True)
    if given.context_format and values["input"] is not None:
        raise InvalidValue(f"input must be alone, not beside {given.field}.", param="input")
    if not given.context_format:
        given = Given(values["input"], "input")
    beside = _beside(values, encoding)
    text = given.value if given.field == "input" and isinstance(given.value, str) else None
    if text is not None and not beside:
        tokens, is_text = await _count_text(counter, encoding, text), True
    else:
        said = given if text is None else given._replace(value=[{"role": "user", "content": text}])
        tokens, is_text = await _count_list(counter, encoding, said)
    for name, parts in beside.items():
        async with naming(counter.pool, values[name], name):
            tokens += await rule.count_parts(counter, encoding, [parts])
    is_known = model is None or model.exact
    return TokenCount(tokens, encoding, is_known and is_text and not beside.keys() & OURS)


def _beside(values: Mapping[str, Any], encoding: str) -> dict[str, rule.Parts]:
    """Return what is counted besides messages and items, by the name of its field; what counts nothing is left out."""
    parts: dict[str, rule.Parts] = {}
    if values["instructions"] is not None:
        parts["instructions"] = rule.Parts([values["instructions"]], rule.MESSAGE_TOKENS + ROLE_TOKENS)
    for name in ("tools", "functions"):
        if (tools := values[name]) is not None:
            if name == "functions" and isinstance(tools, list):
                tools = [{**each, "type": "function"} if isinstance(each, dict) else each for each in tools]
            parts[name] = rule.tools_parts(tools, encoding, path=name)
    for name in ("response_format", "text"):
        if (schema := answer_schema(name, values[name])) is not None:
            parts[name] = schema
    return {name: each for name, each in parts.items() if each.texts or each.fixed_tokens}


async def _count_text(counter: Counter, encoding: str, text: str) -> int:
    async with naming(counter.pool, text, "input"):
        return sum(await counter.count(encoding, [text]))


async def _count_list(counter: Counter, encoding: str, given: Given) -> Whole:
    if not isinstance(given.value, list):
        raise wrong_kind(given.field, "a string or a list" if given.field == "input" else "a list", given.value)
    if len(given.value) > ITEMS_MAX:
        raise InvalidValue(
            f"{given.field} must hold at most {ITEMS_MAX} elements, not {len(given.value)}.", param=given.field
        )
    # Whatever it is goes to a thread: one item takes up to 0.1 ms, and the first that is not plain imports pydantic.
    read = await counter.pool.run(_read, given)
    async with naming(counter.pool, given.value, given.field, _texts(read)):
        counts = await count_items(counter, encoding, [traits for _, traits in read])
    return await counter.pool.run(_whole, given.context_format, read, counts)


def _read(given: Given) -> list[tuple[NormalItem, Traits]]:
    """Return the items that would be stored, with what they are."""
    if given.field == "input" and _is_chat(given.value):
        given = given._replace(context_format=CHAT.name)
    ids = count(1)
    # No client can have chosen an id with a dot.
    normal = normal_items(given, lambda prefix: f"{prefix}.{next(ids)}", allow_empty=True, count_max=ITEMS_MAX)
    return [(each, describe(each.item, each.extras)) for each in normal]


def _is_chat(value: object) -> bool:
    """Tell whether an `input` is chat messages: no element has a `type`, and no part one that only items have."""
    elements = [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
    if any("type" in each for each in elements):
        return False
    contents = [each["content"] for each in elements if isinstance(each.get("content"), list)]
    types = [part.get("type") for content in contents for part in content if isinstance(part, dict)]
    return not any(isinstance(name, str) and name in _OF_ITEMS for name in types)


def _texts(read: Sequence[tuple[NormalItem, Traits]]) -> list[Texts]:
    return [(each.at, (traits.name, *traits.texts, *traits.hosted_texts)) for each, traits in read]


def _whole(context_format: str, read: Sequence[tuple[NormalItem, Traits]], counts: Sequence[Counts]) -> Whole:
    """Count a log of what was read, as it would be stored but for its bytes."""
    log: list[Item] = []
    preceding_tokens = 0
    for seq, ((each, traits), counted) in enumerate(zip(read, counts, strict=True), start=1):
        item = Item(
            seq=seq,
            id=each.id,
            kind=traits.kind,
            pair_key=traits.pair_key,
            name=traits.name,
            **counted._asdict(),
            preceding_tokens=preceding_tokens,
            body=b"",
            is_text=traits.is_text,
            message=each.message,
        )
        log.append(item)
        preceding_tokens += item.overhead_tokens + item.content_tokens
    return whole_of(log, RULES[context_format or CHAT.name])
