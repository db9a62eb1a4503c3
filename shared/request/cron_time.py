"""
How long a cron may work: Settings.cron_s, and never into the time in which the platform would cut it off; and what runs
of all of them may end with.
"""

import time

from shared.config import Settings
from shared.request.invocation import CURRENT

MARGIN_S = 8.0
"""What one more step may take, a request to the source and two to the store, and the answer."""

BUSY, FAILED, SOURCE_AWAY = "busy", "failed", "source-unavailable"
"""Outcomes: another run is under way; it could not be done, or not while the object store is away."""


def cron_end_at_s(settings: Settings) -> float:
    """Return when the cron of this request has to stop beginning things, on the monotonic clock."""
    end_at_s, invocation = time.monotonic() + settings.cron_s, CURRENT.get()
    return end_at_s if invocation is None else min(end_at_s, invocation.cut_at_s - MARGIN_S)
