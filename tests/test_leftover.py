"""A request that is refused while its body still comes gets its answer, not a reset."""

import json
import socket
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from shared.http.leftover import BYTES_MAX, DROP_S

MEGABYTE = 1_000_000


class Sender:
    """
    A client that writes all of its request before it reads a byte, as many do. With `Connection: close` the server
    closes the connection behind its answer, and resets it if there is something left.
    """

    def __init__(self, url: str, key: str) -> None:
        address = urlsplit(url)
        self._socket = socket.create_connection((address.hostname, address.port or 80), timeout=30)
        self._key = key

    def begin(self, path: str, *headers: str, connection: str = "close") -> None:
        headers = (f"Connection: {connection}", *headers)
        lines = [f"POST {path} HTTP/1.1", "Host: x", f"Authorization: Bearer {self._key}", *headers, "", ""]
        self._socket.sendall("\r\n".join(lines).encode())

    def send(self, body: bytes) -> None:
        self._socket.sendall(body)

    def answer(self) -> tuple[int, Any]:
        """Return the status and the body of the answer."""
        with self._socket.makefile("rb") as file:
            status = int(file.readline().split()[1])
            length = 0
            while line := file.readline().strip():
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            return status, json.loads(file.read(length))

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def sender(service_url: str, key: str) -> Iterator[Sender]:
    sender = Sender(service_url, key)
    yield sender
    sender.close()


@pytest.fixture
def stranger(service_url: str) -> Iterator[Sender]:
    sender = Sender(service_url, "wt_nobody_wrong")
    yield sender
    sender.close()


def send_whole(sender: Sender, path: str, size: int) -> tuple[int, Any]:
    sender.begin(path, f"Content-Length: {size}")
    sender.send(b" " * size)
    return sender.answer()


def test_a_body_over_the_limit_is_a_413_to_one_who_sends_it_all(sender: Sender) -> None:
    status, problem = send_whole(sender, "/v1/conversations", 6 * MEGABYTE)

    assert (status, problem["error"]["code"]) == (413, "too_large")


def test_so_is_one_whose_length_is_not_said(sender: Sender) -> None:
    sender.begin("/v1/conversations", "Transfer-Encoding: chunked")
    for _ in range(60):
        sender.send(b"%x\r\n%b\r\n" % (100_000, b" " * 100_000))
    sender.send(b"0\r\n\r\n")

    assert sender.answer()[0] == 413


@pytest.mark.parametrize(
    ("path", "status"), [("/v1/conversations", 401), ("/v1/v1/conversations", 404), ("/v1/usage", 405)]
)
def test_whatever_is_refused_unread_is_answered(stranger: Sender, path: str, status: int) -> None:
    assert send_whole(stranger, path, 4 * MEGABYTE)[0] == status


def test_the_connection_goes_on_behind_what_was_dropped(sender: Sender) -> None:
    sender.begin("/v1/conversations", f"Content-Length: {5 * MEGABYTE}", connection="keep-alive")
    sender.send(b" " * 5 * MEGABYTE)
    refused = sender.answer()[0]
    sender.begin("/v1/conversations", "Content-Length: 2")
    sender.send(b"{}")

    assert (refused, sender.answer()[0]) == (413, 200)


def test_only_so_much_is_dropped(sender: Sender) -> None:
    sender.begin("/v1/conversations", f"Content-Length: {1_000 * MEGABYTE}")

    assert BYTES_MAX - MEGABYTE <= taken(sender, 10 * BYTES_MAX) < 5 * BYTES_MAX


def taken(sender: Sender, bytes_max: int) -> int:
    """Send until the connection ends, and return how much that was."""
    for sent in range(0, bytes_max, MEGABYTE):
        try:
            sender.send(b" " * MEGABYTE)
        except OSError:
            return sent
    return bytes_max


def test_one_that_stalls_is_answered_soon(sender: Sender) -> None:
    sender.begin("/v1/conversations", f"Content-Length: {6 * MEGABYTE}")
    sender.send(b" " * 1_000)
    began_at_s = time.monotonic()

    assert sender.answer()[0] == 413
    assert time.monotonic() - began_at_s < DROP_S


def test_one_that_asks_first_need_not_send_it(sender: Sender) -> None:
    sender.begin("/v1/conversations", f"Content-Length: {6 * MEGABYTE}", "Expect: 100-continue")

    assert sender.answer()[0] == 413


def test_those_whose_rest_is_dropped_hold_no_turn(service_url: str, api: httpx.Client) -> None:
    many = [Sender(service_url, "wt_nobody_wrong") for _ in range(40)]
    try:
        for each in many:
            each.begin("/v1/conversations", f"Content-Length: {4 * MEGABYTE}")
            each.send(b" " * 20_000)

        assert api.get("/v1/usage").status_code == 200
        assert {each.answer()[0] for each in many} == {401}
    finally:
        for each in many:
            each.close()
