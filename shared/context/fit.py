"""
Chooses the items of one model call under a token budget: prefix sums and bisection over a folded log.

    fit  system items, the note of a summary and the reply are always paid for
         newest turn: its newest user message, the last unit, and the longest run of units up to the end
         older turns: whole ones, newest first; the first that does not fit is thinned to its user message
         and its newest units, and nothing older is kept
    fit(stable_prefix=True)  the window starts at an anchor instead, so that it moves rarely

A window starts with a user message. Where a late output joined turns, the units kept may begin between two of
them: then the user message before them is kept as well when it fits, else the first kept one moves to the
front. Units before the first user message are sent only if the log has none or a late output joins them.

Same folded log and arguments, same selection; nothing here counts, parses or waits. What explained.py says of a choice
is read off the window that was chosen here.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import NamedTuple

from shared.context.format_rules import CHAT, FormatRules
from shared.context.groups import PINNED
from shared.context.unit import Unit, lone, trimmed_tokens
from shared.context.units import Folded, first_unit_that_fits
from shared.errors import ContextDoesNotFit
from shared.items.item import Item
from shared.items.kinds import Kind
from shared.tokens.rule import REPLY_TOKENS

STABLE_STEPS = 3
"""A stable window moves in steps of a third of the budget: docs/prompt-caches.md has what other steps bring."""


class Omitted(NamedTuple):
    """
    What the log holds and the selection does not: how many items, and their tokens as stored.

    The lists name what can never be sent, from the window's start on: older ones would not be sent anyway,
    and the answer must not depend on how much of the older log was read.
    """

    items: int
    tokens: int
    orphan_outputs: list[str]
    unanswered_calls: list[str]
    dangling_reasoning: list[str]


class Window(NamedTuple):
    """
    Kept *units*, ascending, and where the choice was made.

    From unit *turn* on, turns are kept, the first of them without its oldest units where these did not fit. From
    *fitting* on whole turns would have fit, None where no more would have than there are.
    *opener*: the user message that is kept so that the window starts with it, None where it does anyway; *front*: the
    one sent before its place, None when all stand in order.
    """

    units: list[int]
    turn: int
    fitting: int | None = None
    opener: int | None = None
    front: int | None = None


class Selection(NamedTuple):
    """
    The chosen items.

    *items* in log order, the note, if there is one, directly before the window, and their *positions* in what was
    folded; *units* the same in sending order: system items and the note alone, groups followed by the outputs of their
    calls; *chosen* says how each of them is sent, in the format of *rules*. *tokens* counts what is sent,
    *stored_tokens* the items as they are, *hosted_tokens* the text without chat form, which both leave out.
    *has_opening*: a message of the user that the log does not hold comes before all of it. *trimmed*: which unit loses
    the white space at its end, None for none. *is_common*: every item is sent as it is stored, in all formats.
    *first_id* and *last_id* bound the window, system items and note aside; None when it is empty.
    *only_text*: each chat message is a single text, so that the provider's own rule is known. *mentions*: there are
    documents to be shown. *window*: what of the units was chosen, by their numbers in what was folded. *cached_for*:
    how long a provider is to keep the beginnings that later contexts have as well; "" where that is not to be said.
    """

    positions: list[int]
    items: list[Item]
    units: list[list[Item]]
    note: Item | None
    tokens: int
    stored_tokens: int
    omitted: Omitted
    first_id: str | None
    last_id: str | None
    hosted_tokens: int
    only_text: bool
    mentions: bool
    chosen: list[Unit]
    window: Window
    rules: FormatRules = CHAT
    has_opening: bool = False
    trimmed: int | None = None
    is_common: bool = False
    cached_for: str = ""


def fit(folded: Folded, budget_tokens: int, stable_prefix: bool = False) -> Selection:
    """
    Choose from *folded* what a context of at most *budget_tokens* holds.

    Raises: ContextDoesNotFit: system items (those after the head too), the note, the newest user message and the
            last unit exceed the budget; its `needed_tokens` would do.
    """
    room_tokens = budget_tokens - folded.system_tokens - REPLY_TOKENS
    mandatory = _mandatory(folded)
    if (needed := needed_tokens(folded)) > budget_tokens:
        raise ContextDoesNotFit(budget_tokens, needed)
    if not folded.units:
        return _selection(folded, Window([], 0))
    newest = _newest_turn(folded, room_tokens, mandatory)
    if len(newest) < len(folded.units) - folded.turn_units[-1]:
        window = Window(newest, folded.turn_units[-1])  # It is thinned: nothing older is kept.
    elif stable_prefix:
        step_tokens = max(1, budget_tokens // STABLE_STEPS)
        window = _from_anchor(folded, room_tokens, step_tokens)
    else:
        window = _older_turns(folded, room_tokens)
    return _selection(folded, _in_front(folded, window, room_tokens))


def needed_tokens(folded: Folded) -> int:
    """Return the smallest budget that fits: system items, note, newest user message, last unit, reply."""
    return folded.system_tokens + REPLY_TOKENS + _tokens_of(folded, _mandatory(folded))


def _tokens_of(folded: Folded, units: Sequence[int]) -> int:
    """Return what *units*, which ascend, count where nothing else is kept."""
    tokens = sum([folded.units[index].tokens for index in units])
    if units and folded.ending_tokens and folded.ending_unit in units:
        tokens -= folded.ending_tokens
    return tokens + folded.opening_tokens if tokens else 0


def _mandatory(folded: Folded) -> list[int]:
    newest_user = folded.user_units[-1:]
    last = [] if folded.last_unit is None else [folded.last_unit]
    return sorted({*newest_user, *last})


def _newest_turn(folded: Folded, room_tokens: int, mandatory: list[int]) -> list[int]:
    """Return the mandatory units and the longest run of the newest turn's units that fits beside them."""
    sums = folded.token_sums
    end = len(folded.units)

    def tokens_from(start: int) -> int:
        earlier = _tokens_of(folded, [index for index in mandatory if index < start])
        later = sums[end] - sums[start]
        if later:
            earlier = earlier or folded.opening_tokens
            later -= folded.ending_tokens if (folded.ending_unit or 0) >= start else 0
        return earlier + later

    start = _first_that_fits(range(folded.turn_units[-1], end), tokens_from, room_tokens)
    return [*(index for index in mandatory if index < start), *range(start, end)]


