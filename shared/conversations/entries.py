"""
Entries: the records of a conversation's log, as text in the store.

    <chain hash> <tokens before it> <kind> <facts>\\n<body>

The store's script writes the first two, because only it knows what came before. The facts are what choosing a
context needs, so that a read never parses an item: two counts, whose place the scripts know, then the rest. The
paths of the documents that the item mentions come last, if there are any. The body is the item's JSON, encoded once,
at append, and spliced into answers ever after.

Kinds: those of items (shared/items/kinds.py), `x` a deleted item's blank, `-` a deletion of an item or a summary, `m`
new metadata, `y` the summary, `z` the blank of one that was replaced or deleted. A summary's facts are those of its
note, a user message, and then the id of the last item that it stands for, when it was made (Unix seconds), and the seq
of that item. The store's script writes these two numbers.
"""

from typing import Any, NamedTuple

import orjson

from shared.context.summarised import Summary
from shared.items.counts import Counts
from shared.items.item import Item
from shared.items.kinds import Kind
from shared.items.traits import Traits

BLANK, DELETION, METADATA, NO_SUMMARY = "x", "-", "m", "z"


class Entry(NamedTuple):
    """One record as it was read; `item` for items that live, `target` (a seq) for deletions, or `summary`."""

    seq: int
    chain: str
    kind: str
    item: Item | None = None
    target: int = 0
    summary: Summary | None = None


def write_entry(item_id: str, traits: Traits, counts: Counts, body: bytes) -> str:
    """Return what the store keeps of an item, but for the part its script adds."""
    facts: list[Any] = [*counts, item_id, traits.pair_key, traits.name, traits.is_text]
    if traits.documents:
        facts.append(traits.documents)
    return f"{orjson.dumps(facts).decode()}\n{body.decode()}"


def write_summary(note_id: str, through_id: str, traits: Traits, counts: Counts) -> str:
    """Return the facts of a summary, but for the two numbers that its script adds."""
    facts = [*counts, note_id, traits.pair_key, traits.name, traits.is_text, through_id]
    return orjson.dumps(facts).decode()


def read_entry(seq: int, raw: str) -> Entry:
    """
    Return the entry that *raw*, the store's text at place *seq*, stands for; "" stands for one of which nothing is to
    be known.
    """
    if not raw:
        return Entry(seq, "", METADATA)
    head, _, body = raw.partition("\n")
    chain, preceding, kind, facts = head.split(" ", 3)
    if kind == DELETION:
        return Entry(seq, chain, kind, target=orjson.loads(facts)[0])
    if kind in (BLANK, METADATA, NO_SUMMARY):
        return Entry(seq, chain, kind)
    overhead, content, hosted, item_id, pair_key, name, is_text, *more = orjson.loads(facts)
    item = Item(
        seq,
        item_id,
        Kind(kind),
        pair_key,
        name,
        overhead,
        content,
        hosted,
        int(preceding),
        body.encode(),
        is_text,
        tuple(more[0]) if more and kind != Kind.SUMMARY else (),
    )
    if kind == Kind.SUMMARY:
        through_id, created_at_unix_s, through_seq = more
        return Entry(seq, chain, kind, summary=Summary(item, through_seq, through_id, created_at_unix_s))
    return Entry(seq, chain, kind, item)


def read_body(raw: str) -> bytes:
    """Return the JSON of the item in *raw*."""
    return raw[raw.index("\n") + 1 :].encode()
