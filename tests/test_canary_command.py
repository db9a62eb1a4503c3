"""`scripts/canary`: what it says and changes, and with which status it ends, where nobody kills it."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path

import pytest

from scripts.releasing.__main__ import main
from scripts.releasing.fake.server import Hold
from scripts.releasing.options import duration_s, stages
from scripts.releasing.state import Keeper, Outcome, State, Step
from scripts.releasing.telling import Telling
from scripts.releasing.vercel import ABORTED, Account, Vercel
from tests.canary_api import OTHER, PREVIEW, PROJECT, STABLE, STAGES, TOKEN
from tests.canary_command import CANARY, COULD_NOT, RELEASED, ROLLED_BACK, Rig, running_project
from tests.canary_site import Kind

pytestmark = pytest.mark.unmeasured

ROOT = Path(__file__).parents[1]
INTERRUPTED = 130

type Running = Callable[[Kind], AbstractAsyncContextManager[Rig]]


@pytest.fixture
def project(service_url: str, key: str, tmp_path: Path, fresh_crons: None) -> Running:
    return partial(running_project, service_url, key, tmp_path)


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Call the script here, in a thread beside the loop of what it calls; return its status."""

    def called(rig: Rig, subcommand: str, *options: str) -> int:
        for name, value in rig.secrets.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("sys.argv", ["scripts/canary", subcommand, *options])
        # A thread has no signals: what comes meanwhile is the test run's.
        monkeypatch.setattr(signal, "signal", lambda number, handler: signal.SIG_DFL)
        return main()

    return called


