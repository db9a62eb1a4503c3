"""
Documents that are overwritten behind the service's back, or through it, read through instances in processes of their
own.

    writer     puts a version into S3 (moto's server), reports it (or not), records when the report was acknowledged;
               or puts it through the API, each time by another instance, and records when that was acknowledged
    readers    read the document and contexts that show it, at any instance, and record which version they saw, and when

A version is a number in the text. What may not happen:

    with notices      a request that began after version n was acknowledged shows an older one
    without           a request shows a version that was overwritten more than fresh_s before it began
    ever              an instance shows a version that was not written yet

A request may be told that the source is away: moto's server fails a read of what is just being overwritten. Such a
request showed nothing, or without notices an old text that is marked as such, and is counted.

The store may refuse writes meanwhile, so that scripts end half-way; who writes then reports or puts the same again,
until it is acknowledged.
"""

import random
import re
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

import httpx

from scripts.local.object_store import ObjectStore, running_s3
from scripts.proving.fleet import Fleet, running_fleet
from shared.request.caller import read_key

INSTANCES, READERS = 4, 4
SECRET = "changes-secret-of-the-experiment"  # noqa: S105  # of a store that lives as long as the experiment.
PAUSE_S = 0.03
"""Between two versions: several reads begin and end within each."""
ATTEMPTS_MAX = 100
PATIENCE_S = 60.0
"""As long as a function may work: where scripts end half-way, several leases may have to run out first."""
CLOCK_S = 1.0
"""Marks hold whole seconds."""


class Options(NamedTuple):
    """*fresh_s* only matters without notices. *through_api*: a write is its own notice."""

    reads: int
    with_notices: bool = True
    fresh_s: int = 60
    seed: int = 0
    halfway: bool = False
    through_api: bool = False


class Write(NamedTuple):
    """Version *number*: begun, written, and acknowledged (the same without notices), in seconds."""

    number: int
    begin_s: float
    written_s: float
    acknowledged_s: float


class Seen(NamedTuple):
    """A read that showed version *number*."""

    instance: int
    kind: str
    begin_s: float
    end_s: float
    number: int


class Report(NamedTuple):
    writes: list[Write]
    reads: list[Seen]
    refused: int
    violations: list[str]
    ended_half_way: int = 0


def experiment(options: Options, pulse: Callable[[int], None] = lambda begun: None) -> Report:
    """Carry out one experiment. Raises RuntimeError: an instance refused a request."""
    with running_s3() as s3:
        settings = s3.settings() | {
            "WARMTHREAD_CHANGES_SECRET": SECRET,
            "WARMTHREAD_DOCUMENT_FRESH_S": str(options.fresh_s),
        }
        with running_fleet(INSTANCES, settings, halfway=options.halfway) as fleet:
            run = _Run(fleet, s3, options)
            with fleet.ending_half_way(options.seed):
                run.carry_out(pulse)
            ended_half_way = fleet.ended_half_way
    return Report(run.writes, run.reads, run.refused, check(run.writes, run.reads, options), ended_half_way)


def check(writes: list[Write], reads: list[Seen], options: Options) -> list[str]:
    """Return what was shown that may not have been, in words."""
    violations = []
    grace_s = 0.0 if options.with_notices else options.fresh_s + CLOCK_S
    for read in reads:
        newest = max((write.number for write in writes if write.acknowledged_s + grace_s <= read.begin_s), default=0)
        where = f"{read.kind} at process {read.instance}, {read.begin_s:.3f} s"
        if read.number < newest:
            violations.append(f"old: {where}, showed version {read.number}; {newest} was acknowledged")
        if read.number > max(write.number for write in writes if write.begin_s <= read.end_s):
            violations.append(f"unwritten: {where}, showed version {read.number}")
    return violations


