"""
Calls a deployment over HTTP, each time within a deadline, and says in a sentence what an answer is that was not wanted:
one of the platform, of its protection, of a proxy, or a problem of the service's own.
"""

import asyncio
import re
import secrets
from collections.abc import Mapping
from typing import Any, NamedTuple

import httpx
import orjson

from scripts.smoke.access import BYPASS, Access
from scripts.smoke.result import Unmet

ANSWER_BYTES_MAX = 8_000_000
"""The metrics of a fleet take 4 MB at most; no other answer that is asked for here takes 100 kB."""

SHOWN_CHARS = 300
RATE_WAITS, RATE_WAIT_S_MAX = 3, 10.0
"""A tenant's rate is waited for: so often, and so long at once."""

OURS = "warmthread-deployment"
PROBLEM = "application/problem+json"
STORE_MS = re.compile(r"(?:^|,\s*)store;dur=(\d+(?:\.\d+)?)")
CONTROL = re.compile(r"[^ -~\u00a0-\uffff]+")

PLATFORM = {
    "DEPLOYMENT_NOT_FOUND": "there is no deployment at this address",
    "DEPLOYMENT_DELETED": "this deployment was deleted",
    "DEPLOYMENT_BLOCKED": "this deployment is blocked; its page on Vercel says why",
    "DEPLOYMENT_DISABLED": "this deployment is disabled: its account owes a payment, or used up its plan",
    "DEPLOYMENT_PAUSED": "the project is paused: resume it on Vercel",
    "DEPLOYMENT_NOT_READY_REDIRECTING": "this deployment is still being built",
    "NOT_FOUND": "nothing is served at this path: was the whole repository deployed, with its vercel.json?",
    "FUNCTION_INVOCATION_FAILED": "the function crashed: its log on Vercel says why",
    "FUNCTION_INVOCATION_TIMEOUT": "the function took longer than its maxDuration",
    "FUNCTION_THROTTLED": "the platform has no room for another instance of the function",
    "NO_RESPONSE_FROM_FUNCTION": "the instance was ended before it answered",
    "INFINITE_LOOP_DETECTED": "the platform sees a loop of requests",
}
"""What the platform's x-vercel-error means to who deploys. Source: Vercel's list of error codes."""


class Answer(NamedTuple):
    """What came. *body*: all of it, at most ANSWER_BYTES_MAX bytes."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def json(self) -> Any:
        """Return the JSON of the body. Raises Unmet."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            raise Unmet(f"the answer is no JSON: {shown(self.body)}") from None

    def member(self, *names: str) -> Any:
        """Return a member of the JSON object, or one of a member of it. Raises Unmet: there is none."""
        value = self.json()
        for name in names:
            if not isinstance(value, dict) or name not in value:
                raise Unmet(f"the answer lacks {'.'.join(names)}: {shown(self.body)}")
            value = value[name]
        return value

    def elements(self, name: str) -> list[dict[str, Any]]:
        """Return the objects of the list *name*. Raises Unmet: there is no such list."""
        value = self.member(name)
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            raise Unmet(f"{name} is no list of objects: {shown(self.body)}")
        return value

    @property
    def problem(self) -> dict[str, Any]:
        """The problem document, {} where it is none."""
        if self.media_type != PROBLEM:
            return {}
        try:
            value = orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return {}
        return value if isinstance(value, dict) else {}

    @property
    def code(self) -> str:
        """The code of the problem's `error`, "" where there is none."""
        error = self.problem.get("error")
        return str(error.get("code", "")) if isinstance(error, dict) else ""


