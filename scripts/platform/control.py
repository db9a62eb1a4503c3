"""
The control address of a fleet: JSON over HTTP on loopback, for the processes that drive and watch it.

    GET  /                 {"url", "instances", "counts", "store", "shares"}
    GET  /events?after=N   what happened, from event N on: [seconds, kind, what]
    GET  /logs?after=N     lines that functions logged
    GET  /network          how the network in front of the store is
    POST /network          {"delay_s": …, "fault": "CLOSE", "faults": […], "is_away": true, "half_way": seed,
                           "reason": why the store refuses a write half-way, "clock": [factor, real, clock]}
    POST /kill             {"pid": …};  /end as well: its life is over
    POST /roll             {"deployment": {…}, "share": 0.1}
    POST /deploy           {"deployment": {…}}: it answers who names it, and has no share

`client.py` speaks it. What is wrong with a request is answered 400 with {"error"}.
"""

import asyncio
import json
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from urllib.parse import parse_qs

from scripts.faults.compression import Compression
from scripts.faults.halfway import drawn
from scripts.faults.server import Fault, Network
from scripts.local.messages import BadMessage, read_body, read_head
from scripts.local.routing import FunctionError
from scripts.platform.answers import JSON, send
from scripts.platform.client import InstanceState, deployment_of
from scripts.platform.instance import Instance
from scripts.platform.router import Router
from scripts.platform.scaling import Tally

NOTED_MAX = 20_000
NUMBERS = ("delay_s", "jitter_s", "bandwidth_bytes_s")

type Values = Mapping[str, Any]


class Noted:
    """The newest of what was noted, each with its number."""

    def __init__(self) -> None:
        self._newest: deque[Any] = deque(maxlen=NOTED_MAX)
        self._count = 0

    def add(self, new: object) -> None:
        self._newest.append(new)
        self._count += 1

    def after(self, number: int) -> list[Any]:
        """Return those from *number* on that are still held."""
        first = self._count - len(self._newest)
        return [each for at, each in enumerate(self._newest, first) if at >= number]


class ControlServer:
    """The address, `url` after `listen`, of what *router* and *network* do."""

    def __init__(self, router: Router, network: Network, tally: Tally, events: Noted, logs: Noted) -> None:
        self.url = ""
        self._router = router
        self._network = network
        self._tally = tally
        self._noted = {"/events": events, "/logs": logs}
        self._server: asyncio.Server | None = None
        self._is_away = False
        self._half_way: int | None = None

    async def listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def close(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await read_head(reader)
            raw = b"".join([piece async for piece in read_body(reader, request.size_bytes)])
            method, target, _ = request.first.decode().split(" ", 2)
            path, _, query = target.partition("?")
            try:
                status, said = 200, await self._answer(f"{method} {path}", query, json.loads(raw or "{}"))
            except (ValueError, KeyError, TypeError, OSError, FunctionError) as refused:
                status, said = 400, {"error": f"{type(refused).__name__}: {refused}"}
            await send(writer, request, status, json.dumps(said).encode(), JSON)
        except (EOFError, BadMessage, OSError):
            pass  # The caller has gone.
        finally:
            writer.close()

    async def _answer(self, what: str, query: str, values: Values) -> object:
        match what:
            case "GET /":
                return self._state()
            case "GET /events" | "GET /logs":
                return self._noted[what[4:]].after(int(parse_qs(query).get("after", ["0"])[0]))
            case "GET /network":
                return self._network_state()
            case "POST /network":
                await self._set_network(values)
            case "POST /kill":
                self._find(values["pid"]).kill()
            case "POST /end":
                instance = self._find(values["pid"])
                self._router.scaling_of(instance).end_life(instance)
            case "POST /roll":
                self._router.roll(deployment_of(values["deployment"]), float(values["share"]))
            case "POST /deploy":
                self._router.deploy(deployment_of(values["deployment"]))
            case _:
                raise ValueError(f"there is no {what}")
        return {}

    def _find(self, pid: int) -> Instance:
        for instance in self._router.instances:
            if instance.pid == pid:
                return instance
        raise ValueError(f"no instance has the pid {pid}")

    def _state(self) -> object:
        counts = asdict(self._tally)
        del counts["note"]
        network = self._network
        return {
            "url": self._router.url,
            "instances": [_state_of(each)._asdict() for each in self._router.instances],
            "counts": counts,
            "store": {name: getattr(network, name) for name in ("requests", "connections", "bytes_in", "bytes_out")},
            "shares": self._router.rollout.shares,
        }

    def _network_state(self) -> object:
        network = self._network
        return {name: getattr(network, name) for name in NUMBERS} | {
            "fault": network.fault.name,
            "faults": [each.name for each in network.faults],
            "is_away": self._is_away,
            "half_way": self._half_way,
            "clock": self._network.clock,
        }

    async def _set_network(self, values: Values) -> None:
        network = self._network
        unknown = values.keys() - {*NUMBERS, "fault", "faults", "is_away", "half_way", "reason", "clock"}
        if unknown:
            raise ValueError(f"a network has no {', '.join(sorted(unknown))}")
        for name in values.keys() & set(NUMBERS):
            if values[name] < 0:
                raise ValueError(f"{name} cannot be below 0")
            setattr(network, name, float(values[name]))
        if "fault" in values:
            network.fault = Fault[values["fault"]]
        if "faults" in values:
            network.faults = deque(Fault[name] for name in values["faults"])
        if "reason" in values:
            network.reason = values["reason"]
        if "half_way" in values:
            self._half_way = values["half_way"]
            network.nth_write = None if self._half_way is None else drawn(self._half_way)
        if "clock" in values:
            network.clock = None if values["clock"] is None else Compression(*map(float, values["clock"]))
        if values.get("is_away", self._is_away) != self._is_away:
            self._is_away = values["is_away"]
            await (network.leave_now() if self._is_away else network.listen())


def _state_of(instance: Instance) -> InstanceState:
    cpu_s, resident_bytes = instance.usage()
    return InstanceState(
        pid=instance.pid,
        function=instance.source.route,
        deployment=instance.deployment.name,
        number=instance.number,
        age_s=time.monotonic() - instance.began_at_s,
        in_flight=instance.in_flight,
        requests=instance.requests,
        cpu_s=cpu_s,
        resident_bytes=resident_bytes,
        phase=instance.phase,
        suspended=instance.is_suspended,
    )
