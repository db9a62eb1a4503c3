"""
One run: callers at work on a fleet, faults by schedule, then everything that was recorded and stored, checked.

    callers work, windows begin and end -> calm -> the store and the service are asked for what there is -> check

A run that is interrupted is checked for what needs no end: its answers, reads of documents and summaries, the rate, the
books.
"""

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

from scripts.proving.changes import CLUSTER, HTTP
from scripts.proving.chaos import plants
from scripts.proving.chaos.answers import Answer, RunIsOver, broken_answers
from scripts.proving.chaos.client import Client
from scripts.proving.chaos.editor import Editor, broken_forks
from scripts.proving.chaos.papers import Papers
from scripts.proving.chaos.probe import RECOVERY_MAX_S, Probe, recovery_s
from scripts.proving.chaos.schedule import Kind, Window, lanes_of, schedule
from scripts.proving.chaos.site import Site, running_site
from scripts.proving.chaos.spending import Books, Hasty, Spender, broken_rate
from scripts.proving.chaos.tables import Sitting, Table
from scripts.proving.chaos.victims import Victims
from scripts.proving.documents import experiment as documents
from scripts.proving.history.checker import check
from scripts.proving.history.recorded import Append, History, Outcome
from scripts.proving.progress import Interrupted
from shared.request.caller import read_key
from shared.store import keys

TICK_S = 0.05
WARM_UP_MAX_S = 60.0
SPENDERS = 2
PLANT_AT = 0.3
"""Of the run: when the books are let go, so that there is time to overspend."""

FULL = (Kind.FULL, Kind.FULL_HALF_WAY)
EXACT = documents.Options(0)


class Options(NamedTuple):
    seed: int = 1
    seconds: float = 300.0
    plant: str = ""
    store: str = HTTP


class Happened(NamedTuple):
    """A window as it was, in seconds since the run's start."""

    window: Window
    begin_s: float
    end_s: float


class Report(NamedTuple):
    is_whole: bool
    windows: list[dict[str, Any]]
    checked: dict[str, Any]
    broken: list[str]


def experiment(options: Options, pulse: Callable[[int], None]) -> Report:
    """
    Carry out one run; *pulse* hears the seconds.

    Raises Interrupted: the end was wished before it began; and what a caller raised that was none of the service's.
    """
    with running_site(options.seed, lambda: pulse(0), on_a_cluster=options.store == CLUSTER) as site:
        run = _Run(site, options)
        try:
            run.carry_out(pulse)
            return run.report(run.broken_in_the_end(), is_whole=True)
        except Interrupted:
            return run.report([], is_whole=False)
        finally:
            run.let_go()


