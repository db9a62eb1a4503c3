"""
A running fleet as other processes see it: what it is and did, and how to change it, over its control address.

    control = Control("http://127.0.0.1:41234")          printed by scripts/fleet
    control.state(), control.counts(), control.kill(pid), control.network.delay_s = 0.02

Each call is one small request on loopback and waits for it, about a millisecond.
"""

import http.client
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from scripts.faults.compression import Compression
from scripts.faults.halfway import REASON
from scripts.faults.server import Fault
from scripts.platform.settings import Deployment

TIMEOUT_S = 30.0


class InstanceState(NamedTuple):
    """One that runs. *cpu_s* and *resident_bytes* come from /proc and are 0 where there is none."""

    pid: int
    function: str
    deployment: str
    number: int
    age_s: float
    in_flight: int
    requests: int
    cpu_s: float
    resident_bytes: int
    phase: str
    """`starting`, `ready`, or `draining`: it gets no more requests."""
    suspended: bool


type FleetState = tuple[InstanceState, ...]


class Counts(NamedTuple):
    """What happened since the start. *crashed* ended by themselves; *timed_out* and *throttled* are requests."""

    requests: int
    cold_starts: int
    ended: int
    killed: int
    crashed: int
    bad_gateways: int
    timed_out: int
    throttled: int
    ended_cpu_s: float
    """CPU seconds of the instances that run no more."""


class StoreCounts(NamedTuple):
    """
    What instances asked of the store: requests, connections and bytes as the network before it saw them; *commands* as
    Upstash bills them, those in scripts too, of whoever asked.
    """

    requests: int
    connections: int
    bytes_in: int
    bytes_out: int
    commands: int = 0


class Event(NamedTuple):
    """What happened, *at_s* after the start: `cold start`, `end`, `kill`, `crash`, `roll`, `deploy`, `fault`."""

    at_s: float
    kind: str
    what: str


class NetworkControl:
    """
    The network in front of the store: what is set counts from the next exchange on.

    `delay_s` is a round trip, `jitter_s` what is added to it on average (exponentially), `bandwidth` in bytes a second
    each way (0: no limit). `fault` meets all exchanges from now on, `faults` the next ones, one each.
    """

    def __init__(self, control: "Control") -> None:
        self._control = control

    def _get(self, name: str) -> Any:
        return self._control.ask("GET", "/network")[name]

    def _set(self, **values: object) -> None:
        self._control.ask("POST", "/network", values)

    @property
    def delay_s(self) -> float:
        return float(self._get("delay_s"))

    @delay_s.setter
    def delay_s(self, value: float) -> None:
        self._set(delay_s=value)

    @property
    def jitter_s(self) -> float:
        return float(self._get("jitter_s"))

    @jitter_s.setter
    def jitter_s(self, value: float) -> None:
        self._set(jitter_s=value)

    @property
    def bandwidth(self) -> float:
        return float(self._get("bandwidth_bytes_s"))

    @bandwidth.setter
    def bandwidth(self, value: float) -> None:
        self._set(bandwidth_bytes_s=value)

    @property
    def fault(self) -> Fault:
        return Fault[self._get("fault")]

    @fault.setter
    def fault(self, value: Fault) -> None:
        self._set(fault=value.name)

    @property
    def faults(self) -> tuple[Fault, ...]:
        return tuple(Fault[name] for name in self._get("faults"))

    @faults.setter
    def faults(self, value: Iterable[Fault]) -> None:
        self._set(faults=[fault.name for fault in value])

    def end_half_way(self, seed: int | None, reason: str = REASON) -> None:
        """Have some scripts be refused one of their writes, for *reason*, drawn from *seed*; None: no longer."""
        self._set(half_way=seed, reason=reason)

    def compress(self, clock: Compression | None) -> None:
        """Have the store's time run as *clock* says; None: as it does."""
        self._set(clock=clock)

    def leave(self) -> None:
        """Refuse connections to the store, and cut those there are."""
        self._set(is_away=True)

    def come_back(self) -> None:
        self._set(is_away=False)


class Control:
    """The control address *url* of a fleet that runs. Raises OSError: it does not; ValueError: it refused."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.network = NetworkControl(self)

    def ask(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Any:
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=TIMEOUT_S)
        try:
            connection.request(method, path, None if body is None else json.dumps(body))
            answer = connection.getresponse()
            said = json.loads(answer.read())
        finally:
            connection.close()
        if answer.status != 200:
            raise ValueError(f"the fleet refused {method} {path}: {said['error']}")
        return said

    def state(self) -> FleetState:
        return tuple(InstanceState(**each) for each in self.ask("GET", "/")["instances"])

    def counts(self) -> Counts:
        return Counts(**self.ask("GET", "/")["counts"])

    def store(self) -> StoreCounts:
        return StoreCounts(**self.ask("GET", "/")["store"])

    def shares(self) -> dict[str, float]:
        """Return deployment -> its share of requests; those that only drain are not in it."""
        return {name: float(share) for name, share in self.ask("GET", "/")["shares"].items()}

    def events(self, after: int = 0) -> list[Event]:
        """Return what happened, from the event of number *after* on."""
        return [Event(*each) for each in self.ask("GET", "/events?" + urlencode({"after": after}))]

    def logs(self, after: int = 0) -> list[str]:
        """Return the lines that functions logged, from number *after* on; empty unless the fleet keeps them."""
        return list(map(str, self.ask("GET", "/logs?" + urlencode({"after": after}))))

    def kill(self, pid: int) -> None:
        """End an instance without a word. Raises ValueError: it is none of the fleet's."""
        self.ask("POST", "/kill", {"pid": pid})

    def end(self, pid: int) -> None:
        """Let the life of an instance be over: it gets no more requests, and ends after those it has."""
        self.ask("POST", "/end", {"pid": pid})

    def roll(self, deployment: Deployment, share: float) -> None:
        """Give *deployment* this share of the requests from now on, and the others what is left in proportion."""
        self.ask("POST", "/roll", {"deployment": as_json(deployment), "share": share})

    def deploy(self, deployment: Deployment) -> None:
        """Have *deployment* answer who names it by x-fleet-deployment, and nobody else."""
        self.ask("POST", "/deploy", {"deployment": as_json(deployment)})


def as_json(deployment: Deployment) -> dict[str, object]:
    fields = {name: getattr(deployment, name) for name in deployment.__slots__}
    built = None if deployment.built is None else str(deployment.built)
    return fields | {"project": str(deployment.project), "environment": dict(deployment.environment), "built": built}


def deployment_of(values: Mapping[str, Any]) -> Deployment:
    """The inverse of `as_json`. Raises TypeError, KeyError: *values* are no deployment."""
    built = Path(values["built"]) if values.get("built") else None
    return Deployment(**{**values, "project": Path(values["project"]), "built": built})
