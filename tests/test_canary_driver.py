"""A release by its driver: to all traffic, back, or held; whatever is lost, lags, or is done by somebody else."""

import asyncio
import json
from pathlib import Path

import pytest

from scripts.releasing.changing import CouldNot, Timing
from scripts.releasing.fake.server import Fault, Hold
from scripts.releasing.state import BrokenState, Keeper, Locked, Outcome, State, Step
from scripts.releasing.vercel import ABORTED
from tests.canary_api import CANARY, OTHER, PROJECT, STABLE, STAGES
from tests.canary_release import QUICK, SECRET, Rig, lenient, running_release, until
from tests.canary_site import Kind

RELEASE = ["configure", "start", "approve", "approve", "complete"]
FAULTS = [Fault.LOSE_REQUEST, Fault.LOSE_ANSWER, Fault.FAIL, Fault.FAIL_AFTER, Fault.RATE]


def is_at(rig: Rig, deployment: str) -> bool:
    """Tell whether *deployment*, and nobody else, has the traffic."""
    return rig.api.machine.shares == {deployment: 1.0}


async def test_a_good_canary_is_released_stage_by_stage(tmp_path: Path) -> None:
    async with running_release(tmp_path, Kind.GOOD) as rig:
        state = await rig.drive()

        assert state.outcome is Outcome.RELEASED
        assert rig.calls == RELEASE
        assert [change.shares.get(CANARY) for change in rig.api.machine.changes] == [None, 0.1, 0.25, 0.5, 1.0]
        assert rig.kept.having(judge=None) == state.having(judge=None)
        assert state.history == (
            *("check", "configure", "start", "watch 10 %", "approve 25 %", "watch 25 %", "approve 50 %"),
            *("watch 50 %", "complete", "bake", "ended"),
        )


@pytest.mark.parametrize("kind", [Kind.ERRING, Kind.SLOW])
async def test_a_bad_one_is_rolled_back_at_once(tmp_path: Path, kind: Kind) -> None:
    async with running_release(tmp_path, kind) as rig:
        state = await rig.drive()

        assert state.outcome is Outcome.ROLLED_BACK
        assert state.reasons[0].startswith("errors" if kind is Kind.ERRING else "slow")
        assert rig.calls == ["configure", "start", "rollback"]
        assert is_at(rig, STABLE)
        rolling = await rig.api.vercel.status()
        assert rolling is not None
        assert rolling.state == ABORTED
        lines = [json.loads(line) for line in (rig.folder / "log").read_text().splitlines()]
        [ended] = [line for line in lines if line["event"] == "ended"]
        assert ended["outcome"] == "rolled back"
        assert any(line["event"] == "look" and line["outcome"] == "abort" for line in lines)


async def test_the_call_back_comes_first_of_all_after_the_verdict(tmp_path: Path) -> None:
    """Within 5 s: nothing is asked before it, so it takes what one call and one look at the status take."""
    async with running_release(tmp_path, Kind.ERRING) as rig:
        await rig.drive()
        names = [call.name for call in rig.api.fake.calls]

    assert names[names.index("rollback") - 1] == "status"
    assert names[names.index("rollback") + 1 :] == ["status", "project"]
    assert names.count("status") <= 8


async def test_what_is_bad_after_the_release_is_rolled_back_too(tmp_path: Path) -> None:
    async with running_release(tmp_path, Kind.GOOD) as rig:
        release = asyncio.create_task(rig.drive(timing=Timing(0.005, 60, 0.25, 0.002, 2.0)))
        await until(lambda: is_at(rig, CANARY))
        rig.site.fields[CANARY].kind = Kind.ERRING
        state = await release

        assert state.outcome is Outcome.ROLLED_BACK
        assert rig.calls == [*RELEASE, "rollback"]
        assert is_at(rig, STABLE)


async def test_what_cannot_be_decided_is_held_and_goes_on_later(tmp_path: Path) -> None:
    async with running_release(tmp_path, Kind.SILENT) as rig:
        held = await rig.drive(lenient(stage_s_max=0.05))

        assert (held.outcome, held.step, held.percentage) == (Outcome.HELD, Step.WATCH, 10)
        assert any("0 of at least" in reason for reason in held.reasons)
        assert rig.calls == ["configure", "start"]

        rig.site.fields[CANARY].kind = Kind.GOOD
        assert (await rig.drive()).outcome is Outcome.RELEASED


