"""
What was looked at, on a terminal: colours and a bar there, plain text anywhere else.

Each state has a colour and a letter, so that nothing depends on seeing colours. What conversations say is shown without
control characters, which a terminal would obey.
"""

import time
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from scripts.looking.reading import Listed, Look
from shared.items.item import Item

BAR_CHARS, SAID_CHARS = 80, 60
UNITS_SHOWN = 40


class Sign(NamedTuple):
    letter: str
    colour: str


SIGNS: Mapping[str, Sign] = {
    "prompt": Sign("P", "white"),
    "pinned": Sign("#", "magenta"),
    "kept": Sign("=", "green"),
    "shortened": Sign("-", "bright_green"),
    "recalled": Sign("R", "bright_blue"),
    "document": Sign("D", "cyan"),
    "summarised": Sign("s", "yellow"),
    "omitted": Sign(".", "red"),
}
_OTHER = Sign("?", "blue")


def show_list(console: Console, tenant: str, conversations: Sequence[Listed]) -> None:
    table = Table(title=Text(f"{tenant}: {len(conversations)} conversations, newest activity first"), box=None)
    table.add_column("conversation", no_wrap=True)
    for name in ("items", "tokens", "bytes", "last use", "expires"):
        table.add_column(name, justify="right", no_wrap=True)
    whose = [name for name in ("user", "agent") if any(getattr(each, name) for each in conversations)]
    for name in whose:
        table.add_column(name)
    for each in conversations:
        expires = "never" if each.expires_at is None else _when(each.expires_at)
        facts = f"{each.items:,}", f"{each.tokens:,}", f"{each.bytes:,}", _when(each.used_at), expires
        table.add_row(each.id, *facts, *(getattr(each, name) or "" for name in whose))
    console.print(table)


def show_look(console: Console, conversation_id: str, look: Look, tail: int) -> None:
    header, context = look.snapshot.header, look.context
    rows = context["explanation"]["units"]
    lives = f"expires {_when(header.used_at_unix_s + header.expiry_s)}" if header.expiry_s else "never expires"
    console.print(Text(f"{conversation_id} of {look.tenant}", style="bold"))
    console.print(
        Text(
            f"{header.live_items:,} items, version {header.version:,}, created {_when(header.created_at_unix_s)}, "
            f"last used {_when(header.used_at_unix_s)}, {lives}"
        )
    )
    for name, value in header.owners._asdict().items():
        if value:
            console.print(Text(f"{name} {value}"))
    console.print(
        Text(
            f"as {context['format']} in {context['encoding']}: {context['tokens']:,} tokens of {context['budget']:,} "
            f"kept, {context['omitted']['tokens']:,} omitted"
        )
    )
    console.print(bar(rows))
    console.print(_legend(rows))
    said = {item.id: item for item in look.snapshot.items}
    _show_units(console, rows, said)
    if tail:
        console.print(Text(f"\nthe last {min(tail, len(look.snapshot.items))} items", style="bold"))
        for item in look.snapshot.items[-tail:]:
            console.print(Text(f"{item.id}  {snippet(item)}"), no_wrap=True, overflow="ellipsis")


def bar(rows: Sequence[Mapping[str, Any]], width: int = BAR_CHARS) -> Text:
    """Return *rows* side by side, each as wide as its share of all tokens; who has any is not lost but to others."""
    total = sum(row["tokens"] for row in rows)
    text = Text()
    if not total:
        return text
    ends = [round(width * tokens / total) for tokens in accumulate(row["tokens"] for row in rows)]
    for row, start, end in zip(rows, [0, *ends], ends, strict=False):
        sign = SIGNS.get(row["state"], _OTHER)
        text.append(sign.letter * (end - start), style=sign.colour)
    return text


def _legend(rows: Sequence[Mapping[str, Any]]) -> Text:
    text = Text()
    for state in dict.fromkeys([*SIGNS, *(row["state"] for row in rows)]):
        sign, tokens = SIGNS.get(state, _OTHER), sum(row["tokens"] for row in rows if row["state"] == state)
        if any(row["state"] == state for row in rows):
            text.append(f"{sign.letter} {state} {tokens:,}   ", style=sign.colour)
    return text


def _show_units(console: Console, rows: Sequence[Mapping[str, Any]], said: Mapping[str, Item]) -> None:
    table = Table(box=None)
    table.add_column("tokens", justify="right")
    for name in ("state", "reason", "items", "what"):
        table.add_column(name, no_wrap=True, overflow="ellipsis")
    if len(rows) > UNITS_SHOWN:
        console.print(Text(f"the last {UNITS_SHOWN} of {len(rows)} units; --json has all"))
    for row in rows[-UNITS_SHOWN:]:
        sign, ids = SIGNS.get(row["state"], _OTHER), row["item_ids"]
        known = [said[each] for each in ids if each in said]
        items = ids[0] if len(ids) == 1 else f"{len(ids)} items" if ids else ""
        what = snippet(known[0]) if known else ""
        state = Text(f"{sign.letter} {row['state']}", style=sign.colour)
        table.add_row(f"{row['tokens']:,}", state, row["reason"], items, Text(what))
    console.print(table)


def snippet(item: Item) -> str:
    """Return what an item is and how it begins, on one line, without what a terminal would obey."""
    body = orjson.loads(item.body)
    parts = body.get("content", body.get("output", body.get("summary")))
    texts = [parts] if isinstance(parts, str) else []
    if isinstance(parts, list):
        texts = [said for part in parts if isinstance(said := part.get("text", part.get("refusal")), str)]
    if not texts:
        texts = [str(body[name]) for name in ("name", "arguments", "input") if isinstance(body.get(name), str)]
    text = "".join(each if each.isprintable() else " " for each in " ".join(texts)[: 2 * SAID_CHARS])
    return f"{body.get('role', body['type'])}: {' '.join(text.split())[:SAID_CHARS]}"


def _when(unix_s: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(unix_s))
