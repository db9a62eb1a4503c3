"""
Why a context is as it is: a row for each unit of the conversation, in log order.

    a choice (fit.py), and the fold that it was made from -> rows -> at most ROWS_MAX of them

Nothing is decided here: a row tells what the choice has done. Each item of the conversation is in exactly one row.
What prompt, pinned, kept, shortened, recalled and document rows count is what the context counts, in its encoding and
format. What summarised and omitted rows count is what it leaves out, as that is stored.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import merge
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple

from shared.context.fit import Selection, Window, head_items
from shared.context.summarised import Summary, split_at
from shared.context.unit import trimmed_tokens
from shared.context.units import Folded, fold
from shared.items.item import Item
from shared.tokens.rule import REPLY_TOKENS

ROWS_MAX = 500
"""Of an answer: what a page can show, and a caller read."""

PROMPT, PINNED, KEPT, DOCUMENT = "prompt", "pinned", "kept", "document"
SHORTENED, RECALLED = "shortened", "recalled"
SUMMARISED, OMITTED = "summarised", "omitted"
STATES = (PROMPT, PINNED, KEPT, SHORTENED, RECALLED, DOCUMENT, SUMMARISED, OMITTED)

REASONS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "prompt": ((PROMPT,), "what every prompt counts beside its messages"),
    "opening": ((PROMPT,), "a message of the user, `(no text)`, opens what has none, where the provider wants one"),
    "head": ((PINNED,), "a system or developer message before the first user message"),
    "system-message": ((PINNED,), "a later system or developer message, or an item that acts on all that follows it"),
    "summary": ((PINNED,), "the summary, in the place of what it covers"),
    "newest-user-message": ((KEPT,), "the newest user message is in every context"),
    "open-call": ((KEPT,), "the last unit, whose calls wait for their results"),
    "last-unit": ((KEPT,), "the last unit is in every context"),
    "opens-window": ((KEPT,), "the user message of a turn of which only newer units fit"),
    "moved-to-front": ((KEPT,), "a user message that is sent first, as one has to be, before units that are older"),
    "fits": ((KEPT,), "among the newest units that fit"),
    "unsupported": ((PINNED, KEPT), "would be sent, but the format has no form for any of it"),
    "part-of-result": ((SHORTENED,), "kept, with a result of a tool in part"),
    "matches": ((RECALLED,), "quotes of older items that match the newest user message, directly before it"),
    "whole": ((DOCUMENT,), "the text of a document, all of it"),
    "cut": ((DOCUMENT,), "the text of a document, as much as its share of the budget holds"),
    "covered-by-summary": ((SUMMARISED,), "the summary stands for it"),
    "over-budget": ((OMITTED,), "older than all that fits"),
    "thinned": ((OMITTED,), "an older unit of the oldest turn that is kept"),
    "stable-prefix": ((OMITTED,), "it would fit, but the window starts at a later anchor"),
    "before-first-user-message": ((OMITTED,), "a context starts with the user, and this was said before"),
    "orphan-output": ((OMITTED,), "a result without a call"),
    "unanswered-call": ((OMITTED,), "a call without a result, and not at the end"),
    "dangling-reasoning": ((OMITTED,), "reasoning without what it led to"),
}
"""Every reason: the states that it may be of, and what it means."""


class Row(NamedTuple):
    """
    A unit of the conversation, or many that are alike; without ids what is none of its items. *left_out_tokens*: of the
    results that it shows in part.
    """

    item_ids: list[str]
    tokens: int
    state: str
    reason: str
    left_out_tokens: int = 0

    def told(self) -> dict[str, Any]:
        """Return it as an answer tells it."""
        told = self._asdict()
        if not self.left_out_tokens:
            del told["left_out_tokens"]
        return told


class ShownText(NamedTuple):
    """The text of a document that is in the item *item_id*; *reason*: `whole` or `cut`."""

    item_id: str
    tokens: int
    reason: str


class Choice(NamedTuple):
    """
    What was chosen, and what it was chosen from: all of *items*, those of *folded* but for what *summary* stands for;
    *stored* are those that were folded, counted as they are stored. *documents* are those that are shown, *unsupported*
    the ids of items which the format cannot carry. *recalled_tokens*: of the note of recalled items, 0 for none.
    """

    selection: Selection
    folded: Folded
    stored: Sequence[Item]
    items: Sequence[Item]
    summary: Summary | None
    documents: Iterable[ShownText]
    unsupported: frozenset[str]
    recalled_tokens: int = 0


def explained(choice: Choice) -> list[Row]:
    """Return the rows of *choice*. Beyond ROWS_MAX the oldest are put together by state and reason."""
    rows = _of_folded(choice)
    if choice.recalled_tokens:
        newest = choice.folded.items[choice.folded.units[choice.folded.user_units[-1]].first]
        rows = merge([(newest.seq, Row([], choice.recalled_tokens, RECALLED, "matches"))], rows, key=itemgetter(0))
    if choice.summary is not None:
        rows = merge(_of_covered(choice.items, choice.summary), rows, key=itemgetter(0))
    return _at_most(ROWS_MAX, chain(_of_prompt(choice), (row for _, row in rows)))


def _at_most(rows_max: int, rows: Iterable[Row]) -> list[Row]:
    item_ids: dict[tuple[str, str], list[str]] = {}
    tokens: dict[tuple[str, str], tuple[int, int]] = {}
    alone: deque[Row] = deque()
    for row in rows:
        alone.append(row)
        while len(tokens) + len(alone) > rows_max:
            oldest = alone.popleft()
            kind = oldest.state, oldest.reason
            item_ids.setdefault(kind, []).extend(oldest.item_ids)
            counted, left_out = tokens.get(kind, (0, 0))
            tokens[kind] = counted + oldest.tokens, left_out + oldest.left_out_tokens
    together = [(kind, ids, *tokens[kind]) for kind, ids in item_ids.items()]
    return [*(Row(ids, counted, *kind, left_out) for kind, ids, counted, left_out in together), *alone]


def _of_prompt(choice: Choice) -> Iterator[Row]:
    """Yield what belongs to no item."""
    yield Row([], REPLY_TOKENS, PROMPT, "prompt")
    if choice.selection.has_opening:
        yield Row([], choice.folded.opening_tokens, PROMPT, "opening")


type _Placed = Iterator[tuple[int, Row]]
"""Rows by where they stand: behind rows of a lower seq."""


def _of_covered(items: Sequence[Item], summary: Summary) -> _Placed:
    """Yield what *summary* stands for of *items*, by what would be units of it."""
    folded = fold(split_at(items, summary)[0])
    units = {unit.first: unit for unit in folded.units}
    never = _never_sent(folded)
    for at, item in enumerate(folded.items):
        if (unit := units.get(at)) is not None:
            members = sorted(unit.members)
        elif at in never:
            members = [at]
        else:
            continue
        yield item.seq, _stored_row(folded.items, members, folded.items, SUMMARISED, "covered-by-summary")


def _of_folded(choice: Choice) -> _Placed:
    """Yield what was folded."""
    items, unsupported = choice.folded.items, choice.unsupported
    texts: dict[str, list[ShownText]] = {}
    for each in choice.documents:
        texts.setdefault(each.item_id, []).append(each)
    for place, members, tokens, state, reason in _parts(choice):
        if state == OMITTED:
            yield place, _stored_row(items, members, choice.stored, state, reason)
            continue
        item_ids = [items[at].id for at in members]
        shown = [text for item_id in item_ids for text in texts.get(item_id, ())] if texts else []
        is_nothing = not tokens and unsupported.issuperset(item_ids)
        left_out_tokens = sum([items[at].left_out_tokens for at in members])
        if left_out_tokens and not is_nothing:
            state, reason = SHORTENED, "part-of-result"
        yield (
            place,
            Row(
                # A summary is read as itself, and is no item of the conversation.
                [] if reason == "summary" else item_ids,
                tokens - sum([text.tokens for text in shown]),
                state,
                "unsupported" if is_nothing else reason,
                left_out_tokens,
            ),
        )
        for text in shown:
            yield place, Row([], text.tokens, DOCUMENT, text.reason)


def _parts(choice: Choice) -> Iterator[tuple[int, list[int], int, str, str]]:
    """Yield what was folded by where it stands: positions, what it counts as a message if it is kept, state, reason."""
    folded, selection = choice.folded, choice.selection
    items, window = folded.items, selection.window
    units = {unit.first: index for index, unit in enumerate(folded.units)}
    kept, pinned, never = _kept(folded, window), _pinned(folded), _never_sent(folded)
    trimmed = None if selection.trimmed is None else selection.chosen[selection.trimmed].first
    for at, item in enumerate(items):
        if (index := units.get(at)) is not None:
            unit = folded.units[index]
            members, reason = sorted(unit.members), kept.get(index)
            if reason is None:
                yield item.seq, members, 0, OMITTED, _left_out(folded, window, index)
                continue
            saved = trimmed_tokens([items[member] for member in unit.members]) if at == trimmed else None
            yield item.seq, members, unit.tokens - (saved or 0), KEPT, reason
        elif at in pinned:
            place = choice.summary.through_seq if choice.summary is not None and at == folded.note else item.seq
            yield place, [at], item.tokens, PINNED, pinned[at]
        elif at in never:
            yield item.seq, [at], 0, OMITTED, never[at]


def _kept(folded: Folded, window: Window) -> dict[int, str]:
    """Return why each unit is kept that is."""
    reasons = dict.fromkeys(window.units, "fits")
    if not window.units:
        return reasons
    if window.opener is not None:
        reasons[window.opener] = "opens-window"
    if window.front is not None:
        reasons[window.front] = "moved-to-front"
    if (last := folded.last_unit) is not None:
        reasons[last] = "open-call" if folded.units[last].open_calls else "last-unit"
    if folded.user_units:
        reasons[folded.user_units[-1]] = "newest-user-message"
    return reasons


def _left_out(folded: Folded, window: Window, index: int) -> str:
    """Return why the unit *index* is not kept."""
    if folded.leading_turns and index < folded.turn_units[folded.leading_turns]:
        return "before-first-user-message"
    if index >= window.turn:
        return "thinned"
    if window.fitting is not None and index >= window.fitting:
        return "stable-prefix"
    return "over-budget"


def _pinned(folded: Folded) -> dict[int, str]:
    """Return why each position is kept that belongs to no unit."""
    head = head_items(folded)
    reasons = dict.fromkeys(folded.systems[:head], "head") | dict.fromkeys(folded.systems[head:], "system-message")
    return reasons if folded.note is None else reasons | {folded.note: "summary"}


def _never_sent(folded: Folded) -> dict[int, str]:
    """Return why each position can never be sent that cannot."""
    return (
        dict.fromkeys(folded.orphan_outputs, "orphan-output")
        | dict.fromkeys(folded.unanswered_calls, "unanswered-call")
        | dict.fromkeys(folded.dangling_reasoning, "dangling-reasoning")
    )


def _stored_row(items: Sequence[Item], members: list[int], stored: Sequence[Item], state: str, reason: str) -> Row:
    return Row([items[at].id for at in members], sum([stored[at].tokens for at in members]), state, reason)
