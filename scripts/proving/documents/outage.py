"""
The object store is away for a while; instances in processes of their own go on to answer contexts with documents.

    everything read once, at each instance -> the object store refuses connections for half of the time, then takes
    requests and says nothing -> meanwhile all documents are overwritten, and readers go on -> it is back

What has to hold:

    every answer        is a 200, with every document whole, and in time
    before, early       shows the old texts, not marked
    away, late          (a copy is fresh for a second) shows the old texts, each marked stale
    back                soon shows the new texts at every instance, not marked
"""

import random
import re
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

import httpx

from scripts.faults.server import Fault, FaultyServer
from scripts.local.object_store import ObjectStore, running_s3
from scripts.proving.fleet import Fleet, Instance, running_fleet
from shared.cache.tiered import OTHERS_S
from shared.request.caller import read_key
from shared.store.breaker import COOL_DOWN_MAX_S

INSTANCES, READERS, DOCUMENTS = 4, 4, 3
FRESH_S, CLOCK_S = 1, 1.0
"""Marks hold whole seconds."""

SOURCE_TIMEOUT_S, LEASE_S = 3.0, 4.0
IN_TIME_S = SOURCE_TIMEOUT_S + OTHERS_S + 2.0
"""Who waits in vain for another instance may then take the lease and ask in vain itself; the rest is the machine's."""

BACK_S = 2 * COOL_DOWN_MAX_S + SOURCE_TIMEOUT_S
OLD, NEW = 1, 2
PAUSE_S = 0.02
"""Between two reads of a reader, and two looks at the clock: the processors are for the instances."""


class Options(NamedTuple):
    outage_s: float
    seed: int = 0


class Read(NamedTuple):
    """An answer, in seconds from the start of the outage; *versions* and *stale* by document."""

    instance: int
    begin_s: float
    took_s: float
    status: int
    versions: frozenset[int]
    stale: frozenset[bool]
    statuses: frozenset[str]


class Report(NamedTuple):
    facts: dict[str, object]
    violations: list[str]


def experiment(options: Options, pulse: Callable[[int], None] = lambda second: None) -> Report:
    """Carry out one experiment. Raises httpx.HTTPError: the instances could not be prepared."""
    with running_s3() as s3, FaultyServer(s3.url) as front:
        settings = s3.settings(front.url) | {
            "WARMTHREAD_DOCUMENT_FRESH_S": str(FRESH_S),
            "WARMTHREAD_DOCUMENT_TIMEOUT_S": str(SOURCE_TIMEOUT_S),
            "WARMTHREAD_DOCUMENT_LEASE_S": str(LEASE_S),
        }
        with running_fleet(INSTANCES, settings) as fleet:
            run = _Run(fleet, s3, front, options)
            return run.carry_out(pulse)


def check(reads: list[Read], outage_s: float) -> list[str]:
    """Return what was answered between the begin of the outage and its end that may not have been, in words."""
    violations = []
    for read in reads:
        where = f"process {read.instance}, {read.begin_s:.2f} s, after {read.took_s:.2f} s"
        if read.status != 200:
            violations.append(f"refused: {where}, status {read.status}")
            continue
        if read.took_s > IN_TIME_S:
            violations.append(f"late: {where}")
        if read.statuses != {"whole"}:
            violations.append(f"left out: {where}, {sorted(read.statuses)}")
        is_away = read.begin_s >= 0 and read.begin_s + read.took_s < outage_s
        if is_away and read.versions != {OLD}:
            violations.append(f"another version: {where}, {sorted(read.versions)}")
        if is_away and read.begin_s > FRESH_S + CLOCK_S and read.stale != {True}:
            violations.append(f"not marked: {where}")
    return violations


