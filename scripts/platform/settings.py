"""
What a fleet is made of, as values: deployments, and how the platform and the network in front of the store behave.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "SSL_CERT_FILE")
"""What an instance has of the environment of who starts the fleet; the rest is its deployment's."""

KEEP_ALIVE_S = 4.0
"""The launcher's server closes connections after 5 s without a request; those that near it are not used again. On a
machine with much other work the two can meet all the same, and the request is a 502."""

NUMBER_VARIABLE = "FLEET_INSTANCE"
"""Says to an instance which of its function and deployment it is, from 1: a prelude may tell them apart."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """
    One release, by its *name*: what instances see as VERCEL_DEPLOYMENT_ID.

    *project* is its folder of sources, *built* the `.vercel/output` that a build made there, if its instances are to
    start from that. *prelude* names a module of *project*, or of this one, that each instance imports before the
    launcher: to set a clock, for instance (`shared/process/clock.py`). *python* runs it.
    """

    name: str = "dpl_first"
    project: Path = ROOT
    environment: Mapping[str, str] = field(default_factory=dict)
    prelude: str = ""
    built: Path | None = None
    python: str = sys.executable

    @property
    def host(self) -> str:
        return f"{self.name.replace('_', '-')}.fleet.localhost"

    def variables(self) -> dict[str, str]:
        """Return the environment of its instances."""
        passed = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        platform = {
            "VERCEL": "1",
            "VERCEL_ENV": "production",
            "VERCEL_REGION": "iad1",
            "VERCEL_URL": self.host,
            "VERCEL_DEPLOYMENT_ID": self.name,
        }
        return passed | platform | dict(self.environment)


@dataclass(frozen=True, slots=True)
class FleetSettings:
    """
    How the platform behaves. Instances are counted for each function of each deployment.

    What is drawn is drawn from *seed* (`schedule.py`). 0 of *life_s*, *kill_every_s*, *fault_every_s*
    and *roll_every_s*: never.
    """

    seed: int = 1
    concurrency: int = 10
    """Requests that one instance gets at a time."""
    instances_min: int = 1
    """While there are fewer, a request starts one more, and waits for it."""
    instances_max: int = 4
    """While there are so many and all are at their limit, requests wait."""
    routing: str = "least"
    """To which of the instances that have room: `least`, with the fewest requests, or `random`."""
    life_s: float = 0.0
    """How long an instance lives on average, exponentially; then it gets no more requests, and ends after its last."""
    idle_s: float = 300.0
    suspend_after_s: float = 0.02
    """So long after its last invocation has ended an instance is stopped, until it gets a request; below 0: never."""
    keep_alive_s: float = KEEP_ALIVE_S
    """For how long a connection to an instance is used again; 0: never."""
    start_timeout_s: float = 60.0
    queue_max: int = 1_000
    queue_s: float = 10.0
    bucketing: str = "request"
    """How callers without a cookie are split during a roll: anew with each `request`, or for good by `client`."""
    delay_s: float = 0.0
    jitter_s: float = 0.0
    bandwidth_bytes_s: float = 0.0
    """Of the network in front of the store: round trip, its mean deviation upwards, each way; 0: no limit."""
    seconds: float = 3_600.0
    """How far the schedule goes."""
    kill_every_s: float = 0.0
    fault_every_s: float = 0.0
    fault_s: float = 2.0
    roll_every_s: float = 0.0
    port: int = 0
    """Where requests go, on 127.0.0.1; 0: any that is free."""
    logs: bool = False
    """Whether what functions log is kept."""
