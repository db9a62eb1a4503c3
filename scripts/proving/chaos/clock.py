"""
A wall clock that is off, for this whole process.
"""

import time

NS_PER_S = 1_000_000_000


def shift(seconds: int) -> None:
    """Let `time.time` and `time.time_ns` be off by so much from now on, but for who imported them by name."""
    now_s, now_ns = time.time, time.time_ns
    time.time = lambda: now_s() + seconds
    time.time_ns = lambda: now_ns() + seconds * NS_PER_S
