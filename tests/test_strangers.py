"""Whom the store did not confirm costs little: no slot while it is slow, nothing parsed, counted or fetched for it."""

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from scripts.faults.server import FaultyServer
from scripts.local.upstash import LocalUpstash
from shared.http.guard import CONFIRM_BYTES
from shared.process.memory import read_resident_bytes
from shared.request.concurrency import WORK_BYTES
from tests.log_lines import LogLines

Behind = Callable[..., httpx.Client]
STRANGERS = 60
FEW_SLOTS = 6
PATIENCE_S = 10
"""Below the 30 s after which an instance gives up, and with it a request that waits for a slot."""

HEAD = "POST /v1/conversations HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n{more}\r\n"


@pytest.fixture
def connect() -> Iterator[Callable[[httpx.Client, bytes], socket.socket]]:
    """Open a connection to an instance, and send something."""
    with contextlib.ExitStack() as stack:

        def send(client: httpx.Client, sent: bytes) -> socket.socket:
            address = urlsplit(str(client.base_url))
            opened = stack.enter_context(socket.create_connection((address.hostname, address.port)))
            opened.settimeout(PATIENCE_S)
            opened.sendall(sent)
            return opened

        yield send


def received(opened: socket.socket) -> bytes:
    """Return all that comes until the other side closes."""
    return b"".join(iter(lambda: opened.recv(65_536), b""))


def head(key: str, *more: str) -> bytes:
    return HEAD.format(key=key, more="".join(f"{line}\r\n" for line in more)).encode()


@pytest.mark.parametrize("sent", [b"", b"{", b"x" * CONFIRM_BYTES])
def test_slow_strangers_leave_the_slots_to_others(
    behind: Behind, connect: Any, key: str, sent: bytes, server: FaultyServer
) -> None:
    client = behind(memory_bytes_max=read_resident_bytes() + FEW_SLOTS * WORK_BYTES)
    client.timeout = httpx.Timeout(PATIENCE_S)
    for _ in range(STRANGERS):
        connect(client, head(f"{key}x", "Content-Length: 1000000") + sent)

    assert [client.get("/v1/conversations").status_code for _ in range(3)] == [200] * 3
    assert server.requests == 3


@pytest.mark.parametrize("more", ["Content-Length: 10", "Transfer-Encoding: chunked"])
def test_a_body_that_does_not_come_ends_the_request_and_the_connection(
    behind: Behind, connect: Any, key: str, more: str, server: FaultyServer
) -> None:
    client = behind(body_s=0.3)
    answer = received(connect(client, head(key, more)))

    assert answer.startswith(b"HTTP/1.1 408")
    assert b"\r\nconnection: close\r\n" in answer.lower()
    assert b"urn:warmthread:problem:body-late" in answer
    assert server.requests == 0


def test_a_body_that_comes_slowly_and_in_time_is_read(behind: Behind) -> None:
    client, text = behind(body_s=0.3), b"word " * 20_000

    def body() -> Iterator[bytes]:
        yield b'{"items":['
        for number in range(20):
            yield b'%b{"role":"user","content":"%b"}' % (b"," if number else b"", text)  # It earns 0.1 s.
            time.sleep(0.04)
        yield b"]}"

    assert client.post("/v1/conversations", content=body()).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/conversations", b'{"items":'),
        ("POST", "/v1/conversations/conv_1/items", b"no JSON"),
        ("POST", "/v1/conversations/conv_1/summary", b'{"through":1}'),
        ("POST", "/v1/tokens/count", b'{"model":"gpt-4o","input":1}'),
        ("POST", "/v1/reservations", b'{"tokens":"x"}'),
    ],
)
def test_what_a_stranger_sends_is_not_even_found_to_be_wrong(
    api: httpx.Client, upstash: LocalUpstash, key: str, method: str, path: str, body: bytes
) -> None:
    upstash.reset()
    answer = api.request(method, path, content=body, headers={"authorization": f"Bearer {key}x"})

    assert (answer.status_code, upstash.requests) == (401, 1)


def test_a_key_that_was_confirmed_here_needs_no_word_of_it_before_its_next_append(
    make_api: Callable[[], httpx.Client], upstash: LocalUpstash
) -> None:
    client, seen = make_api(), []
    for _ in range(2):
        upstash.reset()
        assert client.post("/v1/conversations", json={"items": [{"role": "user", "content": "hi"}]}).status_code == 200
        seen.append(upstash.requests)

    assert seen == [2, 1]


def test_no_document_is_fetched_for_a_stranger(service: httpx.Client, front: FaultyServer, key: str) -> None:
    for wrong in (f"Bearer {key}x", "Bearer wt_nobody_atall12345"):
        assert service.get("/v1/documents/a.md", headers={"authorization": wrong}).status_code == 401
    assert front.requests == 0


def test_strangers_at_work_are_few_and_the_others_get_their_turn(
    behind: Behind, server: FaultyServer, connect: Any, key: str
) -> None:
    client = behind(strangers_max=2)
    assert client.get("/v1/conversations").status_code == 200
    server.delay_s = 1.0
    before = server.requests
    line = f"GET /v1/conversations HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {key}x\r\n\r\n"
    strangers = [connect(client, line.encode()) for _ in range(6)]
    time.sleep(0.4)
    at_work = server.requests - before
    answer = client.get("/v1/conversations")

    assert 1 <= at_work <= 2  # Those of one tick share a request.
    assert answer.status_code == 200
    assert [received(each)[:12] for each in strangers] == [b"HTTP/1.1 401"] * 6


def test_one_that_goes_away_in_the_middle_of_its_body_is_no_bug(
    behind: Behind, connect: Any, key: str, logged: LogLines
) -> None:
    client = behind()
    for _ in range(3):
        connect(client, head(f"{key}x", "Content-Length: 10") + b"{").close()
    time.sleep(0.2)

    assert client.get("/v1/conversations").status_code == 200
    assert logged.messages("unhandled") == []