class _Run:
    def __init__(self, site: Site, options: Options) -> None:
        self._site = site
        self._options = options
        self._windows = schedule(options.seed, options.seconds, lanes_of(options.store))
        self._happened: list[Happened] = []
        self._finals = 0
        self._began_s = time.monotonic()
        self._pool = ThreadPoolExecutor(max_workers=32)
        self._workers: list[Future[None]] = []
        seed = options.seed
        self.tables = [Table(site, "keyed", seed, by_key=True), Table(site, "counted", seed, by_key=False)]
        self.editor, self.papers, self.victims = Editor(site, seed), Papers(site, seed), Victims(site, seed)
        self.spenders = [Spender(site, number, seed) for number in range(SPENDERS)]
        self.hasty, self.books, self.probe = Hasty(site, seed), Books(site), Probe(site, seed)

    @property
    def sittings(self) -> list[Sitting]:
        return [sitting for table in self.tables for sitting in table.sittings]

    def carry_out(self, pulse: Callable[[int], None]) -> None:
        work: list[Callable[[], None]] = []
        for table in self.tables:
            work += [_seat(table, number, is_writer=number < 2) for number in range(3)]
        work += [self.editor.work, self.victims.work, self.hasty.work, self.books.work, self.probe.work]
        work += [self.papers.write, self.papers.read, *(each.work for each in self.spenders)]
        self._workers = [self._pool.submit(_until_over, each) for each in work]
        self._wait_until_right(pulse)
        self._began_s = time.monotonic()
        if self._options.plant == "overrun":
            self._workers.append(self._pool.submit(_until_over, self._plant_overrun))
        self._follow(pulse)
        self._site.recorder.gone.set()
        for each in self._workers:
            each.result()

    def _wait_until_right(self, pulse: Callable[[int], None]) -> None:
        """Let instances start before anything is wrong. Raises RuntimeError: nothing is ever right."""
        give_up_at_s = time.monotonic() + WARM_UP_MAX_S
        while not any(each.is_right for each in self.probe.cycles):
            pulse(0)
            self._look_after_workers()
            if time.monotonic() > give_up_at_s:
                raise RuntimeError(f"no answers were right within {WARM_UP_MAX_S:g} s, with nothing wrong")
            time.sleep(TICK_S)  # Callers tell nobody of each answer.

    def _follow(self, pulse: Callable[[int], None]) -> None:
        """Let windows begin and end, each when it is due."""
        coming, open_now = list(self._windows), list[tuple[Window, float]]()
        try:
            while (now_s := time.monotonic() - self._began_s) < self._options.seconds:
                pulse(int(now_s))
                self._look_after_workers()
                for window, begin_s in [each for each in open_now if each[0].end_s <= now_s]:
                    self._end(window, begin_s)
                    open_now.remove((window, begin_s))
                while coming and coming[0].begin_s <= now_s:
                    self._site.begin(coming[0])
                    open_now.append((coming.pop(0), time.monotonic() - self._began_s))
                self._site.tick()
                time.sleep(TICK_S)  # It is time that faults take.
        finally:
            for window, begin_s in open_now:
                self._end(window, begin_s)

    def _end(self, window: Window, begin_s: float) -> None:
        self._site.end(window)
        self._happened.append(Happened(window, begin_s, time.monotonic() - self._began_s))

    def _look_after_workers(self) -> None:
        for each in self._workers:
            if each.done():
                each.result()

    def _plant_overrun(self) -> None:
        self._site.recorder.rest(PLANT_AT * self._options.seconds)
        plants.overrun(self._site.run, read_key(self._site.spender).tenant)
        while True:  # A worker works until the run is over.
            self._site.recorder.rest(TICK_S)

    def broken_in_the_end(self) -> list[str]:
        """Ask the store and the service for what there is, and return what of it may not be."""
        site = self._site
        site.recorder.gone.clear()
        client = Client(site, site.key, "in the end")
        found: list[str] = []
        finals: dict[str, dict[int, tuple[str, ...]]] = {}
        for sitting in self.sittings:
            listed = sitting.listed(client)
            if listed is None:
                found.append(f"unanswered: the list of {sitting.id} in the end")
            finals[sitting.id] = {} if listed is None else {1: listed}
        self._plant_stored()
        histories = [self._history(sitting, finals[sitting.id]) for sitting in self.sittings]
        if self._options.plant == "stale":
            at, operations = _first_spoilt(histories)
            histories[at] = histories[at]._replace(operations=operations)
        for history in histories:
            self._finals += len(history.log.ids)
            found += check(history)
        found += broken_forks(site, self.editor.forks)
        found += self.books.settle({name: used for each in self.spenders for name, used in each.said.items()})
        return found

    def _history(self, sitting: Sitting, finals: dict[int, tuple[str, ...]]) -> History:
        try:
            return sitting.history(finals)
        except KeyError:
            raise RuntimeError(f"lost: the conversation {sitting.id} is not in the store any more") from None

    def _plant_stored(self) -> None:
        if self._options.plant in ("lost", "doubled"):
            sitting = self.sittings[0]
            item_id = plants.acknowledged(sitting.operations, sitting.stored)
            key = keys.conversation_key(self._site.tenant, sitting.id)
            (plants.lose if self._options.plant == "lost" else plants.double)(self._site.run, key, item_id)

    def report(self, in_the_end: list[str], *, is_whole: bool) -> Report:
        answers = self._site.recorder.answers
        windows = [self._described(each, answers) for each in sorted(self._happened, key=lambda each: each.begin_s)]
        broken = [
            *in_the_end,
            *broken_answers(answers),
            *_named("document", documents.check(self.papers.writes, self.papers.seen, EXACT)),
            *_named("summary", documents.check(self.editor.summaries, self.editor.summaries_seen, EXACT)),
            *_named("own write", documents.check(self.editor.own, self.editor.own_seen, EXACT)),
            *self.victims.wrong,
            *broken_rate(self.hasty.asked, self._full_ns()),
            *self.books.broken(),
            *(f"recovery: {each['recovery_s']} s after {each['kind']}" for each in windows if _is_slow(each)),
        ]
        return Report(is_whole, windows, self._checked(answers), list(dict.fromkeys(broken)))

    def _full_ns(self) -> list[tuple[int, int]]:
        full = [each for each in self._happened if each.window.kind in FULL]
        return [(self._at_ns(each.begin_s), self._at_ns(each.end_s)) for each in full]

    def _at_ns(self, seconds: float) -> int:
        return int((self._began_s + seconds) * 1e9)

    def _described(self, each: Happened, answers: list[Answer]) -> dict[str, Any]:
        begin_ns, end_ns = self._at_ns(each.begin_s), self._at_ns(each.end_s)
        within = [answer for answer in answers if answer.begin_ns < end_ns and answer.end_ns > begin_ns]
        actual = [
            happened.window._replace(begin_s=happened.begin_s, end_s=happened.end_s) for happened in self._happened
        ]
        own = each.window._replace(begin_s=each.begin_s, end_s=each.end_s)
        return {
            "kind": str(each.window.kind),
            "begin_s": round(each.begin_s, 3),
            "end_s": round(each.end_s, 3),
            "requests": len(within),
            "refused": sum(answer.is_refusal for answer in within),
            "recovery_s": recovery_s(own, self._began_s, actual, self.probe.cycles),
        }

    def _checked(self, answers: list[Answer]) -> dict[str, Any]:
        operations = [each for sitting in self.sittings for each in sitting.operations]
        appends = Counter(each.outcome for each in operations if isinstance(each, Append))
        counts = self._site.fleet.counts
        return {
            "requests": len(answers),
            "statuses": dict(sorted(Counter(_status(each) for each in answers).items())),
            "problems": dict(
                sorted(Counter(each.slug for each in answers if each.is_problem and each.status >= 500).items())
            ),
            "longest_s": round(max((each.took_s for each in answers), default=0.0), 3),
            "conversations": len(self.sittings),
            "operations": len(operations),
            "appends": {str(outcome): appends[outcome] for outcome in Outcome},
            "items_in_the_end": self._finals,
            "delivered_twice": self._site.recorder.doubled,
            "forks": len(self.editor.forks),
            "own_writes_read": len(self.editor.own_seen),
            "summaries_read": len(self.editor.summaries_seen),
            "documents_read": len(self.papers.seen),
            "documents_told_old": self.papers.told,
            "reservations": sum(each.granted for each in self.spenders),
            "reservations_refused": sum(each.refused for each in self.spenders),
            "settlements": sum(len(each.said) for each in self.spenders),
            "looks_at_the_books": len(self.books.looks),
            "rate_asked": len(self.hasty.asked),
            "rate_refused": sum(each.status == 429 for each in self.hasty.asked),
            "keys_evicted": self.victims.evicted,
            "probes": len(self.probe.cycles),
            "cold_starts": counts.cold_starts,
            "killed": counts.killed,
            "crashed": counts.crashed,
        }

    def let_go(self) -> None:
        """End the callers; requests under way break with the fleet that they are asked of."""
        self._site.recorder.gone.set()
        if not all(each.done() for each in self._workers):
            self._site.fleet.stop()
        self._pool.shutdown(wait=True, cancel_futures=True)


def _seat(table: Table, number: int, *, is_writer: bool) -> Callable[[], None]:
    return lambda: table.work(number, is_writer=is_writer)


def _until_over(work: Callable[[], None]) -> None:
    with contextlib.suppress(RunIsOver):
        work()


def _first_spoilt(histories: list[History]) -> tuple[int, list[Any]]:
    for at, history in enumerate(histories):
        with contextlib.suppress(ValueError):
            return at, plants.staled(history.operations)
    raise ValueError("no read to spoil")


def _named(what: str, found: Iterable[str]) -> list[str]:
    """Return findings as `<kind>: <what>, …`; an old one is stale."""
    renamed = [(kind, text) for kind, _, text in (each.partition(": ") for each in found)]
    return [f"{'stale' if kind == 'old' else kind}: {what}, {text}" for kind, text in renamed]


def _is_slow(window: dict[str, Any]) -> bool:
    return (window["recovery_s"] or 0.0) > RECOVERY_MAX_S


def _status(answer: Answer) -> str:
    return f"{answer.by} {answer.status}" if answer.status and answer.by == "router" else str(answer.status)