async def test_what_cannot_be_decided_is_rolled_back_where_the_policy_says_so(tmp_path: Path) -> None:
    async with running_release(tmp_path, Kind.SILENT) as rig:
        state = await rig.drive(lenient(stage_s_max=0.05, overdue="abort"))

        assert state.outcome is Outcome.ROLLED_BACK
        assert is_at(rig, STABLE)


async def test_metrics_that_nobody_can_read_hold_the_release(tmp_path: Path) -> None:
    async with running_release(tmp_path, Kind.GOOD) as rig:
        rig.site.refuses = True
        held = await rig.drive()

        assert (held.outcome, held.percentage) == (Outcome.HELD, 10)
        assert "could not read the metrics" in rig.said.getvalue()
        rig.site.refuses = False
        assert (await rig.drive()).outcome is Outcome.RELEASED


async def test_a_canary_that_fails_its_checks_gets_nothing(tmp_path: Path) -> None:
    async def wrong() -> list[str]:
        return ["health: 503"]

    async with running_release(tmp_path, Kind.GOOD) as rig:
        with pytest.raises(CouldNot, match="health: 503"):
            await rig.drive(check=wrong)

        assert rig.api.fake.writes == []
        assert rig.kept.step is Step.CHECK


async def test_another_release_under_way_is_left_alone(tmp_path: Path) -> None:
    async with running_release(tmp_path, Kind.GOOD) as rig:
        await rig.api.vercel.configure((5, 100))
        await rig.api.vercel.start(OTHER)
        with pytest.raises(CouldNot, match="dpl_other is under way"):
            await rig.drive()

        assert rig.api.machine.shares == {STABLE: 0.95, OTHER: 0.05}


@pytest.mark.parametrize("fault", FAULTS)
async def test_lost_calls_and_answers_end_right(tmp_path: Path, fault: Fault) -> None:
    async with running_release(tmp_path, Kind.GOOD) as rig:
        rig.api.machine.lag_reads = 3
        for name in RELEASE:
            rig.api.fake.faults[name].append(fault)
        state = await rig.drive()

        assert state.outcome is Outcome.RELEASED
        assert [call for call in rig.calls if call != "configure"] == RELEASE[1:]
        assert is_at(rig, CANARY)


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_rollback_whose_answer_is_lost_is_done(tmp_path: Path, fault: Fault) -> None:
    async with running_release(tmp_path, Kind.ERRING) as rig:
        rig.api.machine.lag_reads = 2
        rig.api.fake.faults["rollback"].extend([fault] * 2)
        state = await rig.drive()

        assert state.outcome is Outcome.ROLLED_BACK
        assert rig.calls == ["configure", "start", "rollback"]


async def test_a_rollback_that_cannot_be_done_says_what_to_do_by_hand(tmp_path: Path) -> None:
    async with running_release(tmp_path, Kind.ERRING) as rig:
        rig.api.fake.faults["rollback"].extend([Fault.FAIL] * 1_000)
        with pytest.raises(CouldNot, match="`vercel rollback dpl_stable`"):
            await rig.drive(timing=Timing(0.005, 0.005, 0.05, 0.002, 0.1))

        assert rig.kept.step is Step.ROLL_BACK
        rig.api.fake.faults["rollback"].clear()
        assert (await rig.drive()).outcome is Outcome.ROLLED_BACK
        assert is_at(rig, STABLE)


@pytest.mark.parametrize("what", ["abort", "complete", "approve", "replace"])
async def test_what_somebody_else_does_is_followed(tmp_path: Path, what: str) -> None:
    async with running_release(tmp_path, Kind.SILENT) as rig:
        release = asyncio.create_task(rig.drive())
        async with asyncio.timeout(60):
            await until(lambda: rig.site.scrapes > 1)
            vercel = rig.api.vercel
            match what:
                case "abort":
                    await vercel.rollback(STABLE)
                    state = await release
                    assert (state.outcome, state.reasons) == (Outcome.ROLLED_BACK, ("by somebody else",))
                case "complete":
                    await vercel.complete(CANARY)
                    assert (await release).outcome is Outcome.RELEASED
                case "approve":
                    await vercel.approve(1, CANARY)
                    await until(lambda: rig.kept.stage == 1)
                    release.cancel()
                case "replace":
                    await vercel.rollback(STABLE)
                    await vercel.start(OTHER)
                    with pytest.raises(CouldNot, match="is that of dpl_other"):
                        await release
        assert "rollback" not in [call.name for call in rig.api.fake.writes][3:]


