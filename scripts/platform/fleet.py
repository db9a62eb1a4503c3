"""
A fleet: real instances behind a router, in front of a store that is reached over a network, from `async with` on.

    async with Fleet(Deployment(), FleetSettings(instances_max=4, life_s=120, delay_s=0.005)) as fleet:
        fleet.url, fleet.key          where requests go, and a key that is valid there
        await fleet.state()           the instances, each with its pid, age, requests, memory and CPU seconds
        fleet.counts, fleet.store     what happened until now: cold starts, kills; requests and bytes to the store
        await fleet.kill(pid), await fleet.roll(Deployment("dpl_second"), share=0.1)
        fleet.network.delay_s = 0.05; fleet.network.faults = [Fault.CLOSE]

    store      a Valkey of its own, and the local Upstash server in a process
    platform   router, network and control in another (`process.py`), whose children the instances are

Whoever starts it holds the other ends of their standard inputs: when that process dies, however it dies, all end.
"""

import asyncio
import contextlib
import json
import secrets
import subprocess
import sys
from dataclasses import asdict
from types import TracebackType
from typing import Self

from scripts.local.ending import let_go, tell_to_end
from scripts.local.mint import mint
from scripts.measuring.counted_store import CountedStore, counted_store
from scripts.platform.client import Control, Counts, FleetState, NetworkControl, StoreCounts, as_json
from scripts.platform.settings import ROOT, Deployment, FleetSettings
from shared.request.caller import make_key

STOP_TIMEOUT_S = 10.0
SECRETS = ("CRON_SECRET", "WARMTHREAD_CHANGES_SECRET", "WARMTHREAD_METRICS_SECRET")


class FleetError(RuntimeError):
    """The fleet did not start; the text says why."""


class Fleet:
    """What runs within the block. `secrets` are those of crons, change notices and metrics, by variable."""

    def __init__(self, deployment: Deployment | None = None, settings: FleetSettings | None = None) -> None:
        self.settings = settings or FleetSettings()
        self.url = ""
        self.key = make_key(f"t{secrets.token_hex(10)}")
        self.store_url = ""
        self.store_token = ""
        self.secrets = {name: secrets.token_urlsafe(18) for name in SECRETS}
        self._deployment = deployment or Deployment()
        self._resources = contextlib.ExitStack()

    async def __aenter__(self) -> Self:
        """Raises FleetError, OSError or ValkeyError: something did not start; then nothing is left running."""
        starting = asyncio.create_task(asyncio.to_thread(self.start))
        try:
            await asyncio.shield(starting)
        except asyncio.CancelledError:
            # A start that is under way cannot be taken back; what it starts can be ended.
            await asyncio.wait([starting])
            self.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.stop)

    def start(self) -> None:
        """As `async with` does, for who has no loop."""
        with contextlib.ExitStack() as started:
            # Before the store, so that it imports what it needs meanwhile.
            process = subprocess.Popen(
                [sys.executable, "-m", "scripts.platform.process"],
                cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                # Ctrl-C in a terminal reaches the whole process group; who started the fleet ends it.
                start_new_session=True,
            )  # fmt: skip
            started.callback(let_go, process, STOP_TIMEOUT_S)
            self._counted = started.enter_context(counted_store())
            self.store_url, self.store_token = self._counted.url, self._counted.token
            mint(self.store_url, self.store_token, self.key)
            self._before = self._counted.look()
            # The platform goes first: what it still asks of the store is nobody's any more.
            started.callback(self._counted.tell_to_end)
            started.callback(tell_to_end, process)
            assert process.stdin is not None
            assert process.stdout is not None
            plan = {
                "settings": asdict(self.settings),
                "deployment": as_json(self._deployment),
                "environment": self.secrets | {"UPSTASH_REDIS_REST_TOKEN": self.store_token},
                "store_url": self.store_url,
            }
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(json.dumps(plan) + "\n")
                process.stdin.flush()
            told = json.loads(process.stdout.readline() or '{"error": "it ended before it listened"}')
            if "error" in told:
                raise FleetError(f"could not start a fleet: {told['error']}")
            self.url, self.control = told["url"], Control(told["control"])
            self._resources = started.pop_all()

    def stop(self) -> None:
        """End everything that was started. Stopping twice is allowed."""
        self._resources.close()

    @property
    def network(self) -> NetworkControl:
        return self.control.network

    @property
    def counts(self) -> Counts:
        return self.control.counts()

    @property
    def store(self) -> StoreCounts:
        spent = self._counted.spent_since(self._before)
        return self.control.store()._replace(commands=spent.commands)

    @property
    def counted_store(self) -> CountedStore:
        """The store, past the network: `look()` and `spent_since()` tell what a stretch cost."""
        return self._counted

    async def state(self) -> FleetState:
        return await asyncio.to_thread(self.control.state)

    async def kill(self, pid: int) -> None:
        """End an instance without a word. Raises ValueError: it is none of this fleet's."""
        await asyncio.to_thread(self.control.kill, pid)

    async def roll(self, deployment: Deployment, share: float) -> None:
        """
        Give *deployment* this share of the requests from now on, and the others what is left in proportion.

        One whose share is 0 gets no more requests; its instances end after those they have.
        """
        await asyncio.to_thread(self.control.roll, deployment, share)

    async def deploy(self, deployment: Deployment) -> None:
        """Have *deployment* answer who names it by the header x-fleet-deployment, and nobody else."""
        await asyncio.to_thread(self.control.deploy, deployment)
