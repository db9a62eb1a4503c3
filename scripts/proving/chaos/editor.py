"""
One caller with conversations of its own: it appends, reads its own writes, sums up, and forks.

    own        a context with `Warmthread-Min-Version` of an append shows what was appended
    summary    a context that began after a summary was acknowledged shows it
    fork       holds what the conversation held up to where it was made, whole and in order
"""

import re
import time
from typing import NamedTuple

import httpx

from scripts.proving.chaos.client import Client, acknowledged, begun
from scripts.proving.chaos.site import Site
from scripts.proving.coherence.stored import Stored
from scripts.proving.documents.experiment import Seen, Write

ROUNDS_MAX, FORK_EVERY = 40, 4
ATTEMPTS = 12
PAUSE_S = 0.1
OWN, SUMMARY = re.compile(r"own-(\d+)\b"), re.compile(r"sum-(\d+)\b")


class Fork(NamedTuple):
    """*id* was acknowledged as a copy of *source* up to the item *after*."""

    id: str
    source: str
    after: str


class Editor:
    def __init__(self, site: Site, seed: object) -> None:
        self.own: list[Write] = []
        self.own_seen: list[Seen] = []
        self.summaries: list[Write] = []
        self.summaries_seen: list[Seen] = []
        self.forks: list[Fork] = []
        self._site = site
        self._client = Client(site, site.key, f"{seed} editor")

    def work(self) -> None:
        """Raises RunIsOver."""
        while True:
            made = self._client.insist("POST", "/v1/conversations", {})
            assert made is not None
            identity = made.raise_for_status().json()["id"]
            # Of an earlier conversation nothing is shown here.
            for _ in range(ROUNDS_MAX):
                self._round(identity)
                self._client.rest(PAUSE_S)

    def _round(self, identity: str) -> None:
        client, path = self._client, f"/v1/conversations/{identity}"
        number = begun(self.own, time.monotonic())
        items = [{"role": "user", "content": f"own-{number} asked"}, {"role": "assistant", "content": f"own-{number}"}]
        answer = client.insist("POST", f"{path}/items", {"items": items}, attempts=ATTEMPTS)
        if answer is None or answer.is_error:
            return
        acknowledged(self.own, number, time.monotonic())
        last_id, (_, version) = answer.json()["last_id"], answer.headers["etag"].strip('W/"').split(".", 1)
        self._look(path, OWN, self.own_seen, {"warmthread-min-version": version})

        number = begun(self.summaries, time.monotonic())
        body = {"through": last_id, "text": f"sum-{number} of it"}
        answer = client.insist("POST", f"{path}/summary", body, attempts=ATTEMPTS)
        if answer is None or answer.is_error:
            return
        acknowledged(self.summaries, number, time.monotonic())
        self._look(path, SUMMARY, self.summaries_seen, {})
        if number % FORK_EVERY == 0:
            answer = client.insist("POST", f"{path}/fork", {"after": last_id}, attempts=ATTEMPTS)
            if answer is not None and not answer.is_error:
                self.forks.append(Fork(answer.json()["id"], identity, last_id))

    def _look(self, path: str, mark: re.Pattern[str], seen: list[Seen], headers: dict[str, str]) -> None:
        begin_s = time.monotonic()
        answer = self._client.ask("GET", f"{path}/context?budget=100000&format=items", headers=headers)
        if answer is not None and answer.status_code == httpx.codes.OK:
            newest = max(map(int, mark.findall(answer.text)), default=0)
            seen.append(Seen(0, f"context at {self._client.last}", begin_s, time.monotonic(), newest))


def broken_forks(site: Site, forks: list[Fork]) -> list[str]:
    """Return the forks that are not there, or hold something else than their source did."""
    found = []
    for fork in forks:
        try:
            source, copy = (Stored(_Past(site), each, {}).log() for each in (fork.source, fork.id))
        except KeyError:
            found.append(f"lost: the fork {fork.id} was acknowledged and is not there")
            continue
        expected = source.ids[: source.ids.index(fork.after) + 1]
        if [source.texts[each] for each in expected] != [copy.texts[each] for each in copy.ids]:
            found.append(f"fork: {fork.id} holds {len(copy.ids)} items, its source held {len(expected)}")
    return found


class _Past:
    """The store, past the service."""

    def __init__(self, site: Site) -> None:
        self.key = site.key
        self.run = site.run
        self.available = ()
