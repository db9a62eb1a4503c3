"""
Calls of an HTTP API that may be slow, away, or full for now: each with a deadline, and sent again while that helps.

A 429 holds back every call of the process until its `Retry-After` is over, for the limit is the key's and not the
call's. A call is given up when nothing came of it for `patience_s`. Only what cannot apply twice is sent again: reads,
and writes with an Idempotency-Key, which every write here has.
"""

import json
import random
import threading
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from pyreqwest.client import SyncClientBuilder
from pyreqwest.exceptions import PyreqwestError

from scripts.local.signals import Stop

ATTEMPT_S = 60.0
"""Longer than the service takes for any answer: then it has said itself that it ran out of time."""

PAUSE_S, PAUSE_S_MAX = 0.1, 5.0
WAIT_S_MAX = 3_600.0
LINES = "application/x-ndjson"
AGAIN = (408, 429, 500, 502, 503, 504)
LOOPBACK = ("127.0.0.1", "localhost", "::1")

type Json = dict[str, Any]


class Refused(Exception):
    """The API answered, and does not do it. *field* is the place within what was sent, "" for the whole of it."""

    def __init__(self, status: int, code: str, reason: str, field: str = "") -> None:
        super().__init__(reason)
        self.status = status
        self.code = code
        self.field = field


class Unreachable(Exception):
    """No answer came for as long as was waited; the text says what was tried."""


class Interrupted(Exception):
    """The run was asked to end."""


class Answer(NamedTuple):
    """*value* is the JSON of the body, *etag* the state that it tells of. *is_replay*: it was done before."""

    value: Json
    etag: str
    is_replay: bool = False


class Api:
    """The API at *url*, called with *key* by any thread. Raises ValueError: a key would travel in the open."""

    def __init__(self, url: str, key: str, *, stop: Stop, patience_s: float, headers: Mapping[str, str] = {}) -> None:
        parts = urlsplit(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
            raise ValueError(f"{url}: a key is sent over https only")
        self.url = url.rstrip("/")
        self.waited_s = 0.0
        self._stop = stop
        self._patience_s = patience_s
        self._free_at_s = 0.0
        self._lock = threading.Lock()
        told = {"authorization": f"Bearer {key}", "content-type": "application/json", **headers}
        building = SyncClientBuilder().default_headers(told).follow_redirects(False)
        self._client = building.timeout(timedelta(seconds=ATTEMPT_S)).build()

    def close(self) -> None:
        self._client.close()

    def get(self, path: str, query: Mapping[str, object] = {}) -> Answer:
        """Raises as `call`."""
        return self.call("GET", _with_query(path, query))

    def lines(self, path: str, query: Mapping[str, object] = {}) -> bytes:
        """Return the body of an answer that is lines of JSON. Raises as `call`."""
        return self._answered("GET", _with_query(path, query), None, {})[0]

    def send_lines(self, path: str, lines: bytes) -> Answer:
        """Send lines of JSON, which the API takes twice as once. Raises as `call`."""
        return self._read(*self._answered("POST", path, lines, {"content-type": LINES}))

    def call(self, method: str, path: str, body: Json | None = None, headers: Mapping[str, str] = {}) -> Answer:
        """
        Return what is answered.

        Raises:   Refused: nothing was done. Unreachable: unknown what was. Interrupted: nothing was sent (again).
        """
        content = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        return self._read(*self._answered(method, path, content, headers))

    def _read(self, raw: bytes, told: Mapping[str, str]) -> Answer:
        is_replay = told.get("idempotency-replayed") == "true"
        return Answer(_object(raw, self.url), told.get("etag") or "", is_replay)

    def _answered(
        self, method: str, path: str, content: bytes | None, headers: Mapping[str, str]
    ) -> tuple[bytes, Mapping[str, str]]:
        """Return body and headers of the answer. Raises as `call`."""
        give_up_at_s, attempt = time.monotonic() + self._patience_s, 0
        while True:
            self._wait_until_free()
            attempt += 1
            retry_after_s = 0.0
            try:
                request = self._client.request(method, self.url + path).headers(dict(headers))
                if content is not None:
                    request = request.body_bytes(content)
                response = request.build().send()
                status, raw, told = response.status, bytes(response.bytes()), response.headers
            except PyreqwestError as error:
                said = f"{type(error).__name__}: {error}"
            else:
                if status < 400:
                    return raw, told
                refused = _refusal(status, raw)
                if status not in AGAIN or told.get("x-should-retry") == "false":
                    raise refused
                said, retry_after_s = f"{status}: {refused}", _retry_after_s(told)
                if status == 429 and retry_after_s:
                    give_up_at_s = time.monotonic() + retry_after_s + self._patience_s
                    self._hold(retry_after_s)
            pause_s = max(retry_after_s, _pause_s(attempt))
            if time.monotonic() + pause_s > give_up_at_s:
                raise Unreachable(
                    f"{self.url} did not do {method} {path.partition('?')[0]} in {attempt} attempts: {said}"
                )
            self._pause(pause_s)

    def _hold(self, seconds: float) -> None:
        with self._lock:
            self._free_at_s = max(self._free_at_s, time.monotonic() + min(seconds, WAIT_S_MAX))

    def _wait_until_free(self) -> None:
        while (left_s := self._free_at_s - time.monotonic()) > 0:
            self._pause(left_s)
        if self._stop.requested:
            raise Interrupted

    def _pause(self, seconds: float) -> None:
        with self._lock:
            self.waited_s += seconds
        self._stop.wait_for(seconds)
        if self._stop.requested:
            raise Interrupted


def _with_query(path: str, query: Mapping[str, object]) -> str:
    pairs = "&".join(f"{quote(name, safe='')}={quote(str(value), safe='')}" for name, value in query.items())
    return f"{path}?{pairs}" if pairs else path


def _object(raw: bytes, url: str) -> Json:
    try:
        value = json.loads(raw)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise Refused(502, "not_json", f"what answers at {url} is not the API that it should be")
    return value


def _refusal(status: int, raw: bytes) -> Refused:
    try:
        fields = json.loads(raw)
        error = fields["error"]
        return Refused(
            status, str(error.get("code") or ""), str(error.get("message") or status), error.get("param") or ""
        )
    except (ValueError, KeyError, TypeError, AttributeError):  # A proxy's page.
        return Refused(status, "", f"{status} {raw[:200].decode(errors='replace')}".strip())


def _retry_after_s(headers: Mapping[str, str]) -> float:
    """Return how long to wait, by the header that says it to the millisecond, or by the standard's; 0 without."""
    for name, parts in (("retry-after-ms", 1_000), ("retry-after", 1)):
        if (text := headers.get(name)) and text.isascii() and text.isdigit():
            return int(text) / parts
    return 0.0


def _pause_s(attempt: int) -> float:
    longest_s = min(PAUSE_S * 2 ** min(attempt, 10), PAUSE_S_MAX)
    return random.uniform(longest_s / 2, longest_s)  # noqa: S311 - spreads attempts, keeps no secret.
