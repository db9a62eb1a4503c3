"""The router does what the platform does: it finds functions, and starts, suspends, ends and rolls their instances."""

import asyncio
import hashlib
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from scripts.local.routing import FunctionError
from scripts.platform.rollout import COOKIE
from scripts.platform.settings import Deployment, FleetSettings
from tests.platform_project import Rig, running, state_of, write_build, write_project

pytestmark = pytest.mark.unmeasured

ERROR = "x-vercel-error"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_project(tmp_path_factory.mktemp("project") / "sources")


@pytest.fixture(scope="module")
async def kept(project: Path) -> AsyncIterator[Rig]:
    async with running(project, FleetSettings(concurrency=2, instances_max=2)) as rig:
        yield rig


@pytest.fixture
def rig(kept: Rig) -> Rig:
    """A router of 2 instances for 2 requests each. Other tests may have started them; its counts are new."""
    kept.forget()
    return kept


@pytest.fixture(scope="module")
async def single(project: Path) -> AsyncIterator[Rig]:
    """One that has one instance for one request, and a deployment that says more of itself."""
    settings = FleetSettings(concurrency=1, instances_max=1, queue_s=0.1, suspend_after_s=0.0)
    async with running(project, settings, environment={"TOLD": "by itself"}, prelude="prelude_of_tests") as rig:
        yield rig


async def test_paths_lead_where_vercel_json_says_with_what_the_platform_adds(rig: Rig) -> None:
    sent = {
        "x-forwarded-for": "6.6.6.6",
        "x-vercel-internal-invocation-id": "mine",
        "x-mine": "kept",
        "x-vercel-id": "m",
    }
    answer = await rig.ask("/v1/told/a%20b?x=1", **sent)
    said = answer.json()

    assert (said["path"], said["query"]) == ("/v1/told/a b", "x=1&name=a%20b")
    assert said["headers"]["x-forwarded-for"] == said["headers"]["x-real-ip"] == "127.0.0.1"
    assert said["headers"]["x-mine"] == "kept"
    assert said["headers"]["x-vercel-id"] == answer.headers["x-vercel-id"]
    assert not [name for name in said["headers"] if name.startswith("x-vercel-internal-")]
    assert 0 < said["deadline"] - time.time() <= 2
    assert (said["deployment"], said["told"]) == ("dpl_first", "by the fleet")
    assert answer.headers["x-added"] == "yes"
    assert answer.headers["x-fleet-instance"].startswith("dpl_first/api/told#")
    assert not [name for name in answer.headers if name.startswith("x-vercel-internal-")]


async def test_files_and_what_is_not_there_start_no_instance(rig: Rig) -> None:
    page, nowhere = await rig.ask("/v1/page"), await rig.ask("/v2")
    written = await rig.client.post("/v1/page", content=b"x")
    again = await rig.ask("/page.txt")

    assert (page.text, page.headers["content-type"], page.headers["x-added"]) == ("a page", "text/plain", "yes")
    assert (again.text, "x-added" in again.headers) == ("a page", False)
    assert (nowhere.status_code, nowhere.headers[ERROR]) == (404, "NOT_FOUND")
    assert written.status_code == 405
    assert rig.tally.cold_starts == 0


