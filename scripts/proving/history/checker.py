"""
The checker of recorded histories: does what several processes did to one conversation fit one shared log?

    operations (recorded.py) -> the parts between rollbacks -> timeline.py for each -> promises broken

It knows nothing of the service: whoever records a history says what was sent, what was answered and when.
"""

from collections import Counter

from scripts.proving.history.recorded import ALWAYS, NEVER, Append, Epoch, History, Log, Lookup, Outcome, Read, Rollback
from scripts.proving.history.timeline import Timeline


def check(history: History) -> list[str]:
    """
    Return every promise that *history* breaks, each as `<kind>: <what happened>`.

    Kinds: lost, duplicate, split, refused, phantom, order (the log itself); stale, gone, gap, deleted, mixed (reads);
    version; disagreement (what the processes show in the end).
    """
    timelines = [Timeline(epoch, history.operations) for epoch in epochs(history)]
    broken = [each for timeline in timelines for each in timeline.broken()]
    broken += _lost(history, [timeline.epoch for timeline in timelines])
    broken += _mixed(history, timelines)
    live = history.log.live
    for process, ids in history.finals.items():
        if ids != live:
            more, less = len(set(ids) - set(live)), len(set(live) - set(ids))
            broken.append(
                f"disagreement: in the end process {process} shows {len(ids)} items, the store {len(live)}; "
                f"{more} too many, {less} missing"
            )
    return list(dict.fromkeys(broken))


def kinds(violations: list[str]) -> Counter[str]:
    """Return how many *violations* there are of each kind."""
    return Counter(each.partition(":")[0] for each in violations)


def rolled_back(history: History) -> int:
    """Return how many items were in the store and went with a rollback: lost, as must be."""
    rollbacks = [each for each in history.operations if isinstance(each, Rollback)]
    return sum(len(each.before.ids) - len(each.after.ids) for each in rollbacks)


def epochs(history: History) -> list[Epoch]:
    """Return the parts of *history*, in order; one when nothing was rolled back."""
    rollbacks = sorted(each for each in history.operations if isinstance(each, Rollback))
    begins = [(ALWAYS, ALWAYS), *((each.start_ns, each.end_ns) for each in rollbacks)]
    ends = [*((each.start_ns, each.end_ns) for each in rollbacks), (NEVER, NEVER)]
    firsts = [Log((), {}), *(each.after for each in rollbacks)]
    lasts = [*(each.before for each in rollbacks), history.log]
    return [Epoch(*parts) for parts in zip(begins, ends, firsts, lasts, strict=True)]


def _lost(history: History, parts: list[Epoch]) -> list[str]:
    logs = [(epoch, frozenset(epoch.last.ids)) for epoch in parts]
    broken = []
    for each in history.operations:
        if isinstance(each, Append) and each.outcome is Outcome.OK:
            candidates = [ids for epoch, ids in logs if epoch.may_hold(each)]
            if len(each.ids) != len(each.texts) or not any(ids.issuperset(each.ids) for ids in candidates):
                broken.append(f"lost: process {each.process} acknowledged {each.texts[0]}, the log has not all of it")
    return broken


def _mixed(history: History, timelines: list[Timeline]) -> list[str]:
    """Return the reads during a rollback that fit neither the log before it nor the one after it."""
    broken = []
    for each in history.operations:
        if isinstance(each, Read | Lookup):
            candidates = [timeline for timeline in timelines if timeline.epoch.may_hold(each)]
            findings = [timeline.broken_by(each) for timeline in candidates]
            if len(candidates) > 1 and all(findings):
                broken.append(f"mixed: {findings[0][0]}; {findings[-1][0]}")
    return broken
