"""Simulated releases: each kind comes out as the judge is for, and what is simulated is what a fleet would count."""

import argparse
import signal
import subprocess
import sys
from bisect import bisect_left
from pathlib import Path

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.releasing.judging import Outcome
from scripts.releasing.policy import Policy
from scripts.releasing.samples import Sample
from scripts.releasing.simulation import command
from scripts.releasing.simulation.kinds import KINDS
from scripts.releasing.simulation.release import End, simulate
from scripts.releasing.simulation.report import missed, table
from scripts.releasing.simulation.service import ROUTES, Service, Weather, World, bucket_numbers
from scripts.releasing.simulation.traffic import Side
from shared.telemetry.series import AGES, DURATION_BOUNDS_S

ROOT = Path(__file__).parents[1]
RATE = 50.0
BY = {
    "slow": "slow",
    "tail-slow": "tail",
    "erring": "errors",
    "leaking": "memory",
    "cold-cache": "hits",
    "erring-route": "errors",
}
CLEAR = Weather(1.0, 0.0)


@pytest.mark.parametrize("name", BY)
def test_a_bad_release_is_rolled_back_before_half_of_the_traffic(name: str) -> None:
    end = simulate(KINDS[name], RATE, (7, 1), Policy())

    assert end.is_found
    assert end.checks[0] == BY[name]
    assert end.failed <= 0.02 * end.requests


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind.is_good])
def test_a_good_release_gets_all_traffic(name: str) -> None:
    end = simulate(KINDS[name], RATE, (7, 2), Policy())

    assert (end.outcome, end.percent) == (Outcome.PASS, 100)


def test_what_becomes_bad_with_more_traffic_is_found_then() -> None:
    end = simulate(KINDS["erring-late"], RATE, (7, 3), Policy())

    assert (end.outcome, end.percent, end.checks[0]) == (Outcome.ABORT, 25, "errors")


def test_the_same_seed_gives_the_same_release() -> None:
    ends = [simulate(KINDS["erring"], RATE, seed, Policy()) for seed in ((1, 2), (1, 2), (1, 3))]

    assert ends[0] == ends[1] != ends[2]


def test_a_stage_without_enough_requests_is_held() -> None:
    end = simulate(KINDS["good"], 0.2, (7, 4), Policy(stage_s_max=3_600))

    assert (end.outcome, end.percent, end.checks) == (Outcome.HOLD, 10, end.checks)
    assert end.canary_requests < 500


def answered(share: float, kind: str = "good", interval_s: float = 6_000.0) -> Sample:
    """Return what a canary counted that had *share* of 10 requests a second."""
    rng = np.random.default_rng(5)
    side, service = Side(1.0, rng), Service(KINDS[kind], World.drawn(rng), rng, is_canary=True)
    for _ in range(10):
        service.answer(side.requests(10 * share, interval_s / 10, 3.0), CLEAR, 0)
    return service.counts.sample()


def test_the_smaller_share_has_more_first_requests_and_so_fewer_hits() -> None:
    small, large = answered(0.1), answered(0.9)

    def first(whole: Sample) -> float:
        return sum(whole.buckets("cold_start").values()) / sum(whole.requests().values())

    def hit(whole: Sample) -> float:
        reads = whole.counters["reads_by_age"]
        return sum(count for (_, tier), count in reads.items() if tier == "L1") / sum(reads.values())

    assert first(small) > 2 * first(large) > 0
    assert hit(small) < hit(large)


def test_what_is_counted_by_age_adds_up_to_all() -> None:
    whole = answered(0.5)
    requests, starts = sum(whole.requests().values()), sum(whole.buckets("cold_start").values())
    durations = {labels: sum(buckets.values()) for labels, buckets in whole.durations().items()}
    reads = whole.requests()[ROUTES[0]] + whole.requests()[ROUTES[2]]

    assert sum(durations.values()) == requests
    assert sum(count for labels, count in durations.items() if labels[2] == AGES[0]) == starts
    assert sum(whole.counters["reads_by_age"].values()) == reads
    measured = {age: count for (age,), count in whole.counters["requests_by_age"].items() if count}
    assert list(measured) == list(AGES[3 : 3 + len(measured)])
    assert requests > sum(measured.values()) > requests / 2


def test_kinds_do_what_they_say() -> None:
    good, erring, leaking, cold = (answered(0.5, kind) for kind in ("good", "erring", "leaking", "cold-cache"))

    def grown(whole: Sample) -> float:
        growth = whole.counters["resident_growth"]
        grown_bytes = sum(count if way == "up" else -count for (_, way), count in growth.items())
        return grown_bytes / sum(whole.counters["requests_by_age"].values())

    def failed(whole: Sample) -> float:
        return sum(whole.requests("5xx").values()) / sum(whole.requests().values())

    assert failed(erring) - failed(good) == pytest.approx(0.02, abs=0.003)
    assert grown(leaking) - grown(good) == pytest.approx(100_000, rel=0.05)
    assert sum(count for (_, tier), count in cold.counters["reads_by_age"].items() if tier == "L1") == 0


