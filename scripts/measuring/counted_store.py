"""
The store that is measured against: a Valkey, and the local Upstash server over it in a process of its own.

It tells what a measured stretch cost: HTTP requests (the server counts them), commands (Valkey counts them, those
inside scripts too) and the bytes of Valkey's replies. Peers that speak Redis's own protocol use the same Valkey.
"""

import contextlib
import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

from scripts.local.ending import let_go, tell_to_end
from scripts.local.serving import loopback_listener
from scripts.local.valkey import running_valkey
from scripts.measuring.environment import ROOT

TIMEOUT_S, STOP_TIMEOUT_S = 10.0, 5.0
NOT_BILLED = frozenset({"info", "ping", "hello", "select", "client", "config"})
"""Looking at the store, and introducing oneself to it."""


class Cost(NamedTuple):
    """What the store was asked to do, and what it replied."""

    requests: int
    commands: int
    reply_bytes: int = 0


class CountedStore(NamedTuple):
    """
    Where the store is. The Redis protocol is spoken at the unix socket *path*, and at *redis_port* of 127.0.0.1; *pid*
    is the HTTP server's.

    `tell_to_end`, before its block ends, has the server end beside what else does.
    """

    url: str
    token: str
    path: str
    pid: int
    tell_to_end: Callable[[], None]
    redis_port: int = 0

    @property
    def port(self) -> int:
        """The port of 127.0.0.1 where HTTP is spoken."""
        return int(self.url.rpartition(":")[2])

    def look(self) -> Cost:
        """Return what was asked of the store until now, this look included; `spent_since` takes it."""
        seen, look_bytes = self._look()
        return Cost(seen.requests + 1, seen.commands, seen.reply_bytes + look_bytes)

    def spent_since(self, before: Cost) -> Cost:
        """Return what was asked since the look *before*, this look excepted."""
        now, _ = self._look()
        return Cost(*(there - then for there, then in zip(now, before, strict=True)))

    def info(self, *sections: str) -> str:
        """Return what Valkey says of itself in *sections*; no command of that is billed."""
        return str(self._ask("/", ["INFO", *sections])["result"])

    def _look(self) -> tuple[Cost, int]:
        """Return what was asked until now, and how many bytes the reply to this question has."""
        text = self.info("commandstats", "stats")
        commands = reply_bytes = 0
        for line in text.splitlines():
            name, _, rest = line.removeprefix("cmdstat_").partition(":calls=")
            if rest and name.split("|")[0] not in NOT_BILLED:
                commands += int(rest.split(",")[0])
            if line.startswith("total_net_output_bytes:"):
                reply_bytes = int(line.partition(":")[2])
        framing_bytes = len(f"${len(text)}\r\n\r\n")
        return Cost(self._ask("/-/stats")["requests"] - 1, commands, reply_bytes), len(text) + framing_bytes

    def _ask(self, path: str, command: list[str] | None = None) -> Any:
        body = None if command is None else json.dumps(command).encode()
        headers = {"authorization": f"Bearer {self.token}"}
        request = urllib.request.Request(self.url + path, data=body, headers=headers)  # noqa: S310 - ours, loopback.
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
            return json.loads(answer.read())


@contextlib.contextmanager
def counted_store() -> Iterator[CountedStore]:
    """Run an empty store for this block. Raises ValkeyError or OSError when it does not start."""
    with loopback_listener(0) as free:
        port: int = free.getsockname()[1]
    with running_valkey(port=port) as redis_url:
        command = [sys.executable, "-m", "scripts.local.upstash", "--with-input"]
        environ = {**os.environ, "REDIS_URL": redis_url}
        server = subprocess.Popen(
            command, cwd=ROOT, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            # Ctrl-C in a terminal reaches the whole process group; the store must outlive its last request.
            start_new_session=True,
        )  # fmt: skip
        try:
            assert server.stdout is not None
            url, token = (server.stdout.readline().strip().partition("=")[2] for _ in range(2))
            if not token:
                raise OSError("the local Upstash server did not start")
            path = redis_url.removeprefix("unix://")
            yield CountedStore(url, token, path, server.pid, partial(tell_to_end, server), port)
        finally:
            let_go(server, STOP_TIMEOUT_S)
