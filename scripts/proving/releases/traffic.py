"""
Callers at work on a fleet whose deployments change under them, and all that they recorded, checked.

    with traffic.working():      callers of shared conversations, summaries, forks, documents, budgets and a rate, each
        …                        in a thread of its own
    traffic.broken(listers)      what may not be, of answers, histories and books

Nothing is wrong meanwhile: so every answer of 500 or more is a finding, one of the router's own too, and none at all.
The callers and the checks are those of `scripts/prove chaos`.
"""

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from scripts.proving.chaos.answers import Answer, RunIsOver, broken_answers
from scripts.proving.chaos.client import Client
from scripts.proving.chaos.editor import Editor, broken_forks
from scripts.proving.chaos.papers import Papers
from scripts.proving.chaos.site import Site
from scripts.proving.chaos.spending import Books, Hasty, Spender, broken_rate
from scripts.proving.chaos.tables import Sitting, Table
from scripts.proving.documents import experiment as documents
from scripts.proving.history.checker import check
from scripts.proving.history.recorded import Append, Outcome

WORKERS_MAX = 32
SEATS, WRITERS, SPENDERS = 4, 2, 2
EXACT = documents.Options(0)
PATIENT = {
    "WARMTHREAD_STORE_TIMEOUT_S": "10",
    "WARMTHREAD_STORE_CONNECT_TIMEOUT_S": "5",
    "WARMTHREAD_DOCUMENT_TIMEOUT_S": "10",
    "WARMTHREAD_METRICS_HOLD_S": "1",
}
"""Of the deployments: that the machine has other work is no finding, and no drain waits for counts."""

QUEUE_S = 30.0
"""As long as a request may take."""


class NotReached(RuntimeError):
    """What a run has to begin with did not come; the text says what."""


