"""
A document that is overwritten behind the service's back, each time with a change notice, and read; by itself and in a
context. The checker is that of `scripts/prove documents`.
"""

import re
import time

import httpx

from scripts.proving.chaos.client import Client, acknowledged, begun
from scripts.proving.chaos.site import Site
from scripts.proving.documents.experiment import Seen, Write
from shared.request.caller import read_key

WRITE_PAUSE_S, READ_PAUSE_S = 0.4, 0.08
PATH = "a.txt"
VERSION = re.compile(r"version (\d+)\.")
NOT_SHOWN = ("source-unavailable", '"status":"unavailable"', '"stale":true')


class Papers:
    """*told*: answers that said that the source is away, or that their text is old."""

    def __init__(self, site: Site, seed: object) -> None:
        self.writes: list[Write] = []
        self.seen: list[Seen] = []
        self.told = 0
        self._site = site
        self._tenant = read_key(site.key).tenant
        self._writer = Client(site, site.key, f"{seed} papers writer")
        self._reader = Client(site, site.key, f"{seed} papers reader")

    def write(self) -> None:
        """Raises RunIsOver."""
        headers = {"authorization": f"Bearer {self._site.fleet.secrets['WARMTHREAD_CHANGES_SECRET']}"}
        body = {"changes": [{"path": f"{self._tenant}/{PATH}"}]}
        while True:
            number = begun(self.writes, time.monotonic())
            self._site.s3.put(f"{self._tenant}/{PATH}", f"version {number}.")
            while True:
                answer = self._writer.ask("POST", "/v1/changes", body, headers)
                if answer is not None and answer.is_success:
                    break
                self._writer.rest(READ_PAUSE_S)
            acknowledged(self.writes, number, time.monotonic())
            self._writer.rest(WRITE_PAUSE_S)

    def read(self) -> None:
        """Raises RunIsOver."""
        client = self._reader
        while not self.writes:
            client.rest(READ_PAUSE_S)
        part = {"type": "input_file", "file_url": f"document:{PATH}"}
        made = client.insist("POST", "/v1/conversations", {"items": [{"role": "user", "content": [part]}]})
        assert made is not None
        paths = (
            f"/v1/documents/{PATH}",
            f"/v1/conversations/{made.raise_for_status().json()['id']}/context?budget=500",
        )
        while True:
            path = client.dice.choice(paths)
            begin_s = time.monotonic()
            answer = client.ask("GET", path)
            if answer is not None and answer.status_code in (httpx.codes.OK, httpx.codes.SERVICE_UNAVAILABLE):
                self._note(path, begin_s, answer)
            client.rest(READ_PAUSE_S)

    def _note(self, path: str, begin_s: float, answer: httpx.Response) -> None:
        is_marked = "STALE" in answer.headers.get("cache-status", "") or any(each in answer.text for each in NOT_SHOWN)
        match = VERSION.search(answer.text)
        if is_marked:
            self.told += 1
        elif match is not None:
            kind = f"{path.split('/')[2]} at {self._reader.last}"
            self.seen.append(Seen(0, kind, begin_s, time.monotonic(), int(match[1])))
