"""The client of Vercel's rolling releases, and what the fake of that API enforces: the rules that are documented."""

import json
from collections.abc import AsyncIterator

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scripts.releasing.fake.bodies import check_configuration
from scripts.releasing.fake.machine import Machine
from scripts.releasing.fake.refusals import ApiRefusal
from scripts.releasing.fake.server import Fault
from scripts.releasing.vercel import (
    ABORTED,
    ACTIVE,
    COMPLETE,
    NoAnswer,
    Vercel,
    VercelRefused,
    configuration,
)
from tests.canary_api import (
    CANARY,
    OTHER,
    PREVIEW,
    STABLE,
    STAGES,
    Api,
    account_of,
    make_machine,
    running_api,
)


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with running_api() as api:
        yield api


async def started(api: Api) -> Api:
    await api.vercel.configure(STAGES)
    await api.vercel.start(CANARY)
    return api


async def test_a_release_goes_through_its_stages(api: Api) -> None:
    assert await api.vercel.status() is None
    await started(api)
    seen = []
    for stage in (1, 2, 3):
        rolling = await api.vercel.status()
        assert rolling is not None
        seen.append((rolling.state, rolling.active, rolling.percentage))
        await api.vercel.approve(stage, CANARY)
    rolling = await api.vercel.status()

    assert seen == [(ACTIVE, 0, 10), (ACTIVE, 1, 25), (ACTIVE, 2, 50)]
    assert rolling is not None
    assert (rolling.state, rolling.percentage, rolling.stages) == (COMPLETE, 100, STAGES)
    assert (await api.vercel.project()).production_id == CANARY


async def test_completing_skips_the_stages_that_are_left(api: Api) -> None:
    await (await started(api)).vercel.complete(CANARY)

    rolling = await api.vercel.status()
    assert rolling is not None
    assert rolling.state == COMPLETE
    assert api.machine.shares == {CANARY: 1.0}


async def test_rolling_back_to_the_stable_aborts_and_leaves_the_project_rolled_back(api: Api) -> None:
    await (await started(api)).vercel.rollback(STABLE)
    rolling = await api.vercel.status()

    assert rolling is not None
    assert (rolling.state, rolling.active, rolling.percentage) == (ABORTED, None, 0)
    assert api.machine.shares == {STABLE: 1.0}
    assert api.machine.is_rolled_back

    await api.vercel.start(OTHER)
    assert api.machine.is_rolled_back
    await api.vercel.complete(OTHER)
    assert not api.machine.is_rolled_back


async def test_rolling_back_to_the_canary_gives_it_everything(api: Api) -> None:
    """What the CLI's help for `abort` may be read to ask for."""
    await (await started(api)).vercel.rollback(CANARY)

    assert api.machine.shares == {CANARY: 1.0}


async def test_after_completion_the_way_back_is_the_same_call(api: Api) -> None:
    await (await started(api)).vercel.complete(CANARY)
    await api.vercel.rollback(STABLE)

    assert (await api.vercel.project()).production_id == STABLE


async def test_starting_twice_is_starting_once_and_another_is_refused(api: Api) -> None:
    await started(api)
    await api.vercel.approve(1, CANARY)
    await api.vercel.start(CANARY)

    rolling = await api.vercel.status()
    assert rolling is not None
    assert rolling.active == 1
    with pytest.raises(VercelRefused, match="already active"):
        await api.vercel.start(OTHER)


async def test_a_configuration_is_cloned_by_what_starts(api: Api) -> None:
    await started(api)
    await api.vercel.configure((50, 100))
    rolling = await api.vercel.status()

    assert rolling is not None
    assert rolling.stages == STAGES
    assert await api.vercel.configured() == (50, 100)


@pytest.mark.parametrize(("stage", "canary"), [(0, CANARY), (2, CANARY), (3, CANARY), (1, OTHER)])
async def test_only_the_next_stage_of_the_canary_is_approved(api: Api, stage: int, canary: str) -> None:
    await started(api)
    with pytest.raises(VercelRefused):
        await api.vercel.approve(stage, canary)

    assert api.machine.shares == {STABLE: 0.9, CANARY: 0.1}