async def test_a_rollback_of_yesterday_is_not_done_to_the_release_of_today(tmp_path: Path) -> None:
    async with running_release(tmp_path, Kind.ERRING) as rig:
        rig.api.fake.hold = Hold("rollback", applied=False)
        crashed = asyncio.create_task(rig.drive())
        await rig.api.fake.hold.reached.wait()
        crashed.cancel()
        await asyncio.wait([crashed])
        rig.api.fake.hold = None
        assert rig.kept.step is Step.ROLL_BACK
        await rig.api.vercel.complete(CANARY)
        await rig.api.vercel.promote(OTHER)
        await rig.api.vercel.complete(OTHER)
        with pytest.raises(CouldNot, match="not this release's any more"):
            await rig.drive()

        assert is_at(rig, OTHER)


@pytest.mark.parametrize("kind", [Kind.GOOD, Kind.ERRING])
@pytest.mark.parametrize("applied", [False, True])
@pytest.mark.parametrize("every", [3, 4, 5, 7])
async def test_drivers_that_die_every_few_calls_end_as_one_that_lives(
    tmp_path: Path, kind: Kind, every: int, *, applied: bool
) -> None:
    async with running_release(tmp_path, kind) as rig:
        rig.api.machine.lag_reads = 1
        deaths = 0
        while True:
            rig.api.fake.hold = hold = Hold(len(rig.api.fake.calls) + every, applied)
            driver = asyncio.create_task(rig.drive())
            reached = asyncio.create_task(hold.reached.wait())
            await asyncio.wait([driver, reached], return_when=asyncio.FIRST_COMPLETED)
            reached.cancel()
            if driver.done():
                break
            deaths += 1
            assert deaths < 100
            driver.cancel()
            await asyncio.wait([driver])
            hold.go.set()

        assert deaths > 0
        expected = RELEASE if kind is Kind.GOOD else ["configure", "start", "rollback"]
        assert [call for call in rig.calls if call != "configure"] == expected[1:]
        assert is_at(rig, CANARY if kind is Kind.GOOD else STABLE)
        assert driver.result().outcome is (Outcome.RELEASED if kind is Kind.GOOD else Outcome.ROLLED_BACK)
        assert SECRET not in rig.said.getvalue()


def test_one_driver_at_a_time(tmp_path: Path) -> None:
    with (
        Keeper.locked(tmp_path, PROJECT),
        pytest.raises(Locked, match="runs already, process"),
        Keeper.locked(tmp_path, PROJECT),
    ):
        raise AssertionError("two had the lock")
    with Keeper.locked(tmp_path, "another"), Keeper.locked(tmp_path, PROJECT):
        pass


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 2}', '{"format": 1, "id": "x"}'])
def test_a_state_that_is_none_is_named(tmp_path: Path, text: str) -> None:
    keeper = Keeper(tmp_path, PROJECT)
    keeper.path.write_text(text)
    with pytest.raises(BrokenState, match=PROJECT):
        keeper.read()


def test_a_state_is_read_as_it_was_written(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path, "a/../b")
    state = State.begin("a/../b", CANARY, STABLE, STAGES).at(Step.WATCH, stage=2, reasons=("because",))
    keeper.write(state)

    assert keeper.read() == state
    assert [path.parent for path in tmp_path.rglob("*.json")] == [tmp_path]
    assert QUICK.settle_s < 1


async def test_a_project_that_lags_is_not_taken_for_one_that_was_rolled_back(tmp_path: Path) -> None:
    async with running_release(tmp_path, Kind.GOOD) as rig:
        rig.api.machine.lag_reads = 6
        state = await rig.drive(timing=Timing(0.005, 0.05, 1.0, 0.002, 2.0))

        assert state.outcome is Outcome.RELEASED
        assert is_at(rig, CANARY)


async def test_a_release_that_begins_while_one_is_baked_ends_the_watch(tmp_path: Path) -> None:
    async with running_release(tmp_path, Kind.GOOD) as rig:
        release = asyncio.create_task(rig.drive(timing=Timing(0.005, 60, 0.25, 0.002, 2.0)))
        await until(lambda: is_at(rig, CANARY))
        await rig.api.vercel.start(OTHER)
        state = await release

        assert (state.outcome, state.reasons) == (
            Outcome.RELEASED,
            ("another release has begun, this one is watched no longer",),
        )
        assert rig.api.machine.shares == {CANARY: 0.9, OTHER: 0.1}
