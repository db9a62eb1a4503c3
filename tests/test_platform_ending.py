"""A router that ends while instances start: nobody is left waiting, nothing is left running, nothing is said."""

import asyncio
import gc
from pathlib import Path
from typing import Any

import pytest

from scripts.platform.settings import FleetSettings
from tests.platform_project import running, write_project

pytestmark = pytest.mark.unmeasured

END_S = 10.0


@pytest.mark.parametrize("moment_s", [0.0, 0.002, 0.02, 0.2])
async def test_whoever_ends_it_while_an_instance_starts_hears_of_no_error(tmp_path: Path, moment_s: float) -> None:
    said: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: said.append(context))
    async with running(write_project(tmp_path / "project"), FleetSettings(concurrency=1, instances_max=2)) as rig:
        asked = [asyncio.create_task(rig.ask()) for _ in range(3)]
        await rig.until(lambda: rig.router.instances)
        await asyncio.sleep(moment_s)
        instances = rig.router.instances
        async with asyncio.timeout(END_S):
            await rig.router.close()
        await asyncio.gather(*asked, return_exceptions=True)
    gc.collect()

    assert said == []
    assert all(each.gone.is_set() for each in instances)
    assert rig.router.instances == []
