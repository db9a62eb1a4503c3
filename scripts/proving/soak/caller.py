"""
Requests of the soak's agents, counted by what was answered.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from types import TracebackType
from typing import Any, Self

import orjson
from pyreqwest.client import ClientBuilder
from pyreqwest.exceptions import PyreqwestError

CONNECTIONS = 32
TIMEOUT_S = 30.0
EXPECTED = frozenset({200})


class Caller:
    """
    A tenant's agents as the service sees them, while the block lasts. `requests` counts what they asked, `answers` how
    many had each status, `unexpected` those, by what was asked, that should have had another. `waiting` have no answer
    yet; `left_out` counts agents that were not let in while those were too many.
    """

    def __init__(self, url: str, key: str) -> None:
        self.requests = 0
        self.waiting = 0
        self.left_out = 0
        self.answers: Counter[str] = Counter()
        self.unexpected: Counter[str] = Counter()
        headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        builder = ClientBuilder().base_url(url).default_headers(headers).http1_only()
        self._building = builder.timeout(timedelta(seconds=TIMEOUT_S))
        self._slots = asyncio.Semaphore(CONNECTIONS)

    async def __aenter__(self) -> Self:
        self._client = await self._building.build().__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._client.__aexit__(kind, error, traceback)

    async def ask(
        self,
        what: str,
        path: str,
        body: object = None,
        *,
        headers: Mapping[str, str] | None = None,
        expected: frozenset[int] = EXPECTED,
    ) -> Any:
        """
        Return the answer's JSON, None where it has not a status that is *expected*; *what* is `method name`: the method
        and what the request is called in figures.
        """
        method, _, name = what.partition(" ")
        request = self._client.request(method, path).headers(dict(headers or {}))
        if body is not None:
            request = request.body_bytes(orjson.dumps(body))
        self.waiting += 1
        try:
            async with self._slots:
                response = await request.build().send()
                status, said = response.status, bytes(await response.bytes())
        except PyreqwestError:
            status, said = 0, b""
        finally:
            self.waiting -= 1
        self.requests += 1
        self.answers[str(status)] += 1
        if status not in expected:
            self.unexpected[f"{name} {status} {_code(said)}".rstrip()] += 1
            return None
        return orjson.loads(said) if said else {}


def _code(said: bytes) -> str:
    """Return the name of the problem, nothing where the platform answered."""
    try:
        return str(orjson.loads(said)["error"]["code"])
    except (ValueError, KeyError, TypeError):
        return ""
