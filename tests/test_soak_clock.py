"""A store whose time is compressed: lives end sooner, its clock runs faster, leases last as long as they did."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from scripts.faults.compression import Compression
from scripts.faults.halfway import end_half_way
from scripts.faults.server import FaultyServer
from scripts.local.upstash import LocalUpstash

FACTOR = 504.0
WEEK_S = 604_800
DECLARED = "#!lua flags=allow-key-locking\n"


@pytest.fixture(scope="module")
def clock() -> Compression:
    now_unix_s = float(int(time.time()))
    return Compression(FACTOR, now_unix_s, now_unix_s + 86_400)


@pytest.fixture(scope="module")
def compressed(upstash: LocalUpstash, clock: Compression) -> Iterator[Callable[..., Any]]:
    """Runs a command on a store whose time is compressed."""
    headers = {"authorization": f"Bearer {upstash.token}"}
    with FaultyServer(upstash.url) as server, httpx.Client(base_url=server.url, headers=headers) as client:
        server.clock = clock
        yield lambda *command: client.post("/", json=command).json()["result"]


@pytest.fixture
def real_ms(run: Callable[..., Any]) -> Callable[[str], int]:
    """Returns how long a key has to live for real."""
    return lambda key: int(run("PTTL", key))


LIVES = {
    "EXPIRE": ("EXPIRE", "KEY", WEEK_S),
    "PEXPIRE": ("PEXPIRE", "KEY", WEEK_S * 1_000),
    "EXPIREAT": ("EXPIREAT", "KEY", "MOMENT"),
    "PEXPIREAT": ("PEXPIREAT", "KEY", "MOMENT000"),
    "SET EX": ("SET", "KEY", "EX", "EX", WEEK_S),
    "SET PX": ("SET", "KEY", "v", "px", WEEK_S * 1_000),
    "SET XX EXAT": ("SET", "KEY", "v", "XX", "EXAT", "MOMENT"),
    "SETEX": ("SETEX", "KEY", WEEK_S, "v"),
    "GETEX": ("GETEX", "KEY", "EX", WEEK_S),
}


@pytest.mark.parametrize("is_scripted", [True, False], ids=["script", "alone"])
@pytest.mark.parametrize("name", LIVES)
def test_a_week_ends_in_twenty_minutes(
    name: str, is_scripted: bool, compressed: Callable[..., Any], real_ms: Callable[[str], int], clock: Compression
) -> None:
    key, moment = f"soak:{name}:{is_scripted}", str(int(clock.now()) + WEEK_S)
    parts = [str(part).replace("KEY", key).replace("MOMENT", moment) for part in LIVES[name]]
    compressed("SET", key, "v")
    if is_scripted:
        compressed("EVAL", f"{DECLARED}return redis.call(unpack(ARGV))", 1, key, *parts)
    else:
        compressed(*parts)

    assert 1_195_000 < real_ms(key) <= 1_200_000 + 3_000  # A week is 1,200 s; moments are whole seconds of its clock.
    assert compressed("TTL", key) == pytest.approx(WEEK_S, abs=5 * FACTOR)
    assert compressed("PTTL", key) == pytest.approx(WEEK_S * 1_000, abs=5_000 * FACTOR)


def test_a_lease_lasts_as_long_as_the_work_that_it_bounds(
    compressed: Callable[..., Any], real_ms: Callable[[str], int]
) -> None:
    compressed("SET", "soak:lease", "holder", "NX", "PX", 60_000)

    assert real_ms("soak:lease") > 50_000


def test_no_life_becomes_none_and_none_becomes_a_life(
    compressed: Callable[..., Any], real_ms: Callable[[str], int]
) -> None:
    compressed("SET", "soak:kept", "v")
    compressed("SET", "soak:short", "v", "PX", 1)
    compressed("SET", "soak:ended", "v")
    compressed("EXPIRE", "soak:ended", 0)

    assert (compressed("TTL", "soak:kept"), compressed("PTTL", "soak:none")) == (-1, -2)
    assert real_ms("soak:kept") == -1
    assert compressed("EXISTS", "soak:ended") == 0


@pytest.mark.parametrize("source", ["return redis.call('TIME')", f"{DECLARED}return redis.pcall('time')"])
def test_the_clock_of_scripts_runs_as_that_of_instances(
    source: str, compressed: Callable[..., Any], clock: Compression
) -> None:
    before_s = clock.now()
    seconds, us = map(int, compressed("EVAL", source, 0))

    assert before_s - 1e-3 <= seconds + us / 1e6 <= clock.now()
    assert 0 <= us < 1_000_000
    assert int(compressed("TIME")[0]) >= seconds


def test_a_script_may_have_compressed_time_and_end_half_way(compressed: Callable[..., Any], clock: Compression) -> None:
    source = f"{DECLARED}redis.call('SET', KEYS[1], 'v', 'EX', 604800)\nreturn redis.call('PTTL', KEYS[1])"
    body = json.dumps(["EVAL", source, 1, "soak:both"]).encode()

    name, wrapped, *rest = json.loads(clock.compress(end_half_way(body, lambda _: 2)))
    assert wrapped.startswith(DECLARED)
    assert (name, rest) == ("EVAL", [1, "soak:both"])
    assert wrapped.count("\n") == source.count("\n")
    assert compressed("EVAL", source, 1, "soak:both") == pytest.approx(WEEK_S * 1_000, abs=FACTOR)
