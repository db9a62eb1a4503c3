"""
Conversations that the store evicts, as one does that is configured to: their key is gone, with no word to anybody.

What is promised then (docs/operating.md): they are lost, nothing else is. They are unknown from then on, to instances
that remember them as well: no copy is shown, nothing is appended to them. What can be had again, a document's text, is.
"""

import threading

import httpx

from scripts.proving.chaos.client import Client
from scripts.proving.chaos.papers import PATH
from scripts.proving.chaos.site import Site
from shared.store import keys

READY = 2
PAUSE_S = 0.2
LOOKS = 6


class Victims:
    """*evicted*: how many keys were; *wrong*: what was shown of them afterwards."""

    def __init__(self, site: Site, seed: object) -> None:
        self.evicted = 0
        self.wrong: list[str] = []
        self._site = site
        self._ready: list[str] = []
        self._gone: list[str] = []
        self._lock = threading.Lock()
        self._client = Client(site, site.key, f"{seed} victims")
        site.evict = self.evict

    def evict(self) -> None:
        with self._lock:
            names = [keys.conversation_key(self._site.tenant, each) for each in self._ready]
            names.append(keys.document_key(self._site.tenant, PATH))
            self.evicted += int(self._site.run("DEL", *names))
            self._gone += self._ready
            self._ready = []

    def work(self) -> None:
        """Raises RunIsOver."""
        while True:
            with self._lock:
                gone, self._gone = self._gone, []
                missing = READY - len(self._ready)
            for identity in gone:
                self._look(identity)
            if missing > 0:
                self._prepare()
            self._client.rest(PAUSE_S)

    def _prepare(self) -> None:
        """Make a conversation that instances remember."""
        made = self._client.insist("POST", "/v1/conversations", {"items": [{"role": "user", "content": "to be lost"}]})
        assert made is not None
        identity = made.raise_for_status().json()["id"]
        for _ in range(READY):
            self._client.ask("GET", f"/v1/conversations/{identity}/context?budget=500")
        with self._lock:
            self._ready.append(identity)

    def _look(self, identity: str) -> None:
        path, item = f"/v1/conversations/{identity}", {"items": [{"role": "user", "content": "is it there?"}]}
        for _ in range(LOOKS):
            for method, target, body in (
                ("GET", f"{path}/context?budget=500", None),
                ("GET", f"{path}/items", None),
                ("POST", f"{path}/items", item),
            ):
                answer = self._client.ask(method, target, body)
                if answer is not None and answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR:
                    self._judge(method, identity, answer)
        listed = self._client.insist("GET", "/v1/conversations?limit=20")
        if listed is not None and listed.is_error:
            self.wrong.append(f"evicted: the list of conversations is answered {listed.status_code} after an eviction")

    def _judge(self, method: str, identity: str, answer: httpx.Response) -> None:
        if answer.status_code != httpx.codes.NOT_FOUND:
            self.wrong.append(
                f"evicted: {method} of {identity}, which is gone, was answered {answer.status_code} at "
                f"{self._client.last}"
            )
