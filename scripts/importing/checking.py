"""
What the service will make of records, by the code that the service itself reads them with.

    check       how much a record is: items, tokens, bytes; or what of it would be refused, by its place in the source
    made_of     the items that values make
    essence     what an item says, as a hash: the same for an item that is sent, and for the one that comes back

Limits are those of a service without settings of its own; a service that has narrower ones refuses more, and is heard.
"""

import hashlib
import json
import re
import secrets
import threading
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from scripts.importing.source import ITEMS, Json, Record
from shared.config import SETTINGS
from shared.errors import InvalidValue, ServiceError, TextNotCountable, TooLarge
from shared.items.counts import counts_of
from shared.items.given import Given
from shared.items.kinds import Kind
from shared.items.messages import normal_items
from shared.items.normalize import NormalItem
from shared.items.traits import describe
from shared.jsonbytes.read import is_crowded
from shared.jsonbytes.write import dumps
from shared.tokens.count import count_text
from shared.tokens.encodings import load_encoding
from shared.tokens.where import where

if TYPE_CHECKING:
    from tiktoken import Encoding

BATCH_BYTES_MAX = 3_500_000
"""Of values as JSON: within a body of 4.5 MB, with metadata and what encloses them."""

BATCH_STRUCTURE_MAX = 50_000
"""Commas, colons and brackets of a batch, of the 60,000 that a body may have."""

ENCODING = "o200k_base"
_PLACE = re.compile(r"^(?:items|messages)(?:\[(\d+)\])?\.?")
_MARK = secrets.token_hex(12)
"""Of ids that are made here, and never sent: no id that is given is like them."""

_SAME = {"custom_tool_call_output": "function_call_output"}
"""Which of the two an answer is depends on whether its call stands in the same batch."""


def _limit(name: str) -> int:
    value = SETTINGS[name].default
    assert isinstance(value, int)
    return value


ITEM_BYTES_MAX, ITEM_STRUCTURE_MAX = _limit("item_bytes_max"), _limit("item_structure_max")
ENTRIES_MAX, BYTES_MAX, PINNED_TOKENS_MAX = (
    _limit(f"{name}_max") for name in ("conversation_entries", "conversation_bytes", "pinned_tokens")
)


class Refusal(NamedTuple):
    """Why the record *at* a place of the source would be refused; *field* is the place within it, "" for all of it."""

    at: str
    field: str
    reason: str


class Size(NamedTuple):
    """What a record, or many, come to. *sent_bytes* and *structure* are of the values, *bytes* of what is stored."""

    items: int = 0
    tokens: int = 0
    pinned_tokens: int = 0
    bytes: int = 0
    sent_bytes: int = 0
    structure: int = 0

    def plus(self, other: "Size") -> "Size":
        return Size(*(own + more for own, more in zip(self, other, strict=True)))


class Checker:
    """Checks records of any conversation, in any thread. The encoding is loaded by the first record of all."""

    def check(self, record: Record) -> Size | Refusal:
        """Return how much *record* is, or the first thing that is wrong with it."""
        if record.wrong:
            return Refusal(record.at, record.field, record.wrong)
        if not record.values:
            return Size()
        sent = json.dumps(record.values).encode()
        structure = sum(map(sent.count, (b",", b":", b"[", b"{")))
        if len(sent) > BATCH_BYTES_MAX:
            reason = f"it is {len(sent):,} bytes of JSON, and at most {BATCH_BYTES_MAX:,} travel at once"
            return Refusal(record.at, "", reason)
        try:
            size = self._stored(made_of(record.form, record.values))
        except TextNotCountable as error:
            place = where(error.text, list(record.values), error.param or "")
            return Refusal(record.at, _field(place), f"it {error.reason}")
        except ServiceError as error:
            return Refusal(record.at, _field(error.param or ""), _worded(error))
        return size._replace(sent_bytes=len(sent), structure=structure)

    def _stored(self, normal: Sequence[NormalItem]) -> Size:
        """Raises ServiceError."""
        total = Size()
        for each in normal:
            traits = describe(each.item, each.extras)
            try:
                counts = counts_of(traits, lambda text: count_text(_encoding(), text))
            except TextNotCountable as error:
                raise error.at(each.at.partition("[")[0]) from None
            stored = _stored_form(each)
            if len(stored) > ITEM_BYTES_MAX:
                raise TooLarge(f"It must take at most {ITEM_BYTES_MAX:,} bytes, not {len(stored):,}.", param=each.at)
            if is_crowded(stored, ITEM_STRUCTURE_MAX):
                raise TooLarge(f"It has more than {ITEM_STRUCTURE_MAX:,} commas, colons and brackets.", param=each.at)
            tokens = counts.overhead_tokens + counts.content_tokens
            pinned = tokens if traits.kind == Kind.SYSTEM else 0
            total = total.plus(Size(1, tokens, pinned, len(stored)))
        return total


