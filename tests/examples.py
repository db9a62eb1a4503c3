"""
How many cases Hypothesis draws: a sixth of what is thorough, all of it where EXAMPLES is 1.
"""

import os

SHARE = float(os.environ.get("EXAMPLES", "0.16"))
LEAST = 12


def examples(thorough: int) -> int:
    """Return how many cases to draw where *thorough* are all."""
    return max(min(LEAST, thorough), round(thorough * SHARE))