async def test_a_dry_run_only_reads(
    project: Running, call: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    async with project(Kind.GOOD) as rig:
        status = await asyncio.to_thread(call, rig, "run", *rig.options("--dry-run"))
        said = capsys.readouterr().out

        assert (status, rig.api.fake.writes, rig.kept, rig.site.scrapes) == (RELEASED, [], None, 0)
        assert f"start: 10 % to {CANARY}" in said
        assert "complete: 100 %" in said
        assert TOKEN not in said


async def test_a_preview_is_not_released(
    project: Running, call: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    async with project(Kind.GOOD) as rig:
        status = await asyncio.to_thread(call, rig, "run", *rig.options("--canary", PREVIEW))

        assert (status, rig.api.fake.writes) == (COULD_NOT, [])
        assert "vercel deploy --prod --skip-domain" in capsys.readouterr().out


async def test_a_canary_that_fails_its_checks_is_not_started(
    project: Running, call: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    """Its own address answers for another deployment than it should."""
    async with project(Kind.GOOD) as rig:
        machine = rig.api.machine
        machine.deployments["dpl_new"] = type(machine.deployments[CANARY])("dpl_new", machine.deployments[CANARY].url)
        status = await asyncio.to_thread(call, rig, "run", *rig.options("--canary", "dpl_new"))
        said = capsys.readouterr().out

        assert (status, rig.api.fake.writes) == (COULD_NOT, [])
        assert "local answered instead of dpl_new" in said
        assert "Nothing was started" in said


async def test_a_bad_canary_is_rolled_back_and_a_second_run_says_so(
    project: Running, call: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    async with project(Kind.ERRING) as rig:
        first = await asyncio.to_thread(call, rig, "run", *rig.options())
        second = await asyncio.to_thread(call, rig, "run", *rig.options())
        rig.site.fields[CANARY].kind = Kind.GOOD
        third = await asyncio.to_thread(call, rig, "run", *rig.options("--again"))
        said = capsys.readouterr().out

        assert (first, second, third) == (ROLLED_BACK, ROLLED_BACK, RELEASED), said
        assert "--again releases it anew" in said
        assert rig.api.machine.shares == {CANARY: 1.0}


async def test_a_second_release_is_not_mixed_up_with_the_first(
    project: Running, call: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    async with project(Kind.GOOD) as rig:
        await rig.api.vercel.configure(STAGES)
        await rig.api.vercel.start(OTHER)
        with Keeper.locked(rig.folder, PROJECT) as keeper:
            keeper.write(State.begin(PROJECT, OTHER, STABLE, STAGES).at(Step.WATCH))
        before = len(rig.api.fake.writes)
        status = await asyncio.to_thread(call, rig, "run", *rig.options())

        assert (status, len(rig.api.fake.writes)) == (COULD_NOT, before)
        assert "a release of dpl_other is under way" in capsys.readouterr().out

        # Somebody went back by hand: what was written down is over.
        await rig.api.vercel.rollback(STABLE)
        assert await asyncio.to_thread(call, rig, "run", *rig.options()) == RELEASED


async def test_ctrl_c_says_where_the_release_is(project: Running) -> None:
    async with project(Kind.GOOD) as rig:
        rig.site.hold = hold = Hold(0, applied=False)
        process = await rig.release()
        await hold.reached.wait()
        process.send_signal(signal.SIGINT)
        status = await rig.end(process)

        assert status == INTERRUPTED, rig.said
        assert "is at: watch, 10 % of the traffic. Nobody watches it now" in rig.said
        assert "`scripts/canary abort`" in rig.said
        assert "Traceback" not in rig.said
        assert rig.api.machine.shares == {STABLE: 0.9, CANARY: 0.1}
        hold.go.set()


async def test_status_and_abort_of_a_release_that_nobody_drives(
    project: Running, call: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    async with project(Kind.GOOD) as rig:
        nothing = await asyncio.to_thread(call, rig, "abort", *rig.account)
        await rig.api.vercel.configure(STAGES)
        await rig.api.vercel.start(CANARY)
        with Keeper.locked(rig.folder, PROJECT) as keeper:
            keeper.write(State.begin(PROJECT, CANARY, STABLE, STAGES).at(Step.WATCH))
        capsys.readouterr()
        before = await asyncio.to_thread(call, rig, "status", *rig.account)
        said = capsys.readouterr().out
        aborted = await asyncio.to_thread(call, rig, "abort", *rig.account)
        capsys.readouterr()
        after = await asyncio.to_thread(call, rig, "status", "--json", *rig.account)
        document = json.loads(capsys.readouterr().out)

        assert (nothing, before, aborted, after) == (COULD_NOT, 0, 0, 0)
        assert "ACTIVE: local at 10 %" in said
        assert document["production"] == STABLE
        assert document["rolling_release"]["state"] == ABORTED
        assert document["driver"]["outcome"] == Outcome.ROLLED_BACK
        assert rig.api.machine.shares == {STABLE: 1.0}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--stages", "50,10,100"], "ascending percentages"),
        (["--bake", "soon"], "a time as 90s"),
        (["--api", "http://api.example.com"], "over https only"),
        (["--url", "http://example.com"], "over https only"),
        (["--policy", "/nowhere.json"], "could not read the policy"),
        (["--shadow-rate", "0"], "--shadow-rate"),
        (["--project", ""], "--project is missing"),
    ],
)
def test_wrong_use_is_told_in_a_sentence(
    options: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("VERCEL_TOKEN", "WARMTHREAD_KEY", "WARMTHREAD_METRICS_SECRET"):
        monkeypatch.setenv(name, "x" * 20)
    usual = ["--canary", "dpl_a", "--url", "https://example.com", "--project", "prj_a"]
    monkeypatch.setattr("sys.argv", ["scripts/canary", "run", *usual, *options])

    assert main() == COULD_NOT
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("missing", ["VERCEL_TOKEN", "WARMTHREAD_KEY", "WARMTHREAD_METRICS_SECRET"])
def test_a_missing_secret_is_named(
    missing: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("VERCEL_TOKEN", "WARMTHREAD_KEY", "WARMTHREAD_METRICS_SECRET"):
        monkeypatch.setenv(name, "x" * 20)
    monkeypatch.delenv(missing)
    monkeypatch.setattr(
        "sys.argv", ["scripts/canary", "run", "--canary", "a", "--url", "https://b.c", "--project", "p"]
    )

    assert main() == COULD_NOT
    assert f"{missing} is not set" in capsys.readouterr().err


def test_times_and_stages_are_read() -> None:
    assert [duration_s(text) for text in ("90", "90s", "30m", "2h")] == [90, 90, 1_800, 7_200]
    assert stages("10,25,50,100") == STAGES


def test_no_secret_is_told_whatever_the_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tell = Telling(["a-secret", "a-secret-that-is-longer", ""], tmp_path / "log")
    tell("event", "it is a-secret-that-is-longer", fact={"of": "a-secret"})
    tell.progress("a-secret")
    tell.close()

    for text in (capsys.readouterr().out, (tmp_path / "log").read_text()):
        assert "secret" not in text.replace("[secret]", "")
        assert "[secret]" in text


async def test_a_project_that_runs_here_is_there_to_try_it(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "scripts.releasing", "fake", "--port", "0"),
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    async with asyncio.timeout(120):
        told = (await process.stdout.readuntil(b"Ctrl-C ends it.")).decode()
        exports = dict(line.removeprefix("export ").split("=", 1) for line in told.splitlines() if "export" in line)
        api = told.partition("--api ")[2].split()[0]
        token, project, team = (exports[name] for name in ("VERCEL_TOKEN", "VERCEL_PROJECT_ID", "VERCEL_ORG_ID"))
        async with Vercel(Account(token, project, team, api)) as vercel:
            production = (await vercel.project()).production_id
            canary = await vercel.deployment("dpl_canary")
        process.send_signal(signal.SIGINT)
        _, errors = await process.communicate()

    assert production == "dpl_stable"
    assert (canary.ready_state, canary.target) == ("READY", "production")
    assert "scripts/canary run --canary dpl_canary" in told
    assert (process.returncode, errors) == (0, b"")
