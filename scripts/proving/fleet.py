"""
Instances as processes of their own, in front of one local store: started, killed, stopped and continued by pid.

All of them end with the block that started them, also when it ends by an exception; when the whole program is
killed, they see their standard input close.
"""

import contextlib
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx

from scripts.faults.halfway import drawn
from scripts.faults.server import FaultyServer
from scripts.local.mint import mint, mint_in
from scripts.local.upstash import LocalUpstash
from scripts.local.valkey_cluster import running_cluster
from scripts.proving.changes import Changes, settings_of
from scripts.proving.past import Past
from shared.request.caller import make_key, read_key

ROOT = Path(__file__).parents[2]
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 5.0
STORE_VARIABLES = ("KV_REST_API_URL", "KV_REST_API_TOKEN", "REDIS_URL", "WARMTHREAD_STORE_URL")


def environment_without_store() -> dict[str, str]:
    """Return the environment of this process, but for what names a store: who starts an instance has one for it."""
    return {name: value for name, value in os.environ.items() if name not in STORE_VARIABLES}


class Instance:
    """One instance; `url` changes with each start."""

    def __init__(
        self,
        number: int,
        environment: dict[str, str],
        *,
        is_quiet: bool = False,
        log: Path | None = None,
        module: str = "scripts.local.instance",
    ) -> None:
        """*log*: what it says goes into this file; *module*: what runs it."""
        self.number = number
        self.url = ""
        self.is_stopped = False
        self._environment = environment
        self._options = ["--quiet"] if is_quiet else []
        self._log = log
        self._module = module
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start the process; it answers once its functions have started."""
        with contextlib.ExitStack() as stack:
            log = stack.enter_context(self._log.open("a")) if self._log is not None else None
            self._process = subprocess.Popen(
                [sys.executable, "-m", self._module, *self._options],
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                # Ctrl-C in a terminal reaches the whole process group; who started the instance ends it.
                start_new_session=True,
            )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        if not self.url:
            raise RuntimeError("could not start an instance: it ended before it listened")

    def wait_until_ready(self) -> None:
        """Return when the instance answers. Raises RuntimeError: it does not."""
        try:
            httpx.get(f"{self.url}/api/health", timeout=START_TIMEOUT_S).raise_for_status()
        except httpx.HTTPError as error:
            raise RuntimeError(f"could not start an instance: {type(error).__name__} when it was asked") from error

    def kill(self) -> None:
        """End the process without a word, and everything it was about to say."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._close_pipes()

    def suspend(self) -> None:
        assert self._process is not None
        self.is_stopped = True
        os.kill(self._process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)
        self.is_stopped = False

    def abandon(self) -> int:
        """Let go of the process as the death of this one would; return its exit status."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.close()
        return self._process.wait(STOP_TIMEOUT_S)

    def end(self) -> None:
        """End the process in order if it runs."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.send_signal(signal.SIGCONT)
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._close_pipes()

    def _close_pipes(self) -> None:
        assert self._process is not None
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


class Fleet:
    """
    Instances, the store behind them and a key that is valid there. *front*: what they have for the store, where it may
    refuse a write; *changes*: what can change in the store, where that is a cluster.
    """

    def __init__(
        self,
        run: Callable[..., Any],
        instances: list[Instance],
        key: str,
        front: FaultyServer | None = None,
        changes: Changes | None = None,
    ) -> None:
        self.instances = instances
        self.key = key
        self.changes = changes
        self._front = front
        self._run = run

    @property
    def available(self) -> list[Instance]:
        """Those that were not stopped."""
        return [each for each in self.instances if not each.is_stopped]

    @property
    def ended_half_way(self) -> int:
        """How many scripts did."""
        return self._front.ended_half_way if self._front is not None else 0

    @contextlib.contextmanager
    def ending_half_way(self, seed: object) -> Iterator[None]:
        """Have some scripts of the instances end half-way during the block, if the fleet was made for that."""
        if self._front is None:
            yield
            return
        self._front.nth_write = drawn(seed)
        try:
            yield
        finally:
            self._front.nth_write = None

    def run(self, *command: str | int) -> Any:
        """Run one command on the store, past the service."""
        return self._run(*command)

    def client(self, timeout_s: float = 30, number: int = 0) -> httpx.Client:
        """Return a client of instance *number*, which calls with the fleet's key."""
        headers = {"authorization": f"Bearer {self.key}"}
        return httpx.Client(base_url=self.instances[number].url, headers=headers, timeout=timeout_s)


@contextlib.contextmanager
def running_instances(count: int, environment: dict[str, str], *, is_quiet: bool = False) -> Iterator[list[Instance]]:
    """Run *count* instances in *environment*, which have answered their first request. *is_quiet*: without warnings."""
    with contextlib.ExitStack() as stack:
        instances = [Instance(number, environment, is_quiet=is_quiet) for number in range(count)]
        for instance in instances:
            stack.callback(instance.end)
            instance.start()
        for instance in instances:
            instance.wait_until_ready()
        yield instances


@contextlib.contextmanager
def running_fleet(count: int, settings: Mapping[str, str] | None = None, *, halfway: bool = False) -> Iterator[Fleet]:
    """
    Run a store of its own and *count* instances with *settings*, which have answered their first request. *halfway*:
    their scripts can be made to end half-way.
    """
    with contextlib.ExitStack() as stack:
        upstash = stack.enter_context(LocalUpstash())
        key = make_key(f"t{secrets.token_hex(10)}")
        mint(upstash.url, upstash.token, key)
        front = stack.enter_context(FaultyServer(upstash.url)) if halfway else None
        environment = environment_without_store()
        environment |= {"UPSTASH_REDIS_REST_URL": (front or upstash).url, "UPSTASH_REDIS_REST_TOKEN": upstash.token}
        instances = stack.enter_context(running_instances(count, environment | dict(settings or {}), is_quiet=halfway))
        past = Past(upstash.url, upstash.token)
        stack.callback(past.close)
        yield Fleet(past.run, instances, key, front)


@contextlib.contextmanager
def running_fleet_on_a_cluster(count: int, settings: Mapping[str, str] | None = None) -> Iterator[Fleet]:
    """Run a cluster of Valkey and *count* instances with *settings* on it, which have answered their first request."""
    with running_cluster() as cluster:
        key = make_key(f"t{secrets.token_hex(10)}")
        mint_in(settings_of(cluster), key)
        environment = environment_without_store() | settings_of(cluster) | dict(settings or {})
        with running_instances(count, environment, is_quiet=True) as instances:
            yield Fleet(cluster.run, instances, key, changes=Changes(cluster, read_key(key).tenant))
