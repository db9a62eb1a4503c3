"""
The process of a fleet's platform: router, network and control on one event loop, with the instances as its children.

    standard input     a line of JSON: settings, deployment, the store's address; then it is held open
    standard output    a line of JSON: {"url", "control"}, or {"error"}

It ends, and its instances with it, when its standard input ends or it gets SIGTERM.
"""

import asyncio
import contextlib
import json
import signal
import sys
import time
from dataclasses import replace
from functools import partial
from typing import Any

from scripts.faults.server import Fault, Network
from scripts.local.routing import FunctionError
from scripts.local.signals import when_input_ends
from scripts.platform.client import deployment_of
from scripts.platform.control import ControlServer, Noted
from scripts.platform.router import Router
from scripts.platform.scaling import Tally
from scripts.platform.schedule import schedule
from scripts.platform.settings import Deployment, FleetSettings

HANDSHAKES = 2
"""Round trips of a new connection to Upstash: TCP's, and that of TLS 1.3."""


def main() -> int:
    line = sys.stdin.readline()
    return asyncio.run(_run(json.loads(line))) if line else 1


async def _run(plan: dict[str, Any]) -> int:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    when_input_ends(partial(_stop, loop, stop))
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    began_s, events, logs = time.monotonic(), Noted(), Noted()
    settings, first = FleetSettings(**plan["settings"]), deployment_of(plan["deployment"])
    tally = Tally(note=lambda kind, what: events.add((round(time.monotonic() - began_s, 3), kind, what)))
    network = _network(plan["store_url"], settings)
    await network.listen()
    common = {"UPSTASH_REDIS_REST_URL": network.url} | plan["environment"]
    try:
        router = Router(first, settings, tally, common, logs.add if settings.logs else None)
        await router.listen()
        # By which the warming cron reaches the other functions: VERCEL_URL leads nowhere here.
        router.common["WARMTHREAD_OWN_URL"] = router.url
    except (FunctionError, ValueError, OSError) as error:
        _say(error=f"{type(error).__name__}: {error}")
        return 1
    control = ControlServer(router, network, tally, events, logs)
    await control.listen()
    _say(url=router.url, control=control.url)
    happening = asyncio.create_task(_happen(settings, first, router, network, tally))
    await stop.wait()
    happening.cancel()
    control.close()
    await router.close()
    await network.leave_now()
    return 0


def _network(store_url: str, settings: FleetSettings) -> Network:
    network = Network(store_url, settings.seed)
    network.delay_s, network.jitter_s, network.handshakes = settings.delay_s, settings.jitter_s, HANDSHAKES
    network.bandwidth_bytes_s = settings.bandwidth_bytes_s
    return network


async def _happen(settings: FleetSettings, first: Deployment, router: Router, network: Network, tally: Tally) -> None:
    """Do what the schedule says, when it says."""
    began_s = time.monotonic()
    for planned in schedule(settings):
        await asyncio.sleep(began_s + planned.at_s - time.monotonic())
        match planned.kind:
            case "kill":
                if instances := router.instances:
                    instances[int(planned.value * len(instances))].kill()
            case "fault" | "fault ends":
                network.fault = Fault[planned.name or "NONE"]
                tally.note(planned.kind, planned.name)
            case "roll":
                router.roll(replace(first, name=planned.name), planned.value)


def _say(**values: str) -> None:
    print(json.dumps(values), flush=True)


def _stop(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    with contextlib.suppress(RuntimeError):  # The loop has ended.
        loop.call_soon_threadsafe(stop.set)


if __name__ == "__main__":
    sys.exit(main())
