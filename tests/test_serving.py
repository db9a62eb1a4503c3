"""Local servers end when they are told to, and not when they look next."""

import threading

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from scripts.local import serving
from scripts.local.serving import QuietServer, loopback_listener, quiet_server


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


@pytest.fixture
def server() -> QuietServer:
    return quiet_server(answer, lifespan="off", http="h11", keep_alive_s=60)


def test_a_server_ends_at_a_word_with_a_connection_that_is_kept_alive(
    server: QuietServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "TICK_S", 3_600)
    with loopback_listener(0) as listener, httpx.Client() as client:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        assert client.get(f"http://127.0.0.1:{listener.getsockname()[1]}/").status_code == 204
        server.stop()
        thread.join(timeout=20)

    assert not thread.is_alive()
    server.stop()  # Nothing is left to end, and that is no error.


def test_a_server_that_was_told_before_it_began_ends_at_once(server: QuietServer) -> None:
    server.stop()
    with loopback_listener(0) as listener:
        server.run(sockets=[listener])

    assert server.started
