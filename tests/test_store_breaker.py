"""The breaker: when it keeps requests back, when it tries again, and that it never stays open for good."""

import pytest

from shared.store.breaker import COOL_DOWN_FIRST_S, COOL_DOWN_MAX_S, FAILURES_MAX, Breaker
from shared.store.failure import Sign
from tests.clocks import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def breaker(clock: ManualClock) -> Breaker:
    return Breaker(clock)


def attempt(breaker: Breaker, sign: Sign) -> None:
    ticket = breaker.enter()
    assert ticket is not None
    breaker.record(ticket, sign)


def open_up(breaker: Breaker) -> None:
    for _ in range(FAILURES_MAX):
        attempt(breaker, Sign.AWAY)


def test_failures_in_a_row_open_it(breaker: Breaker) -> None:
    for _ in range(FAILURES_MAX - 1):
        attempt(breaker, Sign.AWAY)
    assert breaker.wait_s() == 0
    attempt(breaker, Sign.AWAY)

    assert breaker.enter() is None
    assert COOL_DOWN_FIRST_S / 2 <= breaker.wait_s() <= COOL_DOWN_FIRST_S


def test_an_answer_between_them_keeps_it_closed(breaker: Breaker) -> None:
    for _ in range(5):
        for _ in range(FAILURES_MAX - 1):
            attempt(breaker, Sign.AWAY)
        attempt(breaker, Sign.THERE)

    assert breaker.wait_s() == 0


def test_what_says_nothing_changes_nothing(breaker: Breaker) -> None:
    for _ in range(FAILURES_MAX - 1):
        attempt(breaker, Sign.AWAY)
        attempt(breaker, Sign.NONE)
    attempt(breaker, Sign.AWAY)

    assert breaker.enter() is None


def test_after_the_cool_down_one_request_passes(breaker: Breaker, clock: ManualClock) -> None:
    open_up(breaker)
    clock.now_s += breaker.wait_s()
    permits = [breaker.enter() for _ in range(3)]

    assert [ticket is None for ticket in permits] == [False, True, True]


def test_its_success_closes_the_breaker(breaker: Breaker, clock: ManualClock) -> None:
    open_up(breaker)
    clock.now_s += breaker.wait_s()
    attempt(breaker, Sign.THERE)

    assert breaker.wait_s() == 0
    assert breaker.enter() is not None
    for _ in range(FAILURES_MAX - 1):
        attempt(breaker, Sign.AWAY)
    assert breaker.wait_s() == 0


def test_its_failure_starts_a_longer_cool_down_up_to_a_limit(breaker: Breaker, clock: ManualClock) -> None:
    open_up(breaker)
    cool_downs_s = []
    for _ in range(6):
        clock.now_s += breaker.wait_s()
        attempt(breaker, Sign.AWAY)
        cool_downs_s.append(breaker.wait_s())

    for cool_down_s, most_s in zip(cool_downs_s, (2.0, 4.0, 5.0, 5.0, 5.0, 5.0), strict=True):
        assert most_s / 2 <= cool_down_s <= most_s <= COOL_DOWN_MAX_S


def test_a_trial_that_never_ends_only_delays_the_next_one(breaker: Breaker, clock: ManualClock) -> None:
    open_up(breaker)
    clock.now_s += breaker.wait_s()
    lost = breaker.enter()
    clock.now_s += COOL_DOWN_MAX_S
    attempt(breaker, Sign.THERE)

    assert lost is not None
    assert breaker.wait_s() == 0


def test_stragglers_from_before_change_nothing(breaker: Breaker, clock: ManualClock) -> None:
    stragglers = [breaker.enter() for _ in range(2 * FAILURES_MAX)]
    open_up(breaker)
    cool_down_s = breaker.wait_s()
    for ticket in stragglers:
        assert ticket is not None
        breaker.record(ticket, Sign.AWAY)
    assert breaker.wait_s() == cool_down_s
    clock.now_s += cool_down_s
    attempt(breaker, Sign.THERE)
    for ticket in stragglers:
        assert ticket is not None
        breaker.record(ticket, Sign.AWAY)

    assert breaker.wait_s() == 0
