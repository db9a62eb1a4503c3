"""What a report says of results: of each criterion its value, interval and verdict; nothing that is not there."""

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.measuring.clusters import clustered, percentile_bounds, student_t
from scripts.validating.criteria import CRITERIA, RISKS, Verdict, verdict, verdict_of_all
from scripts.validating.found import Found, Missing, percentile_interval, wilson
from scripts.validating.report import report
from scripts.validating.rows import broken, readings_of, validation
from tests.validations import RESULTS, changed

BY_NAME = {each.name: each for each in CRITERIA}


def rows_of(results: dict[str, Any]) -> dict[str, Any]:
    return {row["name"]: row for row in validation(results, readings_of(results))["rows"]}


def test_each_criterion_is_measured_by_results_that_hold_everything() -> None:
    missing = {name for name, row in rows_of(RESULTS).items() if row["verdict"] == "not measured"}

    assert missing == {"satisfaction"}


def test_without_results_nothing_is_said_to_be_measured() -> None:
    rows = rows_of({})

    assert {row["verdict"] for row in rows.values()} == {"not measured"}
    assert all(row["value"] is None and row["beside"] for row in rows.values())


@pytest.mark.parametrize(
    ("path", "value", "name", "expected"),
    [
        ("load.speeds.1.designs.warmthread.hits.total", 0.2, "total", "not met"),
        ("load.speeds.1.designs.warmthread.hits.l1_of_ceiling", 0.5, "l1-ceiling", "not met"),
        ("load.joined.designs.warmthread.hits.l1", 0.3, "l1", "not met"),
        ("load.joined.designs.warmthread.hits.l1", 0.31, "l1", "met"),
        ("load.speeds.1.designs.warmthread.latency_ms.by_kind.turn.p95", 100, "p95", "not met"),
        ("load.speeds.1.designs.warmthread.latency_ms.by_kind.turn.p95", 99.9, "p95", "met"),
        ("load.speeds.1.designs.warmthread.latency_ms.by_tier.L0", {"count": 0}, "p95-l0", "not measured"),
        ("load.saturation", {}, "saturation", "not measured"),
        ("soak.slopes.conversations resident_bytes.low", 0.1, "leak", "not met"),
        ("soak.slopes.conversations resident_bytes.verdict", "undecided", "leak", "not measured"),
        ("soak.slopes.store keys.verdict", "fails", "leak-others", "not met"),
        ("soak.planted.conversations.estimate", 3.0, "leak-planted", "not met"),
        ("soak.planted.conversations.verdict", "undecided", "leak-planted", "not measured"),
        ("chaos.broken", ["lost: process 3 acknowledged t1"], "lost", "not met"),
        ("chaos.broken", ["lost: process 3 acknowledged t1"], "stale", "met"),
        ("chaos.broken", ["duplicate: the batch t1 is stored 2 times"], "doubled", "not met"),
        ("chaos.broken", ["stale: document, showed 3"], "stale", "not met"),
        ("chaos.broken", ["overrun: 12 of 10 tokens"], "overrun", "not met"),
        ("chaos.broken", ["turned away: a caller was answered 401"], "wrong", "not met"),
        ("chaos.broken", ["late: a caller took 31.0 s"], "wrong", "met"),
        ("chaos.broken", ["something new: that nobody thought of"], "broken", "not met"),
        ("chaos.checked.statuses", {"200": 90, "500": 1}, "bugs", "not met"),
        ("contexts.status", 1, "tokens", "not met"),
        ("budgets.status", 130, "budgets", "not measured"),
        ("cost.designs.warmthread.usd_million.Upstash: commands", 9.0, "cost-store", "not met"),
        ("cost.tokens_usd_month", {}, "cost-exact", "not measured"),
        ("lag.rows", {"append": {"max_ms": 50.0, "ours_ms": 12.0}}, "lag-largest", "not met"),
    ],
)
def test_a_criterion_is_judged_by_its_own_value(path: str, value: object, name: str, expected: str) -> None:
    assert rows_of(changed(path, value))[name]["verdict"] == expected


