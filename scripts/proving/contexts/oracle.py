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

from scripts.proving.contexts.sendings import ALIAS_TOKENS, OPENING_TOKENS, SENDINGS, Sending, alias, is_sent_by_alias
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
    """
    Return output -> call: each output takes, in the nearest earlier response that has an unanswered call of its key,
    the first of them; or the call that it names by its alias.
    """
    pairs: dict[int, int] = {}
    for output, item in enumerate(log):
        if item.kind != "o":
            continue
        calls = [at for at in range(output) if log[at].kind == "c" and at not in pairs.values()]
        family, _, call_id = item.pair_key.partition(":")
        matches = [at for at in calls if log[at].pair_key == item.pair_key]
        of_alias = [at for at in calls if alias(log[at]) == call_id and log[at].pair_key.startswith(family + ":")]
        if matches:
            pairs[output] = next(at for at in matches if _is_one_response(log, at, matches[-1]))
        elif of_alias:
            pairs[output] = of_alias[0]
    return pairs


def _is_one_response(log: Sequence[Item], first: int, last: int) -> bool:
    return all(log[at].kind in ASSISTANT_SIDE and log[at].message == log[last].message for at in range(first, last + 1))


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

    def without_open_calls(run: list[int], waiting: Sequence[int] = ()) -> list[int]:
        """What of a run is sent if of its open calls only *waiting* ones are, nor reasoning that leads to nothing."""
        kept: list[int] = []
        for index, at in enumerate(run):
            followers = [later for later in run[index + 1 :] if log[later].kind != "r"]
            subject = (followers[0] if followers else None) if log[at].kind == "r" else at
            if subject is not None and (log[subject].kind != "c" or subject in answered or subject in waiting):
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
            # A call that was stored twice is answered once, and nobody answers the other.
            answered_keys = {log[at].pair_key for at in run if at in answered}
            kept = without_open_calls(run, [at for at in run if log[at].pair_key not in answered_keys])
        if kept:
            outputs = [output for call in kept for output, paired in pairs.items() if paired == call]
            outputs = sorted(outputs) if all(log[at].message for at in outputs) else outputs
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


def tokens_of(log: Sequence[Item], units: Sequence[OracleUnit], sending: Sending = SENDINGS["chat"]) -> int:
    """Count *units* as messages of a format, for which *log* is counted."""
    return sum(_unit_tokens(log, unit, sending) for unit in units)


def _unit_tokens(log: Sequence[Item], unit: OracleUnit, sending: Sending) -> int:
    if all(log[at].kind == "r" for at in unit.head if log[at].overhead_tokens):
        return 0
    total = max(log[at].overhead_tokens for at in unit.head)
    total += sum(log[at].content_tokens for at in unit.members)
    total += sum(log[at].overhead_tokens for at in unit.outputs)
    pairs = pair(log)
    for output in unit.outputs:
        call = log[pairs[output]]
        if not call.overhead_tokens:
            continue
        if sending.names_results:
            names = call.differences.get("gemini name", (0, call.label_tokens))
            total += names[1] - log[output].label_tokens
        elif is_sent_by_alias(log, pairs[output], output, sending):
            total += ALIAS_TOKENS - log[output].label_tokens
    return total


def saved_at_the_end(log: Sequence[Item], units: Sequence[OracleUnit], sending: Sending) -> int:
    """Return what *units*, in sending order, count less because white space may not stand at their end."""
    said = [unit for unit in units if _unit_tokens(log, unit, sending)]
    if not sending.trims or not said:
        return 0
    last = next(log[at] for at in reversed(said[-1].members) if log[at].overhead_tokens)
    has_calls = any(log[at].kind == "c" and log[at].overhead_tokens for at in said[-1].head)
    if "anthropic end" not in last.differences or (has_calls and not last.message):
        return 0
    return last.overhead_tokens + last.content_tokens - sum(last.differences["anthropic end"])


def expected(
    log: Sequence[Item], budget: int, stable_prefix: bool = False, sending: Sending = SENDINGS["chat"]
) -> Expected:
    """Return what a context of *budget* tokens must be in a format, for which *log* is counted."""
    known = facts(log)
    fixed = 3 + tokens_of(log, [OracleUnit([at]) for at in known.systems + known.note])
    if not known.turns:
        return _answer(log, known, [], fixed, sending) if fixed <= budget else Expected([], [], 0, fixed)

    def counted(units: Sequence[OracleUnit]) -> int:
        tokens = tokens_of(log, units, sending) - saved_at_the_end(log, units, sending)
        has_opening = tokens > 0 and sending.opens and known.newest_user is None and not known.note
        return fixed + tokens + (OPENING_TOKENS if has_opening else 0)

    def fits(units: Sequence[OracleUnit]) -> bool:
        return counted(units) <= budget

    newest = known.turns[-1]
    must = [unit for unit in newest if {known.newest_user, known.last} & set(unit.members)]
    if not fits(must):
        return Expected([], [], 0, counted(must))

    if not fits(newest):
        # (c) The mandatory units, and as many of the newest units of the turn as fit.
        variants = [
            [unit for index, unit in enumerate(newest) if index >= start or unit in must]
            for start in range(1, len(newest) + 1)
        ]
        return _answer(log, known, next(filter(fits, variants)), fixed, sending, newest, budget)
    if stable_prefix:
        return _answer(log, known, _stable(log, known, fits, max(1, budget // 3)), fixed, sending)

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
    return _answer(log, known, window, fixed, sending)


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
    sending: Sending,
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
        together = [before[-1], *window] if before else window
        saved = saved_at_the_end(log, together, sending)
        if before and fixed + tokens_of(log, together, sending) - saved <= budget:
            window = [before[-1], *window]
        else:
            front = users[0]
    tokens = tokens_of(log, window, sending)
    if tokens and sending.opens and known.newest_user is None and not known.note:
        tokens += OPENING_TOKENS
    in_order = window if front is None else [front, *(unit for unit in window if unit is not front)]
    tokens += fixed - saved_at_the_end(log, in_order, sending)
    first_user = min((at for at, item in enumerate(log) if item.kind == "u"), default=0)
    head = [at for at in known.systems if at < first_user]
    later = [OracleUnit([at]) for at in known.systems if at >= first_user]
    rest = [unit for unit in window if unit is not front]
    answered = pair(log).values()

    def place(unit: OracleUnit) -> tuple[bool, list[int]]:
        is_open = any(log[at].kind == "c" and at not in answered for at in unit.head)
        return sending.ends_open and is_open, unit.head

    ordered = sorted(rest + later, key=place)
    in_log = sorted(at for unit in ordered for at in unit.members)
    if front is not None:
        ordered.insert(ordered.index(rest[0]), front)
        in_log.insert(in_log.index(rest[0].head[0]), front.head[0])
    for at in known.note:
        ordered.insert(_systems_before(log, [unit.head[0] for unit in ordered]), OracleUnit([at]))
        in_log.insert(_systems_before(log, in_log), at)
    sent = head + [at for unit in ordered for at in unit.members]
    return Expected([log[at].id for at in sent], [log[at].id for at in head + in_log], tokens)


def _systems_before(log: Sequence[Item], positions: Sequence[int]) -> int:
    return len(list(takewhile(lambda at: log[at].kind == "s", positions)))
