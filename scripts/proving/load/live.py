"""
The load against a deployment that runs already, for hours or days: an hour of the trace after the other, at one rate.

Only who owns the deployment can want that, so it is asked about first, the rate has a bound, and an address that is not
loopback has to be HTTPS. What is made there expires by itself a day after its last use.
"""

import ipaddress
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from scripts.proving.load.figures import Late, Measured, Spent, figures
from scripts.proving.load.openloop import OpenLoop
from scripts.proving.load.plan import OURS, Options
from scripts.proving.load.schedule import Mix, Step, digest, schedule
from scripts.proving.load.texts import Corpus
from scripts.proving.load.traces import Arrival, piece
from scripts.proving.load.wire import Wire

RATE_MAX = 20.0
DAYS_MAX = 31.0
STRETCH_S = 3_600.0
EXPIRES_S = 86_400
DAY_S = 86_400.0


class Plan(NamedTuple):
    """Where, for how long, and how many requests a second on average."""

    url: str
    key: str
    seconds: float
    rate: float

    def asks(self) -> str:
        """Return what the owner of the deployment is asked."""
        host = urlsplit(self.url).hostname
        return (
            f"This sends about {self.seconds * self.rate:,.0f} requests to {host}, {self.rate:g} a second for "
            f"{self.seconds / DAY_S:g} days. It stores conversations there, and you pay for them, and for the "
            "invocations and commands."
        )


def checked(url: str, key: str | None, days: float, rate: float) -> Plan:
    """Return the plan. Raises ValueError: no key, not HTTPS, or beyond a bound."""
    parts = urlsplit(url)
    if not key:
        raise ValueError("--url needs a --key of that deployment")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("--url has to be an address: https://staging.example.com")
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise ValueError("--url has to be HTTPS: a key travels with each request")
    if not 0 < rate <= RATE_MAX:
        raise ValueError(f"--rate may be at most {RATE_MAX:g} requests a second")
    if not 0 < days <= DAYS_MAX:
        raise ValueError(f"--days may be at most {DAYS_MAX:g}")
    return Plan(url.rstrip("/"), key, days * DAY_S, rate)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Live:
    """One run. `save` is called after each stretch."""

    def __init__(
        self, plan: Plan, trace: list[Arrival], corpus: Corpus, options: Options, tell: Callable[[str, int, int], None]
    ) -> None:
        self.save: Callable[[], None] = lambda: None
        self._plan = plan
        self._trace = trace
        self._options = options
        self._tell = tell
        self._wire = Wire(corpus, options.budget, expires_s=EXPIRES_S)
        self._measured: Measured | None = None
        self._stretches: list[str] = []

    def steps(self, number: int, seconds: float) -> list[Step]:
        """Return the requests of stretch *number*, at the plan's rate."""
        seed = (self._options.seed, "live", number)
        # A trace may be shorter than a stretch: then it is only slower.
        whole = schedule(self._trace, 1.0, seed, Mix(document_share=0))
        speed = self._plan.rate / (len(whole) / max(self._trace[-1].at_s, 1.0))
        arrivals = piece(self._trace, seed, seconds * speed)
        return [each for each in schedule(arrivals, speed, seed, Mix(document_share=0)) if each.at_s <= seconds]

    async def run(self) -> None:
        left_s, number = self._plan.seconds, 0
        while left_s > 0:
            seconds = min(STRETCH_S, left_s)
            steps = self.steps(number, seconds)
            loop = OpenLoop(self._plan.url, self._plan.key, self._wire, steps)
            name = f"stretch {number + 1}"
            try:
                await loop.run(lambda sent, name=name, steps=steps: self._tell(name, sent, len(steps)))  # type: ignore[misc]
            finally:
                found = Measured(
                    loop.answers, max(loop.ended_s, 1e-9), Spent(), Late(), Late(), loop.skipped, loop.unanswered
                )
                self._measured = self._measured.plus(found) if self._measured else found
                self._stretches.append(digest(steps))
            self.save()
            left_s -= max(seconds, loop.ended_s)
            number += 1

    def result(self) -> dict[str, Any]:
        """Return what was measured until now. What instances and the store spent is not known from here."""
        found = {OURS: figures(self._measured)} if self._measured else {}
        return {
            "options": {"seed": self._options.seed, "budget": self._options.budget, "rate": self._plan.rate},
            "speeds": {"live": {"ceilings": {}, "designs": found}},
            "stretches": [{"schedule": each} for each in self._stretches],
            "joined": None,
            "saturation": {},
        }
