"""
How a program of ours ends: by SystemExit, once, so that every `with` block cleans up and is not interrupted.
"""

import signal
import sys
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def exit_on_signals() -> None:
    """Let the first of SIGINT, SIGTERM and SIGHUP raise SystemExit(0); those after it are ignored."""
    for number in SIGNALS:
        signal.signal(number, _exit)


def _exit(number: int, frame: FrameType | None) -> None:
    for later in SIGNALS:
        signal.signal(later, signal.SIG_IGN)
    sys.exit(0)
