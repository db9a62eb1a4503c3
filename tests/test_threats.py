"""What docs/threats.md says stands against whoever means harm, as far as no other file shows it."""

import logging
import re
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from scripts.faults.server import Fault, FaultyServer
from scripts.local.serving import loopback_listener
from scripts.local.upstash import LocalUpstash
from tests.bearers import NOTICE
from tests.log_lines import LogLines

ROOT = Path(__file__).parents[1]
MARK = "xyzzy-4711"
"""What must not be found where it does not belong."""


class Bait:
    """A server that nobody has any business with; *visits* counts who connected."""

    def __init__(self, listener: socket.socket) -> None:
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self.visits = 0
        self._listener = listener

    def wait(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.visits += 1
            client.close()


@pytest.fixture
def bait() -> Iterator[Bait]:
    with loopback_listener(0) as listener:
        bait = Bait(listener)
        thread = threading.Thread(target=bait.wait, daemon=True)
        thread.start()
        yield bait
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_no_address_that_a_caller_names_is_fetched(api: httpx.Client, bait: Bait) -> None:
    parts = [
        {"type": "input_image", "image_url": f"{bait.url}/a.png", "detail": "high"},
        {"type": "input_file", "file_url": f"{bait.url}/a.txt"},
        {"type": "input_file", "file_url": f"document:{bait.url.removeprefix('http://')}/a.txt"},
        {"type": "input_text", "text": f"{bait.url}/b"},
    ]
    items: list[Any] = [{"role": "user", "content": [part]} for part in parts]
    items.append({"type": "mcp_list_tools", "server_label": bait.url, "tools": []})
    conversation = api.post("/v1/conversations", json={"metadata": {"webhook": bait.url}}).json()["id"]
    for item in items:
        api.post(f"/v1/conversations/{conversation}/items", json={"items": [item]})
    for format_ in ("items", "chat", "anthropic", "text"):
        context = api.get(f"/v1/conversations/{conversation}/context?budget=50000&format={format_}")
        assert context.status_code == 200
    images = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": f"{bait.url}/c.png"}}]}]
    assert api.post("/v1/tokens/count", json={"model": "gpt-4o", "messages": images}).status_code == 200
    for path in (bait.url, bait.url.replace("//", "%2F%2F"), f"shared/{bait.url}"):
        assert api.get(f"/v1/documents/{path}").status_code == 404
    notice = {"changes": [{"path": f"{bait.url}/a.txt"}]}
    api.post("/v1/changes", json=notice, headers=NOTICE)
    with httpx.Client(base_url=api.base_url, headers={"host": bait.url.removeprefix("http://")}) as client:
        client.get("/v1/usage", headers={**api.headers, "x-forwarded-host": bait.url, "forwarded": f"host={bait.url}"})

    assert bait.visits == 0


def test_a_stranger_is_stopped_though_it_does_not_say_how_much_it_sends(
    api: httpx.Client, upstash: LocalUpstash, key: str
) -> None:
    def body() -> Iterator[bytes]:
        yield b'{"items":[{"role":"user","content":"'
        for _ in range(40):
            yield b"word " * 20_000

    upstash.reset()
    with httpx.Client(base_url=api.base_url, headers={"authorization": f"Bearer {key}x"}) as stranger:
        answer = stranger.post("/v1/conversations", content=body())

    assert (answer.status_code, upstash.requests) == (401, 1)


def test_a_page_of_somebody_else_gets_no_leave_to_call(api: httpx.Client) -> None:
    origin = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    preflight = httpx.options(f"{api.base_url}/v1/conversations", headers=origin)
    answers = [preflight, api.get("/v1/conversations", headers=origin), httpx.get(f"{api.base_url}/api/health")]

    assert preflight.status_code == 405
    for answer in answers:
        assert not [name for name in answer.headers if name.startswith(("access-control-", "set-cookie"))]


def test_a_key_counts_in_its_header_only(api: httpx.Client, key: str) -> None:
    anonymous = {"cookie": f"authorization=Bearer {key}; key={key}", "x-api-key": key}
    answer = httpx.get(f"{api.base_url}/v1/conversations", headers=anonymous)
    in_query = httpx.get(f"{api.base_url}/v1/conversations", params={"authorization": key, "api_key": key})

    assert [answer.status_code, in_query.status_code] == [401, 401]
    assert key not in answer.text + in_query.text


def test_ids_are_long_and_never_the_same(api: httpx.Client) -> None:
    body = {"items": [{"role": "user", "content": "hi"}] * 5}
    created = [api.post("/v1/conversations", json=body).json()["id"] for _ in range(3)]
    items = [each["id"] for name in created for each in api.get(f"/v1/conversations/{name}/items").json()["data"]]
    reserved = [api.post("/v1/reservations", json={"tokens": 1}).json()["id"] for _ in range(3)]
    ids = [*created, *items, *reserved]

    assert len(set(ids)) == 3 + 15 + 3
    assert all(re.fullmatch(r"[0-9a-f]{32,}", name.rpartition("_")[2].lstrip("r")) for name in ids)


@pytest.mark.parametrize("value", [f"a\r\n{MARK}: 1", f"{MARK}\n", f"{MARK}\u2028", f'{MARK}"; detail='])
def test_no_header_is_made_of_what_a_caller_sends(api: httpx.Client, value: str) -> None:
    conversation = api.post("/v1/conversations", json={"metadata": {"a": value}}).json()["id"]
    url = f"/v1/conversations/{conversation}"
    answers = [
        api.post(f"{url}/items", json={"items": [{"role": "user", "content": value}]}),
        api.get(f"{url}/items", params={"after": value}),
        api.get(f"{url}/context", params={"model": value}),
        api.get(f"{url}/context", params={"budget": 500, value: value}),
        api.get(f"{url}/context", params={"budget": 500, "format": "text"}),
        api.get(f"/v1/documents/{quote(value, safe='')}"),
        api.get(f"{url}/items/{quote(value, safe='')}"),
        api.post("/v1/reservations", json={"tokens": 1, "model": value}),
        api.get(url, params={f"x-vercel-{value}": value}),
    ]

    for answer in answers:
        assert MARK not in str(answer.headers.raw)


def test_logs_and_errors_hold_no_key_and_no_content(
    upstash: LocalUpstash,
    server: FaultyServer,
    behind: Callable[..., httpx.Client],
    key: str,
    caplog: pytest.LogCaptureFixture,
    logged: LogLines,
) -> None:
    caplog.set_level(logging.DEBUG)
    bodies = []
    client = behind(store_timeout_s=0.2, memory_bytes_max=1_000_000)  # So that something is logged in any case.
    for fault in (Fault.NONE, Fault.CLOSE, Fault.NOT_JSON, Fault.REFUSE_401, Fault.SILENT, Fault.NONE):
        server.fault = fault
        content = {"items": [{"role": "user", "content": MARK}], "metadata": {MARK: MARK}}
        client.post("/v1/conversations", json=content)
        client.get(f"/v1/conversations/{MARK}/items/{MARK}")
        client.get("/v1/conversations", params={"metadata[a]": MARK})
        client.get("/v1/conversations", headers={"authorization": f"Bearer {key}{MARK}"})
        bodies.append(client.post("/v1/conversations", content=b'{"items": "' + MARK.encode()).text)
        bodies.append(client.get("/v1/usage", headers={"authorization": f"Basic {key}"}).text)
    server_own = [record.getMessage() for record in caplog.records if record.name.startswith("uvicorn")]
    own = [*server_own, logged.text]

    assert {line["level"] for line in logged.lines()} == {"info", "warning", "error"}
    for secret in (MARK, key, key.rpartition("_")[2], upstash.token):
        assert secret not in "\n".join(own)
        assert secret not in "\n".join(bodies)


def test_every_threat_names_a_test_that_there_is() -> None:
    rows = [line for line in (ROOT / "docs" / "threats.md").read_text().splitlines() if line.startswith("| ")][1:]
    names = {path.name: path.read_text() for path in (ROOT / "tests").glob("test_*.py")}

    assert len(rows) >= 17
    for row in rows:
        tests = row.split(" | ")[-1]
        files = re.findall(r"`(test_\w+\.py)`|`scripts/(prove) \w+`", tests)
        assert files, row
        assert all(name in names or (ROOT / "scripts" / script).exists() for name, script in files), row
        for function in re.findall(r": `…?(\w+)…?`", tests):
            assert any(function in text for text in names.values()), row
