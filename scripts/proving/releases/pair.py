"""
Two deployments behind one router: each request goes to one of them, drawn anew, and it is counted who read what whom.

    choose     which of the two a request is for; one that names its own keeps it
    hear       what was answered by which: after a write of one release, what reads it, by kind of thing

A run in which one direction never happened has proved nothing of it: `missing` says so.
"""

import random
import re
import threading
from collections import Counter
from collections.abc import Iterator

import httpx

from scripts.proving.chaos.answers import DEPLOYMENT_HEADER

THINGS = re.compile(r"/v1/(conversations|reservations)/([^/]+)")
KINDS = ("conversations", "reservations", "documents")
DOCUMENTS = ("/v1/changes", "/v1/documents/")


class Pair:
    """*names* are those of both deployments, the old one first."""

    def __init__(self, names: tuple[str, str], seed: object) -> None:
        self.names = names
        self.answered: Counter[str] = Counter()
        self.handed: Counter[tuple[str, str, str]] = Counter()
        """By kind, who wrote last, and who then read, or wrote on."""
        self.always = ""
        """Where all requests go, if not to both."""
        self._dice = random.Random(f"{seed} pair")  # noqa: S311  # no secret.
        self._writers: dict[str, str] = {}
        self._lock = threading.Lock()

    def choose(self, request: httpx.Request) -> str:
        if DEPLOYMENT_HEADER in request.headers:
            return ""
        with self._lock:
            return self.always or self._dice.choice(self.names)

    def hear(self, request: httpx.Request, response: httpx.Response) -> None:
        name = response.headers.get("x-fleet-instance", "").partition("/")[0]
        kind, thing = _thing(request, response)
        with self._lock:
            self.answered[name] += 1
            if not kind or response.is_error:
                return
            before = self._writers.get(thing)
            if before is not None:
                self.handed[kind, before, name] += 1
            if request.method != "GET":
                self._writers[thing] = name

    def missing(self) -> Iterator[str]:
        """Yield what nobody read of whom, of all that has to be read by both."""
        old, new = self.names
        for kind in KINDS:
            for writer, reader in ((old, new), (new, old)):
                if not self.handed[kind, writer, reader]:
                    yield f"unproved: no {kind} that {writer} wrote were then read by {reader}"


def _thing(request: httpx.Request, response: httpx.Response) -> tuple[str, str]:
    """Return the kind of what *request* is about, and its name; ("", "") for nothing that is handed over."""
    path = request.url.path
    if path.startswith(DOCUMENTS):
        return "documents", "documents"
    if (found := THINGS.match(path)) is not None:
        return found[1], found[2]
    kind = path.removeprefix("/v1/")
    if kind in KINDS and request.method == "POST" and response.is_success:
        return kind, str(response.json()["id"])
    return "", ""