async def test_a_promotion_behind_a_release_is_queued_and_starts_when_it_ends(api: Api) -> None:
    await started(api)
    was_queued = await api.vercel.promote(OTHER)
    rolling = await api.vercel.status()
    await api.vercel.complete(CANARY)
    following = await api.vercel.status()

    assert was_queued
    assert rolling is not None
    assert (rolling.canary_id, rolling.queued_id) == (CANARY, OTHER)
    assert following is not None
    assert (following.state, following.canary_id, following.stable_id) == (ACTIVE, OTHER, CANARY)


async def test_a_promotion_starts_a_release_where_stages_are_configured(api: Api) -> None:
    assert not await api.vercel.promote(CANARY)
    assert api.machine.shares == {CANARY: 1.0}
    await api.vercel.configure(STAGES)
    assert not await api.vercel.promote(OTHER)

    assert api.machine.shares == {CANARY: 0.9, OTHER: 0.1}


async def test_what_cannot_go_live_does_not(api: Api) -> None:
    await api.vercel.configure(STAGES)
    for wrong, status in ((PREVIEW, 400), (STABLE, 409), ("dpl_none", 404)):
        with pytest.raises(VercelRefused) as refused:
            await api.vercel.start(wrong)
        assert refused.value.status == status
    assert not api.machine.release


async def test_without_stages_nothing_rolls(api: Api) -> None:
    with pytest.raises(VercelRefused, match="not enabled"):
        await api.vercel.start(CANARY)


async def test_a_status_may_lag_behind_a_change(api: Api) -> None:
    await started(api)
    api.machine.lag_reads = 2
    await api.vercel.approve(1, CANARY)
    seen = [await api.vercel.status() for _ in range(3)]

    assert [rolling.active for rolling in seen if rolling] == [0, 0, 1]


@pytest.mark.parametrize(
    ("other", "status"),
    [({"token": "another-token-0123"}, 403), ({"team": "team_other"}, 403), ({"project": "prj_other"}, 404)],
)
async def test_who_may_not_is_told_without_the_token(api: Api, other: dict[str, str], status: int) -> None:
    account = account_of(api.fake, **other)
    async with Vercel(account) as vercel:
        with pytest.raises(VercelRefused) as refused:
            await vercel.status()

    assert refused.value.status == status
    assert "--team" in str(refused.value)
    for text in (str(refused.value), repr(refused.value), repr(account)):
        assert account.token not in text


async def test_no_token_is_unauthorized(api: Api) -> None:
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"{api.fake.url}/v9/projects/prj_tests")

    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthorized")


@pytest.mark.parametrize("fault", [Fault.LOSE_REQUEST, Fault.LOSE_ANSWER, Fault.FAIL, Fault.FAIL_AFTER, Fault.RATE])
async def test_what_asks_for_a_state_is_asked_again(api: Api, fault: Fault) -> None:
    for name in ("configure", "start", "status", "rollback"):
        api.fake.faults[name].append(fault)
    await started(api)
    assert await api.vercel.status() is not None
    if fault in (Fault.LOSE_ANSWER, Fault.FAIL_AFTER):
        # The second is of a deployment that has the traffic by then.
        with pytest.raises(VercelRefused):
            await api.vercel.rollback(STABLE)
    else:
        await api.vercel.rollback(STABLE)

    assert [change.call for change in api.machine.changes if change.call != "configure"] == ["start", "rollback"]


@pytest.mark.parametrize("fault", [Fault.LOSE_REQUEST, Fault.LOSE_ANSWER, Fault.FAIL, Fault.FAIL_AFTER])
async def test_a_step_is_asked_for_once_and_nobody_knows(api: Api, fault: Fault) -> None:
    await started(api)
    api.fake.faults["approve"].append(fault)
    with pytest.raises(NoAnswer):
        await api.vercel.approve(1, CANARY)

    was_done = fault in (Fault.LOSE_ANSWER, Fault.FAIL_AFTER)
    assert [call.name for call in api.fake.writes].count("approve") == 1
    assert api.machine.shares[CANARY] == (0.25 if was_done else 0.1)


