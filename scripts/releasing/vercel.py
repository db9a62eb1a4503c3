"""
Vercel's management API, as far as a rolling release needs it.

    async with Vercel(Account(token, "prj_…", "team_…")) as vercel:
        await vercel.configure((10, 25, 50, 100))
        await vercel.start("dpl_canary")
        rolling = await vercel.status()          Rolling(state="ACTIVE", active=0, …), or None: there never was one
        await vercel.approve(1, "dpl_canary")
        await vercel.rollback("dpl_stable")

Every call has a deadline. What is sent again: reads, and what asks for a state instead of a step (`configure`, `start`,
which does nothing where the same canary is under way, `rollback`); any call that was refused for its rate. `approve`,
`complete` and `promote` are sent once: where their answer is lost, NoAnswer says so, and `status` what became of it.

The token is in one header and nowhere else: no text of an error holds it.

Source: the request types of npm's @vercel/sdk 1.28.35; of `configure`, which has none there, and of `rollback`'s path
the `vercel` CLI 64.0.2, `commands/rolling-release`. Errors: https://vercel.com/docs/rest-api/errors.
"""

import asyncio
import json
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

API_URL = "https://api.vercel.com"
TIMEOUT_S = 10.0
ATTEMPTS = 5
FIRST_PAUSE_S = 0.2
RATE_WAIT_MAX_S = 60.0
"""A limit that resets later than this is not waited for."""
DETAIL_CHARS = 300

ACTIVE, COMPLETE, ABORTED = "ACTIVE", "COMPLETE", "ABORTED"


class VercelError(RuntimeError):
    """The API did not do what it was asked for; the text says what, and why."""


class VercelRefused(VercelError):
    """It said no: nothing was changed."""

    def __init__(self, text: str, status: int, code: str) -> None:
        super().__init__(text)
        self.status = status
        self.code = code


class NoAnswer(VercelError):
    """It said nothing, or that it failed: whether it did what it was asked for is unknown."""


@dataclass(frozen=True, slots=True)
class Account:
    """Who calls, and for which project: its id or name, and that of its team, empty for a personal account."""

    token: str = field(repr=False)
    project: str
    team: str = ""
    api_url: str = API_URL


@dataclass(frozen=True, slots=True)
class DeploymentFound:
    """A deployment: *url* is its own address, *target* `production`, `staging` or, of a preview, empty."""

    id: str
    url: str
    ready_state: str
    target: str


@dataclass(frozen=True, slots=True)
class ProjectFound:
    """*production_id*: what its domains lead to, empty before the first deployment."""

    id: str
    name: str
    production_id: str


@dataclass(frozen=True, slots=True)
class Rolling:
    """
    A rolling release. *stages* are percentages of the canary, *active* the index of one, None unless ACTIVE.

    *is_manual*: each stage waits for an approval. *started_at_ms* tells releases of the same canary apart.
    """

    state: str
    stable_id: str
    canary_id: str
    queued_id: str
    stages: tuple[int, ...]
    active: int | None
    is_manual: bool
    started_at_ms: int

    @property
    def percentage(self) -> int:
        """What share of who has no cookie goes to the canary."""
        if self.active is not None and self.state == ACTIVE:
            return self.stages[self.active]
        return 100 if self.state == COMPLETE else 0


def configuration(stages: Sequence[int]) -> dict[str, object]:
    """Return the body of `configure`: each stage waits for an approval."""
    return {
        "enabled": True,
        "advancementType": "manual-approval",
        "stages": [{"targetPercentage": each} for each in stages],
    }


def start_body(canary: str) -> dict[str, object]:
    return {"canaryDeploymentId": canary}


def approval(next_stage: int, canary: str) -> dict[str, object]:
    return {"nextStageIndex": next_stage, "canaryDeploymentId": canary}


def completion(canary: str) -> dict[str, object]:
    return {"canaryDeploymentId": canary}


