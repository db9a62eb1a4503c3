"""The benchmarks measure what they say: the network that the proxy stands for, and every row of `bench store`."""

import argparse
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.benchmarks import (
    against,
    compression,
    guard,
    lag,
    lag_bodies,
    neighbours,
    parse,
    peers,
    primaries,
    store,
    warm,
)
from scripts.benchmarks.delay_proxy import DelayProxy, Target
from scripts.local.serving import loopback_listener
from scripts.measuring import tables
from scripts.measuring.environment import ROOT
from shared.context.render import FORMATS

pytestmark = pytest.mark.unmeasured

RECEIVE_BYTES = 65_536


@pytest.fixture
def echo_port() -> Iterator[int]:
    """A server that sends back what it receives, on each connection until that is closed."""

    def echo(client: socket.socket) -> None:
        with client:
            while data := client.recv(RECEIVE_BYTES):
                client.sendall(data)

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=echo, args=(client,), daemon=True).start()

    listener = loopback_listener(0)
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


def exchange(client: socket.socket, data: bytes) -> bytes:
    client.sendall(data)
    received = b""
    while len(received) < len(data):
        received += client.recv(RECEIVE_BYTES)
    return received


def test_the_proxy_takes_a_round_trip_for_a_request_and_another_for_a_new_connection(echo_port: int) -> None:
    with (
        DelayProxy(Target(port=echo_port), delay_ms=20) as proxy,
        socket.create_connection(("127.0.0.1", proxy.port)) as client,
    ):
        begin_s = time.monotonic()
        exchange(client, b"a")
        first_s = time.monotonic() - begin_s
        begin_s = time.monotonic()
        exchange(client, b"b")
        second_s = time.monotonic() - begin_s

        assert first_s >= 0.038
        assert second_s >= 0.02
        assert proxy.round_trips == 3


def test_the_proxy_keeps_bytes_in_order_when_the_delay_changes(echo_port: int) -> None:
    data = b"".join(b"%08d" % number for number in range(50_000))
    with (
        DelayProxy(Target(port=echo_port), delay_ms=10) as proxy,
        socket.create_connection(("127.0.0.1", proxy.port)) as client,
    ):
        sender = threading.Thread(target=client.sendall, args=(data,))
        sender.start()
        proxy.delay_ms = 0
        received = b""
        while len(received) < len(data):
            received += client.recv(RECEIVE_BYTES)
        sender.join()

        assert received == data


def test_the_proxy_closes_what_has_no_server() -> None:
    with loopback_listener(0) as free:
        port = free.getsockname()[1]
    with (
        DelayProxy(Target(port=port)) as proxy,
        socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as client,
    ):
        assert client.recv(1) == b""


@pytest.mark.timing
def test_every_operation_of_ours_has_its_row_with_requests_and_commands() -> None:
    operations, protocols, l1, at_once = store.measure([1], runs=2, rounds=1)

    rows = [line.strip("| ").split(" | ") for line in operations.splitlines()[2:]]
    assert [row[0] for row in rows] == list(store.ROWS.values())
    # Deleting takes the most: 9, and 1 where a portion of the bytes of its tenant goes with it.
    assert [row for row in rows if float(row[1]) > 1 or float(row[2]) > 10] == []
    assert len(protocols.splitlines()) == 2 + len(store.ROWS)
    assert "1 ms, HTTP | 1 ms, RESP" in protocols
    assert "µs (p50 / p95)" in l1
    assert len(at_once.splitlines()) == 2 + len(store.AT_ONCE_ROWS)


def test_what_a_primary_carries_is_measured_for_one_and_three(capsys: pytest.CaptureFixture[str]) -> None:
    assert primaries.run(argparse.Namespace(quick=True, rounds=20)) == 0
    rows = [line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines()[2:]]

    assert [row[:2] for row in rows] == [[one, replicas] for one in "13" for replicas in "01"]
    assert all(float(row[4]) < 10 and float(row[5].replace(",", "")) > 0 for row in rows)


def test_two_checkouts_are_measured_in_turns_and_do_the_same_here() -> None:
    table = against.measure(ROOT, against.CONTEXT_ROWS, starts=1, pairs=1, runs=2, items=40)

    rows = [line.strip("| ").split(" | ") for line in table.splitlines()[2:]]
    assert [row[0] for row in rows] == list(against.CONTEXT_ROWS.values())
    for *_, there, here in rows:
        (asked, commands), (asked_here, commands_here) = (each.split(", ") for each in (there, here))
        assert asked == asked_here
        # Where a portion of the bytes of its tenant is counted the append takes one more.
        assert abs(float(commands) - float(commands_here)) < 1
    requests = {row[0]: row[-1].partition(",")[0] for row in rows}
    assert {requests[f"context, from memory, as {form}"] for form in FORMATS} == {"0"}
    assert {requests[f"context, after an append of 2, as {form}"] for form in FORMATS} == {"2"}


