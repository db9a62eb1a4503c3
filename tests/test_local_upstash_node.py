"""
`@upstash/redis`, the client of npm, against the local Upstash server: subscriptions and the sync token.

The client of PyPI has no subscriptions; what it has is tried in test_local_upstash_clients.py.
"""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from scripts.local.upstash import LocalUpstash

CLIENT = "@upstash/redis@1.39.0"
PROGRAM = Path(__file__).parent / "data" / "upstash_client.mjs"
TIMEOUT_S = 60

pytestmark = pytest.mark.skipif(
    shutil.which("node") is None or shutil.which("npm") is None, reason="Node.js and npm are not installed"
)


@pytest.fixture(scope="module")
def seen(upstash: LocalUpstash, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What the program saw."""
    folder = tmp_path_factory.mktemp("node")
    install = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(folder), CLIENT]
    subprocess.run(install, check=True, capture_output=True, timeout=TIMEOUT_S)
    shutil.copy(PROGRAM, folder)
    done = subprocess.run(
        ["node", str(folder / PROGRAM.name)], check=False, capture_output=True, text=True, timeout=TIMEOUT_S
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_messages_reach_its_subscribers_and_end_with_them(seen: Any) -> None:
    messages = ["hello, you", {"a": [1, "zażółć 漢字"]}]

    assert seen["errors"] == []
    assert (seen["subscribed"], seen["psubscribed"], seen["receivers"]) == (1, 1, [1, 1, 1])
    assert seen["messages"] == [{"channel": "node:chat", "message": message} for message in messages]
    assert seen["pattern"] == [{"pattern": "node:j*", "channel": "node:json", "message": {"b": 2}}]


def test_its_sync_token_changes_with_writes_only(seen: Any) -> None:
    before, written, read, piped, scripted = seen["tokens"]

    assert before
    assert written == read
    assert len({before, written, piped, scripted}) == 4
