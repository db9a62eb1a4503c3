"""
One experiment: instances and a store, callers at work, the faults of its mode in between; then the history of it
all, checked.

    callers record operations, faults happen -> every instance and the store are asked for the whole log -> check

Faults come at fixed shares of the operations, so that a long run and a short one meet the same.
"""

import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import NamedTuple

from scripts.proving.changes import CLUSTER
from scripts.proving.coherence.caller import WHOLE_BUDGET_TOKENS
from scripts.proving.coherence.run import INSTANCES, POLL_S, WRITERS, Options, Run
from scripts.proving.fleet import Fleet, running_fleet, running_fleet_on_a_cluster
from scripts.proving.history.checker import check, rolled_back
from scripts.proving.history.recorded import History, Log, Operation

KILLS_AT = (0.15, 0.33, 0.55, 0.75)
SNAPSHOTS_AT, ROLLBACKS_AT = (0.35, 0.7), (0.5, 0.85)
SUSPEND_AT = 0.4
PRIMARY_KILLS_AT, MOVES_BY_KEYS_AT, MOVES_AS_A_WHOLE_AT = (0.1, 0.6), (0.25, 0.75), (0.4, 0.85)
END_AT = 0.95
"""While a fault lasts, callers go on until shortly before the next one, or shortly before the end."""
MAX_AGE_S = 5


class Report(NamedTuple):
    """What came of it. *facts*: what else a reader wants to know, in words and figures."""

    seconds: float
    operations: int
    outcomes: Counter[str]
    facts: dict[str, object]
    violations: list[str]


def experiment(options: Options, pulse: Callable[[int], None] = lambda begun: None) -> Report:
    """Carry out one experiment. Raises what *pulse* raises, with everything ended."""
    with _fleet(options) as fleet:
        run = Run(fleet, options, pulse)
        try:
            started_s = time.monotonic()
            with fleet.ending_half_way(options.seed), run.running():
                rollbacks = cause_faults(run)
            seconds = time.monotonic() - started_s
            if options.halfway:
                run.facts["scripts ended half-way"] = fleet.ended_half_way
            if fleet.changes is not None:
                run.facts |= fleet.changes.happened
            finals = read_finals(run)
            log = run.stored.log()
        finally:
            run.close()
    operations = [*rollbacks, *(each for caller in run.callers for each in caller.operations)]
    history = History(operations, log, finals)
    outcomes = sum((caller.outcomes for caller in run.callers), Counter[str]())
    facts = run.facts | read_facts(options, history)
    return Report(seconds, run.begun, outcomes, facts, run.unanswered + check(history))


def _fleet(options: Options) -> AbstractContextManager[Fleet]:
    if options.store == CLUSTER:
        return running_fleet_on_a_cluster(INSTANCES)
    return running_fleet(INSTANCES, halfway=options.halfway)


def cause_faults(run: Run) -> list[Operation]:
    """Cause the faults of the run's mode, each at its time; return those that are part of the history."""
    options, rollbacks = run.options, list[Operation]()
    schedule: list[tuple[float, Callable[[], object]]] = []
    if options.kill:
        schedule += [(share, partial(kill, run, number % WRITERS)) for number, share in enumerate(KILLS_AT)]
    if options.rollback:
        schedule += [(share, run.stored.take_snapshot) for share in SNAPSHOTS_AT]
        schedule += [(share, lambda: rollbacks.append(run.stored.roll_back())) for share in ROLLBACKS_AT]
    if options.suspend_s:
        schedule.append((SUSPEND_AT, partial(suspend, run)))
    if (changes := run.fleet.changes) is not None:
        schedule += [(share, changes.kill_primary) for share in PRIMARY_KILLS_AT]
        schedule += [(share, changes.move_by_keys) for share in MOVES_BY_KEYS_AT]
        schedule += [(share, changes.move_as_a_whole) for share in MOVES_AS_A_WHOLE_AT]
    schedule.sort(key=lambda each: each[0])
    limits = [*(share for share, _ in schedule[1:]), END_AT]
    for (share, fault), limit in zip(schedule, limits, strict=False):
        run.wait_until(int(share * options.operations))
        run.limit = int(limit * options.operations) - 1
        fault()
        run.limit = options.operations
    return rollbacks


def kill(run: Run, number: int) -> None:
    """Kill a writer's instance in the middle of what it does, and start it again."""
    instance = run.fleet.instances[number]
    instance.kill()
    instance.start()
    instance.wait_until_ready()
    run.facts["kills"] = int(str(run.facts.get("kills", 0))) + 1


def suspend(run: Run) -> None:
    """Stop a reader's instance for a while, as a platform does between requests; then ask it at once."""
    instance = run.fleet.instances[-1]
    run.main.context(instance, WHOLE_BUDGET_TOKENS)
    instance.suspend()
    try:
        continue_at_s = time.monotonic() + run.options.suspend_s
        while time.monotonic() < continue_at_s:
            run.check_pulse()
            time.sleep(POLL_S)  # It is the time that it stands still; meanwhile a failure is to be seen.
    finally:
        instance.resume()
    for max_age_s in (min(MAX_AGE_S, int(run.options.suspend_s)), 0):
        if not run.main.context(instance, WHOLE_BUDGET_TOKENS, max_age_s):
            run.unanswered.append(
                f"unanswered: the first request with max-age={max_age_s} after the instance was stopped"
            )


def read_finals(run: Run) -> dict[int, tuple[str, ...]]:
    """Return the whole log as each instance lists it; read it as a context as well."""
    finals = {}
    for instance in run.fleet.instances:
        ids: tuple[str, ...] = ()
        more = True
        while more:
            page = run.main.page(instance, ids[-1] if ids else "")
            if page is None:
                run.unanswered.append(f"unanswered: the list of process {instance.number} in the end")
                break
            ids, more = ids + page[0], page[1]
        if not run.main.context(instance, WHOLE_BUDGET_TOKENS):
            run.unanswered.append(f"unanswered: the context of process {instance.number} in the end")
        finals[instance.number] = ids
    return finals


def read_facts(options: Options, history: History) -> dict[str, object]:
    log: Log = history.log
    facts: dict[str, object] = {"items in the end": len(log.live), "deleted": len(log.deleted)}
    if options.rollback:
        facts["items lost by rollbacks, as must be"] = rolled_back(history)
    if options.retries:
        facts["items stored again behind others' batches"] = len(log.ids) - len(set(log.texts.values()))
    return facts
