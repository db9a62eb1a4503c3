"""How late loops were in each few seconds, as instances hand it over."""

from typing import Any

from scripts.local.upstash import LocalUpstash
from scripts.proving.load.lateness import LATE_FROM, Lateness
from shared.environment import read_settings
from shared.store import keys
from shared.store.upstash import Store
from shared.telemetry.series import LAG_BOUNDS_S


async def test_windows_hold_what_was_handed_over_in_each() -> None:
    with LocalUpstash() as server:
        store = Store(read_settings({"UPSTASH_REDIS_REST_URL": server.url, "UPSTASH_REDIS_REST_TOKEN": server.token}))
        lateness = Lateness(store)

        async def hand_over(deployment: str, in_time: int, late: int, longest_us: int) -> None:
            counted: list[Any] = ["lag 0", in_time, f"lag {LATE_FROM}", late, "lag sum", 7]
            maxima: list[Any] = ["lag_max", longest_us]
            names = [keys.metrics_key(deployment), keys.METRICS_KEY]
            await store.eval("metrics", names, [deployment, 1_000, 60, 600, 100, 20, 3, 1, *counted, *maxima])

        await hand_over("dpl_1", 10, 0, 900)
        await lateness.end()
        await hand_over("dpl_1", 5, 5, 12_000)
        await hand_over("dpl_2", 2, 1, 30_500)
        await lateness.end()
        found = await lateness.end()
        await store.close()

    assert found.windows == ((10, 0), (13, 6))
    assert (found.looks, found.late, found.max_ms) == (23, 6, 30.5)


def test_late_is_what_was_over_ten_milliseconds() -> None:
    assert LAG_BOUNDS_S[LATE_FROM - 1] <= 0.010 < LAG_BOUNDS_S[LATE_FROM]
