"""
The calls whose traces a fixture holds: conversations of every kind, budgets, documents, crons, and what ended half-way.

Every write is sent with an Idempotency-Key and noted, so that a later release can be asked for it again. Nothing is put
into the store but by the service, limits and keys apart, which only scripts set.
"""

import time
from collections.abc import Callable
from typing import Any

import httpx
import orjson

from scripts.faults.server import FaultyServer
from scripts.proving.releases.samples import EVERY_TYPE, MESSAGES, with_document
from shared.conversations.export_lines import hash_of
from shared.store.script import scripts

DOCUMENTS = {"manual.txt": "Press the button twice.", "shared/terms.txt": "Be kind.", "unread.txt": "Half of it."}
"""Path, of the tenant's own or of those for all -> text. The last one is loaded last, and only half."""

MISSING = "missing.txt"
EXPIRY_S = 315_360_000
"""The most there can be: what expires has to be there for as long as its fixture is."""

IN_DOUBT = {"of": "a row in doubt"}
SPARSE = 70
"""Entries from which on compaction may be worth its while are 64."""

type Call = dict[str, Any]


class Making:
    """Makes it through *api*, whose store is reached by *front*; *cron* are the headers of who may run those."""

    def __init__(self, api: httpx.Client, front: FaultyServer, cron: dict[str, str]) -> None:
        self.conversations: dict[str, str] = {}
        """What each is here for -> its id."""
        self.reservations: dict[str, str] = {}
        self.writes: list[Call] = []
        self.reads: list[Call] = []
        self._api = api
        self._front = front
        self._cron = cron

    def all(self) -> None:
        """Raises RuntimeError: something was answered as it should not be."""
        self._talk()
        self._every_type()
        self._results_and_terms()
        self._deletions()
        self._summaries()
        self._documents()
        self._budgets()
        self._imports()
        self._erasures()
        for name in ("sweep", "warm"):
            self._answer("GET", f"/api/cron/{name}", headers=self._cron)
        self._read_in_second_encoding()
        self._read()
        # Last: who lists conversations makes rows right that are in doubt.
        self._half_way()

    def note_read(self, path: str) -> None:
        """Read it, and note what is answered."""
        answer = self._answer("GET", path)
        is_json = answer.headers["content-type"].startswith("application/json")
        self.reads.append({"path": path, "answer": answer.json() if is_json else answer.text})

    def _read(self) -> None:
        """Note what is answered of all that there is."""
        paths = ["/v1/documents/manual.txt"]
        for name, identity in self.conversations.items():
            path = f"/v1/conversations/{identity}"
            if name not in ("gone", "many words"):
                paths += [path, f"{path}/items?order=asc&limit=100", f"{path}/items?order=desc&limit=5"]
            if name in ("summarised", "replaced"):
                paths.append(f"{path}/summary")
        talk = f"/v1/conversations/{self.conversations['talk']}/context"
        paths += [f"{talk}?model={model}&budget=60&format=chat" for model in ("gpt-4o", "gpt-4")]
        for name, query in (("long result", "tool_results=short"), ("many words", "recall_budget=25")):
            paths.append(f"/v1/conversations/{self.conversations[name]}/context?budget=600&format=chat&{query}")
        paths += ["/v1/conversations?user=anna", "/v1/conversations?user=anna&agent=other%20guide"]
        for path in paths:
            self.note_read(path)

    def _talk(self) -> None:
        """Plain messages in several batches, with metadata; one that expires, one that is empty, one that is gone."""
        asked = [
            {"role": "user", "content": "What is the capital of Italy?"},
            {"role": "assistant", "content": "Rome."},
        ]
        path = self._create("talk", {"items": asked, "metadata": {"topic": "cities"}, "expires_after_s": 0})
        self._write("POST", f"{path}/items", {"items": [{"role": "user", "content": "And of Spain?", "id": "mine"}]})
        self._write("POST", f"{path}/items", {"items": [{"role": "assistant", "content": "Madrid."}]})
        self._write("POST", path, {"metadata": {"topic": "capitals"}})
        self._create("expiring", {"items": asked[:1], "expires_after_s": EXPIRY_S})
        self._create("empty", {"expires_after_s": 0})
        owned = self._create("of a user", {"items": asked, "user": "anna", "agent": "guide", "expires_after_s": 0})
        self._write("POST", owned, {"agent": "other guide"})
        self._fork("fork of a user", owned, {"agent": None})
        self._create("in doubt", {"items": asked[:1], "metadata": IN_DOUBT, "expires_after_s": 0})
        gone = self._create("gone", {"items": asked, "expires_after_s": 0})
        self._write("DELETE", gone, None)

    def _every_type(self) -> None:
        path = self._create("every type", {"items": list(EVERY_TYPE), "expires_after_s": 0})
        for format_, given in MESSAGES.items():
            self._write("POST", f"{path}/items", {**given, "format": format_})
        self._fork("fork", path, {"metadata": {"of": "every type"}})
        self._fork("fork of a part", path, {"after": self._ids(path)[5]})

    def _results_and_terms(self) -> None:
        """A result that has short forms; and so many items with terms that a block of them is closed."""
        call = {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"}
        result = {"type": "function_call_output", "call_id": "c1", "output": "All is well here. " * 60}
        asked = {"role": "user", "content": "Is all well?"}
        self._create("long result", {"items": [asked, call, result], "expires_after_s": 0})
        path = self._create("many words", {"expires_after_s": 0})
        for start in range(0, 258, 86):
            items = [{"id": f"w{at}", "role": "user", "content": f"word{at}"} for at in range(start, start + 86)]
            self._write("POST", f"{path}/items", {"items": items}, is_noted=False)
        self._write("POST", f"{path}/items", {"items": [{"role": "user", "content": "Where was word7?"}]})

    def _deletions(self) -> None:
        """Some items deleted, pinned ones too; as many that it was worth compacting; compacted, and written on."""
        items = [{"role": "system" if at == 2 else "user", "content": f"number {at}"} for at in range(6)]
        path = self._create("deleted", {"items": items, "expires_after_s": 0})
        for item_id in self._ids(path)[1:4]:
            self._write("DELETE", f"{path}/items/{item_id}", None)
        many = [{"role": "user", "content": f"number {at}"} for at in range(SPARSE)]
        compacted = self._create("compacted", {"items": many, "expires_after_s": 0})
        for item_id in self._ids(compacted)[5:15]:
            self._write("DELETE", f"{compacted}/items/{item_id}", None, is_noted=False)
        self._answer("POST", f"{compacted}/compact")
        self._write("POST", f"{compacted}/items", {"items": [{"role": "assistant", "content": "That was a lot."}]})
        self._fork("fork of a compacted one", compacted, {})

    def _summaries(self) -> None:
        items = [{"role": role, "content": f"{role} {at}"} for at in range(4) for role in ("user", "assistant")]
        for name, rounds in (("summarised", 1), ("replaced", 2), ("no summary", 1)):
            path = self._create(name, {"items": items, "expires_after_s": 0})
            ids = self._ids(path)
            for number in range(rounds):
                said = {"through": ids[3 + 2 * number], "text": f"They said a few things ({number})."}
                self._write("POST", f"{path}/summary", said)
            if name == "no summary":
                self._write("DELETE", f"{path}/summary", None)

    def _imports(self) -> None:
        """A conversation that was imported, and one of which a part was, of a user; another expiry."""
        exported = self._answer("GET", f"/v1/conversations/{self.conversations['summarised']}/export").content
        lines = [orjson.loads(line) for line in exported.splitlines()]
        lines[0]["id"] = self.conversations["imported"] = "conv_imported"
        self._import(lines)
        begun = [{**lines[0], "id": "conv_begun", "user": "gina"}, lines[1], {"type": "more", "cursor": ""}]
        self._import(begun)
        path = f"/v1/conversations/{self.conversations['imported']}"
        self._write("POST", path, {"expires_after_s": EXPIRY_S})
        self._write("POST", path, {"expires_after_s": None, "metadata": {"of": "an export"}})

    def _erasures(self) -> None:
        """A user who was erased; and one of whom only what was mentioned is left to be forgotten."""
        for user, items in (
            ("emil", [{"role": "user", "content": "Hello."}]),
            ("frida", [with_document("manual.txt")]),
        ):
            self._write("POST", "/v1/conversations", {"items": items, "user": user}, is_noted=False)
        while not self._answer("DELETE", "/v1/users/emil").json()["done"]:
            time.sleep(0.2)
        if self._answer("DELETE", "/v1/users/frida").json()["done"]:
            raise RuntimeError("an erasure did not wait for documents")

    def _import(self, lines: list[dict[str, Any]]) -> None:
        """Import a page of *lines*, with the hash that they have."""
        raw = [orjson.dumps(line) + b"\n" for line in lines[:-1]]
        last = orjson.dumps({**lines[-1], "sha256": hash_of("", raw)})
        answer = self._api.post("/v1/conversations/import", content=b"".join([*raw, last]))
        if answer.status_code != httpx.codes.OK:
            raise RuntimeError(f"an import was answered {answer.status_code}: {answer.text[:500]}")

    def _documents(self) -> None:
        path = self._create("documents", {"items": [with_document("manual.txt")], "expires_after_s": 0})
        more = [with_document("shared/terms.txt"), with_document(MISSING)]
        self._write("POST", f"{path}/items", {"items": more})
        for model in ("gpt-4o", "gpt-4"):
            self._answer("GET", f"{path}/context?model={model}&budget=2000")
        for name in ("written", "gone"):
            self._write("PUT", f"/v1/documents/{name}.json", {"closed": "on Mondays"})
        self._write("DELETE", "/v1/documents/gone.json", None)

    def _budgets(self) -> None:
        """Reservations of every state; one that a context made and an append settled."""
        for name, body in (
            ("live", {"tokens": 500, "model": "gpt-4o"}),
            ("settled", {"input_tokens": 300, "max_output_tokens": 100, "model": "gpt-4o"}),
            ("released", {"tokens": 50, "usd": 0.5}),
            ("half settled", {"tokens": 70, "model": "gpt-4o"}),
            ("of a user", {"tokens": 80, "model": "gpt-4o", "user": "anna", "agent": "guide"}),
            ("settled for a user", {"tokens": 90, "model": "gpt-4o", "user": "anna"}),
        ):
            self.reservations[name] = self._write("POST", "/v1/reservations", body)["id"]
        used = {"input_tokens": 250, "output_tokens": 150}
        self._write("POST", f"/v1/reservations/{self.reservations['settled']}/settle", used)
        self._write("POST", f"/v1/reservations/{self.reservations['settled for a user']}/settle", used)
        self._write("DELETE", f"/v1/reservations/{self.reservations['released']}", None)
        path = self._create("spending", {"items": [{"role": "user", "content": "Think."}], "expires_after_s": 0})
        wanted = {"model": "gpt-4o", "budget": 500, "reserve_output": 100, "reserve": True}
        made = self._write("POST", f"{path}/context", wanted)
        turn = {"items": [{"role": "assistant", "content": "I did."}], "reservation": made["reservation"]["id"]}
        self._write("POST", f"{path}/items", {**turn, "usage": {"input_tokens": 40, "output_tokens": 10}})

    def _read_in_second_encoding(self) -> None:
        """Behind the sweep, which compacts: counts are kept for as long as a history is the same."""
        for name in ("talk", "every type"):
            self._answer("GET", f"/v1/conversations/{self.conversations[name]}/context?model=gpt-4&budget=4000")

    def _half_way(self) -> None:
        """What a store leaves that refuses a write: a row in doubt, half a settlement, a built copy, a lease."""
        in_doubt = f"/v1/conversations/{self.conversations['in doubt']}"
        # The same again, so that it shows what it showed.
        self._refused("update", 3, lambda: self._ask("POST", in_doubt, {"metadata": IN_DOUBT}))
        settling = f"/v1/reservations/{self.reservations['half settled']}/settle"
        self._refused("settle", 2, lambda: self._ask("POST", settling, {"tokens": 7}))
        self._refused(
            "compact", 3, lambda: self._ask("POST", f"/v1/conversations/{self.conversations['deleted']}/compact")
        )
        self._refused("document_store", 1, lambda: self._ask("GET", "/v1/documents/unread.txt"))

    def _refused(self, script: str, nth: int, call: Callable[[], object]) -> None:
        """Have the store refuse the *nth* write of each *script* that *call* sends. Raises RuntimeError: none came."""
        sources = {scripts.source(script), scripts.source(script, takes_permits=True)}
        before = self._front.ended_half_way
        self._front.nth_write = lambda source: nth if source in sources else 0
        call()
        self._front.nth_write = None
        if self._front.ended_half_way == before:
            raise RuntimeError(f"{script} has no {nth} writes")

    def _create(self, name: str, body: dict[str, Any]) -> str:
        self.conversations[name] = self._write("POST", "/v1/conversations", body)["id"]
        return f"/v1/conversations/{self.conversations[name]}"

    def _fork(self, name: str, path: str, body: dict[str, Any]) -> None:
        self.conversations[name] = self._write("POST", f"{path}/fork", body)["id"]

    def _ids(self, path: str) -> list[str]:
        return [each["id"] for each in self._answer("GET", f"{path}/items?order=asc&limit=100").json()["data"]]

    def _write(self, method: str, path: str, body: Any, *, is_noted: bool = True) -> Any:
        """Do it with a key of its own, and return what was answered."""
        key = f"fixture-{len(self.writes)}" if is_noted else ""
        answer = self._answer(method, path, body, {"idempotency-key": key} if key else {}).json()
        if is_noted:
            self.writes.append({"method": method, "path": path, "body": body, "key": key, "answer": answer})
        return answer

    def _answer(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        answer = self._ask(method, path, body, headers)
        if answer.status_code != httpx.codes.OK:
            raise RuntimeError(f"{method} {path} was answered {answer.status_code}: {answer.text[:500]}")
        return answer

    def _ask(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> httpx.Response:
        return self._api.request(method, path, json=body, headers=headers)
