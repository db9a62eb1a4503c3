"""
What an instance of the soak imports before the launcher: the compressed clock, and, in one of each function, a leak.

It keeps as many bytes as LEAK_VARIABLE says for each request that the application is given. What an instance does for
itself now and then, by the monotonic clock, comes as often in a compressed week as in one, or nearly. For instances
only: what imports this is changed.
"""

import os

import scripts.platform.compressed  # noqa: F401  # sets the clock.
from scripts.platform.settings import NUMBER_VARIABLE
from scripts.proving.soak.leak import LEAK_VARIABLE, LEAKING, plant
from shared.process import garbage

UPKEEP_S, COLLECT_S = 1.0, 5.0
"""Memory given back, and collections of all, which take longer, so often: in a week each comes every few requests."""

garbage.GIVE_BACK_S = garbage.GIVE_BACK_LATEST_S = UPKEEP_S
garbage.COLLECT_S = COLLECT_S

if os.environ.get(NUMBER_VARIABLE) == str(LEAKING) and int(os.environ.get(LEAK_VARIABLE, "0")):
    plant(int(os.environ[LEAK_VARIABLE]))
