"""
The lines of an export: what a conversation is made of, as JSON, a line each (docs/backups.md).

    conversation | page      how a page begins: the first one, and those behind it
    item                     an item that lives, in the order of the log
    gone                     the id of one that was deleted
    summary                  the newest summary, where it stands in the log
    more | end               how a page ends, with the hash of its lines and of those of the page before it

A page is a part of an import, and is checked by itself: its hash goes on from that of the page before it.
"""

from hashlib import sha256
from typing import Any, Final

import orjson

from shared.conversations.entries import BLANK, read_entry
from shared.conversations.summary_reading import text_of
from shared.items.item import Item
from shared.jsonbytes.write import Pieces

FORMAT: Final = "warmthread.conversation/1"
LINES_MAX = 500
"""Of a page, how it begins and ends aside: what a script adds of it in a few milliseconds."""

PAGE_BYTES_MAX = 4_000_000
LINE = b"\n"


def head_line(members: dict[str, Any]) -> bytes:
    return orjson.dumps({"format": FORMAT, **members}) + LINE


def entry_line(raw: str) -> bytes:
    """Return the line of an entry as the store has it, of an item, a blank or a summary, or of `=` and an id."""
    if raw.startswith("="):
        return _gone(raw[1:])
    head, _, _ = raw.partition("\n")
    _, preceding, kind, facts = head.split(" ", 3)
    if kind == BLANK:
        return _gone(orjson.loads(facts)[0])
    entry = read_entry(0, raw)
    if entry.summary is not None:
        summary = entry.summary
        told = {
            "type": "summary",
            "id": summary.item.id,
            "through": summary.through_id,
            "created_at": summary.created_at_unix_s,
            "text": text_of(summary),
        }
        return orjson.dumps(told) + LINE
    assert entry.item is not None
    return b"".join(_item(entry.item, int(preceding)))


def is_gone(line: bytes) -> bool:
    return line.startswith(b'{"type":"gone"')


def is_item(line: bytes) -> bool:
    return line.startswith(b'{"type":"item"')


def hash_of(before: str, lines: Pieces) -> str:
    """Return the hash of a page of *lines*; *before* is that of the page before it."""
    digest = sha256(before.encode())
    for line in lines:
        digest.update(line)
    return digest.hexdigest()


def _gone(item_id: str) -> bytes:
    return orjson.dumps({"type": "gone", "id": item_id}) + LINE


def _item(item: Item, preceding_tokens: int) -> Pieces:
    """Splice what is stored: encoded JSON holds no line break."""
    told = {"type": "item", "created_at": item.created_at_unix_s, "tokens_before": preceding_tokens}
    if item.message:
        told["message"] = item.message
    pieces = [orjson.dumps(told)[:-1], b',"item":', item.body]
    if item.extras:
        pieces += [b',"extras":', item.extras]
    return [*pieces, b"}", LINE]
