"""Memory pressure: where the limit is read from, three steps that do not flap, and what each of them does."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from scripts.local.upstash import LocalUpstash
from shared.cache.l1 import L1
from shared.process import memory as pressure_module
from shared.process.memory import Pressure, Step, cgroup_limits, read_limit_bytes, read_resident_bytes
from tests.instances import running_instance

MIB = 1_048_576
NO_FILES: tuple[str, ...] = ()
SMALL = {"items": [{"role": "user", "content": "hello"}]}
LARGE = {"items": [{"role": "user", "content": "x" * 300_000}]}


class Value:
    def __init__(self, size_bytes: int) -> None:
        self.size_bytes = size_bytes


def steps(shares: list[float]) -> list[Step]:
    """Return the steps that follow when memory is used to *shares* of the limit, one look after the other."""
    left = iter(shares)
    pressure = Pressure(1_000, lambda: int(next(left) * 1_000))
    seen = []
    for _ in shares:
        time.sleep(pressure_module.LOOK_S)
        seen.append(pressure.look())
    return seen


def test_a_step_is_left_below_where_it_was_entered() -> None:
    shares = [0.5, 0.71, 0.69, 0.61, 0.6, 0.69, 0.86, 0.8, 0.76, 0.75, 0.65, 0.59]

    assert [int(step) for step in steps(shares)] == [0, 1, 1, 1, 0, 0, 2, 2, 2, 1, 1, 0]


def test_each_step_is_counted_from_either_side() -> None:
    shares = iter([0.71, 0.9, 0.7, 0.5, 0.71])
    pressure = Pressure(1_000, lambda: int(next(shares) * 1_000))
    for _ in range(5):
        time.sleep(pressure_module.LOOK_S)
        pressure.look()

    assert pressure.entered == {Step.NONE: 1, Step.HIGH: 3, Step.CRITICAL: 1}
    assert pressure.headroom_bytes == 290


def test_the_least_limit_that_is_known_counts(tmp_path: Path) -> None:
    v2, v1, none = tmp_path / "memory.max", tmp_path / "memory.limit_in_bytes", tmp_path / "unlimited"
    v2.write_text(f"{512 * MIB}\n")
    v1.write_text(f"{9_223_372_036_854_771_712}\n")
    none.write_text("max\n")
    paths = (str(v2), str(v1), str(tmp_path / "missing"))

    assert read_limit_bytes(0, "", NO_FILES) is None
    assert read_limit_bytes(0, "", (str(none), str(v1))) is None
    assert read_limit_bytes(0, "", paths) == 512 * MIB
    assert read_limit_bytes(0, "256", paths) == 256 * MIB
    assert read_limit_bytes(128 * MIB, "256", paths) == 128 * MIB


def test_limits_stand_with_the_own_groups_and_with_the_root(tmp_path: Path) -> None:
    own = tmp_path / "cgroup"
    own.write_text("4:memory:/service/one\n0::/\n")

    assert set(cgroup_limits(own)) == {
        "/sys/fs/cgroup/memory.max",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "/sys/fs/cgroup/service/one/memory.max",
        "/sys/fs/cgroup/memory/service/one/memory.limit_in_bytes",
    }
    assert len(cgroup_limits(tmp_path / "missing")) == 2


def test_without_a_limit_nothing_is_looked_at() -> None:
    pressure = Pressure(None, lambda: 1 // 0)

    assert pressure.look() is Step.NONE


def test_memory_is_given_back_while_it_is_pressed_and_not_at_every_request() -> None:
    calm, pressed = Pressure(1_000, lambda: 100), Pressure(1_000, lambda: 900)
    asked = []
    for pressure in (calm, pressed, pressed):
        pressure.look()
        asked.append(pressure.is_time_to_give_back())

    assert asked == [False, True, False]


def test_what_a_process_holds_is_read() -> None:
    before = read_resident_bytes()
    held = bytearray(b"x" * 64 * MIB)

    assert 48 * MIB < read_resident_bytes() - before < 160 * MIB
    del held


def test_l1_shrinks_at_once_and_grows_again() -> None:
    memory: L1[Value] = L1(100)
    for name in "abcd":
        memory.put((name,), Value(25))
    memory.limit(0.5)
    halved = memory.size_bytes
    memory.put(("e",), Value(40))
    after = memory.size_bytes
    memory.limit(0)
    emptied = memory.size_bytes
    memory.limit(1)
    memory.put(("f",), Value(100))

    assert (halved, after, emptied, memory.size_bytes) == (50, 40, 0, 100)


@pytest.fixture
def pressed(upstash: LocalUpstash, key: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    """An instance that has long used more memory than it may."""
    monkeypatch.setenv("WARMTHREAD_MEMORY_BYTES_MAX", str(8 * MIB))
    with running_instance() as url, httpx.Client(base_url=url, timeout=30) as client:
        client.headers["authorization"] = f"Bearer {key}"
        yield client


def test_an_instance_without_memory_serves_small_requests_from_the_store(pressed: httpx.Client) -> None:
    conversation = pressed.post("/v1/conversations", json=SMALL).json()["id"]
    refused = pressed.post("/v1/conversations", json=LARGE)
    path = f"/v1/conversations/{conversation}/context?budget=500"
    answers = [pressed.get(path) for _ in range(2)]

    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert refused.json()["error"]["code"] == "memory_pressed"
    assert all(answer.headers["cache-status"].endswith("L2") for answer in answers)
