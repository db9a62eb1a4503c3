"""An instance that was stopped goes on as if nothing had been: no burst of timers, and everything works."""

import platform

import pytest

from scripts.benchmarks import memory, suspend
from shared.process.allocator import give_memory_back

pytestmark = pytest.mark.unmeasured

PAUSE_S = 1.0


def test_timers_do_not_make_up_for_a_pause_and_everything_works_after_it() -> None:
    woken = suspend.measure(PAUSE_S)

    assert woken.longest_ms >= PAUSE_S * 900
    assert woken.looks <= woken.awake_ms + 2
    assert woken.first_ms.keys() == {"count", "append", "context"}


def test_the_memory_of_an_instance_is_looked_at_as_often_as_it_says() -> None:
    looks = memory.measure(40)

    assert [look.requests for look in looks] == list(range(0, 41, 2))
    assert all(look.resident_mb > 0 for look in looks)


def test_freed_memory_is_given_back_where_the_c_library_can() -> None:
    assert give_memory_back() == (platform.libc_ver()[0] == "glibc")
