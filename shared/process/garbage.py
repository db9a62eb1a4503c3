"""
How long threads, and collections of garbage, may keep the loop waiting; and what is done while nobody waits.
"""

import gc
import sys
from time import monotonic

from shared.process.memory import give_back

SWITCH_S = 0.0005
"""
Python's own 5 ms are meant for throughput: each time the loop looks at its sockets it lets go of the interpreter, and
would wait that long to get it back, a dozen times for one request.
"""

YOUNG_COLLECTIONS = 10
OLDER_EVERY, NEVER = 1_000, 1_000_000_000
COLLECT_S = 600.0
"""
A collection of garbage looks at all that is as young as it asks for: a parsed body of 40,000 values takes it 5 ms,
10,000 items that L1 holds 10. It finds next to nothing, because what is held is free of cycles, and what a request
leaves behind is young. So only the youngest are looked at by the way. After YOUNG_COLLECTIONS of that kind those that
survived it are, while nothing is under way, and without such a moment after OLDER_EVERY; all every COLLECT_S, and when
memory is pressed.
"""

GIVE_BACK_S, GIVE_BACK_LATEST_S = 30.0, 60.0
"""
What requests that ran side by side held leaves holes between what stays. The allocator keeps them, and memory would
grow for the first 8,000 requests of an instance: 3 MB in a compressed week. To give them back takes 0.2 to 3 ms, so
where an instance is never idle it is done between requests.
"""


def take_short_turns() -> None:
    """Set how long threads, and collections of garbage, may keep the loop waiting; for the whole process."""
    sys.setswitchinterval(SWITCH_S)
    # What was imported stays: no collection has to look at it again.
    gc.freeze()
    gc.set_threshold(gc.get_threshold()[0], OLDER_EVERY, NEVER)


class Upkeep:
    """What one instance does for itself between requests; part of its state."""

    def __init__(self) -> None:
        self._full_at_s = self._gave_back_at_s = monotonic()

    def do_what_is_due(self, *, is_idle: bool) -> None:
        """Collect, or give memory back, if it was not done for long. *is_idle*: no request is under way."""
        now_s = monotonic()
        if is_idle and now_s - self._full_at_s >= COLLECT_S:
            self._full_at_s = now_s
            gc.collect()
        elif is_idle and gc.get_count()[1] >= YOUNG_COLLECTIONS:
            gc.collect(1)
        elif now_s - self._gave_back_at_s >= (GIVE_BACK_S if is_idle else GIVE_BACK_LATEST_S):
            self._gave_back_at_s = now_s
            give_back()