def _older_turns(folded: Folded, room_tokens: int) -> Window:
    """Return all units from the oldest turn that fits whole, and what fits of the turn before it."""
    turn = _oldest_whole_turn(folded, room_tokens)
    whole = _from_turn(folded, turn)
    if turn == folded.leading_turns:
        return whole
    begin, end = folded.turn_units[turn - 1], folded.turn_units[turn]
    sums = folded.token_sums

    def tokens_from(start: int) -> int:
        user = _user_before(folded, start, begin)
        return (
            sums[-1] - folded.ending_tokens - sums[start] + (0 if user in (None, start) else folded.units[user].tokens)
        )

    start = _first_that_fits(range(begin, end), tokens_from, room_tokens)
    user = _user_before(folded, start, begin)
    opener = None if user == start else user
    thinned = list(range(start, end)) if opener is None else [opener, *range(start, end)]
    # A user message alone would be a question without its answer.
    return Window([*thinned, *whole.units], begin, opener=opener) if len(thinned) > 1 else whole


def _from_anchor(folded: Folded, room_tokens: int, step_tokens: int) -> Window:
    """
    Return all units from the first anchor at or after the oldest turn that fits whole, else the newest turn.

    Anchors are the first turn and each turn before which the weight passed a multiple of *step_tokens*.
    """
    weights = folded.turn_weights
    turn = _oldest_whole_turn(folded, room_tokens)
    steps = weights[turn] // step_tokens
    if turn == folded.leading_turns or steps > weights[turn - 1] // step_tokens:
        return _from_turn(folded, turn)
    anchor = min(bisect_left(weights, (steps + 1) * step_tokens, lo=turn), len(weights) - 1)
    return _from_turn(folded, anchor)._replace(fitting=folded.turn_units[turn])


def _oldest_whole_turn(folded: Folded, room_tokens: int) -> int:
    """Return the oldest turn from which all fits. The newest one must."""
    turn = bisect_left(folded.turn_units, first_unit_that_fits(folded, room_tokens))
    return min(max(turn, folded.leading_turns), len(folded.turn_units) - 1)


def _from_turn(folded: Folded, turn: int) -> Window:
    begin = folded.turn_units[turn]
    return Window(list(range(begin, len(folded.units))), begin)


def _first_that_fits(starts: range, tokens_from: Callable[[int], int], room_tokens: int) -> int:
    """Return the first of *starts* whose tokens fit, `starts.stop` if none; tokens fall as starts rise."""
    return starts.start + bisect_left(starts, True, key=lambda start: tokens_from(start) <= room_tokens)


def _user_before(folded: Folded, unit: int, begin: int) -> int | None:
    """Return the nearest user message at or before *unit*, None if there is none from *begin* on."""
    at = bisect_left(folded.user_units, unit + 1) - 1
    return folded.user_units[at] if at >= 0 and folded.user_units[at] >= begin else None


def _in_front(folded: Folded, window: Window, room_tokens: int) -> Window:
    """Make the window start with a user message, where the log has one."""
    kept = window.units
    if not folded.user_units or _is_user(folded, kept[0]):
        return window
    turn_begin = folded.turn_units[bisect_left(folded.turn_units, kept[0] + 1) - 1]
    user = _user_before(folded, kept[0], turn_begin)
    if user is not None and _tokens_of(folded, [user, *kept]) <= room_tokens:
        return window._replace(units=[user, *kept], opener=user)
    return window._replace(front=next(index for index in kept if _is_user(folded, index)))


