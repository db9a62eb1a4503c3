"""Evidence on canaries: e-values expect at most 1 of what is harmless, looked at at any time, and find what is not."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.releasing.checks import BETTER, WORSE, at_least, at_most
from scripts.releasing.evidence import Counted, Hypothesis, log_e_values, log_mean
from scripts.releasing.ledger import Ledger, needed

ALPHA, SEQUENCES, LOOKS = 0.05, 250, 50

shares = st.floats(0, 1)
counts = st.integers(0, 16)
ratios = st.floats(0.1, 5)
clumps = st.integers(1, 6)


def binomial(count: int, share: float) -> list[float]:
    return [math.comb(count, each) * share**each * (1 - share) ** (count - each) for each in range(count + 1)]


def expectations(
    hypothesis: Hypothesis, sizes: tuple[int, int], canary_share: float, stable_share: float, clump: int, together: int
) -> list[float]:
    """
    Return what each alternative's e-value is expected to be, by adding up all that may happen: *sizes* clumps of
    *together* requests a side, of which each has the event or has not.
    """
    n, m = sizes
    expected = [0.0] * len(hypothesis.alternatives)
    for events, likely in enumerate(binomial(n, canary_share)):
        for stable_events, likely_beside in enumerate(binomial(m, stable_share)):
            counted = Counted(together * events, together * n, together * stable_events, together * m)
            for at, log in enumerate(log_e_values(counted, hypothesis, clump)):
                expected[at] += likely * likely_beside * math.exp(log)
    return expected


@given(counts, counts, shares, shares, ratios, st.floats(0, 0.3), clumps, st.data())
def test_what_is_no_worse_than_harmless_expects_no_evidence(
    n: int, m: int, part: float, stable_share: float, ratio: float, excess: float, clump: int, data: st.DataObject
) -> None:
    together = data.draw(st.integers(1, clump))
    share = part * min(1.0, ratio * stable_share + excess)

    found = expectations(at_most(ratio, excess), (n, m), share, stable_share, clump, together)

    assert max(found) <= 1 + 1e-9


@given(counts, counts, shares, shares, ratios, st.floats(0, 0.3), clumps, st.data())
def test_what_is_harmful_expects_no_evidence_that_it_is_not(
    n: int, m: int, part: float, stable_share: float, ratio: float, excess: float, clump: int, data: st.DataObject
) -> None:
    together = data.draw(st.integers(1, clump))
    line = min(1.0, ratio * stable_share + excess)
    share = line + part * (1 - line)
    stable_share = min(stable_share, max(0.0, (share - excess) / ratio))

    found = expectations(at_least(ratio, excess), (n, m), share, stable_share, clump, together)

    assert max(found) <= 1 + 1e-9


@given(counts, shares, st.floats(0.01, 0.5), clumps)
def test_a_canary_alone_expects_no_evidence_below_its_line(n: int, part: float, line: float, clump: int) -> None:
    found = expectations(at_most(0.0, line), (n, 0), part * line, 0.0, clump, clump)

    assert max(found) <= 1 + 1e-9


@given(st.integers(1, 16), st.integers(1, 16), ratios)
def test_an_expectation_above_1_would_be_seen(n: int, m: int, ratio: float) -> None:
    stable_share = 0.4 / max(1.0, 2 * ratio)

    found = expectations(at_most(ratio), (n, m), min(1.0, 2 * ratio * stable_share), stable_share, 1, 1)

    assert found[0] > 1


def test_shares_may_differ_from_request_to_request() -> None:
    """Only their averages count: here a third of both sides' requests fail always, the others never."""
    hypothesis = at_most(1.0)

    logs = log_e_values(Counted(100, 300, 900, 2_700), hypothesis, 1)

    assert log_mean(logs) < 0


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(50, 200), st.integers(0, 90)), min_size=1, max_size=8),
    st.integers(0, 7),
    st.integers(1, 20),
)
def test_more_events_are_more_evidence(looks: list[tuple[int, int, int]], at: int, more: int) -> None:
    at %= len(looks)

    def logs(hypothesis: Hypothesis, extra: int) -> list[float]:
        totals = [0.0] * len(hypothesis.alternatives)
        for number, (events, requests, stable_events) in enumerate(looks):
            counted = Counted(events + (extra if number == at else 0), requests, stable_events, 900)
            totals = [own + log for own, log in zip(totals, log_e_values(counted, hypothesis, 3), strict=True)]
        return totals

    assert all(a > b for a, b in zip(logs(at_most(1.25, 0.002), more), logs(at_most(1.25, 0.002), 0), strict=True))
    assert all(a < b for a, b in zip(logs(at_least(1.0, 0.01), more), logs(at_least(1.0, 0.01), 0), strict=True))


