"""
npm's `@vercel/sdk`, Vercel's own client: it drives a release on the fake, and reads what our client sends.

It has no type for the body that configures stages, nor for the `rollback` of the CLI's path; those are held against the
rules of `scripts/releasing/fake/bodies.py`, which come from the CLI.
"""

import asyncio
import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.canary_api import CANARY, PROJECT, STABLE, STAGES, TEAM, TOKEN, running_api
from tests.roots import environ_of_registries

PACKAGES = {"@vercel/sdk": "1.28.35", "zod": "3.25.76"}
"""With what it validates by."""

PROGRAM = Path(__file__).parent / "data" / "vercel_sdk.mjs"
TIMEOUT_S = 180

pytestmark = [
    pytest.mark.unmeasured,
    pytest.mark.skipif(
        shutil.which("node") is None or shutil.which("npm") is None, reason="Node.js and npm are not installed"
    ),
]


async def run(folder: Path, *command: str) -> bytes:
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env=dict(environ_of_registries()),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(TIMEOUT_S):
        said, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return said


async def install(folder: Path) -> None:
    """Put the programs of the packages there. An installation writes 5,000 files; a few hundred are imported."""
    await run(folder, "npm", "pack", "--silent", *(f"{name}@{version}" for name, version in PACKAGES.items()))
    for name, version in PACKAGES.items():
        archive = folder / f"{name.removeprefix('@').replace('/', '-')}-{version}.tgz"
        with tarfile.open(archive) as packed:
            wanted = [_within(each) for each in packed if each.name.endswith((".js", ".cjs", "package.json"))]
            packed.extractall(folder / "node_modules" / name, wanted, filter="data")


def _within(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Return *member* without the folder that all of a package are in."""
    return member.replace(name=member.name.partition("/")[2], deep=False)


async def bodies_of_ours() -> dict[str, Any]:
    """Return what our client sends, by call."""
    async with running_api() as api:
        await api.vercel.configure(STAGES)
        await api.vercel.start(CANARY)
        await api.vercel.approve(1, CANARY)
        await api.vercel.complete(CANARY)
        return {call.name: call.body for call in api.fake.writes if call.name != "configure"}


async def test_the_official_client_and_ours_agree_with_the_fake(tmp_path: Path) -> None:
    await install(tmp_path)
    shutil.copy(PROGRAM, tmp_path)
    sent = json.dumps(await bodies_of_ours())
    async with running_api() as api:
        await api.vercel.configure(STAGES)
        arguments = (api.fake.url, sent, TOKEN, PROJECT, TEAM, CANARY, STABLE)
        said = json.loads(await run(tmp_path, "node", PROGRAM.name, *arguments))

    assert said["states"] == [
        ["before", None, None],
        ["started", "ACTIVE", 10],
        ["approved", "ACTIVE", 25],
        ["rolled back", "ABORTED", None],
        ["completed", "COMPLETE", 100],
        ["promoted", "ACTIVE", 10],
    ]
    assert said["refused"] == ["400"]
    assert said["bodies"] == {"start": "read", "approve": "read", "complete": "read"}
