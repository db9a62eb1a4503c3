"""
The two sides of a rolling release, each called for certain: by a cookie of its own, which the platform sets.

    side = Side(url, STABLE, "dpl_stable", http)
    await side.get_metrics(secret)
    await side.call("POST", "/v1/conversations", key, {...})       which deployment answered is checked

On Vercel callers without a cookie do not split by percentage, but by who they are: all requests of one server go to one
side. So nobody who wants to see both sides may leave it to chance.
"""

import asyncio
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, NamedTuple

import httpx

from shared.telemetry.series import PARTIAL

STABLE, CANARY = "stable", "canary"
FORCED = {STABLE: "vcrrForceStable", CANARY: "vcrrForceCanary"}
DEPLOYMENT = "warmthread-deployment"
"""The header by which each answer of the service says whose it is."""
METRICS_BYTES_MAX = 5_000_000
TIMEOUT_S = 10.0
TOOK = re.compile(r"\btotal;dur=([0-9.]+)")


class Answer(NamedTuple):
    """
    What a side answered. *body*: its JSON, None where it has none. *took_s*: how long it took the service, by its
    Server-Timing. *tier*: what its Cache-Status names, as reads are counted by age (shared/telemetry/telemetry.py).
    """

    status: int
    body: Any
    took_s: float | None
    tier: str


class SideUnreachable(RuntimeError):
    """A side did not answer, or another one did; the text says which."""


class Side:
    """One side of the release at *url*, where *deployment* should answer; *headers* go along. `close` it afterwards."""

    def __init__(
        self,
        url: str,
        name: str,
        deployment: str,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self.name = name
        self.deployment = deployment
        self._timeout_s = timeout_s
        self._is_led = False
        # A client a side: its jar is what keeps the sides apart.
        self._client = httpx.AsyncClient(base_url=url, timeout=timeout_s, headers=dict(headers or {}))

    async def close(self) -> None:
        await self._client.aclose()

    async def metrics(self, secret: str) -> str:
        """Return the exposition of the fleet. Raises SideUnreachable."""
        answer = await self._send("GET", "/api/metrics", secret, None)
        if answer.status_code != HTTPStatus.OK:
            raise SideUnreachable(f"/api/metrics answered {answer.status_code}")
        if len(answer.content) > METRICS_BYTES_MAX:
            raise SideUnreachable(f"/api/metrics is longer than {METRICS_BYTES_MAX:,} bytes")
        return answer.text

    async def call(self, method: str, path: str, key: str, body: Mapping[str, object] | None = None) -> Answer:
        """
        Return the answer.

        Raises:   SideUnreachable: there was no answer, or it is not this side's.
        """
        answer = await self._send(method, path, key, body)
        answered = answer.headers.get(DEPLOYMENT, "")
        if answered and answered != self.deployment:
            self._is_led = False
            raise SideUnreachable(f"{answered} answered for the {self.name} side, not {self.deployment}")
        is_json = answer.headers.get("content-type", "").startswith("application/json")
        took = TOOK.search(answer.headers.get("server-timing", ""))
        cached = answer.headers.get("cache-status", "")
        return Answer(
            answer.status_code,
            answer.json() if is_json and answer.content else None,
            None if took is None else float(took[1]) / 1_000,
            PARTIAL if "fwd=partial" in cached else cached.rpartition("detail=")[2],
        )

    async def _send(self, method: str, path: str, bearer: str, body: Mapping[str, object] | None) -> httpx.Response:
        try:
            async with asyncio.timeout(self._timeout_s):
                # The parameter leads there and has the cookie set; from then on the cookie alone does.
                forced = {} if self._is_led else {FORCED[self.name]: "true"}
                # Given as `params`, even none, they would stand in place of those that the path has.
                target = httpx.URL(path).copy_merge_params(forced)
                answer = await self._client.request(
                    method, target, json=body, headers={"authorization": f"Bearer {bearer}"}
                )
        except (httpx.TransportError, TimeoutError) as error:
            raise SideUnreachable(f"the {self.name} side did not answer: {type(error).__name__}") from None
        self._is_led = self._is_led or bool(self._client.cookies)
        return answer
