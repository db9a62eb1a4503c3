"""
A Valkey cluster of our own on loopback for as long as a block runs: three primaries, three replicas, nothing on disk
but what the servers note of each other.

    with running_cluster() as cluster:
        cluster.url                             redis://127.0.0.1:…?cluster
        cluster.primary_of(slot)                who has it, as most of them say
        cluster.kill(server)                    kill -9: it stays dead; its replica takes over in a second or two
        cluster.start(server)                   it comes back, as a replica
        cluster.move_by_keys(slot, to)          key by key: SETSLOT, MIGRATE; in between half of the slot is there
        cluster.move_slots(slot, to)            as a whole, by CLUSTER MIGRATESLOTS of Valkey 9

The servers end with the block, and when this process dies without a word (valkey.py).
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import valkey
from valkey.backoff import NoBackoff
from valkey.exceptions import ValkeyError as ServerError
from valkey.retry import Retry

from scripts.local.ending import let_go, tell_to_end
from scripts.local.valkey import STOP_TIMEOUT_S, WATCHDOG, ValkeyError, server_path
from shared.store.resp.slots import SLOTS, key_of, slot_of

NODE_TIMEOUT_MS = 1_500
"""A server that says nothing for so long is taken for dead. With less, a busy machine has failovers of its own."""

WAIT_S = 30.0
LOOK_S = 0.02
KEYS_AT_ONCE = 10


class Server:
    """One server: where it listens, and its id in the cluster."""

    def __init__(self, folder: Path, port: int, bus_port: int) -> None:
        self.folder = folder
        self.port = port
        self.bus_port = bus_port
        self.id = ""
        self.process: subprocess.Popen[bytes] | None = None
        # Raw replies, and nothing is sent twice.
        self._client: Any = valkey.Valkey(
            "127.0.0.1", port, decode_responses=True, socket_timeout=5, retry=Retry(NoBackoff(), 0)
        )
        self._client.response_callbacks.clear()

    def call(self, *command: object) -> Any:
        """Return what it replies. Raises valkey's errors."""
        return self._client.execute_command(*command)

    def info(self, section: str) -> dict[str, str]:
        lines = str(self.call("INFO", section)).splitlines()
        return dict(line.partition(":")[::2] for line in lines if ":" in line)

    def close(self) -> None:
        self._client.close()