def test_a_naive_design_that_is_ahead_is_said_to_be_beside_whose_histories_are_right() -> None:
    fast = changed("load.speeds.1.designs.naive.instances.requests_per_cpu_s", 400.0)
    results = changed("load.speeds", {"1": fast["load"]["speeds"]["1"]})
    rows = rows_of(results)

    assert rows["throughput"]["verdict"] == "not met"
    assert rows["throughput"]["value"] == pytest.approx(0.25)
    assert rows["throughput-right"]["value"] == pytest.approx(5.0)
    assert "The naive design is ahead by requests a CPU second" in report(validation(results, readings_of(results)), [])


def test_speeds_are_weighed_by_what_they_hold() -> None:
    other = changed("load.speeds.1.designs.warmthread.hits", {**HITS, "total": 0.5, "continuing_turns": 300})
    speeds = RESULTS["load"]["speeds"] | {"3": other["load"]["speeds"]["1"]}
    row = rows_of(changed("load.speeds", speeds))["total"]

    assert row["value"] == pytest.approx((0.99 * 400 + 0.5 * 300) / 700, abs=1e-6)
    assert row["low"] < row["value"] < row["high"]


HITS = RESULTS["load"]["speeds"]["1"]["designs"]["warmthread"]["hits"]


def test_the_range_of_a_ratio_is_that_of_the_stretches() -> None:
    row = rows_of(RESULTS)["throughput"]

    assert (row["low"], row["high"]) == (2.6, 3.4)
    assert row["verdict"] == "met"


def test_a_bound_within_the_interval_is_said_to_be_unsure() -> None:
    row = rows_of(changed("load.joined.designs.warmthread.hits", {**HITS, "l1": 0.32, "continuing_turns": 50}))["l1"]

    assert row["verdict"] == "met"
    assert row["is_unsure"]


def test_only_what_no_machine_excuses_is_called_broken() -> None:
    slow = changed("load.speeds.1.designs.warmthread.latency_ms.by_kind.turn.p95", 9_999)
    lossy = changed("chaos.broken", ["lost: process 3 acknowledged t1"])

    assert broken(validation(slow, readings_of(slow))) == []
    assert broken(validation(lossy, readings_of(lossy))) == ["Acknowledged items that were lost"]


def test_faults_that_were_interrupted_prove_nothing_and_may_refute() -> None:
    partial = {**RESULTS, "chaos": {**RESULTS["chaos"], "partial": True}}
    found = {**RESULTS, "chaos": {**partial["chaos"], "broken": ["stale: document, showed 3"]}}

    assert rows_of(partial)["lost"]["verdict"] == rows_of(partial)["bugs"]["verdict"] == "not measured"
    assert rows_of(found)["stale"]["verdict"] == "not met"


def test_a_part_that_failed_without_a_result_is_named() -> None:
    failed = {**RESULTS["run"]["parts"], "chaos": {"command": "x", "seconds": 1.0, "status": 1, "has_result": False}}
    document = validation(without := changed("run.parts", failed), readings_of(without))

    assert broken(document) == ["chaos failed and left no result"]
    assert not document["is_whole"]
    assert "Failed, without a result: chaos." in report(document, [])


def test_a_risk_is_as_good_as_its_worst_criterion() -> None:
    assert verdict_of_all([Verdict.MET, Verdict.NOT_MEASURED]) is Verdict.NOT_MEASURED
    assert verdict_of_all([Verdict.NOT_MET, Verdict.NOT_MEASURED]) is Verdict.NOT_MET
    assert verdict_of_all([Verdict.MET]) is Verdict.MET
    assert {name for risk in RISKS for name in risk.of} <= set(BY_NAME)


