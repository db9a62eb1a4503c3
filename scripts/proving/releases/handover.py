"""
One caller that has two releases go on with what the other began, and holds their answers against each other.

    replay      what one did with an Idempotency-Key, the other says it did: the same ids, and that it is a replay
    alike       the items of a conversation, one by one and as a list, its metadata and its summary are the same at both
    compacted   what compaction of one leaves shows the other what was there before
    gone        what one deleted is unknown to the other

What only one of them says at all is left aside: a newer release may say more. What a context chooses may differ between
two releases that choose differently; such contexts are counted, and have to be answered.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from scripts.proving.chaos.answers import DEPLOYMENT_HEADER
from scripts.proving.chaos.client import Client
from scripts.proving.chaos.papers import PATH
from scripts.proving.chaos.site import Site
from scripts.proving.releases.samples import EVERY_TYPE, MESSAGES, with_document

PAUSE_S = 0.2
FORMATS, MODELS = ("items", "chat", "anthropic", "gemini", "text"), ("gpt-4o", "gpt-4")
"""The second model has another encoding, whose counts are kept beside the entries."""

DELETED = 3
KEY, REPLAYED = "idempotency-key", "idempotency-replayed"


class _Wrong(Exception):
    """A round cannot go on; the text says what was answered."""


class Handover:
    """*wrong*: what was not as it should be; *names*: those of the two deployments."""

    def __init__(self, site: Site, names: tuple[str, str], seed: object) -> None:
        self.wrong: list[str] = []
        self.done: Counter[str] = Counter()
        self._names = names
        self._client = Client(site, site.key, f"{seed} handover")

    def work(self) -> None:
        """Raises RunIsOver."""
        names = self._names
        while True:
            try:
                self._round(*names)
                self.done["rounds"] += 1
            except _Wrong as wrong:
                self.wrong.append(f"handover: {wrong}")
            names = names[1], names[0]
            self._client.rest(PAUSE_S)

    def _round(self, first: str, second: str) -> None:
        items = [*EVERY_TYPE, with_document(PATH)]
        made = self._twice(first, second, "POST", "/v1/conversations", {"items": items, "metadata": {"of": first}})
        path = f"/v1/conversations/{made['id']}"
        for format_, given in MESSAGES.items():
            self._twice(second, first, "POST", f"{path}/items", {**given, "format": format_})
            first, second = second, first
        self._alike(path, has_summary=False)
        ids = [each["id"] for each in self._items(path)]
        for item_id in ids[:DELETED]:
            self._twice(first, second, "DELETE", f"{path}/items/{item_id}", {})
            first, second = second, first
        self._twice(second, first, "POST", path, {"metadata": {"of": second}})
        self._twice(first, second, "POST", f"{path}/summary", {"through": ids[-1], "text": "They added numbers."})
        self._twice(second, first, "POST", f"{path}/items", {"items": [{"role": "user", "content": "And 7 and 8?"}]})
        self._contexts(path)
        before = self._items(path)
        fork = self._twice(first, second, "POST", f"{path}/fork", {})
        self._ask(second, "POST", f"{path}/compact")
        for each in (path, f"/v1/conversations/{fork['id']}"):
            self._alike(each, has_summary=True)
            if [_content(item) for item in self._items(each)] != [_content(item) for item in before]:
                raise _Wrong(f"compacted: {each} shows other items than before, after {first} and {second}")
        self._spend(first, second)
        self._twice(first, second, "DELETE", path, {})
        for name in (first, second):
            if self._ask(name, "GET", path, expected=httpx.codes.NOT_FOUND).status_code != httpx.codes.NOT_FOUND:
                raise _Wrong(f"gone: {name} shows what {first} deleted")

    def _spend(self, first: str, second: str) -> None:
        """Reserve at one and settle at the other, each twice."""
        made = self._twice(first, second, "POST", "/v1/reservations", {"tokens": 5})
        used, path = {"tokens": 3}, f"/v1/reservations/{made['id']}/settle"
        settled = [self._ask(name, "POST", path, used).json() for name in (second, first)]
        if not agree(*settled):
            raise _Wrong(f"settled: {second} says {settled[0]}, {first} {settled[1]}")
        self.done["settlements"] += 1

    def _contexts(self, path: str) -> None:
        for model in MODELS:
            for format_ in FORMATS:
                target = f"{path}/context?model={model}&budget=4000&format={format_}"
                answers = [self._ask(name, "GET", target).json() for name in self._names]
                alike = answers[0]["kept"] == answers[1]["kept"] and answers[0]["tokens"] == answers[1]["tokens"]
                self.done["contexts alike" if alike else "contexts that differ"] += 1

    def _alike(self, path: str, *, has_summary: bool) -> None:
        """Raises _Wrong: the two show something else."""
        item_id = self._items(path)[0]["id"]
        targets = (path, f"{path}/items?order=asc&limit=100", f"{path}/items/{item_id}")
        for target in (*targets, f"{path}/summary") if has_summary else targets:
            answers = [self._ask(name, "GET", target) for name in self._names]
            if not agree(*(each.json() for each in answers)) or len({_state(each) for each in answers}) > 1:
                raise _Wrong(f"alike: {target} is answered otherwise by {self._names[0]} than by {self._names[1]}")
            self.done["answers alike"] += 1

    def _items(self, path: str) -> Sequence[Mapping[str, Any]]:
        answer = self._ask(self._names[1], "GET", f"{path}/items?order=asc&limit=100").json()
        items: list[dict[str, Any]] = answer["data"]
        return items

    def _twice(self, first: str, second: str, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Do it at *first*, and again at *second* with the same key; return what was answered."""
        headers = {KEY: self._client.dice.randbytes(12).hex()}
        sent = body if method != "DELETE" else None
        done, again = (self._ask(name, method, path, sent, headers) for name in (first, second))
        if not agree(done.json(), again.json()) or again.headers.get(REPLAYED) != "true" or REPLAYED in done.headers:
            raise _Wrong(f"replay: what {first} did, {method} {path}, {second} does not know for that")
        self.done["replays"] += 1
        answer: dict[str, Any] = done.json()
        return answer

    def _ask(
        self,
        name: str,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        expected: int = httpx.codes.OK,
    ) -> httpx.Response:
        """Ask the deployment *name*. Raises _Wrong: it answers something else than *expected*."""
        answer = self._client.ask(method, path, body, {**(headers or {}), DEPLOYMENT_HEADER: name})
        if answer is None or answer.status_code != expected:
            said = "nothing" if answer is None else f"{answer.status_code} {answer.text[:300]}"
            raise _Wrong(f"{name} answered {method} {path} with {said}")
        return answer


def agree(one: Any, other: Any) -> bool:
    """Tell whether two answers say the same, as far as both say anything."""
    if isinstance(one, dict) and isinstance(other, dict):
        return all(agree(value, other[name]) for name, value in one.items() if name in other)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(agree, one, other))
    return bool(one == other)


def _state(answer: httpx.Response) -> str:
    """Return of a tag which history and version of a conversation it names: what else it names is a release's own."""
    return ".".join(answer.headers["etag"].strip('"').split(".")[:3])


def _content(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return *item* without its id: a fork keeps them, but that is not what is compared."""
    return {name: value for name, value in item.items() if name != "id"}
