"""
Entries: the records of a conversation's log, as text in the store.

    <chain hash> <tokens before it> <kind> <facts>\\n<body>[\\n<extras>]

The store's script writes the first two, because only it knows what came before. The facts are what choosing a context
needs, so that a read never parses an item: two counts, whose place the scripts know, then the rest. The last ones are
left out where there is nothing to say: the paths of the documents that the item mentions, the mark of the message that
it came in, the tokens of what names it in results, those of what other formats than chat send, the short forms of a
result, and when it was appended (Unix seconds), which entries of older releases do not say. The body is the item's
JSON, encoded once, at append, and spliced into answers ever after. Extras are JSON as well, of what a message brought
along that items have no form for (shared/items/dialects/extras.py); they stand in no answer but a context in the format
of that message. Encoded JSON holds no line break.

Kinds: those of items (shared/items/kinds.py), `x` a deleted item's blank, `-` a deletion of an item or a summary, `m`
new metadata, `y` the summary, `z` the blank of one that was replaced or deleted; a capital is a record without an item
that a newer release may write, and is passed over. A summary's facts are those of its note, a user message, then the id
of the last item that it stands for, what a newer release may add, and at the end when it was made (Unix seconds), and
the seq of that item. The store's script writes these two numbers.
"""

from typing import Any, NamedTuple

import orjson

from shared.context.summarised import Summary
from shared.items.counts import Counts
from shared.items.item import NO_DIFFERENCES, Item
from shared.items.kinds import Kind
from shared.items.short import read_shorts, write_shorts
from shared.items.traits import Traits

BLANK, DELETION, METADATA, NO_SUMMARY = "x", "-", "m", "z"
LINE = b"\n"


_NO_MORE: tuple[Any, ...] = ((), "", 0, NO_DIFFERENCES, (), None)


class Entry(NamedTuple):
    """One record as it was read; `item` for items that live, `target` (a seq) for deletions, or `summary`."""

    seq: int
    chain: str
    kind: str
    item: Item | None = None
    target: int = 0
    summary: Summary | None = None


def write_entry(
    item_id: str,
    traits: Traits,
    counts: Counts,
    body: bytes,
    extras: bytes = b"",
    message: str = "",
    created_at_unix_s: int | None = None,
) -> str:
    """Return what the store keeps of an item, but for the part its script adds."""
    more: list[Any] = [
        traits.documents,
        message,
        counts.label_tokens,
        counts.differences,
        write_shorts(counts.shorts),
        created_at_unix_s,
    ]
    while more and not more[-1]:
        more.pop()
    facts = [*counts[:3], item_id, traits.pair_key, traits.name, traits.is_text, *more]
    return f"{orjson.dumps(facts).decode()}\n{(body + LINE + extras if extras else body).decode()}"


def write_summary(note_id: str, through_id: str, traits: Traits, counts: Counts) -> str:
    """Return the facts of a summary, but for the two numbers that its script adds."""
    facts = [*counts[:3], note_id, traits.pair_key, traits.name, traits.is_text, through_id]
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
    if kind in (BLANK, METADATA, NO_SUMMARY) or kind.isupper():
        return Entry(seq, chain, kind)
    overhead, content, hosted, item_id, pair_key, name, is_text, *more = orjson.loads(facts)
    documents, message, label_tokens, differences, shorts, created_at_unix_s, *_ = (
        (*more, *_NO_MORE[len(more) :]) if kind != Kind.SUMMARY else _NO_MORE
    )
    text, _, extras = body.partition("\n")
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
        text.encode(),
        is_text,
        tuple(documents),
        extras.encode(),
        message,
        label_tokens,
        differences or NO_DIFFERENCES,
        read_shorts(shorts) if shorts else (),
        0,
        created_at_unix_s,
    )
    if kind == Kind.SUMMARY:
        through_id, *_, made_at_unix_s, through_seq = more
        return Entry(seq, chain, kind, summary=Summary(item, through_seq, through_id, made_at_unix_s))
    return Entry(seq, chain, kind, item)