class Vercel:
    """The API for one project, within `async with`."""

    def __init__(self, account: Account, timeout_s: float = TIMEOUT_S, first_pause_s: float = FIRST_PAUSE_S) -> None:
        self._project = quote(account.project, safe="")
        self._first_pause_s = first_pause_s
        self._timeout_s = timeout_s
        self._client = httpx.AsyncClient(
            base_url=account.api_url,
            timeout=timeout_s,
            headers={"authorization": f"Bearer {account.token}"},
            params={"teamId": account.team} if account.team else {},
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def deployment(self, id_or_url: str) -> DeploymentFound:
        """Raises VercelRefused (404: there is none), NoAnswer."""
        name = quote(id_or_url.removeprefix("https://").rstrip("/"), safe="")
        found = await self._call("GET", f"/v13/deployments/{name}", what="read the deployment")
        url = str(found["url"])
        return DeploymentFound(
            id=str(found["id"]),
            url=url if "://" in url else f"https://{url}",
            ready_state=str(found.get("readyState", "")),
            target=str(found.get("target") or ""),
        )

    async def project(self) -> ProjectFound:
        """Raises VercelRefused, NoAnswer."""
        found = await self._call("GET", f"/v9/projects/{self._project}", what="read the project")
        production = (found.get("targets") or {}).get("production") or {}
        return ProjectFound(str(found["id"]), str(found["name"]), str(production.get("id") or ""))

    async def configured(self) -> tuple[int, ...]:
        """Return the percentages of the stages that the next release will have, () where it will have none."""
        answer = await self._call("GET", self._rolling("/config"), what="read the configuration")
        found = answer.get("rollingRelease") or {}
        if found.get("advancementType", "manual-approval") != "manual-approval":
            return ()
        return tuple(int(each["targetPercentage"]) for each in found.get("stages") or ())

    async def configure(self, stages: Sequence[int]) -> None:
        """Set the stages of releases that start from now on; one under way keeps its own. Raises VercelError."""
        body = configuration(stages)
        await self._call("PATCH", self._rolling("/config"), body, what="configure rolling releases", is_again=True)

    async def start(self, canary: str) -> None:
        """Give *canary* its first stage. One of it that is under way is left as it is. Raises VercelError."""
        body = start_body(canary)
        await self._call("POST", self._rolling("/start"), body, what="start the rolling release", is_again=True)

    async def status(self) -> Rolling | None:
        """Return the project's latest rolling release; it may be a moment old. Raises VercelError."""
        answer = await self._call("GET", self._rolling(), what="read the rolling release")
        found = answer.get("rollingRelease")
        return None if found is None else _rolling(found)

    async def approve(self, next_stage: int, canary: str) -> None:
        """Let the release of *canary* go on to the stage of this index. Raises VercelError."""
        body = approval(next_stage, canary)
        await self._call("POST", self._rolling("/approve-stage"), body, what="approve the stage")

    async def complete(self, canary: str) -> None:
        """Give *canary* all traffic, and end the release. Raises VercelError."""
        await self._call("POST", self._rolling("/complete"), completion(canary), what="complete the rolling release")

    async def rollback(self, stable: str) -> None:
        """
        Give *stable* all traffic at once; where a rolling release is under way, that aborts it.

        The id is that of the deployment to go back *to*. Raises VercelError.
        """
        path = f"/v9/projects/{self._project}/rollback/{quote(stable, safe='')}"
        await self._call("POST", path, {}, what="roll back", is_again=True)

    async def promote(self, deployment: str) -> bool:
        """Return whether *deployment* was queued, behind a rolling release under way. Raises VercelError."""
        path = f"/v10/projects/{self._project}/promote/{quote(deployment, safe='')}"
        answer = await self._send("POST", path, {}, "promote the deployment")
        _raise_unless_good(answer, "promote the deployment")
        return bool(answer.status_code == httpx.codes.ACCEPTED)

    def _rolling(self, rest: str = "") -> str:
        return f"/v1/projects/{self._project}/rolling-release{rest}"

    async def _call(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None = None,
        *,
        what: str,
        is_again: bool = False,
    ) -> Mapping[str, Any]:
        """Return the answer's object. *is_again*: it may be sent again where its answer is lost, as reads are."""
        pause_s = self._first_pause_s
        for attempt in range(1, ATTEMPTS + 1):
            is_last = attempt == ATTEMPTS
            try:
                answer = await self._send(method, path, body, what)
                if answer.status_code == httpx.codes.TOO_MANY_REQUESTS and not is_last:
                    await asyncio.sleep(_rate_wait_s(answer, what))
                    continue
                _raise_unless_good(answer, what)
                return _object(answer, what)
            except NoAnswer:
                if is_last or not (method == "GET" or is_again):
                    raise
            # Jitter: several drivers, of several projects, meet the same outage.
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311  # no secret.
            pause_s *= 2
        raise AssertionError("the last attempt returns or raises")

    async def _send(self, method: str, path: str, body: Mapping[str, object] | None, what: str) -> httpx.Response:
        try:
            # httpx's own limits are of each step: an answer that drips would take for ever.
            async with asyncio.timeout(self._timeout_s):
                return await self._client.request(method, path, json=body)
        except (httpx.TransportError, TimeoutError) as error:
            raise NoAnswer(f"could not {what}: no answer from Vercel ({type(error).__name__})") from None


def _raise_unless_good(answer: httpx.Response, what: str) -> None:
    if answer.is_success:
        return
    code, detail = _error(answer)
    text = f"could not {what}: Vercel answered {answer.status_code} {code}: {detail}"
    if answer.is_client_error:
        raise VercelRefused(text + _hint(answer.status_code), answer.status_code, code)
    raise NoAnswer(text)


def _hint(status: int) -> str:
    match status:
        case 401 | 403:
            return " Is VERCEL_TOKEN valid, and may it act for this team (--team)?"
        case 404:
            return " Are --project and --team those of this deployment?"
    return ""


def _error(answer: httpx.Response) -> tuple[str, str]:
    """Return the code and the message of a refusal."""
    try:
        said = json.loads(answer.content)["error"]
        return str(said["code"]), str(said["message"])[:DETAIL_CHARS]
    except (ValueError, KeyError, TypeError):
        return "", "without a reason"


def _rate_wait_s(answer: httpx.Response, what: str) -> float:
    """Return for how long to wait. Raises VercelRefused: too long."""
    _, detail = _error(answer)
    try:
        limit = json.loads(answer.content)["error"]["limit"]
        wait_s = float(limit["resetMs"]) / 1_000 - time.time()
    except (ValueError, KeyError, TypeError):
        wait_s = float(answer.headers.get("retry-after", "1")) if _is_number(answer) else 1.0
    if wait_s > RATE_WAIT_MAX_S:
        raise VercelRefused(f"could not {what}: Vercel's rate limit: {detail}", answer.status_code, "rate_limited")
    return max(0.05, wait_s)


def _is_number(answer: httpx.Response) -> bool:
    return str(answer.headers.get("retry-after", "")).isdecimal()


def _object(answer: httpx.Response, what: str) -> Mapping[str, Any]:
    """Return what *answer* says; nothing where it has no body. Raises NoAnswer: it is no object."""
    if not answer.content:
        return {}
    try:
        said = json.loads(answer.content)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise NoAnswer(f"could not {what}: Vercel's answer is no JSON object")
    return said


def _rolling(found: Mapping[str, Any]) -> Rolling:
    """Raises NoAnswer: it has not the form that is documented."""
    try:
        stable, canary, active = found["currentDeployment"], found["canaryDeployment"], found["activeStage"]
        return Rolling(
            state=str(found["state"]),
            stable_id=str(stable["id"]) if stable else "",
            canary_id=str(canary["id"]) if canary else "",
            queued_id=str(found.get("queuedDeploymentId") or ""),
            stages=tuple(int(each["targetPercentage"]) for each in found["stages"]),
            active=int(active["index"]) if active else None,
            is_manual=found["advancementType"] == "manual-approval",
            started_at_ms=int(found["startedAt"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise NoAnswer(f"could not read the rolling release: an unexpected form ({type(error).__name__})") from None
