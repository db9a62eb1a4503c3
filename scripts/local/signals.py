"""
How a program here ends: a signal is noted, never raised, so that everything started is ended in order.

An exception out of a signal handler can come between any two steps, also where the import system holds a lock, and
the next import then waits for ever; or where orjson is imported, which crashes. So a program makes a Stop before it
imports what is not of the standard library, looks at `requested` where it can end, and waits with `wait`.
"""

import os
import select
import signal
import threading
from collections.abc import Callable
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
INTERRUPTED = 130
"""The exit status of a program that was ended by one, and says so."""


class Stop:
    """The wish to end, from the first SIGINT, SIGTERM or SIGHUP on; also from one that an earlier Stop noted."""

    def __init__(self) -> None:
        self.requested = False
        self._reader, self._writer = os.pipe()
        self._tell: Callable[[], None] | None = None
        self._before = {number: signal.signal(number, self._note) for number in SIGNALS}
        earlier = getattr(self._before[signal.SIGINT], "__self__", None)
        if isinstance(earlier, Stop) and earlier.requested:
            self._request()

    def undo(self) -> None:
        """Let signals do what they did before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def tell(self, stop: Callable[[], None]) -> None:
        """Call *stop* when the wish comes, at once if it has come; from then on a further signal changes nothing."""
        self._tell = stop
        if self.requested:
            stop()

    def wait(self) -> None:
        """Return when the wish has come."""
        os.read(self._reader, 1)

    def wait_for(self, seconds: float) -> None:
        """Return when the wish has come, or after *seconds*."""
        select.select([self._reader], [], [], seconds)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if not self.requested:
            self._request()
        elif self._tell is None:  # The start hangs: die at once. Valkey's watchdog clears up.
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    def _request(self) -> None:
        self.requested = True
        os.write(self._writer, b".")
        if self._tell is not None:
            self._tell()


def when_input_ends(act: Callable[[], None]) -> None:
    """Call *act*, in a thread of its own, when standard input ends: whoever holds its other end let go, or died."""
    threading.Thread(target=_read_input, args=(act,), daemon=True).start()


def _read_input(act: Callable[[], None]) -> None:
    # Not sys.stdin: a thread that holds its lock keeps the interpreter from ending.
    while os.read(0, 4096):
        pass
    act()
