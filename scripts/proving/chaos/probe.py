"""
Are answers right at this moment? A cycle of one request of each kind, again and again, and from that how long it takes
after a fault has ended until they are.
"""

import time
from collections.abc import Sequence
from typing import NamedTuple

import httpx

from scripts.proving.chaos.client import Client
from scripts.proving.chaos.papers import PATH
from scripts.proving.chaos.schedule import REFUSING, Window
from scripts.proving.chaos.site import Site
from scripts.proving.documents.outage import BACK_S

PAUSE_S = 0.1
ITEMS_MAX = 100
RECOVERY_MAX_S = BACK_S
"""When the object store and the breaker before it are back at the latest; all else is earlier."""


class Cycle(NamedTuple):
    """On the clock of `time.monotonic`."""

    begin_s: float
    end_s: float
    is_right: bool


class Probe:
    def __init__(self, site: Site, seed: object) -> None:
        self.cycles: list[Cycle] = []
        self._client = Client(site, site.key, f"{seed} probe")
        self._path = ""
        self._number = 0

    def work(self) -> None:
        """Raises RunIsOver."""
        while True:
            if self._number % ITEMS_MAX == 0:
                made = self._client.insist("POST", "/v1/conversations", {})
                assert made is not None
                self._path = f"/v1/conversations/{made.raise_for_status().json()['id']}"
            self._number += 1
            begin_s = time.monotonic()
            is_right = self._is_right()
            self.cycles.append(Cycle(begin_s, time.monotonic(), is_right))
            self._client.rest(PAUSE_S)

    def _is_right(self) -> bool:
        """Return whether a write, a read that shows it, a document and a reservation are all answered."""
        client, text = self._client, f"probe-{self._number}"
        key = {"idempotency-key": client.dice.randbytes(12).hex()}
        if self._right("POST", f"{self._path}/items", {"items": [{"role": "user", "content": text}]}, key) is None:
            return False
        read = self._right("GET", f"{self._path}/context?budget=500")
        if read is None or text not in read.text:
            return False
        document = self._right("GET", f"/v1/documents/{PATH}")
        if document is None or "STALE" in document.headers.get("cache-status", ""):
            return False
        reserved = self._right("POST", "/v1/reservations", {"tokens": 1})
        return reserved is not None and bool(self._right("DELETE", f"/v1/reservations/{reserved.json()['id']}"))

    def _right(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
    ) -> httpx.Response | None:
        answer = self._client.ask(method, path, body, headers)
        return answer if answer is not None and answer.status_code == httpx.codes.OK else None


def recovery_s(window: Window, began_s: float, windows: Sequence[Window], cycles: Sequence[Cycle]) -> float | None:
    """
    Return how long after the end of *window* answers were all right again; None where another fault began before.

    Counted from the end of the last of those that overlap it, of the kinds that refuse anything; *began_s* is the run's
    start on the clock of *cycles*.
    """
    end_s, others = window.end_s, [each for each in windows if each.kind in REFUSING and each != window]
    while late := [each for each in others if each.begin_s < end_s < each.end_s]:
        end_s = max(each.end_s for each in late)
    right = [each for each in cycles if each.is_right and each.begin_s - began_s >= end_s]
    if not right:
        return None
    right_s = right[0].end_s - began_s
    if any(end_s <= each.begin_s < right_s for each in others):
        return None
    return round(right_s - end_s, 3)