def crossing_share(canary_share: float, stable_share: float, seed: int) -> tuple[float, float]:
    """
    Return how many of SEQUENCES of LOOKS at 100 requests beside 900 reach 1 / ALPHA at any look; how many a test for
    two shares calls significant at any look, that is made for one.
    """
    rng = np.random.default_rng(seed)
    crossed = naive = 0
    for _ in range(SEQUENCES):
        ledger, totals = Ledger(len(WORSE), 4, by_route=False), np.zeros(4)
        ledger.begin()
        is_crossed = is_naive = False
        events = rng.binomial(100, canary_share, LOOKS)
        stable_events = rng.binomial(900, stable_share, LOOKS)
        for own, others in zip(events.tolist(), stable_events.tolist(), strict=True):
            ledger.add_harm("", log_e_values(Counted(own, 100, others, 900), at_most(1.0), 1))
            ledger.close_look()
            is_crossed |= ledger.log_harmful >= needed(ALPHA)
            totals += [own, 100, others, 900]
            pooled = (totals[0] + totals[2]) / (totals[1] + totals[3])
            deviation = math.sqrt(pooled * (1 - pooled) * (1 / totals[1] + 1 / totals[3]))
            is_naive |= totals[0] / totals[1] - totals[2] / totals[3] > 1.645 * deviation > 0
        crossed += is_crossed
        naive += is_naive
    return crossed / SEQUENCES, naive / SEQUENCES


def test_fifty_looks_at_equals_alarm_no_more_often_than_one_is_allowed_to() -> None:
    crossed, naive = crossing_share(0.05, 0.05, seed=1)

    assert crossed <= ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / SEQUENCES)
    assert naive > 2 * ALPHA  # Looked at as often, a test that is made for one look does.


def test_fifty_looks_find_three_times_as_many_events() -> None:
    crossed, _ = crossing_share(0.06, 0.02, seed=2)

    assert crossed >= 0.99


def ledger_after(stages: Sequence[Sequence[Counted]], beginnings: int = 4) -> Ledger:
    ledger = Ledger(len(WORSE), beginnings, by_route=True)
    for looks in stages:
        ledger.begin()
        for counted in looks:
            ledger.add_harm("GET /a", log_e_values(counted, at_most(1.25, 0.002), 1))
        ledger.close_look()
    return ledger


def test_a_long_good_past_does_not_outvote_a_bad_present() -> None:
    good, bad = Counted(0, 1_000, 9, 9_000), Counted(20, 1_000, 9, 9_000)

    assert ledger_after([[good] * 50, [bad]]).log_harmful > needed(0.01)
    assert ledger_after([[good] * 50 + [bad]]).log_harmful < 0


def test_what_one_route_has_is_found_among_many() -> None:
    ledger = Ledger(len(WORSE), 1, by_route=True)
    ledger.begin()
    for _ in range(10):
        for number in range(20):
            counted = Counted(4 if number == 7 else 0, 60, 1, 540)
            ledger.add_harm(f"GET /{number}", log_e_values(counted, at_most(1.25, 0.002), 3))
    ledger.close_look()

    assert ledger.worst_route == "GET /7"
    assert ledger.log_harmful > needed(0.01)


@given(st.integers(1, 80), st.integers(1, 6), st.integers(0, 6))
def test_weights_add_up_to_1_so_that_nothing_is_evidence_of_nothing(routes: int, beginnings: int, begun: int) -> None:
    ledger = Ledger(len(BETTER), beginnings, by_route=True)
    for _ in range(min(begun, beginnings)):
        ledger.begin()
    for number in range(routes):
        ledger.add_harm(f"GET /{number}", [0.0] * len(BETTER))
    ledger.close_look()

    assert ledger.log_harmful == pytest.approx(0, abs=1e-9)