async def test_the_guard_is_measured_for_each_kind_of_tenant_and_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "BLOCK", 10)
    monkeypatch.setattr(guard, "STEP_RUNS", 200)
    whole, lots, steps, told = await guard.measure(1)

    rows = [line.strip("| ").split(" | ")[0] for line in whole.splitlines()[2:]]
    assert rows == [guard.BARE, *(f"a tenant with {name}" for name in guard.LIMITS)]
    assert lots.startswith("Of 80 reads from memory, ")
    assert len(steps.splitlines()) == 2 + 7
    assert len(told.splitlines()) == 2 + 4


def test_a_caller_is_measured_beside_nothing_strangers_and_large_pages() -> None:
    alone, beside_strangers, beside_pages = neighbours.measure(1).values()

    for row in (alone, beside_strangers, beside_pages):
        assert row.caller_ms
        assert row.caller_refused == 0
    assert alone.others == beside_strangers.others == []
    assert all(answer.status == 200 for answer in beside_pages.others)


def test_every_shape_of_lag_has_its_row_with_the_answers_it_should_have() -> None:
    rows = lag.measure(runs=1, share=lag_bodies.SHORT_SHARE)
    wanted = {*lag_bodies.appends(), *lag_bodies.counts()}
    wanted |= {f"{name}, {tier}" for name in lag.READ_QUERIES for tier in ("L0", "L1", "L2")}
    wanted |= {f"{name}, {tier}" for name in lag.MANY_QUERIES for tier in ("L1", "L2")}
    wanted |= {f"{name}: {title}" for name in lag.NAIVE_ROWS for title in lag.NAIVE_DESIGNS.values()}

    assert wanted <= rows.keys()
    assert {
        name: figures.statuses for name, figures in rows.items() if any(each < 0 for each in figures.statuses)
    } == {}
    assert all(len(rows[name].small_ms) == lag.SMALL_REQUESTS_SHORT for name in wanted)
    assert len(lag.table(rows).splitlines()) == len(rows) + 2


def test_every_shape_that_the_limits_come_from_is_measured() -> None:
    assert [row[0] for row in parse.measure(runs=1)] == [
        *(f"a string of {name}" for name in parse.TEXTS),
        *(f"a list of {name}" for name in parse.VALUES),
    ]
    assert [int(row[0]) for row in compression.measure(runs=1)] == list(compression.ITEMS)


def test_a_peer_that_was_not_measured_at_every_delay_has_no_row() -> None:
    whole, part = peers.ENTRIES[:2]
    figures = peers.Figures([2.0, 4.0, 3.0], [20, 20, 20], round_trips=3, commands=12)
    results: peers.Results = {
        ("read last", 1, whole): figures,
        ("read last", 5, whole): figures,
        ("read last", 1, part): figures,
    }

    lines = peers.section_table(results, "read last", [1, 5]).splitlines()
    assert lines[2:] == [f"| {whole.name} | HTTP | 1 | 4 | 3.00 / 4.00 | 3.00 | 3.00 / 4.00 | 0.60 |"]


def test_a_percentile_is_one_of_the_samples() -> None:
    assert [tables.percentile([3, 1, 2, 4], share) for share in (0, 0.5, 0.95)] == [1, 2, 4]


def test_a_ratio_is_the_median_of_those_of_the_pairs() -> None:
    assert tables.ratio([2.0], [1.0]) == "0.50"
    assert tables.ratio([1.0, 10.0, 1.0], [2.0, 5.0, 1.0]) == "1.00 (0.75 to 1.50)"


def test_the_warming_benchmark_counts_hits_of_a_fresh_instance(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trace = tmp_path / "trace.jsonl"
    requests = [[0, 1], [0, 2], [0, 1], [0, 2], [0, 3]]
    trace.write_text("".join(f'{{"timestamp": {at}, "hash_ids": {each}}}\n' for at, each in enumerate(requests)))
    status = warm.run(argparse.Namespace(trace=trace, splits=[3], requests=2))

    assert status == 0
    # Without warming the second request finds block 0; after it blocks 0 and 2 are there, and 0 again.
    assert "| 3 | 4 | 1 | 0 | 3 | 3 | 0 | 1 | 3.00 |" in capsys.readouterr().out
