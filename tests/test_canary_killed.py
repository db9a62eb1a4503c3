"""
`scripts/canary` as its users start it, over a deployment that really runs: killed with -9 at every step and started
again, it ends as one that was not; and nothing that it prints, logs or keeps has a secret in it.
"""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path

import pytest

from scripts.releasing.fake.server import Fault, Hold
from scripts.releasing.state import Step
from tests.canary_api import STABLE
from tests.canary_command import CANARY, RELEASED, ROLLED_BACK, Rig, running_project
from tests.canary_release import until
from tests.canary_site import Kind

pytestmark = pytest.mark.unmeasured

type Running = Callable[[Kind], AbstractAsyncContextManager[Rig]]


@pytest.fixture
def project(service_url: str, key: str, tmp_path: Path, fresh_crons: None) -> Running:
    return partial(running_project, service_url, key, tmp_path)


async def killed_in_call(rig: Rig, name: str, *, applied: bool) -> None:
    """Start a driver, and kill it while its call of *name* is under way."""
    rig.api.fake.hold = hold = Hold(name, applied)
    await rig.kill_when(await rig.release(), hold.reached.wait())
    if not applied:
        rig.api.fake.faults[name].append(Fault.LOSE_REQUEST)
    rig.api.fake.hold = None
    hold.go.set()


async def killed_in_scrape(rig: Rig) -> None:
    rig.site.hold = hold = Hold(0, applied=False)
    await rig.kill_when(await rig.release(), hold.reached.wait())
    rig.site.hold = None
    hold.go.set()


async def killed_in_check(rig: Rig) -> None:
    await rig.kill_when(await rig.release(), until(lambda: rig.kept))
    assert rig.kept is not None
    assert rig.kept.step is Step.CHECK


async def test_a_driver_killed_at_every_step_releases_all_the_same(project: Running) -> None:
    async with project(Kind.GOOD) as rig:
        steps = []

        async def note(killed: Awaitable[None]) -> None:
            await killed
            assert rig.kept is not None
            steps.append(rig.kept.step)

        await note(killed_in_check(rig))
        await note(killed_in_call(rig, "configure", applied=False))
        await note(killed_in_call(rig, "start", applied=True))
        await note(killed_in_scrape(rig))
        await note(killed_in_call(rig, "approve", applied=False))
        await note(killed_in_call(rig, "complete", applied=True))
        await note(killed_in_scrape(rig))
        status = await rig.end(await rig.release())
        again = await rig.end(await rig.release())

        assert steps == [
            *(Step.CHECK, Step.CONFIGURE, Step.START, Step.WATCH, Step.APPROVE, Step.COMPLETE, Step.BAKE),
        ]
        assert (status, again) == (RELEASED, RELEASED), rig.said
        assert rig.calls == ["configure", "start", "approve", "approve", "complete"]
        assert rig.api.machine.shares == {CANARY: 1.0}
        assert "was released before" in rig.said
        rig.check_no_secret()


async def test_a_driver_killed_while_it_rolls_back_has_rolled_back(project: Running) -> None:
    async with project(Kind.ERRING) as rig:
        await killed_in_call(rig, "rollback", applied=True)
        status = await rig.end(await rig.release())

        assert status == ROLLED_BACK, rig.said
        assert rig.calls == ["configure", "start", "rollback"]
        assert rig.api.machine.shares == {STABLE: 1.0}
        rig.check_no_secret()
