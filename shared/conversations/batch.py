"""
Items that are ready to be stored: encoded once, described, counted.

    prepared       one item, from its normal form
    write_batch    items with their counts, as the store's script takes them
"""

from typing import NamedTuple

import orjson

from shared.config import Settings
from shared.conversations.entries import write_entry
from shared.conversations.indexing import terms_of
from shared.errors import InvalidValue, TooLarge
from shared.items.counts import Counts
from shared.items.normalize import NormalItem
from shared.items.short import saving
from shared.items.short_counts import Result, result_of
from shared.items.traits import Traits, describe
from shared.jsonbytes.read import is_crowded
from shared.jsonbytes.write import PIECE_BYTES, dumps, dumps_apart


class Prepared(NamedTuple):
    """
    An item that is ready to be stored: *body* and *extras* are JSON. *given_id*: the client chose its id. *at*: the
    path to what it was made of. *result*: a result of a tool that may have short forms. *terms*: by which it
    is recalled, "-" where they are not to be kept.
    """

    id: str
    given_id: bool
    traits: Traits
    body: bytes
    extras: bytes
    message: str
    at: str
    result: Result | None
    terms: str


class Batch(NamedTuple):
    """
    Items that are ready to be sent. *entries*: what the store keeps of each, but for what its script adds; *paths*: of
    the documents that they mention, each behind a newline. *at_us*: the time of all of them, Unix microseconds.
    """

    items: list[Prepared]
    counts: list[Counts]
    entries: list[str]
    paths: str
    at_us: int

    def arguments(self) -> list[str | int]:
        """Return what the script takes of all items together, and of each."""
        arguments: list[str | int] = [self.paths, sum(map(saving, self.counts))]
        for each, count, entry in zip(self.items, self.counts, self.entries, strict=True):
            tokens = count.overhead_tokens + count.content_tokens
            arguments += [each.id, "1" if each.given_id else "0", each.traits.kind, tokens, entry, each.terms]
        return arguments

    def stored(self, heads: list[str]) -> list[str]:
        """Return the entries as they are in the store, by the *heads* that its script gave them; none without."""
        if not heads:
            return []
        together = zip(heads, self.items, self.entries, strict=True)
        return [f"{head} {item.traits.kind} {entry}" for head, item, entry in together]


def prepared(normal: NormalItem, settings: Settings) -> Prepared:
    """Return an item that is ready. Raises InvalidValue, TooLarge: it cannot be stored."""
    traits = describe(normal.item, normal.extras)
    is_long = any(len(text) > PIECE_BYTES for text in (*traits.texts, *traits.hosted_texts))
    body = _encode(normal.item, normal.at, is_long=is_long)
    extras = _encode(normal.extras, normal.at, is_long=True) if normal.extras else b""
    _check_size(body, extras, normal.at, settings)
    result = result_of(normal.item, normal.extras)
    terms = terms_of(traits) if settings.recall == "on" else "-"
    return Prepared(normal.id, normal.given_id, traits, body, extras, normal.message, normal.at, result, terms)


def write_batch(items: list[Prepared], counts: list[Counts], at_us: int) -> Batch:
    """Return what is stored of *items* that were appended at *at_us*."""
    paths = dict.fromkeys(path for each in items for path in each.traits.documents)
    entries = [
        write_entry(each.id, each.traits, count, each.body, each.extras, each.message, at_us // 1_000_000)
        for each, count in zip(items, counts, strict=True)
    ]
    return Batch(items, counts, entries, "".join(f"\n{path}" for path in paths), at_us)


def _encode(value: object, param: str, *, is_long: bool) -> bytes:
    try:
        return dumps_apart(value) if is_long else dumps(value)
    except orjson.JSONEncodeError as error:
        raise InvalidValue(f"{param} cannot be stored: {error}.", param=param) from None


def _check_size(body: bytes, extras: bytes, param: str, settings: Settings) -> None:
    size, limit = len(body) + len(extras), settings.item_bytes_max
    if size > limit:
        raise TooLarge(f"{param} must take at most {limit} bytes, not {size}.", param=param, limit_bytes=limit)
    limit = settings.item_structure_max
    if is_crowded(body + extras, limit):
        raise TooLarge(
            f"{param} must have at most {limit} commas, colons and brackets outside its strings.",
            param=param,
            limit_structure=limit,
        )