async def test_a_step_that_was_refused_for_its_rate_is_asked_again(api: Api) -> None:
    await started(api)
    api.fake.faults["approve"].append(Fault.RATE)
    await api.vercel.approve(1, CANARY)

    assert api.machine.shares[CANARY] == 0.25


async def test_a_rate_limit_that_resets_late_is_not_waited_for() -> None:
    async with running_api(limit=2, window_s=3_600) as api:
        await api.vercel.status()
        await api.vercel.status()
        with pytest.raises(VercelRefused, match="rate limit of 2"):
            await api.vercel.status()


async def test_an_api_that_is_not_there_is_told_in_a_sentence() -> None:
    async with running_api() as api:
        await api.fake.close()
        with pytest.raises(NoAnswer, match="could not read the project: no answer from Vercel"):
            await api.vercel.project()


PERCENTAGES = st.lists(st.integers(-1, 101), min_size=0, max_size=6)


@given(PERCENTAGES)
def test_stages_ascend_from_1_to_99_and_end_with_100(percentages: list[int]) -> None:
    *before, last = percentages or [0]
    is_right = (
        bool(before) and last == 100 and all(1 <= each <= 99 for each in before) and before == sorted(set(before))
    )
    body = json.loads(json.dumps(configuration(percentages)))
    if is_right:
        check_configuration(body)
        return
    with pytest.raises(ApiRefusal) as refused:
        check_configuration(body)
    assert refused.value.status == 400


@pytest.mark.parametrize(
    "body",
    [
        None,
        {},
        {"canaryDeploymentId": 1},
        {"canaryDeploymentId": CANARY, "force": True},
        {"canaryDeploymentId": ""},
    ],
)
def test_bodies_that_no_schema_knows_are_refused(body: object) -> None:
    machine = make_machine()
    machine.configure(configuration(STAGES))
    for call in (machine.start, machine.complete, machine.approve):
        with pytest.raises(ApiRefusal) as refused:
            call(body)
        assert refused.value.status == 400


class TestShares:
    """Whatever is called in whatever order, the shares sum to 1, and only one release is under way."""

    CALLS = st.lists(
        st.tuples(
            st.sampled_from(["start", "approve", "complete", "rollback", "promote", "configure"]),
            st.sampled_from([STABLE, CANARY, OTHER, PREVIEW]),
            st.integers(0, 4),
        ),
        max_size=25,
    )

    @given(CALLS)
    @example([("start", CANARY, 0), ("promote", PREVIEW, 0), ("complete", CANARY, 0)])
    def test_they_sum_to_1(self, calls: list[tuple[str, str, int]]) -> None:
        machine = make_machine()
        machine.configure(configuration(STAGES))
        for name, deployment, number in calls:
            before, queued = dict(machine.shares), machine.queued
            try:
                _call(machine, name, deployment, number)
            except ApiRefusal:
                assert machine.shares == before
            shares = machine.shares
            assert abs(sum(shares.values()) - 1) < 1e-9
            assert PREVIEW not in shares or name in ("rollback", "promote") or PREVIEW in (*before, queued)
            document = machine.status()["rollingRelease"]
            assert (document is not None and document["state"] == ACTIVE) == (len(shares) == 2)


def _call(machine: Machine, name: str, deployment: str, number: int) -> None:
    match name:
        case "start":
            machine.start({"canaryDeploymentId": deployment})
        case "approve":
            machine.approve({"nextStageIndex": number, "canaryDeploymentId": deployment})
        case "complete":
            machine.complete({"canaryDeploymentId": deployment})
        case "rollback":
            machine.rollback(deployment, {})
        case "promote":
            machine.promote(deployment, {})
        case "configure":
            machine.configure(configuration(STAGES[number:] or (100,)))
