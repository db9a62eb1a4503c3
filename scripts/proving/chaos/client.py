"""
One caller's way to the service: it keeps asking while faults last, as a good client does, with an Idempotency-Key.
"""

import random
from typing import Any

import httpx

from scripts.proving.chaos.answers import TIMEOUT_S, Line
from scripts.proving.chaos.site import Site
from scripts.proving.documents.experiment import Write

PAUSE_S = 0.15


class Client:
    """*key* may be another secret; what is drawn is drawn from *seed*. All calls raise RunIsOver once it is."""

    def __init__(self, site: Site, key: str, seed: object) -> None:
        self.dice = random.Random(f"{seed}")  # noqa: S311  # no secret.
        self.rest = site.recorder.rest
        self._line = Line(site.recorder)
        headers = {"authorization": f"Bearer {key}"}
        self._http = httpx.Client(base_url=site.url, headers=headers, transport=self._line, timeout=TIMEOUT_S)

    @property
    def last(self) -> str:
        """The instance that gave the newest answer."""
        return self._line.last

    def close(self) -> None:
        self._http.close()

    def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> httpx.Response | None:
        """Send it once; None: there was no answer."""
        try:
            return self._http.request(method, path, json=body, headers=headers)
        except httpx.TransportError:
            self.rest(PAUSE_S)
            return None

    def insist(self, method: str, path: str, body: Any = None, *, attempts: int = 1_000) -> httpx.Response | None:
        """Send it with a key until it is known what became of it; None: it is not after so many *attempts*."""
        headers = {"idempotency-key": self.dice.randbytes(12).hex()} if method != "GET" else {}
        for _ in range(attempts):
            answer = self.ask(method, path, body, headers)
            if answer is not None and answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR:
                return answer
            self.rest(PAUSE_S)
        return None


def begun(writes: list[Write], begin_s: float) -> int:
    """Note a version that begins to be written, and return its number; nobody has acknowledged it."""
    number = len(writes) + 1
    writes.append(Write(number, begin_s, begin_s, float("inf")))
    return number


def acknowledged(writes: list[Write], number: int, at_s: float) -> None:
    writes[number - 1] = writes[number - 1]._replace(acknowledged_s=at_s)