@given(st.lists(st.floats(1e-6, 100), min_size=1, max_size=20))
def test_durations_fall_into_the_buckets_of_the_metrics(took_s: list[float]) -> None:
    numbers = bucket_numbers(np.array(took_s))

    for each, number in zip(took_s, numbers.tolist(), strict=True):
        exact = bisect_left(DURATION_BOUNDS_S, each)
        at_bound = any(abs(each / bound - 1) < 1e-9 for bound in DURATION_BOUNDS_S[max(0, exact - 1) : exact + 1])
        assert number == exact or at_bound


def end(outcome: Outcome, percent: int = 10, failed: int = 0) -> End:
    return End(outcome, percent, 600.0, 500, 5_000, failed, ("errors",) if outcome is Outcome.ABORT else ())


def test_a_judge_that_is_not_good_enough_is_said_to_be() -> None:
    aborted, passed, late = end(Outcome.ABORT), end(Outcome.PASS, 100), end(Outcome.PASS, 50)

    assert missed({("good", 2.0): [passed] * 99, ("good", 10.0): [aborted]}) == []
    assert missed({("erring", 2.0): [aborted] * 99 + [late]}) == []
    assert missed({("drift", 2.0): [aborted]}) == []
    assert missed({("good", 2.0): [passed] * 98 + [aborted] * 2}) == [
        "good: 2 of 100 were rolled back, at most 1% may be"
    ]
    assert missed({("erring", 2.0): [aborted] * 98 + [late] * 2}) == [
        "erring: 98 of 100 were rolled back before half of the traffic, 99% have to"
    ]
    assert missed({("erring", 2.0): [end(Outcome.ABORT, failed=101)]}) == [
        "erring: one failed 2.0% of all requests, at most 2% may be"
    ]
    assert "| erring: 2 % fail | 2 | 50.0 % | 50.0 % | 0.0 % | 50.0 % | errors 1 |" in table(
        {("erring", 2.0): [aborted, late]}
    )


def simulated(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args(arguments))


def test_the_command_prints_a_table_and_keeps_each_release(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--kinds", "erring", "--releases", "3", "--rates", "50", "--json", str(tmp_path / "ends.json"))

    status = simulated(*options)
    kept = orjson.loads((tmp_path / "ends.json").read_bytes())

    assert (status, kept["missed"], kept["partial"]) == (0, [], False)
    assert "| erring: 2 % fail | 3 | 100.0 % | 100.0 % |" in capsys.readouterr().out
    assert [each["outcome"] for each in kept["releases"]] == ["abort"] * 3


def test_a_judge_that_misses_its_figures_ends_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lax = tmp_path / "lax.json"
    lax.write_text('{"errors_harmless": 0.05, "errors_harmful": 0.06, "errors_max": 0.9}')

    status = simulated("--kinds", "erring", "--releases", "2", "--rates", "50", "--policy", str(lax))

    assert status == 1
    assert "- erring: 0 of 2 were rolled back before half of the traffic, 99% have to" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--kinds", "godo"), "there is no kind 'godo'; there are: good, "),
        (("--releases", "2"), "--releases has to be from 3"),
        (("--rates", "0"), "--rates have to be from 0.1 to 500"),
        (("--processes", "0"), "--processes has to be from 1 to 64"),
        (("--policy", "none.json"), "could not read the policy none.json"),
    ],
)
def test_wrong_arguments_are_named(arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    status = simulated(*arguments)
    shown = capsys.readouterr()

    assert (status, shown.out) == (3, "")
    assert said in shown.err


@pytest.mark.parametrize("processes", ["1", "2"])
def test_what_is_interrupted_half_way_shows_what_it_has(processes: str) -> None:
    options = ("--kinds", "erring", "--releases", "5000", "--rates", "50", "--processes", processes)
    program = [sys.executable, "-m", "scripts.releasing", "simulate", *options]
    with subprocess.Popen(
        program, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as ran:
        assert ran.stderr is not None
        assert ran.stderr.readline() == "simulated: 5,000 releases\n"
        ran.send_signal(signal.SIGINT)
        shown, said = ran.communicate(timeout=120)

    assert ran.returncode == 130
    assert "| erring: 2 % fail | " in shown
    assert " of 5,000 releases" in said