class _Run:
    def __init__(self, fleet: Fleet, s3: ObjectStore, options: Options) -> None:
        self.writes: list[Write] = []
        self.reads: list[Seen] = []
        self.refused = 0
        self._fleet = fleet
        self._options = options
        self._tenant = read_key(fleet.key).tenant
        self._s3 = s3
        self._failures: list[Exception] = []

    def carry_out(self, pulse: Callable[[int], None]) -> None:
        self._write(1)
        with self._client() as http:
            part = {"type": "input_file", "file_url": "document:a.txt"}
            body = {"items": [{"role": "user", "content": [part]}]}
            url = self._fleet.instances[0].url
            conversation = _acknowledged(lambda: http.post(f"{url}/v1/conversations", json=body)).json()["id"]
        threads = [threading.Thread(target=self._read, args=(number, conversation)) for number in range(READERS)]
        for thread in threads:
            thread.start()
        number = 1
        try:
            while any(thread.is_alive() for thread in threads):
                pulse(len(self.reads))
                number += 1
                self._write(number)
                time.sleep(PAUSE_S)  # Versions that nobody has the time to read prove nothing.
        finally:
            for thread in threads:
                thread.join()
        if self._failures:
            raise RuntimeError(f"an instance refused a request: {self._failures[0]}")

    def _client(self) -> httpx.Client:
        return httpx.Client(headers={"authorization": f"Bearer {self._fleet.key}"}, timeout=PATIENCE_S)

    def _write(self, number: int) -> None:
        begin_s = time.monotonic()
        if self._options.through_api:
            url, text = f"{self._fleet.instances[number % INSTANCES].url}/v1/documents/a.txt", f"version {number}."
            with self._client() as http:
                _acknowledged(lambda: http.put(url, content=text))
            acknowledged_s = time.monotonic()
            self.writes.append(Write(number, begin_s, acknowledged_s, acknowledged_s))
            return
        self._s3.put(f"{self._tenant}/a.txt", f"version {number}.")
        written_s = time.monotonic()
        if self._options.with_notices:
            url = self._fleet.instances[number % INSTANCES].url
            body = {"changes": [{"path": f"{self._tenant}/a.txt"}]}
            headers = {"authorization": f"Bearer {SECRET}"}
            _acknowledged(lambda: httpx.post(f"{url}/v1/changes", json=body, headers=headers, timeout=PATIENCE_S))
        self.writes.append(Write(number, begin_s, written_s, time.monotonic()))

    def _read(self, reader: int, conversation: str) -> None:
        dice = random.Random(f"{self._options.seed} {reader}")  # noqa: S311  # no secret.
        paths = {"document": "/v1/documents/a.txt", "context": f"/v1/conversations/{conversation}/context?budget=500"}
        with self._client() as http:
            for _ in range(self._options.reads // READERS):
                instance, kind = dice.choice(self._fleet.instances), dice.choice(list(paths))
                begin_s = time.monotonic()
                try:
                    answer = http.get(instance.url + paths[kind])
                    is_marked = "STALE" in answer.headers.get("cache-status", "") or '"stale":true' in answer.text
                    is_told = is_marked and not self._options.with_notices
                    if is_told or "source-unavailable" in answer.text or '"status":"unavailable"' in answer.text:
                        self.refused += 1
                        continue
                    answer.raise_for_status()
                except httpx.HTTPError as error:
                    self._failures.append(error)
                    return
                match = re.search(r"version (\d+)\.", answer.text)
                if match is None:
                    self._failures.append(ValueError(f"no document in {answer.text[:2_000]}"))
                    return
                self.reads.append(Seen(instance.number, kind, begin_s, time.monotonic(), int(match[1])))


def _acknowledged(send: Callable[[], httpx.Response]) -> httpx.Response:
    """Send until the store has refused no part of it. Raises httpx.HTTPStatusError: it keeps refusing."""
    for _ in range(ATTEMPTS_MAX):
        answer = send()
        if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
            break
        time.sleep(PAUSE_S)  # As a sender of notices does before it sends again.
    return answer.raise_for_status()