_LOADING = threading.Lock()


def _encoding() -> "Encoding":
    with _LOADING:  # The first of several threads loads it, for all.
        return _loaded()


@cache
def _loaded() -> "Encoding":
    return load_encoding(ENCODING)


def _stored_form(each: NormalItem) -> bytes:
    try:
        return dumps(each.item) + (dumps(each.extras) if each.extras else b"")
    except orjson.JSONEncodeError as error:
        raise InvalidValue(f"It cannot be stored: {error}.", param=each.at) from None


def over(total: Size) -> Refusal | None:
    """Return why a conversation of *total* is too much as a whole, None where it is not."""
    for what, value, most in (
        ("items", total.items, ENTRIES_MAX),
        ("bytes", total.bytes, BYTES_MAX),
        ("tokens of system and developer messages", total.pinned_tokens, PINNED_TOKENS_MAX),
    ):
        if value > most:
            return Refusal("the conversation", "", f"it has {value:,} {what}, and at most {most:,} are taken")
    return None


def made_of(form: str, values: Sequence[Json]) -> list[NormalItem]:
    """Return the items that *values* of a batch make. Raises ServiceError."""
    numbers = count(1)
    given = Given(list(values)) if form == ITEMS else Given(list(values), "messages", form)
    return normal_items(given, lambda prefix: f"{prefix}_{_MARK}{next(numbers)}", "b")


def body_of(form: str, values: Sequence[Json]) -> Json:
    """Return what is sent of a batch."""
    return {"items": list(values)} if form == ITEMS else {"messages": list(values), "format": form}


_BESIDE = ("id", "status", "created_at")


def essence(item: Mapping[str, Any]) -> bytes:
    """Return the hash of what *item* says: all of it but its id, its status, its time, and what is empty."""
    said = {name: _said(value) for name, value in item.items() if name not in _BESIDE and value not in (None, [])}
    said["type"] = _SAME.get(str(said.get("type")), said.get("type"))
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).digest()[:16]


def essences(form: str, values: Sequence[Json]) -> list[bytes]:
    """Return those of the items that *values* make. Raises ServiceError."""
    return [essence(each.item) for each in made_of(form, values)] if values else []


def _said(value: Any) -> Any:
    """Parts may have members that are null or empty on one side only."""
    if isinstance(value, list):
        return [_said(each) for each in value]
    if isinstance(value, dict):
        return {name: _said(each) for name, each in value.items() if each not in (None, [])}
    return value


def digest_of(pieces: Iterable[bytes]) -> str:
    """Return the hash of hashes, in their order."""
    whole = hashlib.sha256()
    for each in pieces:
        whole.update(each)
    return whole.hexdigest()


def _field(param: str) -> str:
    """Return the place within the record: it travels as an only element."""
    found = _PLACE.match(param)
    return param[found.end() :] if found else param


def _worded(error: ServiceError) -> str:
    """Return the reason without the place, which stands beside it."""
    return re.sub(r"^(?:items|messages)\[\d+\]\S* ?:? ?", "", str(error)) or str(error)
