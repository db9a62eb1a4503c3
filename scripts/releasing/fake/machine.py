"""
What Vercel's API does with a project's deployments, as a state machine without network or clock of its own.

    idle      what the domains lead to has all traffic
    ACTIVE    a canary has the share of its active stage; another promotion waits behind it
    COMPLETE  the canary has all traffic
    ABORTED   the stable deployment has all traffic, and the project is rolled back until a later promotion completes

It enforces what is documented, and where the documentation says nothing it does the stricter thing, named at its place.
Status and project may be as they were before the latest change for the next `lag_reads` reads of each: the API is
eventually consistent.

Source: docs/canary.md lists the pages, types and files that each rule is taken from.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from scripts.releasing.fake.bodies import check_approval, check_canary, check_configuration, check_empty
from scripts.releasing.fake.refusals import ApiRefusal

ACTIVE, COMPLETE, ABORTED = "ACTIVE", "COMPLETE", "ABORTED"
HISTORY_MAX = 1_000


@dataclass(frozen=True, slots=True)
class FakeDeployment:
    """One that was built. *target*: `production`, or empty for a preview."""

    id: str
    url: str
    target: str = "production"
    ready_state: str = "READY"


class Change(NamedTuple):
    """What was changed: the call, and the shares of traffic after it, by deployment; they sum to 1."""

    call: str
    shares: Mapping[str, float]


@dataclass(slots=True)
class Release:
    """A rolling release; *stages* are what the configuration said when it started."""

    stable: str
    canary: str
    stages: list[dict[str, Any]]
    advancement: str
    started_at_ms: int
    updated_at_ms: int
    state: str = ACTIVE
    active: int = 0


@dataclass(slots=True)
class Machine:
    """A project. `now_ms` tells the time of stamps."""

    project: str
    deployments: dict[str, FakeDeployment]
    production: str
    now_ms: Callable[[], int]
    team: str = ""
    configuration: dict[str, Any] | None = None
    release: Release | None = None
    queued: str = ""
    is_rolled_back: bool = False
    lag_reads: int = 0
    changes: deque[Change] = field(default_factory=lambda: deque(maxlen=HISTORY_MAX))
    _before: dict[str, Any] | None = None
    _production_before: str = ""
    _stale_reads: int = 0
    _stale_project_reads: int = 0

    @property
    def shares(self) -> dict[str, float]:
        """What share of requests without a cookie each deployment gets."""
        release = self.release
        if release is None or release.state != ACTIVE:
            return {self.production: 1.0}
        share = release.stages[release.active]["targetPercentage"] / 100
        return {release.stable: 1 - share, release.canary: share}

    def status(self) -> dict[str, Any]:
        if self._stale_reads:
            self._stale_reads -= 1
            return {"rollingRelease": self._before}
        return {"rollingRelease": self._document()}

    def configured(self) -> dict[str, Any]:
        return {"rollingRelease": self.configuration}

    def configure(self, body: Any) -> dict[str, Any]:
        check_configuration(body)
        with _Noted(self, "configure"):
            kept = {name: value for name, value in body.items() if name != "enabled"}
            self.configuration = {"target": "production", **kept} if body["enabled"] else None
        return {"rollingRelease": self.configuration}

    def start(self, body: Any) -> dict[str, Any]:
        canary = self._find(check_canary(body))
        release = self.release
        if release is not None and release.state == ACTIVE:
            if release.canary == canary.id:
                return {"rollingRelease": self._document()}
            raise ApiRefusal(409, "conflict", f"A rolling release of {release.canary} is already active")
        self._check_can_go_live(canary)
        if self.configuration is None:
            raise ApiRefusal(400, "bad_request", "Rolling releases are not enabled for this project")
        with _Noted(self, "start"):
            self._begin(canary)
        return {"rollingRelease": self._document()}

    def approve(self, body: Any) -> dict[str, Any]:
        next_stage, canary = check_approval(body)
        release = self._active(canary)
        if next_stage != release.active + 1:
            raise ApiRefusal(400, "bad_request", f"The active stage is {release.active}, its next is not {next_stage}")
        with _Noted(self, "approve"):
            release.active = next_stage
            release.updated_at_ms = self.now_ms()
            # Nothing says whether the last stage still waits for `complete`: here it does not.
            if release.stages[next_stage]["targetPercentage"] == 100:
                self._complete(release)
        return {"rollingRelease": self._document()}

    def complete(self, body: Any) -> dict[str, Any]:
        release = self._active(check_canary(body))
        with _Noted(self, "complete"):
            self._complete(release)
        return {"rollingRelease": self._document()}

    def rollback(self, deployment: str, body: Any) -> int:
        """
        Point the domains at *deployment*; return the answer's status.

        The id is the one to go back *to*, taken literally: who names the canary of an active release, as the CLI's help
        for `abort` can be read, gives it all traffic.
        """
        check_empty(body)
        found, release = self._find(deployment), self.release
        is_active = release is not None and release.state == ACTIVE
        if not is_active and found.id == self.production:
            raise ApiRefusal(409, "conflict", f"{found.id} has the traffic already")
        with _Noted(self, "rollback"):
            if release is not None and is_active:
                release.state, release.updated_at_ms = ABORTED, self.now_ms()
            self.production, self.is_rolled_back, self.queued = found.id, True, ""
        return 201

    def promote(self, deployment: str, body: Any) -> int:
        """Give *deployment* traffic, by stages where they are configured; return the answer's status: 202 is queued."""
        check_empty(body)
        found, release = self._find(deployment), self.release
        if release is not None and release.state == ACTIVE:
            if found.id != release.canary:
                with _Noted(self, "queue"):
                    self.queued = found.id
            return 202
        self._check_can_go_live(found)
        with _Noted(self, "promote"):
            if self.configuration is not None:
                self._begin(found)
            else:
                self.production, self.is_rolled_back = found.id, False
        return 201

    def project_document(self) -> dict[str, Any]:
        name = self.production
        if self._stale_project_reads:
            self._stale_project_reads -= 1
            name = self._production_before
        production = self.deployments[name]
        return {
            "id": self.project,
            "name": self.project,
            "targets": {"production": {"id": production.id, "url": production.url, "readyState": "READY"}},
        }

    def deployment_document(self, id_or_url: str) -> dict[str, Any]:
        found = self._find(id_or_url)
        return {
            "id": found.id,
            "name": self.project,
            "url": found.url,
            "readyState": found.ready_state,
            "target": found.target or None,
        }

    def _find(self, id_or_url: str) -> FakeDeployment:
        for each in self.deployments.values():
            if id_or_url in (each.id, each.url, each.url.partition("://")[2]):
                return each
        raise ApiRefusal(404, "not_found", f"Could not find the deployment: {id_or_url}")

    def _check_can_go_live(self, found: FakeDeployment) -> None:
        if found.ready_state != "READY":
            raise ApiRefusal(409, "deployment_not_ready", f"The deployment is {found.ready_state}")
        # The CLI builds a preview anew for production before it promotes it.
        if found.target != "production":
            raise ApiRefusal(400, "bad_request", "The deployment was not built for production")
        if found.id == self.production:
            raise ApiRefusal(409, "conflict", f"{found.id} has the traffic already")

    def _begin(self, canary: FakeDeployment) -> None:
        assert self.configuration is not None
        now_ms = self.now_ms()
        stages = [dict(each) for each in self.configuration["stages"]]
        self.release = Release(
            self.production, canary.id, stages, self.configuration["advancementType"], now_ms, now_ms
        )

    def _active(self, canary: str) -> Release:
        release = self.release
        if release is None or release.state != ACTIVE:
            raise ApiRefusal(404, "not_found", "There is no active rolling release")
        if release.canary != canary:
            raise ApiRefusal(409, "conflict", f"The active rolling release is of {release.canary}, not of {canary}")
        return release

    def _complete(self, release: Release) -> None:
        release.state, release.active = COMPLETE, len(release.stages) - 1
        release.updated_at_ms = self.now_ms()
        self.production, self.is_rolled_back = release.canary, False
        if self.queued and self.queued != release.canary:
            queued, self.queued = self.queued, ""
            self._begin(self.deployments[queued])

    def _document(self) -> dict[str, Any] | None:
        release = self.release
        if release is None:
            return None
        stages = [_stage(index, each) for index, each in enumerate(release.stages)]
        is_active, following = release.state == ACTIVE, release.active + 1
        return {
            "state": release.state,
            "currentDeployment": self._of_release(release.stable if is_active else self.production),
            "canaryDeployment": self._of_release(release.canary),
            "queuedDeploymentId": self.queued or None,
            "advancementType": release.advancement,
            "stages": stages,
            "activeStage": None if release.state == ABORTED else stages[release.active],
            "nextStage": stages[following] if is_active and following < len(stages) else None,
            "startedAt": release.started_at_ms,
            "updatedAt": release.updated_at_ms,
        }

    def _of_release(self, deployment: str) -> dict[str, Any]:
        found = self.deployment_document(deployment)
        return {**found, "createdAt": 1, "readyStateAt": 1, "source": "cli"}


class _Noted:
    """A change, within the block: status lags behind it, and it is remembered."""

    def __init__(self, machine: Machine, call: str) -> None:
        self._machine = machine
        self._call = call
        machine._before, machine._production_before = machine._document(), machine.production
        machine._stale_reads = machine._stale_project_reads = 0

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        machine = self._machine
        machine._stale_reads = machine._stale_project_reads = machine.lag_reads
        machine.changes.append(Change(self._call, machine.shares))


def _stage(index: int, configured: Mapping[str, Any]) -> dict[str, Any]:
    """Return a stage as a status tells it: durations in seconds, where a configuration has minutes."""
    is_final = configured["targetPercentage"] == 100
    minutes = configured.get("duration")
    return {
        "index": index,
        "isFinalStage": is_final,
        "targetPercentage": configured["targetPercentage"],
        "requireApproval": not is_final and minutes is None,
        "duration": None if minutes is None else minutes * 60,
    }