class Caller:
    """
    Calls by *client*, each within *timeout_s* seconds.

    `deployments` are those that answered so far, `store_ms` what their answers waited for the store, `region` where the
    last function ran, "" where the platform does not say.
    """

    def __init__(self, client: httpx.AsyncClient, access: Access, timeout_s: float) -> None:
        self.access = access
        self.deployments: list[str] = []
        self.store_ms: list[float] = []
        self.region = ""
        self._client = client
        self._timeout_s = timeout_s

    async def call(
        self,
        method: str,
        path: str,
        *,
        bearer: str = "",
        body: object = None,
        wanted: int | tuple[int, ...] = 200,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = 0,
    ) -> Answer:
        """
        Return the service's answer of status *wanted*, or one of those; a rate that is used up is waited for.

        Raises:   Unmet: no answer, none of the service's, or another status.
        """
        answer = await self._ask_patiently(method, path, bearer, body, headers or {}, timeout_s)
        statuses = (wanted,) if isinstance(wanted, int) else wanted
        if answer.status not in statuses or OURS not in answer.headers:
            raise Unmet(f"{method} {path}: {explain(answer, bearer)}")
        return answer

    async def fetch(self, path: str) -> Answer:
        """Return what is answered at *path*, whoever answers. Raises Unmet: no answer."""
        return await self._ask("GET", path, "", None, {}, 0)

    async def _ask_patiently(self, *call: Any) -> Answer:
        for _ in range(RATE_WAITS):
            answer = await self._ask(*call)
            wait_s = _rate_wait_s(answer)
            if not 0 < wait_s <= RATE_WAIT_S_MAX:
                return answer
            await asyncio.sleep(wait_s)
        return await self._ask(*call)

    async def _ask(
        self, method: str, path: str, bearer: str, body: object, headers: Mapping[str, str], timeout_s: float
    ) -> Answer:
        request_id = f"chk_{secrets.token_hex(12)}"
        sent = {"x-request-id": request_id, "accept-encoding": "identity", **headers}
        if bearer:
            sent["authorization"] = f"Bearer {bearer}"
        content = None if body is None else orjson.dumps(body)
        if content is not None:
            sent["content-type"] = "application/json"
        limit_s = timeout_s or self._timeout_s
        try:
            async with asyncio.timeout(limit_s):
                answer = await self._send(method, path, content, sent)
        except TimeoutError:
            raise Unmet(f"{method} {path}: there was no answer within {limit_s:g} s") from None
        except httpx.HTTPError as error:
            raise Unmet(f"{method} {path}: {_why(error)}") from None
        if OURS in answer.headers:
            self._note(method, path, answer, request_id)
        return answer

    async def _send(self, method: str, path: str, content: bytes | None, headers: Mapping[str, str]) -> Answer:
        async with self._client.stream(method, path, content=content, headers=dict(headers)) as response:
            received = bytearray()
            async for chunk in response.aiter_bytes():
                received += chunk
                if len(received) > ANSWER_BYTES_MAX:
                    raise Unmet(f"{method} {path}: the answer has more than {ANSWER_BYTES_MAX:,} bytes")
            return Answer(response.status_code, response.headers, bytes(received))

    def _note(self, method: str, path: str, answer: Answer, request_id: str) -> None:
        """Keep what the headers of the service say; what another request was answered is no answer to this one."""
        if answer.headers.get("x-request-id") != request_id:
            raise Unmet(f"{method} {path}: a cache answered: x-request-id is not that of the request")
        if (deployment := answer.headers[OURS]) not in self.deployments:
            self.deployments.append(deployment)
        found = STORE_MS.search(answer.headers.get("server-timing", ""))
        if found and (waited_ms := float(found[1])):
            self.store_ms.append(waited_ms)
        parts = answer.headers.get("x-vercel-id", "").split("::")
        self.region = parts[-2] if len(parts) > 1 else self.region


def explain(answer: Answer, bearer: str = "") -> str:
    """Return what *answer* is, which was not wanted, and what to do about it."""
    if action := answer.headers.get("x-vercel-mitigated", ""):
        return f"{answer.status}: the platform's firewall says {shown(action)}; let this machine through its rules"
    if code := answer.headers.get("x-vercel-error", ""):
        meaning = PLATFORM.get(code, "the platform refused")
        return f"{answer.status} {shown(code)}: {meaning}"
    if 300 <= answer.status < 400:
        where = shown(answer.headers.get("location", "nowhere").partition("?")[0])
        return f"it redirects to {where}: give the address that it leads to, or {_open_up()} if that is a login"
    if answer.status in (401, 403) and not answer.problem and OURS not in answer.headers:
        return f"{answer.status} before the service was asked: the deployment is protected; {_open_up()}"
    if OURS not in answer.headers:
        kind = shown(answer.media_type or "nothing")
        return f"{answer.status} {kind}, which is no answer of Warmthread: is this its address?"
    if not (problem := answer.problem):
        return f"{answer.status} {shown(answer.body)}"
    said = f"{answer.status} {shown(problem.get('type', '')).removeprefix('urn:warmthread:problem:')}: "
    said += shown(problem.get("detail", ""))
    if answer.status == 401 and bearer.startswith("wt_"):
        said += " Was the key made in the store of this deployment?"
    return said


def shown(value: object) -> str:
    """Return *value* as text that a terminal may have: short, on one line, without control characters."""
    text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    text = CONTROL.sub(" ", text).strip()
    return text if len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]}…"


def _open_up() -> str:
    return f"set {BYPASS} and give --bypass"


def _rate_wait_s(answer: Answer) -> float:
    """Return how long the tenant's rate has to be waited for, 0 where it is not the rate that refused."""
    if answer.status != 429 or answer.code != "rate_limit_exceeded":
        return 0
    try:
        return float(answer.headers.get("retry-after-ms", "0")) / 1_000
    except ValueError:
        return 0


def _why(error: httpx.HTTPError) -> str:
    """Return why there was no answer. httpx wraps what the system says."""
    said = f"{type(error).__name__}: {error}".rstrip(": ")
    if isinstance(error, httpx.ConnectError):
        return f"no connection ({shown(said)}): is the address right, and does the deployment run?"
    return f"the answer broke off ({shown(said)})"