def _is_user(folded: Folded, index: int) -> bool:
    return folded.items[folded.units[index].first].kind == Kind.USER


def _selection(folded: Folded, window: Window) -> Selection:
    items = folded.items
    units = [folded.units[index] for index in window.units]
    start = units[0].first if units else len(items)
    head, later_systems = _head(folded)
    ordered = sorted([*units, *later_systems]) if later_systems else list(units)
    if later_systems and folded.rules.ends_open:
        _end_open(ordered)
    positions = sorted([at for unit in ordered for at in unit.members])
    if window.front is not None:
        front = folded.units[window.front]
        ordered.remove(front)
        ordered.insert(ordered.index(units[0]), front)
        positions.remove(front.first)
        positions.insert(positions.index(start), front.first)
    if folded.note is not None:
        ordered.insert(_window_start(folded, [unit.first for unit in ordered]), _pinned(folded, folded.note))
        positions.insert(_window_start(folded, positions), folded.note)
    ordered[:0] = head
    positions[:0] = [unit.first for unit in head]

    kept = [items[at] for at in positions]
    tokens = sum([unit.tokens for unit in units])
    has_opening = tokens > 0 and folded.opening_tokens > 0
    trimmed, trimmed_by = _trimmed(folded, ordered)
    stored_tokens = sum([unit.stored_tokens for unit in ordered])
    return Selection(
        positions=positions,
        items=kept,
        units=[[items[at] for at in unit.members] for unit in ordered],
        note=None if folded.note is None else items[folded.note],
        tokens=folded.system_tokens
        + REPLY_TOKENS
        + tokens
        + (folded.opening_tokens if has_opening else 0)
        - trimmed_by,
        stored_tokens=stored_tokens,
        omitted=Omitted(
            items=len(items) - len(kept),
            tokens=folded.stored_tokens - stored_tokens,
            orphan_outputs=_ids_from(folded, folded.orphan_outputs, start),
            unanswered_calls=_ids_from(folded, folded.unanswered_calls, start),
            dangling_reasoning=_ids_from(folded, folded.dangling_reasoning, start),
        ),
        first_id=next((item.id for item in kept if item.kind not in PINNED), None),
        last_id=next((item.id for item in reversed(kept) if item.kind not in PINNED), None),
        hosted_tokens=sum([unit.hosted_tokens for unit in ordered]),
        only_text=all(unit.is_text for unit in ordered),
        mentions=any(unit.mentions for unit in ordered),
        chosen=ordered,
        window=window,
        rules=folded.rules,
        has_opening=has_opening,
        trimmed=trimmed,
        is_common=folded.is_common,
    )


def _end_open(ordered: list[Unit]) -> None:
    """Put system items that stand behind open calls before them: the caller adds the results to what it got."""
    at = next((index for index in range(len(ordered) - 1, -1, -1) if ordered[index].open_calls), None)
    if at is not None:
        ordered.append(ordered.pop(at))


def _trimmed(folded: Folded, ordered: list[Unit]) -> tuple[int | None, int]:
    """Return which of the units that are sent loses the white space at its end, and what it then counts less."""
    if not folded.rules.trims_the_end:
        return None, 0
    for index in range(len(ordered) - 1, -1, -1):
        unit = ordered[index]
        if unit.tokens:  # Pinned ones have none: they stand elsewhere, or are the user's.
            saved = trimmed_tokens([folded.items[at] for at in unit.members])
            return (None, 0) if saved is None else (index, saved)
    return None, 0


def _head(folded: Folded) -> tuple[list[Unit], list[Unit]]:
    """Split the system items: the head stands before all else, the later ones in their places."""
    systems = [_pinned(folded, at) for at in folded.systems]
    head_count = head_items(folded)
    return systems[:head_count], systems[head_count:]


def head_items(folded: Folded) -> int:
    """Return how many of the system items are the head."""
    first_user = folded.units[folded.user_units[0]].first if folded.user_units else 0
    return bisect_left(folded.systems, first_user)


def _pinned(folded: Folded, at: int) -> Unit:
    """Return a pinned item as a unit, to be put in order with the others; it is paid for already."""
    return lone(at, folded.items[at], 0)


def _window_start(folded: Folded, positions: list[int]) -> int:
    """Return the index of the first of *positions* that is no system item."""
    return next((index for index, at in enumerate(positions) if folded.items[at].kind != Kind.SYSTEM), len(positions))


def _ids_from(folded: Folded, positions: list[int], start: int) -> list[str]:
    return [folded.items[at].id for at in positions[bisect_left(positions, start) :]]
