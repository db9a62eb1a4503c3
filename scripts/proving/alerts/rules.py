"""
The alerts of ops/alerts.yml, in time-lapse.

What takes a minute there takes two seconds in a rehearsal, where Prometheus scrapes as often. Names, thresholds and
counts stay as they are.
"""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
RULES = ROOT / "ops" / "alerts.yml"

FACTOR = 30
"""How much faster time goes. A scrape has two seconds then, which it has to end in on a machine with other work too."""

UNIT_S = {"s": 1, "m": 60, "h": 3600}
DURATION = re.compile(r"(\[|offset |for: )([0-9]+)([smh])")
ALERT = re.compile(r"^ +- alert: (\w+)$", re.MULTILINE)


def scaled(rules: str, factor: int = FACTOR) -> str:
    """Return *rules* with their windows, offsets and waits divided by *factor*, a second at the least."""

    def shortened(match: re.Match[str]) -> str:
        return f"{match[1]}{max(1, int(match[2]) * UNIT_S[match[3]] // factor)}s"

    return DURATION.sub(shortened, rules)


def alert_names(rules: str) -> list[str]:
    """Return the names of the alerts of *rules*, each once, in order."""
    return list(dict.fromkeys(ALERT.findall(rules)))