async def test_bodies_pass_both_ways_whatever_their_size_and_framing(rig: Rig) -> None:
    for size_bytes in (10, 70_000, 3_000_000):
        body = bytes(range(256)) * (size_bytes // 256 + 1)
        whole = (await rig.client.post("/v1/other?size=2000000", content=body)).json()
        pieces = [body[start : start + 50_000] for start in range(0, len(body), 50_000)]

        async def chunks(pieces: list[bytes] = pieces) -> AsyncIterator[bytes]:
            for piece in pieces:
                yield piece

        chunked = (await rig.client.post("/v1/other", content=chunks())).json()
        assert whole["body"] == chunked["body"] == [len(body), hashlib.sha256(body).hexdigest()]
        assert len(whole["padding"]) == 2_000_000

    assert "dpl_first/api/other#1" in {each.name for each in rig.router.instances}
    empty = await rig.client.head("/v1/other")
    unchanged = await rig.ask("/v1/other?status=304")
    assert (empty.status_code, empty.content, unchanged.status_code) == (200, b"", 304)


async def test_a_body_over_the_limit_is_refused_before_a_function_has_it(rig: Rig) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(50):
            yield b"x" * 100_000

    before = (await rig.told("/v1/other"))["answered"]
    whole = await rig.client.post("/v1/other", content=b"x" * 4_500_001)
    chunked = await rig.client.post("/v1/other", content=chunks())

    assert {answer.headers[ERROR] for answer in (whole, chunked)} == {"FUNCTION_PAYLOAD_TOO_LARGE"}
    assert (await rig.told("/v1/other"))["answered"] == before + 1


async def test_more_requests_than_an_instance_takes_start_another_and_then_stand_in_line(rig: Rig) -> None:
    await rig.told()
    answers = await rig.at_once(5, "/v1/told/a?sleep=0.4")

    assert {answer.status_code for answer in answers} == {200}
    # How many of them the second one gets depends on how long it takes to start.
    assert len({answer.json()["pid"] for answer in answers}) <= 2
    assert [each.source.route for each in rig.router.instances].count("/api/told") == 2
    waited = [float(answer.headers["x-fleet-wait-ms"]) for answer in answers]
    assert sum(wait_ms > 0 for wait_ms in waited) == 3
    assert "x-fleet-cold" not in (await rig.ask("/v1/told/a?sleep=0")).headers


async def test_what_has_no_room_in_time_is_throttled(single: Rig) -> None:
    await single.told()
    slow = asyncio.create_task(single.ask("/v1/told/a?sleep=0.6"))
    await single.until(lambda: single.router.instances[0].in_flight)
    answer = await single.ask()

    assert (answer.status_code, answer.headers[ERROR]) == (503, "FUNCTION_THROTTLED")
    assert (await slow).status_code == 200
    assert single.tally.throttled == 1


async def test_a_deployment_has_its_environment_its_prelude_and_its_log(single: Rig) -> None:
    said = await single.told()
    await single.until(lambda: f"answered {said['answered']}" in single.logs)

    assert (said["told"], said["prelude"]) == ("by itself", True)


async def test_an_instance_does_not_sleep_while_it_works_behind_an_answer(single: Rig) -> None:
    pid = (await single.told("/v1/told/a?after=0.3"))["pid"]
    began_s = time.monotonic()
    assert single.instance(pid).invocations
    await single.until(lambda: state_of(pid) == "T")

    assert time.monotonic() - began_s >= 0.2
    assert not single.instance(pid).invocations


async def test_an_instance_without_requests_sleeps_until_the_next_and_in_the_end_is_taken_away(project: Path) -> None:
    async with running(project, FleetSettings(idle_s=0.8, suspend_after_s=0.01)) as rig:
        pid = (await rig.told())["pid"]
        await rig.until(lambda: state_of(pid) == "T")
        again = await rig.told()
        assert (again["pid"], again["answered"]) == (pid, 2)
        await rig.until(lambda: not rig.router.instances)

        assert (rig.tally.ended, rig.tally.killed, rig.tally.crashed) == (1, 0, 0)
        assert (await rig.ask()).headers["x-fleet-cold"] == "1"
        assert [kind for kind, _ in rig.events] == ["cold start", "end", "cold start"]


async def test_the_end_of_a_life_loses_no_request(rig: Rig) -> None:
    old = rig.instance((await rig.told())["pid"])
    slow = [asyncio.create_task(rig.told("/v1/told/a?sleep=0.5&after=0.2")) for _ in range(4)]
    await rig.until(lambda: old.in_flight == 2)
    rig.router.scaling_of(old).end_life(old)
    after = await rig.told()

    assert old.pid in [(await each)["pid"] for each in slow]
    assert after["pid"] != old.pid
    await old.gone.wait()
    assert (rig.tally.ended, rig.tally.bad_gateways) == (1, 0)


async def test_lives_end_while_requests_go_on(project: Path) -> None:
    async with running(project, FleetSettings(life_s=0.3, instances_max=2, concurrency=2)) as rig:
        answers: list[httpx.Response] = []
        while rig.tally.ended < 2:
            answers += await rig.at_once(2, "/v1/told/a?sleep=0.01")

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["pid"] for answer in answers}) >= 2


async def test_a_killed_instance_breaks_what_it_was_asked_and_another_answers_the_next(rig: Rig) -> None:
    slow = asyncio.create_task(rig.ask("/v1/told/a?sleep=5"))
    await rig.until(rig.busy)
    [killed] = rig.busy()
    killed.kill()
    broken = await slow
    await killed.gone.wait()
    answer = await rig.ask()

    assert (broken.status_code, broken.headers[ERROR]) == (502, "NO_RESPONSE_FROM_FUNCTION")
    assert answer.json()["pid"] != killed.pid
    assert (rig.tally.killed, rig.tally.bad_gateways) == (1, 1)


async def test_an_answer_that_breaks_in_the_middle_breaks_for_the_client_as_well(rig: Rig) -> None:
    async with rig.client.stream("GET", "/v1/told/a?die=1") as answer:
        pieces = answer.aiter_raw()
        assert await anext(pieces) == b"half"
        [killed] = rig.busy()
        killed.kill()
        with pytest.raises(httpx.RemoteProtocolError, match="closed connection"):
            await anext(pieces)


async def test_a_request_has_as_long_as_vercel_json_says(rig: Rig) -> None:
    slow = asyncio.create_task(rig.ask("/v1/told/a?sleep=9"))
    await rig.until(rig.busy)
    [late] = rig.busy()
    answer = await slow

    assert (answer.status_code, answer.headers[ERROR]) == (504, "FUNCTION_INVOCATION_TIMEOUT")
    assert late.is_draining
    assert rig.tally.timed_out == 1


