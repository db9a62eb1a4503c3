"""
An import as a whole: conversations of the source in a few threads, each from its first record to its last batch.

The source is read as fast as conversations are brought over: a queue of twice as many as there are threads stands
between. The first thing that cannot be helped ends the run, and so does a signal: what is on its way is finished first.
"""

import hashlib
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from scripts.importing.api import Interrupted
from scripts.importing.source import Session, Source
from scripts.local.signals import Stop

WAIT_S = 0.2
SHOWN_PER_S = 4

type Work[T] = Callable[[Session, Callable[[], None]], T]
"""What is done with a conversation; it calls the second for each record that it reads."""


class Run[T]:
    """*work* on the conversations of *source*, *threads* at a time. `done` is what came of each, as they end."""

    def __init__(self, source: Source, work: Work[T], threads: int, stop: Stop) -> None:
        self.done: queue.SimpleQueue[T] = queue.SimpleQueue()
        self._source = source
        self._work = work
        self._threads = threads
        self._stop = stop
        self._waiting: queue.Queue[Session | None] = queue.Queue(2 * threads)
        self._failed: BaseException | None = None
        self._ended = threading.Event()
        self.records = 0
        self.conversations = 0
        self._lock = threading.Lock()

    def run(self, only: Sequence[str], limit: int | None, tell: Callable[[T], None]) -> None:
        """
        Do it, and *tell* of each conversation when it is done.

        Raises:   what the source or the work raised first; Interrupted.
        """
        threads = [threading.Thread(target=self._labour, daemon=True) for _ in range(self._threads)]
        for each in threads:
            each.start()
        try:
            for session in islice(self._once(only), limit):
                self._hand(session)
                self._tell(tell)
                if self._is_over():
                    break
        except BaseException as error:  # noqa: BLE001 - it is raised again below, when the threads have ended.
            self._fail(error)
        finally:
            for _ in threads:
                self._hand(None)
            while any(each.is_alive() for each in threads):
                threads[0].join(WAIT_S)
                threads = [each for each in threads if each.is_alive()] or threads
                self._tell(tell)
            self._tell(tell)
        if self._failed is not None:
            raise self._failed
        if self._stop.requested:
            raise Interrupted

    def _once(self, only: Sequence[str]) -> Iterator[Session]:
        """Yield each conversation once, though a source may tell of one twice."""
        seen: set[bytes] = set()
        for session in self._source.sessions(only):
            short = hashlib.blake2b(session.id.encode(errors="surrogatepass"), digest_size=12).digest()
            if short not in seen:
                seen.add(short)
                yield session

    def _is_over(self) -> bool:
        return self._ended.is_set() or self._stop.requested

    def _hand(self, session: Session | None) -> None:
        """Give *session* to the threads; None ends one of them. They are over when they take nothing any more."""
        while True:
            try:
                return self._waiting.put(session, timeout=WAIT_S)
            except queue.Full:
                if self._is_over():
                    return None

    def _labour(self) -> None:
        while not self._is_over():
            try:
                session = self._waiting.get(timeout=WAIT_S)
            except queue.Empty:
                continue
            if session is None:
                return
            try:
                self.done.put(self._work(session, self._count))
            except BaseException as error:  # noqa: BLE001 - it is raised again by run().
                self._fail(error)

    def _count(self) -> None:
        with self._lock:
            self.records += 1
        if self._stop.requested:
            raise Interrupted

    def _fail(self, error: BaseException) -> None:
        with self._lock:
            self._failed = self._failed or error
        self._ended.set()

    def _tell(self, tell: Callable[[T], None]) -> None:
        while True:
            try:
                told = self.done.get_nowait()
            except queue.Empty:
                return
            self.conversations += 1
            tell(told)


class _Records(ProgressColumn):
    """How many records were read, those of conversations that are not done too."""

    def __init__(self, run: Run[Any]) -> None:
        super().__init__()
        self._run = run

    def render(self, task: Task) -> Text:
        return Text(f"conversations · {self._run.records:,} records")


def progress(console: Console, run: Run[Any]) -> Progress:
    """Return how far *run* is, on standard error; where that is no terminal, nothing of it is seen."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Records(run),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        refresh_per_second=SHOWN_PER_S,
        disable=not console.is_terminal,
    )
