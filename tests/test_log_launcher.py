"""The log under Vercel's own launcher, which wraps standard output."""

import base64
import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.local.launching import LAUNCH, Message, Messages, launcher_variables
from scripts.local.upstash import LocalUpstash

pytestmark = pytest.mark.unmeasured

ROOT = Path(__file__).parents[1]
START_S = 30.0


def _messages(channel: socket.socket) -> Iterator[Message]:
    messages = Messages()
    while chunk := channel.recv(65_536):
        yield from messages.feed(chunk)


def test_vercel_s_launcher_takes_each_line_whole_and_for_its_request(upstash: LocalUpstash, tmp_path: Path) -> None:
    address = str(tmp_path / "s")
    environ = {
        **os.environ,
        "WARMTHREAD_LOG_LEVEL": "info",
        "WARMTHREAD_POOL_THREADS": "many",  # So that something is logged before any request.
        **launcher_variables(ROOT, "api/health.py", address),
    }
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(address)
        listener.listen(1)
        listener.settimeout(START_S)
        command = [sys.executable, "-c", LAUNCH]
        process = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE)
        try:
            channel, _ = listener.accept()
            with channel:
                channel.settimeout(START_S)
                logs = []
                for message in _messages(channel):
                    if message["type"] == "server-started":
                        url = f"http://127.0.0.1:{message['payload']['httpPort']}/v1/nothing"
                        threading.Thread(target=_ask, args=(url,), daemon=True).start()
                    elif message["type"] == "log":
                        logs.append(message["payload"])
                    elif message["type"] == "end":
                        break
        finally:
            process.kill()
            printed, _ = process.communicate()

    texts = [base64.b64decode(each["message"]).decode() for each in logs]
    lines = [json.loads(text) for text in texts]
    assert all(text.count("\n") == 1 and text.endswith("\n") for text in texts)
    assert {each["stream"] for each in logs} == {"stdout"}
    assert [(each["level"], each["message"].partition(" ")[0]) for each in lines] == [
        ("error", "settings:"),
        ("error" if lines[1]["status"] == 503 else "info", "GET"),
    ]
    assert logs[1]["context"] == {"invocationId": "i-1", "requestId": 7}
    assert lines[1]["request_id"] == "mine-1"
    assert printed == b""


def _ask(url: str) -> None:
    headers = {
        "x-vercel-internal-invocation-id": "i-1",
        "x-vercel-internal-request-id": "7",
        "x-request-id": "mine-1",
    }
    with contextlib.suppress(OSError):
        urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=START_S)