async def test_a_function_that_does_not_start_is_an_error_for_each_who_waits(rig: Rig) -> None:
    answers = await rig.at_once(2, "/v1/broken")

    assert {(answer.status_code, answer.headers[ERROR]) for answer in answers} == {(500, "FUNCTION_INVOCATION_FAILED")}
    await rig.until(lambda: rig.tally.crashed)
    assert "/api/broken" not in {each.source.route for each in rig.router.instances}


async def test_fewer_than_the_minimum_start_one_for_each_request_and_random_uses_all(project: Path) -> None:
    async with running(project, FleetSettings(instances_min=2, routing="random", suspend_after_s=-1)) as rig:
        first = [await rig.ask() for _ in range(2)]
        then = [await rig.ask() for _ in range(30)]

    assert {answer.headers["x-fleet-cold"] for answer in first} == {"1"}
    assert len({answer.json()["pid"] for answer in first}) == 2
    assert len({answer.json()["pid"] for answer in then}) == 2
    assert rig.tally.cold_starts == 2


async def test_a_roll_splits_requests_and_drains_the_old_without_losing_one(project: Path) -> None:
    second = Deployment("dpl_second", project)
    async with running(project, FleetSettings()) as rig:
        old = (await rig.told())["pid"]
        slow = asyncio.create_task(rig.told("/v1/told/a?sleep=0.6"))
        await rig.until(lambda: rig.instance(old).in_flight)
        rig.router.roll(second, 0.5)
        rig.client.cookies.clear()
        split = []
        for _ in range(24):
            split.append((await rig.told())["deployment"])
            rig.client.cookies.clear()
        canary = await rig.ask("/v1/told/a?vcrrForceCanary=true")
        stays = [(await rig.told())["deployment"] for _ in range(6)]
        rig.client.cookies.clear()
        stable = await rig.told("/v1/told/a?vcrrForceStable=true")
        named = await rig.told("/v1/told/a", **{"x-fleet-deployment": "dpl_second"})
        unknown = await rig.ask("/v1/told/a", **{"x-fleet-deployment": "dpl_third"})
        rig.router.roll(second, 1.0)
        after = {(await rig.told())["deployment"] for _ in range(6)}

        assert set(split) == {"dpl_first", "dpl_second"}
        assert (canary.json()["deployment"], set(stays)) == ("dpl_second", {"dpl_second"})
        assert canary.headers["set-cookie"].startswith(f"{COOKIE}=dpl_second")
        assert (stable["deployment"], named["deployment"]) == ("dpl_first", "dpl_second")
        assert (unknown.status_code, unknown.headers[ERROR]) == (404, "DEPLOYMENT_NOT_FOUND")
        assert after == {"dpl_second"}
        assert (await slow)["pid"] == old
        await rig.until(lambda: {each.deployment.name for each in rig.router.instances} == {"dpl_second"})


async def test_who_stands_in_line_while_a_roll_ends_a_deployment_is_answered_by_it(project: Path) -> None:
    second = Deployment("dpl_second", project)
    async with running(project, FleetSettings(concurrency=1, instances_max=1)) as rig:
        await rig.told()
        asked = [asyncio.create_task(rig.told("/v1/told/a?sleep=0.2")) for _ in range(3)]
        await rig.until(lambda: rig.router.instances[0].in_flight)
        await asyncio.sleep(0.05)
        rig.router.roll(second, 1.0)
        answered = [each["deployment"] for each in await asyncio.gather(*asked)]
        after = (await rig.told())["deployment"]

        assert (answered, after) == (["dpl_first"] * 3, "dpl_second")
        await rig.until(lambda: {each.deployment.name for each in rig.router.instances} == {"dpl_second"})
        assert rig.tally.cold_starts == 2


async def test_a_build_starts_from_its_own_files_in_a_folder_that_goes_with_the_fleet(
    project: Path, tmp_path: Path
) -> None:
    built = write_build(project, tmp_path / "output")
    async with running(project, FleetSettings(), built=built) as rig:
        said = await rig.told()
        assert sorted(os.listdir(said["folder"])) == ["api", "vc__handler__python.py"]
        (built / "functions/api/other.func/.vc-config.json").unlink()
        with pytest.raises(FunctionError, match="no api/other"):
            rig.router.roll(Deployment("dpl_second", project, built=built), 0.5)

    assert said["told"] == "by its build"
    with pytest.raises(FileNotFoundError):
        os.listdir(said["folder"])


async def test_a_python_that_is_not_there_is_said(project: Path) -> None:
    async with running(project, FleetSettings(), python="/nowhere/python") as rig:
        answer = await rig.ask()

    assert answer.status_code == 500
    assert "/nowhere/python" in answer.json()["error"]["message"]