class _Run:
    def __init__(self, fleet: Fleet, s3: ObjectStore, front: FaultyServer, options: Options) -> None:
        self._fleet = fleet
        self._s3 = s3
        self._front = front
        self._options = options
        self._tenant = read_key(fleet.key).tenant
        self._path = ""
        self._away_at_s = float("inf")
        self._reads: list[Read] = []
        self._is_over = threading.Event()

    def carry_out(self, pulse: Callable[[int], None]) -> Report:
        self._write(OLD)
        with self._client() as http:
            parts = [{"type": "input_file", "file_url": f"document:{number}.txt"} for number in range(DOCUMENTS)]
            body = {"items": [{"role": "user", "content": parts}]}
            made = http.post(f"{self._fleet.instances[0].url}/v1/conversations", json=body).raise_for_status().json()
            self._path = f"/v1/conversations/{made['id']}/context?budget=2000"
            for instance in self._fleet.instances:
                self._read(http, instance).raise_for_status()
            self._reads.clear()
            readers = [threading.Thread(target=self._keep_reading, args=(number,)) for number in range(READERS)]
            for reader in readers:
                reader.start()
            try:
                outage_s = self._be_away(pulse)
                back_after_s = self._wait_until_back(http, outage_s)
            finally:
                self._is_over.set()
                for reader in readers:
                    reader.join()
        violations = check(self._reads, outage_s)
        violations += [f"not back: process {number}" for number, after_s in back_after_s.items() if after_s is None]
        return Report(self._facts(outage_s, back_after_s), violations)

    def _be_away(self, pulse: Callable[[int], None]) -> float:
        """Let the object store be away as long as was asked for; return for how long it was."""
        self._front.leave()
        self._away_at_s = time.monotonic()
        self._write(NEW)
        half_s, end_s = self._options.outage_s / 2, self._options.outage_s
        for until_s in (half_s, end_s):
            while (now_s := time.monotonic() - self._away_at_s) < until_s:
                pulse(int(now_s))
                time.sleep(PAUSE_S)  # The length of the outage is what is measured.
            if until_s == half_s:
                self._front.fault = Fault.SILENT
                self._front.come_back()
        # Whoever waits for an answer goes on waiting until the connection ends.
        self._front.leave()
        self._front.fault = Fault.NONE
        self._front.come_back()
        return time.monotonic() - self._away_at_s

    def _wait_until_back(self, http: httpx.Client, outage_s: float) -> dict[int, float | None]:
        """Return by instance how long after the outage it first showed the new texts as fresh ones."""
        back_after_s: dict[int, float | None] = {}
        for instance in self._fleet.instances:
            after_s = 0.0
            while instance.number not in back_after_s and after_s < BACK_S:
                self._read(http, instance)
                after_s = time.monotonic() - self._away_at_s - outage_s
                if self._reads_fresh(instance):
                    back_after_s[instance.number] = after_s
                time.sleep(PAUSE_S)
            back_after_s.setdefault(instance.number, None)
        return back_after_s

    def _reads_fresh(self, instance: Instance) -> bool:
        last = next(read for read in reversed(self._reads.copy()) if read.instance == instance.number)
        return last.versions == {NEW} and last.stale == {False}

    def _facts(self, outage_s: float, back_after_s: dict[int, float | None]) -> dict[str, object]:
        away = [read for read in self._reads if read.begin_s >= 0 and read.begin_s + read.took_s < outage_s]
        took_s = sorted(read.took_s for read in away)
        return {
            "seconds away": f"{outage_s:.1f}",
            "contexts meanwhile": len(away),
            "answered 200": sum(read.status == 200 for read in away),
            "with every document marked stale": sum(read.stale == {True} for read in away),
            "median of their times, ms": f"{took_s[len(took_s) // 2] * 1_000:.1f}",
            "95 % within, ms": f"{took_s[len(took_s) * 95 // 100] * 1_000:.1f}",
            "the longest, ms": f"{took_s[-1] * 1_000:.0f}",
            "new texts at all instances after, s": f"{max(each or BACK_S for each in back_after_s.values()):.1f}",
        }

    def _write(self, version: int) -> None:
        for number in range(DOCUMENTS):
            self._s3.put(f"{self._tenant}/{number}.txt", f"version {version}.")

    def _client(self) -> httpx.Client:
        return httpx.Client(headers={"authorization": f"Bearer {self._fleet.key}"}, timeout=40)

    def _keep_reading(self, reader: int) -> None:
        dice = random.Random(f"{self._options.seed} {reader}")  # noqa: S311  # no secret.
        with self._client() as http:
            while not self._is_over.is_set():
                self._read(http, dice.choice(self._fleet.instances))
                time.sleep(PAUSE_S)

    def _read(self, http: httpx.Client, instance: Instance) -> httpx.Response:
        begin_s = time.monotonic()
        answer = http.get(instance.url + self._path)
        took_s = time.monotonic() - begin_s
        shown = answer.json().get("documents", [])
        self._reads.append(
            Read(
                instance.number,
                begin_s - self._away_at_s,
                took_s,
                answer.status_code,
                frozenset(map(int, re.findall(r"version (\d+)\.", answer.text))),
                frozenset(each["stale"] for each in shown),
                frozenset(each["status"] for each in shown),
            )
        )
        return answer
