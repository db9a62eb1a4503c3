"""
How a program here ends: a signal is noted, never raised, so that everything started is ended in order.

An exception out of a signal handler can come between any two steps, also where the import system holds a lock;
the next import then waits for ever. So the program looks at `requested` where it can end, and waits with `wait`.
"""

import os
import select
import signal
import threading
from collections.abc import Callable
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stop:
    """The wish to end, from the first SIGINT, SIGTERM or SIGHUP on."""

    def __init__(self) -> None:
        self.requested = False
        self._reader, self._writer = os.pipe()
        self._tell: Callable[[], None] | None = None
        for number in SIGNALS:
            signal.signal(number, self._note)

    def tell(self, stop: Callable[[], None]) -> None:
        """Call *stop* when the wish comes; at once if it has come."""
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
        if self._tell is not None:
            self._tell()
        elif self.requested:  # The start hangs: die at once. Valkey's watchdog clears up.
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        if not self.requested:
            self.requested = True
            os.write(self._writer, b".")


def when_input_ends(act: Callable[[], None]) -> None:
    """Call *act*, in a thread of its own, when standard input ends: whoever holds its other end let go, or died."""
    threading.Thread(target=_read_input, args=(act,), daemon=True).start()


def _read_input(act: Callable[[], None]) -> None:
    # Not sys.stdin: a thread that holds its lock keeps the interpreter from ending.
    while os.read(0, 4096):
        pass
    act()