def test_what_is_missing_is_never_met() -> None:
    assert {verdict(each, Missing("why")) for each in CRITERIA} == {Verdict.NOT_MEASURED}


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_an_interval_of_a_share_holds_it_and_narrows(count: int, share: float) -> None:
    low, high = wilson(share, count)
    narrow_low, narrow_high = wilson(share, 100 * count)

    assert 0 <= low <= share <= high <= 1
    assert narrow_high - narrow_low <= high - low + 1e-12


def test_looks_that_are_late_together_say_less_than_as_many_that_are_not() -> None:
    """Of runs of six windows, whose shares of late looks are 10 % in the long run, 19 of 20 intervals hold that."""
    draw = Random(3)

    def run() -> list[tuple[int, int]]:
        shares = [(draw.randint(800, 1_200), draw.betavariate(2, 18)) for _ in range(6)]
        return [(looks, sum(draw.random() < share for _ in range(looks))) for looks, share in shares]

    def alone(windows: list[tuple[int, int]]) -> tuple[float, float]:
        looks, late = (sum(each) for each in zip(*windows, strict=True))
        return wilson(late / looks, looks)

    def holds(interval: tuple[float, float] | None) -> bool:
        return interval is not None and interval[0] <= 0.1 <= interval[1]

    runs = [run() for _ in range(300)]
    assert sum(holds(clustered(each)) for each in runs) >= 270
    assert sum(holds(alone(each)) for each in runs) < 120


def test_too_few_windows_have_no_interval_of_their_own() -> None:
    assert clustered([]) is None
    assert clustered([(10, 1), (10, 2)]) is None
    assert clustered([(10, 1)] * 3) == pytest.approx((0.1, 0.1))


def test_a_percentile_of_windows_that_are_slow_together_lies_between_theirs() -> None:
    """As clustered as can be: one window of six is slow. Of runs of which some windows are slow, intervals hold it."""
    quick, slow = [float(each) for each in range(100)], [float(each) for each in range(1_000, 1_100)]
    bounds = percentile_bounds([quick] * 5 + [slow], 0.95)
    assert bounds is not None
    assert bounds[0] <= 95 < 1_000 <= bounds[1]
    assert percentile_bounds([quick] * 6, 0.95) == (94.0, 94.0)
    assert percentile_bounds([quick, slow, []], 0.95) is None

    draw = Random(4)

    def run() -> list[list[float]]:
        return [
            [draw.expovariate(1 / level) for _ in range(100)]
            for level in [draw.lognormvariate(0, 0.5) for _ in range(8)]
        ]

    runs = [run() for _ in range(100)]
    p95 = sorted(sample for each in runs for window in each for sample in window)[int(0.95 * 80_000)]
    held = [percentile_bounds(each, 0.95) for each in runs]
    assert sum(each is not None and each[0] <= p95 <= each[1] for each in held) >= 85


@pytest.mark.parametrize(("free", "expected"), [(2, 4.303), (3, 3.182), (5, 2.571), (10, 2.228), (60, 2.000)])
def test_students_t_is_that_of_tables(free: int, expected: float) -> None:
    assert student_t(free) == pytest.approx(expected, rel=0.01)


def test_the_interval_of_a_percentile_is_read_off_its_neighbours() -> None:
    curve = [(share / 100, float(share)) for share in range(101)]
    width = 1.96 * (0.95 * 0.05 / 400) ** 0.5

    low, high = percentile_interval(curve, 0.95, 400)

    assert low == pytest.approx(95 - 100 * width)
    assert high == pytest.approx(95 + 100 * width)
    assert percentile_interval(curve, 0.95, 4)[1] is None


@pytest.mark.parametrize("read", [each.read for each in CRITERIA], ids=[each.name for each in CRITERIA])
def test_a_reading_of_a_part_that_was_interrupted_at_once_is_missing(read: Callable[[Any], Found | Missing]) -> None:
    empty = {
        "load": {"is_whole": False, "speeds": {}, "stretches": [], "joined": None, "saturation": {}},
        "soak": {"partial": True, "slopes": {}, "series": []},
        "chaos": {"partial": True, "windows": []},
    }

    assert isinstance(read(empty), Missing)