class Traffic:
    """*more*: what works besides, until it raises RunIsOver."""

    def __init__(self, site: Site, seed: object, more: tuple[Callable[[], None], ...] = ()) -> None:
        self.tables = [Table(site, "keyed", seed, by_key=True), Table(site, "counted", seed, by_key=False)]
        self.editor, self.papers = Editor(site, seed), Papers(site, seed)
        self.spenders = [Spender(site, number, seed) for number in range(SPENDERS)]
        self.hasty, self.books = Hasty(site, seed), Books(site)
        self.items_in_the_end = 0
        self._site = site
        self._more = more
        self._workers: list[Future[None]] = []

    @property
    def answers(self) -> list[Answer]:
        return self._site.recorder.answers

    @property
    def sittings(self) -> list[Sitting]:
        return [sitting for table in self.tables for sitting in table.sittings]

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """Have the callers work during the block. Raises what one raised, also where the block itself has ended."""
        work: list[Callable[[], None]] = []
        for table in self.tables:
            work += [_seat(table, number, is_writer=number < WRITERS) for number in range(SEATS)]
        work += [self.editor.work, self.papers.write, self.papers.read, self.hasty.work, self.books.work]
        work += [*(each.work for each in self.spenders), *self._more]
        pool = ThreadPoolExecutor(WORKERS_MAX)
        try:
            self._workers = [pool.submit(_until_over, each) for each in work]
            yield
            self._site.recorder.gone.set()
            for each in self._workers:
                each.result()
        finally:
            self._site.recorder.gone.set()
            if not all(each.done() for each in self._workers):
                # Requests that are under way break with the fleet that they are asked of.
                self._site.fleet.stop()
            pool.shutdown(wait=True, cancel_futures=True)

    def look_after(self) -> None:
        """Raise what a caller has raised."""
        for each in self._workers:
            if each.done():
                each.result()

    def wait_until(self, holds: Callable[[], bool], pulse: Callable[[], None], timeout_s: float, what: str) -> None:
        """Return when *holds*. Raises NotReached: not within *timeout_s*, *what* says why; what *pulse* raises."""
        give_up_at_s = time.monotonic() + timeout_s
        while not holds():
            pulse()
            self.look_after()
            if time.monotonic() > give_up_at_s:
                raise NotReached(f"{what} within {timeout_s:g} s")
            time.sleep(0.05)  # Callers tell nobody of each answer.

    def broken_answers(self) -> list[str]:
        """Return the answers that may not be, whatever else was or was not done."""
        return list(dict.fromkeys([*broken_answers(self.answers), *refused(self.answers)]))

    def broken(
        self, listers: Mapping[int, Callable[[], None]], plant: Callable[[list[Sitting]], None] = lambda sittings: None
    ) -> list[str]:
        """
        Ask the store and the service for what there is, and return what may not be.

        *listers*: by number, what makes requests go to one of those who have to show the same in the end. *plant*
        damages something before the store is looked at.
        """
        site = self._site
        site.recorder.gone.clear()
        client, found = Client(site, site.key, "in the end"), list[str]()
        finals: dict[str, dict[int, tuple[str, ...]]] = {sitting.id: {} for sitting in self.sittings}
        for number, turn_to in listers.items():
            turn_to()
            for sitting in self.sittings:
                listed = sitting.listed(client)
                if listed is None:
                    found.append(f"unanswered: the list of {sitting.id} in the end")
                else:
                    finals[sitting.id][number] = listed
        plant(self.sittings)
        for sitting in self.sittings:
            history = sitting.history(finals[sitting.id])
            self.items_in_the_end += len(history.log.ids)
            found += check(history)
        found += broken_forks(site, self.editor.forks)
        found += self.books.broken()
        found += self.books.settle({name: used for each in self.spenders for name, used in each.said.items()})
        found += broken_rate(self.hasty.asked)
        for what, writes, seen in (
            ("document", self.papers.writes, self.papers.seen),
            ("summary", self.editor.summaries, self.editor.summaries_seen),
            ("own write", self.editor.own, self.editor.own_seen),
        ):
            found += [f"stale: {what}, {each}" for each in documents.check(writes, seen, EXACT)]
        return [*dict.fromkeys(found), *self.broken_answers()]

    def checked(self) -> dict[str, Any]:
        """Return what was asked and answered, in figures."""
        operations = [each for sitting in self.sittings for each in sitting.operations]
        appends = Counter(each.outcome for each in operations if isinstance(each, Append))
        return {
            "requests": len(self.answers),
            "statuses": dict(sorted(Counter(str(each.status) for each in self.answers).items())),
            "longest_s": round(max((each.took_s for each in self.answers), default=0.0), 3),
            "conversations": len(self.sittings),
            "operations": len(operations),
            "appends": {str(outcome): appends[outcome] for outcome in Outcome},
            "items_in_the_end": self.items_in_the_end,
            "forks": len(self.editor.forks),
            "own_writes_read": len(self.editor.own_seen),
            "summaries_read": len(self.editor.summaries_seen),
            "documents_read": len(self.papers.seen),
            "settlements": sum(len(each.said) for each in self.spenders),
            "looks_at_the_books": len(self.books.looks),
            "rate_asked": len(self.hasty.asked),
            **self._counted(),
        }

    def _counted(self) -> dict[str, int]:
        """Return what the fleet did with instances; nothing of one that was stopped, as an interrupted run's is."""
        try:
            counts = self._site.fleet.control.counts()
        except OSError:
            return {}
        return {name: getattr(counts, name) for name in ("cold_starts", "ended", "crashed")}


def refused(answers: list[Answer]) -> list[str]:
    """Return the answers that a caller would have had to ask for again."""
    return [
        f"refused: {each.what} was answered {each.status or 'nothing'} by {each.by} {each.slug}".rstrip()
        for each in answers
        if each.is_refusal
    ]


def _seat(table: Table, number: int, *, is_writer: bool) -> Callable[[], None]:
    return lambda: table.work(number, is_writer=is_writer)


def _until_over(work: Callable[[], None]) -> None:
    with contextlib.suppress(RunIsOver):
        work()
