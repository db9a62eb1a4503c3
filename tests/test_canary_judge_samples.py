"""What the judge of canaries reads of /api/metrics is what instances counted."""

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.releasing.samples import READS_BY_AGE, SERIES, YOUNG_DURATION, Buckets, Labels, Sample
from shared.telemetry.fleet import exposition
from shared.telemetry.metrics import METRICS
from shared.telemetry.series import AGES, DURATION_BOUNDS_S, LAG_BOUNDS_S
from tests.canary_samples import sample

ROUTES = ("GET /v1/a", "POST /v1/b", "GET /api/cron/warm")
counts = st.integers(1, 10**9)
numbers = st.integers(0, len(DURATION_BOUNDS_S))
fields = st.dictionaries(
    st.one_of(
        st.builds("requests {} {}".format, st.sampled_from(ROUTES), st.sampled_from(("2xx", "4xx", "5xx"))),
        st.builds("duration {} {}".format, st.sampled_from(ROUTES), numbers),
        st.builds("cold_start {}".format, numbers),
        st.builds("lag {}".format, st.integers(0, len(LAG_BOUNDS_S))),
        st.builds("reads {}".format, st.sampled_from(("L0", "L1", "L2"))),
        st.just("refusals budget"),
    ),
    counts.map(str),
    max_size=40,
)


def read(of: Mapping[str, Mapping[str, str]], deployment: str) -> Sample:
    return Sample.read(exposition(of).decode(), deployment)


def told(whole: Sample) -> dict[str, str]:
    """Return *whole* as the fields that are kept in the store; nothing of what is 0."""
    found = {
        " ".join((key, *labels)): str(count)
        for key, each in whole.counters.items()
        for labels, count in each.items()
        if count
    }
    for key, many in whole.histograms.items():
        for labels, buckets in many.items():
            found |= {" ".join((key, *labels, str(number))): str(count) for number, count in buckets.items()}
    return found


@settings(max_examples=25)
@given(fields, fields)
def test_all_counts_come_through_the_text_of_the_metrics(one: dict[str, str], other: dict[str, str]) -> None:
    """Which bounds are shown depends on what either deployment counted."""
    fleet = {"dpl_one": one, "dpl_other": other}

    assert told(read(fleet, "dpl_one")) == one
    assert told(read(fleet, "dpl_other")) == other
    assert told(read(fleet, "dpl_third")) == {}


@settings(max_examples=25)
@given(fields, fields)
def test_a_difference_is_what_was_counted_in_between(before: dict[str, str], more: dict[str, str]) -> None:
    after = {field: str(int(before.get(field, 0)) + int(more.get(field, 0))) for field in before | more}

    difference = read({"dpl_x": after}, "dpl_x") - read({"dpl_x": before}, "dpl_x")

    assert told(difference) == more


@settings(max_examples=25)
@given(fields)
def test_a_sample_that_was_kept_is_the_same(one: dict[str, str]) -> None:
    whole = read({"dpl_x": one}, "dpl_x")

    assert Sample.from_json(whole.to_json()) == whole


def test_less_than_before_is_no_difference() -> None:
    with pytest.raises(ValueError, match="warmthread_requests_total is less than it was"):
        sample(50) - sample(60)
    with pytest.raises(ValueError, match="warmthread_reads_total is less than it was"):
        Sample({"reads": {}}) - Sample({"reads": {("L1",): 3}})
    with pytest.raises(ValueError, match="warmthread_reads_total is less than it was"):
        Sample() - Sample({"reads": {("L1",): 3}})


def test_what_operators_and_crons_ask_is_not_judged() -> None:
    whole = read({"dpl_x": {f"requests {route} 2xx": "7" for route in ROUTES}}, "dpl_x")

    assert whole.requests() == {("GET", "/v1/a"): 7, ("POST", "/v1/b"): 7}


def test_series_that_only_newer_releases_count_are_taken_where_they_are() -> None:
    lines = [
        f'{SERIES[READS_BY_AGE].name}{{deployment="dpl_x",age="1",tier="L2"}} 4',
        f'{SERIES[YOUNG_DURATION].name}_bucket{{deployment="dpl_x",age="1",method="GET",route="/v1/a",le="0.002"}} 0',
        f'{SERIES[YOUNG_DURATION].name}_bucket{{deployment="dpl_x",age="1",method="GET",route="/v1/a",le="0.004"}} 3',
        f'{SERIES[YOUNG_DURATION].name}_bucket{{deployment="dpl_x",age="1",method="GET",route="/v1/a",le="+Inf"}} 3',
        'warmthread_unheard_of_total{deployment="dpl_x"} 9',
    ]
    whole = Sample.read("\n".join([*lines, ""]), "dpl_x")

    assert whole.tells(READS_BY_AGE)
    assert whole.counters[READS_BY_AGE] == {("1", "L2"): 4}
    assert whole.durations() == {("GET", "/v1/a", "1"): {96: 3}}
    assert not read({"dpl_x": {"reads L1": "1"}}, "dpl_x").tells(READS_BY_AGE)


def test_durations_of_first_requests_are_no_part_of_the_others() -> None:
    route = ("GET", "/v1/a")
    histograms: dict[str, dict[Labels, Buckets]] = {
        "duration": {route: {90: 10, 130: 2}},
        YOUNG_DURATION: {(AGES[0], *route): {90: 1, 130: 2}},
    }

    assert Sample(histograms=histograms).durations() == {(*route, AGES[0]): {90: 1, 130: 2}, (*route, ""): {90: 9}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<html>\n<body>Not here</body>", "could not read the metrics"),
        ('warmthread_loop_lag_seconds_bucket{deployment="x",le="0.7"} 1\n', "has a bound of '0.7', which is none"),
        (
            "".join(
                f'warmthread_loop_lag_seconds_bucket{{deployment="x",le="{le}"}} {count}\n'
                for le, count in (("0.001", 5), ("0.002", 4))
            ),
            "fewer up to a bound than up to a smaller one",
        ),
    ],
)
def test_what_is_no_metrics_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match="could not read the metrics") as refused:
        Sample.read(text, "x")

    assert said in str(refused.value)


def test_names_are_those_of_the_metrics() -> None:
    for key, series in SERIES.items():
        if key in METRICS:
            assert (series.name, series.labels) == (METRICS[key].name, METRICS[key].labels)
            assert series.bounds == tuple(METRICS[key].bounds)