class ValkeyCluster:
    """The servers of one cluster, primaries first as they began."""

    def __init__(self, servers: list[Server]) -> None:
        self.servers = servers

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.servers[0].port}?cluster"

    @property
    def living(self) -> list[Server]:
        return [server for server in self.servers if server.process is not None]

    def primary_of(self, slot: int) -> Server:
        """Return who has *slot*, as most of the living say."""
        votes: Counter[int] = Counter()
        for server in self.living:
            with contextlib.suppress(ServerError):
                for first, last, primary, *_ in server.call("CLUSTER", "SLOTS"):
                    if first <= slot <= last:
                        votes[primary[1]] += 1
        if not votes:
            raise ValkeyError(f"nobody has the slot {slot}")
        port = votes.most_common(1)[0][0]
        return next(server for server in self.servers if server.port == port)

    def run(self, *command: object) -> Any:
        """Return what the primary of a command's first key replies; of some, for all keys or primaries."""
        if command[0] in ("DEL", "EXISTS", "UNLINK") and len(command) > 2:
            return sum(self.run(command[0], name) for name in command[1:])
        if command[0] == "CONFIG":
            replies = [server.call(*command) for server in self.primaries()]
            return replies[0]
        if command[0] == "KEYS":
            return [name for server in self.primaries() for name in server.call(*command)]
        parts = [str(each) for each in command]
        key = parts[2] if parts[0] == "MEMORY" else key_of(parts) or ""
        return self.primary_of(slot_of(key)).call(*command)

    def kill(self, server: Server) -> None:
        """Let *server* die without a word."""
        assert server.process is not None
        os.kill(int(server.info("server")["process_id"]), signal.SIGKILL)
        let_go(server.process, STOP_TIMEOUT_S)
        server.process = None
        server.close()

    @contextlib.contextmanager
    def stopped(self, server: Server) -> Iterator[None]:
        """Let *server* stand still: its connections stay, and it says nothing. Shorter than NODE_TIMEOUT_MS."""
        process = int(server.info("server")["process_id"])
        os.kill(process, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(process, signal.SIGCONT)

    def start(self, server: Server) -> None:
        """Start *server*, which was killed; it goes on as what the others take it for."""
        _start(server)
        _until(lambda: server.call("PING") == "PONG")
        _until(lambda: _is_in_order(server))

    def wait_for_failover(self, slot: int, dead: Server) -> Server:
        """Return the primary of *slot* once it is another than *dead*."""
        _until(lambda: self.primary_of(slot) is not dead)
        return self.primary_of(slot)

    def replicas_of(self, primary: Server) -> list[Server]:
        return [each for each in self.living if each.info("replication").get("master_port") == str(primary.port)]

    def move_by_keys(self, slot: int, to: Server, *, pause_s: float = 0.0) -> int:
        """Move *slot* key by key, with a pause after each KEYS_AT_ONCE; return how many keys went."""
        source, moved = self.primary_of(slot), 0
        to.call("CLUSTER", "SETSLOT", slot, "IMPORTING", source.id)
        source.call("CLUSTER", "SETSLOT", slot, "MIGRATING", to.id)
        while names := source.call("CLUSTER", "GETKEYSINSLOT", slot, KEYS_AT_ONCE):
            source.call("MIGRATE", "127.0.0.1", to.port, "", 0, 5_000, "KEYS", *names)
            moved += len(names)
            time.sleep(pause_s)  # It is time in which some keys are here and some there.
        for server in (to, source, *self.primaries()):
            server.call("CLUSTER", "SETSLOT", slot, "NODE", to.id)
        _until(lambda: self.primary_of(slot) is to)
        return moved

    def move_slots(self, slot: int, to: Server) -> None:
        """Move *slot* as a whole. Raises valkey's ResponseError: the version does not know how."""
        source = self.primary_of(slot)
        source.call("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", slot, slot, "NODE", to.id)
        _until(lambda: self.primary_of(slot) is to)

    def primaries(self) -> list[Server]:
        return [each for each in self.living if each.info("replication")["role"] == "master"]

    def other_primary(self, slot: int) -> Server:
        """Return a primary that has not *slot*."""
        owner = self.primary_of(slot)
        return next(server for server in self.primaries() if server is not owner)

    def wait_until_in_order(self) -> None:
        """Wait until every slot has a primary, and every replica has all that its primary has."""
        for server in self.living:
            _until(partial(_is_in_order, server))

    def flush(self) -> None:
        for server in self.primaries():
            server.call("FLUSHALL")


@contextlib.contextmanager
def running_cluster(primaries: int = 3) -> Iterator[ValkeyCluster]:
    """Yield a cluster in order: *primaries*, and as many replicas. Raises ValkeyError: it did not come to that."""
    folder = Path(tempfile.mkdtemp(prefix="wt-cluster-"))
    servers: list[Server] = []
    try:
        ports = _free_ports(4 * primaries)
        for number in range(2 * primaries):
            own = folder / str(number)
            own.mkdir()
            servers.append(Server(own, ports[2 * number], ports[2 * number + 1]))
            _start(servers[-1])
        _join(servers, primaries)
        yield ValkeyCluster(servers)
    finally:
        running = [each.process for each in servers if each.process is not None]
        for process in running:
            tell_to_end(process)
        for process in running:
            let_go(process, STOP_TIMEOUT_S)
        for server in servers:
            server.close()
        shutil.rmtree(folder, ignore_errors=True)


def _join(servers: list[Server], primaries: int) -> None:
    for epoch, server in enumerate(servers, 1):
        _until(partial(server.call, "PING"))
        server.id = str(server.call("CLUSTER", "MYID"))
        server.call("CLUSTER", "SET-CONFIG-EPOCH", epoch)
    bounds = [SLOTS * number // primaries for number in range(primaries + 1)]
    for number in range(primaries):
        servers[number].call("CLUSTER", "ADDSLOTSRANGE", bounds[number], bounds[number + 1] - 1)
    for server in servers[1:]:
        servers[0].call("CLUSTER", "MEET", "127.0.0.1", server.port, server.bus_port)
    for server in servers:
        _until(partial(_knows, server, len(servers)))
    for primary, replica in zip(servers, servers[primaries:], strict=False):
        replica.call("CLUSTER", "REPLICATE", primary.id)
    for server in servers:
        _until(partial(_is_in_order, server))
    for primary in servers[:primaries]:
        _until(partial(_has_replica, primary))


def _knows(server: Server, count: int) -> bool:
    lines = str(server.call("CLUSTER", "NODES")).splitlines()
    return sum("handshake" not in line and "noaddr" not in line for line in lines) == count


def _has_replica(server: Server) -> bool:
    return server.info("replication").get("connected_slaves") == "1"


def _is_in_order(server: Server) -> bool:
    is_ok = "cluster_state:ok" in str(server.call("CLUSTER", "INFO"))
    told = server.info("replication")
    return is_ok and (told["role"] == "master" or told["master_link_status"] == "up")


def _start(server: Server) -> None:
    options = {
        "bind": "127.0.0.1",
        "port": server.port,
        "cluster-enabled": "yes",
        "cluster-port": server.bus_port,
        "cluster-config-file": "nodes.conf",
        "cluster-node-timeout": NODE_TIMEOUT_MS,
        "cluster-require-full-coverage": "no",
        "cluster-allow-replica-migration": "no",
        "repl-diskless-sync-delay": 0,
        "save": "",
        "appendonly": "no",
        "dir": server.folder,
        "logfile": server.folder / "log",
    }
    words = [text for name, value in options.items() for text in (f"--{name}", str(value))]
    server.process = subprocess.Popen(
        ["/bin/sh", "-c", WATCHDOG, "warmthread-cluster", str(server.folder / "gone"), str(server_path()), *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _until(is_so: Callable[[], object]) -> None:
    """Wait until something is so. Raises ValkeyError: it takes too long."""
    give_up_at_s = time.monotonic() + WAIT_S
    while True:
        with contextlib.suppress(ServerError, OSError):
            if is_so():
                return
        if time.monotonic() > give_up_at_s:
            raise ValkeyError("the cluster did not come to order in time")
        time.sleep(LOOK_S)  # Nothing tells but asking.


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
