"""The soak as a run: what it writes down, how it goes on, what it makes of a leak, how it ends."""

import asyncio
import os
import signal
import subprocess
import sys
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from typing import Any

import orjson
import pytest

from scripts.faults.compression import Compression
from scripts.measuring.subcommands import run
from scripts.platform.compressed import variables
from scripts.platform.fleet import Fleet
from scripts.platform.settings import NUMBER_VARIABLE, Deployment, FleetSettings
from scripts.proving.load.live import checked
from scripts.proving.load.texts import recorded
from scripts.proving.soak.agents import REQUESTS_EACH, arrivals
from scripts.proving.soak.experiment import cron_times
from scripts.proving.soak.leak import LEAK_VARIABLE
from scripts.proving.soak.live import LiveSoak
from scripts.proving.soak.plan import DAY_S, WARM_UP, Options
from scripts.proving.soak.record import SAMPLES, Record
from scripts.proving.soak.verdict import FAILS, HOLDS, UNDECIDED, judge
from tests.processes import left, start

ROOT = Path(__file__).parents[1]
OPTIONS = Options(seconds=400, rate=40)
END_S = 30.0


def sample(
    at_s: float,
    leg: int = 0,
    *,
    leak_bytes: float = 0,
    planted_bytes: float = 1_000,
    names: tuple[str, ...] = ("#1", "#2", "#3"),
) -> dict[str, Any]:
    """A look at a fleet of which each instance answers ten requests a second; the third leaks."""
    instances = [
        {
            "name": f"/api/conversations{name}",
            "lasts": name in ("#1", "#2"),
            "leaks": name == "#3",
            "requests": round(10 * at_s),
            "resident_bytes": round(
                120e6 + 10 * at_s * (planted_bytes if name == "#3" else leak_bytes) + at_s % 7 * 4_096
            ),
            "descriptors": 20 + round(at_s) % 3,
            "threads": 7,
        }
        for name in names
    ]
    said: dict[str, Any] = {"leg": leg, "at_s": at_s, "day": at_s / 60, "requests": round(20 * at_s)}
    said["answers"] = {"200": round(20 * at_s)}
    return {
        **said,
        "unexpected": {},
        "left_out": 0,
        "keys": 200,
        "bytes": 3_000_000 + round(at_s % 5),
        "instances": instances,
    }


def samples(leak_bytes: float = 0) -> list[dict[str, Any]]:
    return [sample(float(at_s), leak_bytes=leak_bytes) for at_s in range(0, 401, 2)]


def test_a_week_without_growth_holds() -> None:
    found = judge(OPTIONS, samples(), is_whole=True, again=20)

    assert (found["verdict"], found["why"]) == (HOLDS, [])
    assert found["slopes"]["conversations resident_bytes"]["points"] == 2 * (201 - round(WARM_UP * 200))


def test_a_leak_of_a_kilobyte_a_request_fails() -> None:
    found = judge(OPTIONS, samples(1_000), is_whole=True, again=20)

    assert (found["verdict"], found["why"]) == (FAILS, ["conversations resident_bytes grows"])
    assert found["slopes"]["conversations resident_bytes"]["estimate"] == pytest.approx(1_000, rel=0.05)


def test_the_planted_leak_has_to_be_found() -> None:
    found, missed = (
        judge(OPTIONS, [sample(float(at_s), planted_bytes=size) for at_s in range(0, 401, 2)], is_whole=True, again=20)
        for size in (1_000, 10)
    )
    options = replace(OPTIONS, leak_bytes=0)

    assert found["planted"]["conversations"]["estimate"] == pytest.approx(1_000, rel=0.05)
    assert (found["planted"]["conversations"]["verdict"], found["verdict"]) == ("found", HOLDS)
    assert missed["why"] == ["the leak planted in conversations was not found"]
    assert missed["verdict"] == FAILS
    assert judge(options, samples(), is_whole=True, again=20)["planted"] == {}


