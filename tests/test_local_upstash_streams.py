"""
Subscriptions and MONITOR over server-sent events: what they carry, when they end, and that nothing is left of them.
"""

import contextlib
import re
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from scripts.local.resp import WAITING_BYTES_MAX
from scripts.local.streams import STREAMS_MAX
from scripts.local.upstash import LocalUpstash

EVENTS = {"Accept": "text/event-stream"}


@pytest.fixture
def client(upstash: LocalUpstash) -> Iterator[httpx.Client]:
    with _client(upstash) as client:
        yield client


def _client(upstash: LocalUpstash) -> httpx.Client:
    limits = httpx.Limits(max_connections=None)
    headers = {"Authorization": f"Bearer {upstash.token}"}
    return httpx.Client(base_url=upstash.url, headers=headers, timeout=10, limits=limits)


def command(client: httpx.Client, *arguments: object) -> Any:
    return client.post("/", json=arguments).json().get("result")


@contextlib.contextmanager
def stream(client: httpx.Client, path: str, method: str = "POST") -> Iterator[Iterator[str]]:
    """Open a stream and yield its lines, the empty ones left out."""
    with client.stream(method, path, headers=EVENTS) as response:
        assert response.status_code == 200, response.read()
        assert response.headers["content-type"] == "text/event-stream"
        yield (line for line in response.iter_lines() if line)


def wait_until(holds: Callable[[], bool]) -> None:
    give_up_at_s = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < give_up_at_s
        time.sleep(0.01)


def test_a_subscription_gets_what_is_published(client: httpx.Client) -> None:
    with stream(client, "/subscribe/s%3Aone/s:two") as lines:
        assert [next(lines), next(lines)] == ["data: subscribe,s:one,1", "data: subscribe,s:two,2"]
        assert command(client, "PUBLISH", "s:two", "a, b") == 1
        assert client.get("/publish/s:one/漢字").json() == {"result": 1}

        assert [next(lines), next(lines)] == ["data: message,s:two,a, b", "data: message,s:one,漢字"]


def test_a_pattern_gets_the_channels_that_match(client: httpx.Client) -> None:
    with stream(client, "/PSubscribe/p:*", "GET") as lines:
        assert next(lines) == "data: psubscribe,p:*,1"
        command(client, "PUBLISH", "other", "1")
        command(client, "PUBLISH", "p:x", '{"a":1}')

        assert next(lines) == 'data: pmessage,p:*,p:x,{"a":1}'


def test_each_line_of_a_message_is_a_line_of_its_event(client: httpx.Client) -> None:
    with client.stream("POST", "/subscribe/lines", headers=EVENTS) as response:
        pieces = response.iter_raw()
        assert next(pieces) == b"data: subscribe,lines,1\n\n"
        command(client, "PUBLISH", "lines", "a\nb\r\nc\rdata: d")

        assert next(pieces) == b"data: message,lines,a\ndata: b\ndata: c\ndata: data: d\n\n"


def test_monitor_shows_each_command_and_no_address(client: httpx.Client) -> None:
    with stream(client, "/monitor") as lines:
        assert next(lines) == 'data: "OK"'
        command(client, "SET", "monitor:k", 'v "w"')
        command(client, "EVAL", "return redis.call('GET', KEYS[1])", 1, "monitor:k")

        seen = [next(lines) for _ in range(3)]
    times = [re.sub(r"^data: \d+\.\d{6} ", "", line) for line in seen]
    assert times[0] == r'[0 0.0.0.0:0] "SET" "monitor:k" "v \"w\""'
    assert times[2] == '[0 lua] "GET" "monitor:k"'


@pytest.mark.parametrize(
    ("path", "headers", "status", "error"),
    [
        ("/subscribe/c", {}, 400, "ERR Command is not available: 'SUBSCRIBE'"),
        ("/subscribe", EVENTS, 400, "ERR wrong number of arguments for 'subscribe' command"),
        ("/subscribe/c", {**EVENTS, "Authorization": "Bearer wrong"}, 401, "WRONGPASS invalid or missing auth token"),
    ],
)
def test_what_cannot_be_streamed_is_an_error(
    client: httpx.Client, path: str, headers: dict[str, str], status: int, error: str
) -> None:
    answer = client.post(path, headers=headers)

    assert (answer.status_code, answer.json()) == (status, {"error": error})


def test_a_stream_ends_with_its_client_and_leaves_nothing(client: httpx.Client, upstash: LocalUpstash) -> None:
    with _client(upstash) as other, stream(other, "/subscribe/gone") as lines:
        next(lines)
        assert command(client, "PUBSUB", "NUMSUB", "gone") == ["gone", 1]

    wait_until(lambda: command(client, "PUBSUB", "NUMSUB", "gone") == ["gone", 0])


def test_streams_are_bounded_in_number(upstash: LocalUpstash) -> None:
    with _client(upstash) as client, contextlib.ExitStack() as stack:
        opened = [stack.enter_context(stream(client, "/subscribe/many")) for _ in range(STREAMS_MAX)]
        assert {next(lines) for lines in opened} == {"data: subscribe,many,1"}
        refused = client.post("/subscribe/many", headers=EVENTS)
        others = command(client, "PING")

    assert refused.json() == {"error": "ERR max concurrent connections exceeded"}
    assert others == "PONG"


def test_a_client_that_does_not_read_is_cut_off(client: httpx.Client) -> None:
    megabyte = "x" * 1_000_000
    with client.stream("POST", "/subscribe/slow", headers=EVENTS) as response:
        pieces = response.iter_raw()
        next(pieces)
        sent = 0
        while command(client, "PUBLISH", "slow", megabyte) == 1:
            sent += 1
            assert sent < 100

        assert sent > WAITING_BYTES_MAX // 1_000_000
        with contextlib.suppress(httpx.RemoteProtocolError):
            assert sum(map(len, pieces)) < (sent + 1) * 1_000_100


def test_the_server_stops_at_once_with_streams_open() -> None:
    ended = threading.Event()

    def listen(upstash: LocalUpstash, begun: threading.Event) -> None:
        with _client(upstash) as client, stream(client, "/subscribe/end") as lines:
            next(lines)
            begun.set()
            assert list(lines) == []
        ended.set()

    with LocalUpstash() as upstash:
        begun = threading.Event()
        threading.Thread(target=listen, args=(upstash, begun), daemon=True).start()
        assert begun.wait(10)
        stopped_at_s = time.monotonic()
    assert time.monotonic() - stopped_at_s < 1.5, "the grace for open answers is 2 s"
    assert ended.wait(5)
