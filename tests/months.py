"""What keeps a test out of the end of a month, in which what it does would count in two windows."""

import time
from datetime import UTC, datetime, timedelta

from scripts.local.upstash import LocalUpstash


def keep_clear_of_the_end_of_the_month(clock: LocalUpstash, within_s: int) -> None:
    """Shift the store's clock into the next month where this one ends *within_s*."""
    now = datetime.fromtimestamp(time.time() + clock.clock_shift_s, UTC)
    if (now + timedelta(seconds=within_s)).month != now.month:
        clock.clock_shift_s += within_s
