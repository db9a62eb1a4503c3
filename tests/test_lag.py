"""The probe sees what holds the loop, and the pool lets go of it."""

import asyncio
import gc
import platform
import sys
import threading
import time

import pytest

from scripts.benchmarks import lag
from shared.process.garbage import COLLECT_S, GIVE_BACK_LATEST_S, GIVE_BACK_S, SWITCH_S, Upkeep, take_short_turns
from shared.process.lag import BOUNDS_MS, Lag, LagProbe
from shared.process.memory import read_resident_bytes
from shared.process.pool import Pool

pytestmark = pytest.mark.timing

HELD_S = 0.04


async def test_the_probe_sees_how_long_the_loop_was_held() -> None:
    with LagProbe() as probe:
        await asyncio.sleep(0.01)
        time.sleep(HELD_S)  # noqa: ASYNC251 - that is what is measured.
        await asyncio.sleep(0.01)
    seen = probe.seen()

    assert HELD_S * 1_000 * 0.9 <= seen.max_ms <= 5_000
    assert sum(seen.counts) == seen.looks
    assert seen.share_ms(1) == pytest.approx(seen.max_ms)
    assert seen.share_ms(0.1) <= BOUNDS_MS[2]


async def test_a_wait_is_ours_for_as_long_as_the_process_ran() -> None:
    with LagProbe() as probe:
        await asyncio.sleep(0.01)
        time.sleep(HELD_S)  # noqa: ASYNC251 - the process waits, and does not run.
        await asyncio.sleep(0.01)
        waited = probe.seen()
        end_s = time.process_time() + HELD_S
        while time.process_time() < end_s:
            pass
        await asyncio.sleep(0.01)
    ran = probe.seen()

    assert waited.ran_max_ms < HELD_S * 1_000 <= waited.max_ms * 1.1
    assert HELD_S * 1_000 * 0.9 <= ran.ran_max_ms <= ran.max_ms


def test_the_machine_s_own_gaps_are_measured() -> None:
    [gaps] = lag.the_machine(0.05).lags

    assert 0 < gaps.max_ms < 5_000


async def test_a_probe_that_was_left_looks_no_more() -> None:
    with LagProbe() as probe:
        await asyncio.sleep(0.005)
    before = probe.seen()
    await asyncio.sleep(0.005)

    assert probe.seen() == before


def test_garbage_is_collected_while_nothing_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    passed_s = [0.0]
    made: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "stop" and info["generation"]:
            made.append(info["generation"])

    monkeypatch.setattr("shared.process.garbage.monotonic", lambda: passed_s[0])
    thresholds, interval_s = gc.get_threshold(), sys.getswitchinterval()
    take_short_turns()
    gc.callbacks.append(note)
    try:
        upkeep = Upkeep()
        kept = [[[number]] for number in range(200_000)]
        assert (len(kept), made) == (200_000, [])
        upkeep.do_what_is_due(is_idle=True)
        upkeep.do_what_is_due(is_idle=True)
        assert made == [1]
        passed_s[0] += COLLECT_S
        upkeep.do_what_is_due(is_idle=True)
        upkeep.do_what_is_due(is_idle=True)
        assert made == [1, 2]
    finally:
        gc.callbacks.remove(note)
        gc.set_threshold(*thresholds)
        gc.unfreeze()
        sys.setswitchinterval(interval_s)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="others give back by themselves, or not at all")
@pytest.mark.parametrize("is_idle", [True, False])
def test_what_is_free_between_what_stays_is_given_back_now_and_then(
    is_idle: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed_s = [0.0]
    monkeypatch.setattr("shared.process.garbage.monotonic", lambda: passed_s[0])
    upkeep = Upkeep()
    gc.collect()
    many = [bytes(4_000) for _ in range(10_000)]
    stays = many[::50]
    del many
    gc.collect()

    def freed_bytes() -> int:
        before = read_resident_bytes()
        upkeep.do_what_is_due(is_idle=is_idle)
        return before - read_resident_bytes()

    passed_s[0] += (GIVE_BACK_S if is_idle else GIVE_BACK_LATEST_S) - 1
    assert freed_bytes() < 1_000_000
    passed_s[0] += 1
    assert freed_bytes() > 20_000_000
    assert len(stays) == 200


async def test_python_code_in_the_pool_lets_the_loop_run() -> None:
    loop, has_begun, may_end = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

    def work() -> int:
        count = 0
        loop.call_soon_threadsafe(has_begun.set)
        while not may_end.is_set():
            count += 1
        return count

    thresholds, interval_s = gc.get_threshold(), sys.getswitchinterval()
    take_short_turns()
    try:
        running = asyncio.create_task(Pool(1).run(work))
        await has_begun.wait()
        assert sys.getswitchinterval() == pytest.approx(SWITCH_S)
        may_end.set()
        assert await running >= 0
    finally:
        gc.set_threshold(*thresholds)
        sys.setswitchinterval(interval_s)


async def test_what_is_small_stays_on_the_loop() -> None:
    pool, here = Pool(1), threading.get_ident()

    assert await pool.run_when(False, threading.get_ident) == here
    assert await pool.run_when(True, threading.get_ident) != here


def test_the_result_tells_our_rows_from_the_naive_ones_the_machine_and_an_encoding() -> None:
    waits = lag.Figures([Lag(10, 9.0, [0] * len(BOUNDS_MS), ran_max_ms=4.0)], [], [], set())
    naive = f"{lag.NAIVE_ROWS[0]}: {lag.NAIVE_DESIGNS['orjson']}"
    rows = dict.fromkeys([lag.THE_MACHINE, lag.ENCODING, "append: all quotes", naive], waits)

    assert lag.document(rows) == {
        "what": "lag",
        "rows": {"append: all quotes": {"max_ms": 9.0, "ours_ms": 4.0}},
        "machine_ms": 9.0,
        "encoding_ms": 9.0,
    }