def test_keys_that_never_go_fail() -> None:
    growing = [{**each, "keys": 200 + each["requests"] // 10} for each in samples()]

    assert judge(OPTIONS, growing, is_whole=True, again=20)["why"] == ["store keys grows"]


def test_keys_that_follow_the_load_hold() -> None:
    def with_load(each: dict[str, Any]) -> dict[str, Any]:
        # The load doubles in the middle, and what is stored lives about as long as a day takes, 57 s.
        answered = 20 * each["at_s"] + 20 * max(0.0, each["at_s"] - 200)
        held = 400 + 400 * min(1.0, max(0.0, each["at_s"] - 200) / 57)
        return each | {"answers": {"200": round(answered)}, "requests": round(answered), "keys": round(held)}

    growing = [each | {"keys": each["keys"] + each["requests"] // 10} for each in map(with_load, samples())]

    assert judge(OPTIONS, list(map(with_load, samples())), is_whole=True, again=20)["why"] == []
    assert judge(OPTIONS, growing, is_whole=True, again=20)["why"] == ["store keys grows"]


def test_what_leaked_before_the_warm_up_was_over_is_not_judged() -> None:
    loaded = [sample(each["at_s"], leak_bytes=9_000 * (each["at_s"] < 120)) for each in samples()]

    assert judge(OPTIONS, loaded, is_whole=True, again=20)["verdict"] == HOLDS


def test_an_instance_that_was_to_last_and_did_not_fails() -> None:
    gone = [*samples()[:-1], sample(400.0, names=("#1", "#3"))]

    [why] = judge(OPTIONS, gone, is_whole=True, again=20)["why"]
    assert "/api/conversations#2" in why


def test_a_bug_in_any_leg_fails() -> None:
    legs = [sample(0.0) | {"answers": {"500": 1}}, *(each | {"leg": 1} for each in samples())]

    assert judge(OPTIONS, legs, is_whole=True, again=20)["why"] == ["1 answers were a 500"]


@pytest.mark.parametrize("is_whole", [True, False])
def test_too_little_to_tell_is_no_verdict(is_whole: bool) -> None:
    found = judge(OPTIONS, samples()[:40], is_whole=is_whole, again=20)

    assert found["verdict"] == UNDECIDED
    assert found["why"]


def test_a_run_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    record = Record.begin(tmp_path, OPTIONS)
    for each in samples()[:50]:
        record.add(each)
    with (tmp_path / SAMPLES).open("ab") as file:
        file.write(b'{"leg":0,"at_s":1')  # Killed while it wrote.
    resumed = Record.resume(tmp_path)

    assert resumed.options == OPTIONS
    assert (resumed.leg, resumed.done_s, resumed.requests) == (1, 98.0, 1_960)
    assert not resumed.is_whole
    resumed.add(sample(400.0, 1))
    again = Record.resume(tmp_path)
    assert [each["at_s"] for each in again.samples] == [*range(0, 100, 2), 400]
    assert again.is_whole


def test_a_folder_is_not_used_twice_and_not_without_a_run(tmp_path: Path) -> None:
    Record.begin(tmp_path, OPTIONS)

    with pytest.raises(ValueError, match="--resume"):
        Record.begin(tmp_path, OPTIONS)
    with pytest.raises(ValueError, match="no soak"):
        Record.resume(tmp_path / "none")


def test_the_same_seed_brings_the_same_agents_at_the_rate_that_was_asked_for() -> None:
    first, again, other = (list(takewhile(lambda each: each[1] < 5_000, arrivals(seed, 20))) for seed in (1, 1, 2))

    assert first == again != other
    assert len(first) * REQUESTS_EACH / 5_000 == pytest.approx(20, rel=0.1)


def test_crons_come_once_a_day_at_their_time() -> None:
    times = cron_times(7, 504)

    assert len(times) == 14
    assert times[0][0] == pytest.approx(4.5 * 3_600 / 504)
    assert [path for _, path in times[:2]] == ["/api/cron/sweep", "/api/cron/warm"]
    assert times[2][0] - times[0][0] == pytest.approx(DAY_S / 504)


def test_an_instance_has_the_compressed_clock_and_the_planted_leak() -> None:
    told = """
import scripts.proving.soak.prelude
import asyncio, time, datetime
from shared.process.clock import Clock
from starlette.applications import Starlette
clock = Clock()
began, real = clock.now(), time.monotonic()
async def nothing(*_): return {"type": "http.disconnect"}
scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b"", "root_path": ""}
asyncio.run(Starlette()(scope, nothing, nothing))
time.sleep(0.05)
age, passed = clock.age_s(began), time.monotonic() - real
leaked = sum(map(len, Starlette.__call__.__closure__[0].cell_contents))
drift = abs(datetime.datetime.now(datetime.UTC).timestamp() - time.time())
print(age / passed, leaked, drift, time.time_ns() / 1e9 - time.time())
"""
    clock = Compression(504.0, 1_000_000_000.0, 1_000_000_000.0)
    environment = os.environ | variables(clock) | {LEAK_VARIABLE: "1000", NUMBER_VARIABLE: "3"}
    done = subprocess.run(
        [sys.executable, "-c", told], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    ratio, leaked, drift_s, between_s = map(float, done.stdout.split())

    assert ratio == pytest.approx(504, rel=0.05)
    assert leaked == 1_000
    assert drift_s > 1e9  # Deadlines, which datetime tells, are real.
    assert abs(between_s) < 504


@pytest.mark.timing
def test_ctrl_c_leaves_no_process_and_what_was_seen(tmp_path: Path) -> None:
    out, folder = tmp_path / "soak.json", tmp_path / "run"
    arguments = ["--seconds", "60", "--json", str(out), "--folder", str(folder)]
    process = start(tmp_path, "scripts.proving", "soak", *arguments)
    assert process.stderr is not None
    while "soak of 7 days" not in process.stderr.readline():
        pass
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=END_S)
    document = orjson.loads(out.read_bytes())

    assert process.returncode == 130
    assert (document["what"], document["partial"], document["verdict"]) == ("soak", True, UNDECIDED)
    assert document["series"] == Record.resume(folder).samples != []
    assert said.startswith("NOT WHOLE")
    assert left(tmp_path) == []


@pytest.mark.timing
def test_the_memory_of_a_deployment_that_runs_comes_from_its_metrics(tmp_path: Path) -> None:
    record = Record.begin(tmp_path, Options(seconds=5, days=5 / DAY_S, rate=60))

    async def main() -> None:
        deployment = Deployment("dpl_soaked", environment={"WARMTHREAD_METRICS_FLUSH_S": "1"})
        async with Fleet(deployment, FleetSettings()) as fleet:
            plan = checked(fleet.url, fleet.key, 5 / DAY_S, 20)
            secret = fleet.secrets["WARMTHREAD_METRICS_SECRET"]
            await LiveSoak(record, plan, secret, recorded(), lambda *_: None).run()

    asyncio.run(main())
    last = record.samples[-1]

    assert last["answers"].keys() == {"200"}
    assert 0 < last["requests"] == last["answers"]["200"]
    assert [each["name"] for each in last["instances"]] == ["fleet#dpl_soaked"]
    assert 30e6 < last["instances"][0]["resident_bytes"] < 1e9
    found = judge(record.options, record.samples, is_whole=True, again=20)
    assert (found["slopes"].keys(), found["verdict"]) == ({"fleet resident_bytes"}, UNDECIDED)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--days", "2"], "--days"),
        (["--seconds", "1"], "--seconds"),
        (["--rate", "0"], "--rate"),
        (["--url", "https://staging.example.com", "--key", "wt_a_b"], "WARMTHREAD_METRICS_SECRET"),
        (["--resume", "nowhere"], "no soak"),
    ],
)
def test_a_soak_that_cannot_be_is_refused(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WARMTHREAD_METRICS_SECRET", raising=False)

    assert run("soak", "", {"soak": "scripts.proving.soak.command"}, ["soak", *arguments]) == 2
    assert said in capsys.readouterr().err
