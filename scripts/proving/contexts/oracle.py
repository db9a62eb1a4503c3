"""
What a context must hold, written from the promises alone: brute force, slow, meant to be read.

    facts(log)                     pairs, units, turns, and what can never be sent
    expected(log, budget, stable)  the ids a context sends, in order, and its tokens; or what it would need

Every candidate window is spelled out as a list of units and counted as chat messages; the first that fits, in
the order in which the promises prefer them, is the answer. It shares nothing with the production code but the
letters of the kinds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import takewhile

from shared.items.item import Item

ASSISTANT_SIDE = "acrh"


@dataclass
class OracleUnit:
    """A message, or a response group (*head*) with the outputs of its calls."""

    head: list[int]
    outputs: list[int] = field(default_factory=list)

    @property
    def members(self) -> list[int]:
        return self.head + self.outputs


@dataclass
class Facts:
    """
    Positions in the log: *turns* holds units, in order; *leading* those before the first user message; *note* the
    summary, if there is one.
    """

    systems: list[int]
    note: list[int]
    leading: list[OracleUnit]
    turns: list[list[OracleUnit]]
    newest_user: int | None
    last: int | None
    orphans: list[int]
    unanswered: list[int]
    dangling: list[int]


@dataclass
class Expected:
    """*ids* in sending order, *log_ids* in log order; *needed_tokens* instead when nothing fits."""

    ids: list[str]
    log_ids: list[str]
    tokens: int
    needed_tokens: int | None = None


def pair(log: Sequence[Item]) -> dict[int, int]:
    """Return output -> call: each output takes the nearest earlier call of its key that is still unanswered."""
    pairs: dict[int, int] = {}
    for output, item in enumerate(log):
        if item.kind == "o":
            for call in range(output - 1, -1, -1):
                is_match = log[call].kind == "c" and log[call].pair_key == item.pair_key
                if is_match and call not in pairs.values():
                    pairs[output] = call
                    break
    return pairs


def groups(log: Sequence[Item]) -> list[list[int]]:
    """Return the runs of assistant-side items, cut where the name of the message changes, and all else alone."""
    runs: list[list[int]] = []
    for at, item in enumerate(log):
        if item.kind in "soy":
            continue
        joins = item.kind in ASSISTANT_SIDE and at > 0 and log[at - 1].kind in ASSISTANT_SIDE
        if joins and item.kind == "a":
            names = [log[member].name for member in runs[-1] if log[member].kind == "a"]
            if names and names[-1] != item.name:
                carried: list[int] = []
                while log[runs[-1][-1]].kind == "r":
                    carried.insert(0, runs[-1].pop())
                runs.append([*carried, at])
                continue
        if joins:
            runs[-1].append(at)
        else:
            runs.append([at])
    return runs


def facts(log: Sequence[Item]) -> Facts:
    """Work out everything about *log* that does not depend on a budget."""
    pairs = pair(log)
    answered = set(pairs.values())
    orphans = [at for at, item in enumerate(log) if item.kind == "o" and at not in pairs]
    runs = groups(log)

    def without_open_calls(run: list[int]) -> list[int]:
        """What of a run is sent if its unanswered calls are not, nor reasoning that leads to nothing sent."""
        kept: list[int] = []
        for index, at in enumerate(run):
            followers = [later for later in run[index + 1 :] if log[later].kind != "r"]
            subject = (followers[0] if followers else None) if log[at].kind == "r" else at
            if subject is not None and (log[subject].kind != "c" or subject in answered):
                kept.append(at)
        return kept

    # The last item that is sent if its own calls may stay open: trailing reasoning leads to nothing.
    candidates = [at for at, item in enumerate(log) if item.kind not in "syr" and at not in orphans]
    last = candidates[-1] if candidates else None
    last_run = None
    if last is not None:
        last_run = next(run for run in runs if (pairs[last] if log[last].kind == "o" else last) in run)

    units: list[OracleUnit] = []
    for run in runs:
        kept = without_open_calls(run)
        if run is last_run and not any(without_open_calls(later) for later in runs[runs.index(run) + 1 :]):
            trailing = len(run)
            while log[run[trailing - 1]].kind == "r":
                trailing -= 1
            kept = run[:trailing]
        if kept:
            outputs = [output for call in kept for output, paired in pairs.items() if paired == call]
            units.append(OracleUnit(kept, outputs))

    sent = {at for unit in units for at in unit.members}
    leading, turns = _turns(log, units)
    users = [at for at, item in enumerate(log) if item.kind == "u"]
    return Facts(
        systems=[at for at, item in enumerate(log) if item.kind == "s"],
        note=[at for at, item in enumerate(log) if item.kind == "y"],
        leading=leading,
        turns=turns,
        newest_user=users[-1] if users else None,
        last=last,
        orphans=orphans,
        unanswered=[at for at, item in enumerate(log) if item.kind == "c" and at not in sent],
        dangling=[at for at, item in enumerate(log) if item.kind == "r" and at not in sent],
    )


def _turns(log: Sequence[Item], units: list[OracleUnit]) -> tuple[list[OracleUnit], list[list[OracleUnit]]]:
    turns: list[list[OracleUnit]] = [[]]
    for unit in units:
        if log[unit.head[0]].kind == "u":
            turns.append([])
        turns[-1].append(unit)
    leading, turns = turns[0], turns[1:]
    if leading:
        turns = [leading, *turns]
    # Join turns until no unit reaches past the beginning of the next one.
    joined = True
    while joined:
        joined = False
        for index in range(len(turns) - 1):
            reach = max(max(unit.members) for unit in turns[index])
            if reach > turns[index + 1][0].head[0]:
                turns[index : index + 2] = [turns[index] + turns[index + 1]]
                joined = True
                break
    has_user = [any(log[unit.head[0]].kind == "u" for unit in turn) for turn in turns]
    if turns and not has_user[0] and any(has_user):
        return turns[0], turns[1:]
    return [], turns


def tokens_of(log: Sequence[Item], units: Sequence[OracleUnit]) -> int:
    """Count *units* as chat messages."""
    total = 0
    for unit in units:
        total += max(log[at].overhead_tokens for at in unit.head)
        total += sum(log[at].content_tokens for at in unit.members)
        total += sum(log[at].overhead_tokens for at in unit.outputs)
    return total


def expected(log: Sequence[Item], budget: int, stable_prefix: bool = False) -> Expected:
    """Return what a context of *budget* tokens must be."""
    known = facts(log)
    fixed = 3 + tokens_of(log, [OracleUnit([at]) for at in known.systems + known.note])
    if not known.turns:
        return _answer(log, known, [], fixed) if fixed <= budget else Expected([], [], 0, fixed)

    def fits(units: Sequence[OracleUnit]) -> bool:
        return fixed + tokens_of(log, units) <= budget

    newest = known.turns[-1]
    must = [unit for unit in newest if {known.newest_user, known.last} & set(unit.members)]
    if not fits(must):
        return Expected([], [], 0, fixed + tokens_of(log, must))

    if not fits(newest):
        # (c) The mandatory units, and as many of the newest units of the turn as fit.
        variants = [
            [unit for index, unit in enumerate(newest) if index >= start or unit in must]
            for start in range(1, len(newest) + 1)
        ]
        return _answer(log, known, next(filter(fits, variants)), fixed, newest, budget)
    if stable_prefix:
        return _answer(log, known, _stable(log, known, fits, max(1, budget // 8)), fixed)

    # (f) The newest turns that fit whole, then the one before them, thinned.
    whole = next(turns for turns in _suffixes(known.turns) if fits(_joined(turns)))
    window = _joined(whole)
    older = known.turns[: len(known.turns) - len(whole)]
    if older:
        for start in range(1, len(older[-1])):
            kept = older[-1][start:]
            users = [unit for unit in older[-1][:start] if log[unit.head[0]].kind == "u"]
            if log[kept[0].head[0]].kind != "u" and users:
                kept = [users[-1], *kept]
            if fits(kept + window) and len(kept) > 1:
                window = kept + window
                break
    return _answer(log, known, window, fixed)


def _suffixes(turns: list[list[OracleUnit]]) -> list[list[list[OracleUnit]]]:
    return [turns[start:] for start in range(len(turns))]


def _joined(turns: Sequence[list[OracleUnit]]) -> list[OracleUnit]:
    return [unit for turn in turns for unit in turn]


def _stable(
    log: Sequence[Item], known: Facts, fits: Callable[[Sequence[OracleUnit]], bool], step: int
) -> list[OracleUnit]:
    weights = [log[turn[0].head[0]].preceding_tokens for turn in known.turns]
    for start, weight in enumerate(weights):
        is_anchor = start == 0 or any(multiple % step == 0 for multiple in range(weights[start - 1] + 1, weight + 1))
        window = _joined(known.turns[start:])
        if is_anchor and fits(window):
            return window
    return known.turns[-1]


def _answer(
    log: Sequence[Item],
    known: Facts,
    window: list[OracleUnit],
    fixed: int,
    turn: Sequence[OracleUnit] = (),
    budget: int = 0,
) -> Expected:
    """
    Put *window* in order, with the system items; (e) it begins with a user message if the log has one. The note
    stands before it, behind the system items that come before it.
    """
    front: OracleUnit | None = None
    users = [unit for unit in window if log[unit.head[0]].kind == "u"]
    if users and log[window[0].head[0]].kind != "u":
        before = [unit for unit in turn if log[unit.head[0]].kind == "u" and unit.head < window[0].head]
        if before and fixed + tokens_of(log, [before[-1], *window]) <= budget:
            window = [before[-1], *window]
        else:
            front = users[0]
    tokens = fixed + tokens_of(log, window)
    first_user = min((at for at, item in enumerate(log) if item.kind == "u"), default=0)
    head = [at for at in known.systems if at < first_user]
    later = [OracleUnit([at]) for at in known.systems if at >= first_user]
    rest = [unit for unit in window if unit is not front]
    ordered = sorted(rest + later, key=lambda unit: unit.head)
    in_log = sorted(at for unit in ordered for at in unit.members)
    if front is not None:
        ordered.insert(ordered.index(rest[0]), front)
        in_log.insert(in_log.index(rest[0].head[0]), front.head[0])
    for at in known.note:
        ordered.insert(_systems_before(log, [unit.head[0] for unit in ordered]), OracleUnit([at]))
        in_log.insert(_systems_before(log, in_log), at)
    sending = head + [at for unit in ordered for at in unit.members]
    return Expected([log[at].id for at in sending], [log[at].id for at in head + in_log], tokens)


def _systems_before(log: Sequence[Item], positions: Sequence[int]) -> int:
    return len(list(takewhile(lambda at: log[at].kind == "s", positions)))
