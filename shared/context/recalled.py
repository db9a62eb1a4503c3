"""
The note of recalled items: what was said before the window and matches the newest user message, quoted directly before
that message.

    ranked items (shared/recall) -> quotes that fit the share -> one note, in the order in which it was said

It is made of what precedes the newest user message alone, so it stays the same while tools answer. A quote is a line
that begins with who said it; line breaks within are indented, so that no text can look like another's line.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import orjson

from shared.context.fit import Selection
from shared.context.format_rules import FRAME_TOKENS
from shared.context.unit import lone
from shared.items.item import Item
from shared.items.kinds import Kind
from shared.recall.ask import Recalled

FIRST_LINE = "Said earlier in this conversation, quoted:"

LABELS = {Kind.USER: "user", Kind.ASSISTANT: "assistant", Kind.CALL: "call", Kind.OUTPUT: "result", Kind.OTHER: "other"}
"""Of the kinds that are quoted: no system messages, and no thoughts."""

BYTES_MAX = 60_000
"""A larger item is not quoted."""

LINE_TOKENS = 3
"""What a line's label counts, about, and its end."""

EXCERPT_CHARS = 600
"""Of a text that would take more than a quarter of the share, so much of its beginning is quoted."""

NAMED = 1.5
"""By so much counts more what somebody said who is named in the question."""

NOTE_SEQ = -1
"""No entry has it."""


class Quote(NamedTuple):
    """
    One line: *text* of an *item*, all of it or an excerpt; *score* as Rank has it; *date*: when it was appended.
    *tokens*: of the text in the primary encoding, None where nobody knows.
    """

    item: Item
    score: float | None
    text: str
    date: str = ""
    tokens: int | None = None


class Recollection(NamedTuple):
    """The *note*, None where nothing is recalled, with what it quotes, and what each quote counts."""

    note: Item | None
    quotes: tuple[Quote, ...]
    tokens: tuple[int, ...]

    @property
    def note_tokens(self) -> int:
        return self.note.tokens if self.note is not None else 0


NOTHING = Recollection(None, (), ())


class Unrecalled(Exception):
    """The note of *quotes*, best first, has to be counted, to be kept under *key*."""

    def __init__(self, key: Any, quotes: list[Quote], share_tokens: int) -> None:
        super().__init__(len(quotes))
        self.key = key
        self.quotes = quotes
        self.share_tokens = share_tokens


def quotes_of(
    recalled: Recalled,
    held: Callable[[int], Item | None],
    shown: frozenset[int],
    share_tokens: int,
    asked: str,
) -> list[Quote]:
    """
    Return what may be quoted in *share_tokens*, best first, and a little more, which the count of the note decides.
    *held* items by seq, and those that are *shown* anyway. Who is named in what is *asked* is likely to have said it.
    """
    found: list[tuple[Item, float | None]] = []
    seen_tokens = 0
    for rank in recalled.ranks:
        item = rank.item or held(rank.seq)
        if item is None or len(item.body) + len(item.extras) > BYTES_MAX:
            continue
        if seen_tokens > recalled.ask.tokens_max:
            break
        seen_tokens += item.tokens + FRAME_TOKENS
        if item.kind in LABELS and rank.seq not in shown:
            is_named = item.name and rank.score is not None and item.name.casefold() in asked
            found.append((item, round(rank.score * NAMED, 3) if is_named and rank.score is not None else rank.score))
    found.sort(key=lambda each: (each[1] is None, each[1] or 0.0), reverse=True)
    quotes: list[Quote] = []
    used_tokens, share_tokens = FRAME_TOKENS + 8, share_tokens + share_tokens // 100
    for item, score in found:
        if not (text := text_of(item)):
            continue
        own_tokens = _own_tokens(item)
        tokens = item.content_tokens + LINE_TOKENS
        if tokens > share_tokens // 4 and len(text) > EXCERPT_CHARS:
            text = _excerpt(text)
            tokens, own_tokens = tokens * len(text) // max(1, len(item.body)) + LINE_TOKENS, None
        if used_tokens + tokens <= share_tokens:
            used_tokens += tokens
            quotes.append(Quote(item, score, text, recalled.date_of(item.seq), own_tokens))
    return quotes


def note_text(quotes: Sequence[Quote]) -> str:
    """Return the note's text: the quotes in the order of the log, with a line for each day."""
    lines, date = [FIRST_LINE], ""
    for each in sorted(quotes, key=_seq):
        if each.date != date:
            date = each.date
            lines.append(f"[{date}]")
        lines.append(f"{each.item.name or LABELS[Kind(each.item.kind)]}: {_indented(each.text)}")
    return "\n".join(lines)


def note_of(text: str, tokens: int) -> Item:
    """Return the note as an item; *tokens*: of its text."""
    content = [{"type": "input_text", "text": text}]
    body = {"id": "msg_recalled", "type": "message", "status": "completed", "role": "user", "content": content}
    return Item(
        NOTE_SEQ, "msg_recalled", Kind.SUMMARY, "", "", FRAME_TOKENS, tokens, 0, 0, orjson.dumps(body), is_text=True
    )


def with_note(selection: Selection, note: Item | None) -> Selection:
    """Return *selection* with *note* directly before the newest user message."""
    if note is None:
        return selection
    units = selection.units
    at = next(at for at in range(len(units) - 1, -1, -1) if units[at][0].kind == Kind.USER)
    before = selection.items.index(units[at][0])
    trimmed = selection.trimmed
    return selection._replace(
        items=[*selection.items[:before], note, *selection.items[before:]],
        units=[*units[:at], [note], *units[at:]],
        chosen=[*selection.chosen[:at], lone(NOTE_SEQ, note, note.tokens), *selection.chosen[at:]],
        tokens=selection.tokens + note.tokens,
        trimmed=trimmed if trimmed is None or trimmed < at else trimmed + 1,
    )


def _seq(quote: Quote) -> int:
    return quote.item.seq


def _own_tokens(item: Item) -> int | None:
    """Return what the text of *item* counts, None where its content is more than that."""
    is_plain = item.is_text and item.kind in (Kind.USER, Kind.ASSISTANT) and not item.extras and not item.documents
    return item.content_tokens if is_plain else None


def text_of(item: Item) -> str:
    """Return what *item* says, "" where it has no text."""
    from shared.items.chat import part_text  # Few contexts recall, and none of a function that only appends.
    from shared.items.types import chat_form

    form = chat_form(orjson.loads(item.body))
    if form is None:
        return ""
    if form.tool_call is not None:
        return "".join(form.texts()[:1]) + " " + "".join(form.texts()[1:])
    return "\n".join([text for part in form.parts if (text := part_text(part))]).strip()


def _excerpt(text: str) -> str:
    """Return the beginning of *text*, cut behind a word, and that it goes on."""
    cut = text[:EXCERPT_CHARS]
    return f"{cut[: cut.rfind(' ')] if ' ' in cut[EXCERPT_CHARS // 2 :] else cut} …"


def _indented(text: str) -> str:
    return text.replace("\r", "\n").replace("\n", "\n  ")
