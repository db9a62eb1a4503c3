"""Load that a driver sends by itself, and how it comes to one side for certain: bounded, told apart, cleared away."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import httpx
import pytest

from scripts.platform.rollout import COOKIE
from scripts.platform.settings import Deployment, FleetSettings
from scripts.releasing.fake.previews import BYPASS, Origin, Previews
from scripts.releasing.policy import Policy
from scripts.releasing.samples import READS_BY_AGE, Sample
from scripts.releasing.shadow import Bounds, ShadowLoad
from scripts.releasing.sides import CANARY, STABLE, Side, SideUnreachable
from scripts.releasing.watching import is_too_little
from tests.bearers import METRICS_SECRET
from tests.platform_project import Rig, running, write_project

pytestmark = pytest.mark.unmeasured

ROUTES = {f"/v1/conversations{each}" for each in ("", "/{conversation_id}/items", "/{conversation_id}/context")}
"""As metrics name them."""
OF_THE_TESTS = "local"
"""What the service of the tests calls its deployment."""


@pytest.fixture
async def sides(service_url: str) -> AsyncIterator[dict[str, Side]]:
    """Both lead to the service of the tests."""
    both = {name: Side(service_url, name, OF_THE_TESTS) for name in (STABLE, CANARY)}
    yield both
    for side in both.values():
        await side.close()


def conversations_of(api: httpx.Client) -> int:
    return len(api.get("/v1/conversations").json()["data"])


async def test_it_is_an_agents_work_and_leaves_nothing(sides: dict[str, Side], key: str, api: httpx.Client) -> None:
    load = ShadowLoad(sides, key, Bounds(rate_per_s=1_000, total_max=40))
    await load.send(60)
    during = conversations_of(api)
    await load.clear()

    assert load.sent == {STABLE: 40, CANARY: 40}
    assert load.failed == {STABLE: 0, CANARY: 0}
    assert load.is_spent
    assert during > 0
    assert conversations_of(api) == 0


def test_what_is_too_little_does_not_become_enough_by_waiting() -> None:
    policy = Policy(stage_s_min=600, stage_requests_min=500)

    for minutes in (1, 10, 100):
        assert is_too_little(40 * minutes, 60 * minutes, policy)
        assert not is_too_little(60 * minutes, 60 * minutes, policy)


class Watched(Side):
    """A side of which it is seen what it answered, and reads from where."""

    def __init__(self, url: str, name: str, deployment: str) -> None:
        super().__init__(url, name, deployment)
        self.statuses, self.hits = Counter[int](), Counter[bool]()

    async def _send(self, method: str, path: str, bearer: str, body: Mapping[str, object] | None) -> httpx.Response:
        answer = await super()._send(method, path, bearer, body)
        self.statuses[answer.status_code] += 1
        if status := answer.headers.get("cache-status", ""):
            self.hits["fwd=miss" not in status] += 1
        return answer


async def test_all_of_it_succeeds_and_most_reads_find_something_in_memory(service_url: str, key: str) -> None:
    side = Watched(service_url, STABLE, OF_THE_TESTS)
    load = ShadowLoad({STABLE: side}, key, Bounds(rate_per_s=1_000, total_max=400))
    try:
        await load.send(60)
        await load.clear()
    finally:
        await side.close()

    assert set(side.statuses) == {200}
    assert load.failed == {STABLE: 0}
    assert side.hits.total() > 200
    assert side.hits[True] / side.hits.total() > 0.8


async def test_what_its_answers_tell_is_taken_once(sides: dict[str, Side], key: str) -> None:
    load = ShadowLoad(sides, key, Bounds(rate_per_s=1_000, total_max=60))
    await load.send(60)
    taken = load.take()

    for sample in taken:
        durations = sample.durations(())
        assert sum(sum(buckets.values()) for buckets in durations.values()) == 60
        assert {labels[1] for labels in durations} <= ROUTES
        assert {tier for _, tier in sample.counters[READS_BY_AGE]} <= {"L1", "L2", "partial"}
        assert sample.total(READS_BY_AGE) > 20
    assert load.take() == (Sample({READS_BY_AGE: {}}), Sample({READS_BY_AGE: {}}))
    await load.clear()


async def test_what_is_refused_is_told(sides: dict[str, Side]) -> None:
    load = ShadowLoad(sides, "wt_tnobody_of_this_name", Bounds(rate_per_s=1_000, total_max=2))
    await load.send(60)

    assert load.failed == {STABLE: 2, CANARY: 2}


async def test_what_was_sent_before_counts(sides: dict[str, Side], key: str) -> None:
    load = ShadowLoad(sides, key, Bounds(rate_per_s=1_000, total_max=10))
    load.begin_stage({STABLE: 8, CANARY: 10})
    await load.send(60)

    assert load.sent == {STABLE: 10, CANARY: 10}


async def test_it_keeps_to_its_rate(sides: dict[str, Side], key: str) -> None:
    load = ShadowLoad(sides, key, Bounds(rate_per_s=20, total_max=1_000))
    await load.send(1.0)

    assert all(1 <= count <= 20 + 4 for count in load.sent.values())
    await load.clear()


async def test_another_side_than_was_asked_for_is_told(service_url: str, key: str) -> None:
    side = Side(service_url, CANARY, "dpl_other")
    try:
        with pytest.raises(SideUnreachable, match="local answered for the canary side, not dpl_other"):
            await side.call("GET", "/v1/conversations", key)
        assert "warmthread_requests_total" in await side.metrics(METRICS_SECRET)
        with pytest.raises(SideUnreachable, match="answered 401"):
            await side.metrics("another-secret")
    finally:
        await side.close()


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_project(tmp_path_factory.mktemp("project") / "sources")


async def answered_by(rig: Rig, **headers: str) -> str:
    return str((await rig.told("/v1/told/a", **headers))["deployment"])


async def test_a_deployment_without_a_share_answers_at_its_own_address_alone(sources: Path) -> None:
    canary = Deployment("dpl_canary", sources)
    async with running(sources, FleetSettings(instances_max=1)) as rig:
        rig.router.deploy(canary)
        previews = Previews(
            "secret-of-previews", {"dpl_canary": Origin(rig.router.url, {"x-fleet-deployment": "dpl_canary"})}
        )
        await previews.listen()
        try:
            url = previews.urls["dpl_canary"] + "/v1/told/a?x=1"
            refused = await rig.client.get(url)
            wrong = await rig.client.get(url, headers={BYPASS: "another"})
            passed = await rig.client.get(url, headers={BYPASS: "secret-of-previews"})
            before = await answered_by(rig)
            rig.router.roll(canary, 0.5)
            forced = (await rig.told("/v1/told/a?vcrrForceCanary=true"))["deployment"]
            cookie = rig.client.cookies.get(COOKIE)
            kept = await answered_by(rig)
        finally:
            await previews.close()

    assert (refused.status_code, wrong.status_code, passed.status_code) == (401, 401, 200)
    assert "Authentication Required" in refused.text
    assert passed.json()["deployment"] == "dpl_canary"
    assert passed.json()["query"] == "x=1&name=a"
    assert BYPASS not in passed.json()["headers"]
    assert before == "dpl_first"
    assert (forced, cookie, kept) == ("dpl_canary", "dpl_canary", "dpl_canary")
