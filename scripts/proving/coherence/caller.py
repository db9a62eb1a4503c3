"""
A caller of the service that records what it did: each method is one operation of a history
(scripts/proving/history/recorded.py).

What a caller cannot know is recorded as unknown: an answer that never came, or a 5xx that does not say that
nothing was stored. Nothing is concluded here; the checker does that.
"""

import random
import time
from collections import Counter
from typing import Any, NamedTuple

import httpx

from scripts.proving.coherence.reached import Instance, Reached
from scripts.proving.history.recorded import Append, Delete, Lookup, Operation, Outcome, Read

TIMEOUT_S = 15.0
RETRY_PAUSE_S = 0.1
"""Before something is sent again, and to an instance that was killed: it takes as long to start."""
ATTEMPTS_MAX = 100
CONDITIONAL_SHARE = 0.5
TURN_SHARE = 0.3
"""Of appends, those that answer with a context as well."""
NS_PER_S = 1_000_000_000
PAGE_LIMIT, TAIL_LIMIT = 100, 20
WHOLE_BUDGET_TOKENS, WINDOW_BUDGET_TOKENS = 100_000_000, 3_000


class Resending(NamedTuple):
    """What a caller may do about an unknown outcome, and how often it loses an answer on purpose."""

    by_key: bool = False
    by_count: bool = False
    lost_answers: float = 0.0
    lost_requests: float = 0.0


class Answer(NamedTuple):
    """*status* is 0 when there was no answer."""

    start_ns: int
    end_ns: int
    outcome: Outcome
    status: int = 0
    body: Any = None


class Shared:
    """What all callers of one conversation know together: ids in the order they were learned in, and their texts."""

    def __init__(self, conversation_id: str) -> None:
        self.path = f"/v1/conversations/{conversation_id}"
        self.texts: dict[str, str] = {}
        self.ids: list[str] = []
        self.deletions: list[str] = []

    def learn(self, items: list[dict[str, Any]]) -> tuple[str, ...]:
        """Return the ids of *items*."""
        for item in items:
            if item["id"] not in self.texts:
                self.texts[item["id"]] = item["content"][0]["text"].partition(" ")[0]
                self.ids.append(item["id"])
        return tuple(item["id"] for item in items)


class Caller:
    """One thread's connections and record."""

    def __init__(
        self,
        fleet: Reached,
        shared: Shared,
        resending: Resending,
        dice: random.Random,
        patience_s: float,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.operations: list[Operation] = []
        self.outcomes: Counter[str] = Counter()
        self.shared = shared
        self._fleet = fleet
        self._resending = resending
        self._dice = dice
        self._http = httpx.Client(
            headers={"authorization": f"Bearer {fleet.key}"}, timeout=TIMEOUT_S + patience_s, transport=transport
        )
        self._known: dict[str, tuple[str, Any]] = {}

    def close(self) -> None:
        self._http.close()

    def process_of(self, instance: Instance) -> int:
        """Return whose answer the last one was: versions that one process shows never go back."""
        return instance.number

    def append(self, instance: Instance, items: list[dict[str, Any]]) -> None:
        """Append a batch; send it again, anywhere, where the outcome is unknown and the service can tell a repeat."""
        texts = tuple(item["content"].partition(" ")[0] for item in items)
        headers = {"idempotency-key": self._dice.randbytes(12).hex()} if self._resending.by_key else {}
        body: dict[str, Any] = {"items": items}
        if self._dice.random() < TURN_SHARE:
            body["context"] = {"budget": WINDOW_BUDGET_TOKENS, "format": "items"}
        start_ns = time.monotonic_ns()
        outcome, sent = Outcome.REFUSED, 0
        ids: tuple[str, ...] = ()
        for attempt in range(ATTEMPTS_MAX):
            if attempt:
                self.outcomes["append sent again"] += 1
                time.sleep(RETRY_PAUSE_S)  # As a client does before it sends again.
            to = self._dice.choice([instance, *self._fleet.available]) if attempt else instance
            answer = self._attempt(attempt, to, body, headers)
            if answer.outcome is Outcome.OK:
                outcome, ids, sent = Outcome.OK, self.shared.learn(answer.body["data"]), sent + 1
                if "input" in answer.body.get("context", {}):
                    self.outcomes["append with context"] += 1
                    self._note_context(to, answer, answer.body["context"], 0)
                break
            if answer.outcome is Outcome.UNKNOWN:
                outcome, sent = Outcome.UNKNOWN, sent + 1
                if not (self._resending.by_key or self._resending.by_count):
                    break
                if self._resending.by_count:
                    headers["x-stainless-retry-count"] = str(sent)
            elif answer.status:
                break
        copies_max = 1 if self._resending.by_key else max(1, sent)
        self.operations.append(Append(instance.number, start_ns, answer.end_ns, outcome, texts, ids, copies_max))
        self.outcomes[f"append {outcome}"] += 1

    def _attempt(self, attempt: int, instance: Instance, body: Any, headers: dict[str, str]) -> Answer:
        chance = self._dice.random() if attempt == 0 else 1.0
        if chance < self._resending.lost_requests:
            return Answer(now_ns := time.monotonic_ns(), now_ns, Outcome.UNKNOWN)
        loses_answer = chance < self._resending.lost_requests + self._resending.lost_answers
        return self._call("POST", instance, "/items", body=body, headers=headers, loses_answer=loses_answer)

    def delete(self, instance: Instance, item_id: str) -> None:
        self.shared.deletions.append(item_id)
        answer = self._call("DELETE", instance, f"/items/{item_id}")
        self.operations.append(Delete(instance.number, answer.start_ns, answer.end_ns, answer.outcome, item_id))
        self.outcomes[f"delete {answer.outcome}"] += 1

    def lookup(self, instance: Instance, item_id: str, max_age_s: int = 0) -> None:
        """Read a single item."""
        answer = self._call("GET", instance, f"/items/{item_id}", max_age_s=max_age_s)
        if self._says_something("item", answer):
            self._note_lookup(instance, answer, item_id, max_age_s)

    def page(self, instance: Instance, after: str, max_age_s: int = 0) -> tuple[tuple[str, ...], bool] | None:
        """Return the ids of the page behind *after* and whether there are more, None when there was no page."""
        params: dict[str, str | int] = {"order": "asc", "limit": PAGE_LIMIT}
        if after:
            params["after"] = after
        answer = self._call("GET", instance, "/items", params=params, max_age_s=max_age_s)
        if not self._says_something("page", answer):
            return None
        if answer.status == httpx.codes.NOT_FOUND:
            self._note_lookup(instance, answer, after, max_age_s)
            return None
        ids, more = self.shared.learn(answer.body["data"]), bool(answer.body["has_more"])
        self._note_read(instance, answer, ids, after, max_age_s, to_end=not more)
        return ids, more

    def tail(self, instance: Instance, max_age_s: int = 0) -> None:
        """Read the newest items."""
        params: dict[str, str | int] = {"order": "desc", "limit": TAIL_LIMIT}
        answer = self._call("GET", instance, "/items", params=params, max_age_s=max_age_s)
        if self._says_something("tail", answer) and answer.status == httpx.codes.OK:
            ids = self.shared.learn(answer.body["data"][::-1])
            self._note_read(instance, answer, ids, None if answer.body["has_more"] else "", max_age_s)

    def context(self, instance: Instance, budget_tokens: int, max_age_s: int = 0) -> bool:
        """Read a context; return whether it came."""
        params: dict[str, str | int] = {"budget": budget_tokens, "format": "items"}
        answer = self._call("GET", instance, "/context", params=params, max_age_s=max_age_s)
        if not self._says_something("context", answer) or answer.status != httpx.codes.OK:
            return False
        self._note_context(instance, answer, answer.body, max_age_s)
        return True

    def _note_context(self, instance: Instance, answer: Answer, context: dict[str, Any], max_age_s: int) -> None:
        items = context["input"]
        is_cut = context["omitted"]["items"] > 0
        if is_cut:
            # The oldest turn that is kept may lack units; from the next one on nothing is missing.
            users = [index for index, item in enumerate(items) if item["role"] == "user"]
            items = items[users[1] if len(users) > 1 else len(items) - 1 :]
        ids, version = self.shared.learn(items), context["version"]
        self._note_read(instance, answer, ids, None if is_cut else "", max_age_s, version=version)

    def _says_something(self, name: str, answer: Answer) -> bool:
        """Count a read; return whether it says anything of the log."""
        self.outcomes[f"{name} {answer.outcome}"] += 1
        return answer.status in (httpx.codes.OK, httpx.codes.NOT_FOUND)

    def _note_lookup(self, instance: Instance, answer: Answer, item_id: str, max_age_s: int) -> None:
        found = answer.status == httpx.codes.OK
        self.operations.append(
            Lookup(self.process_of(instance), answer.start_ns, answer.end_ns, item_id, found, max_age_s * NS_PER_S)
        )

    def _note_read(
        self,
        instance: Instance,
        answer: Answer,
        ids: tuple[str, ...],
        after: str | None,
        max_age_s: int,
        *,
        to_end: bool = True,
        version: int | None = None,
    ) -> None:
        times = (answer.start_ns, answer.end_ns)
        self.operations.append(
            Read(self.process_of(instance), *times, ids, after, to_end, version, max_age_s * NS_PER_S)
        )

    def _call(
        self,
        method: str,
        instance: Instance,
        path: str,
        *,
        body: Any = None,
        params: dict[str, str | int] | None = None,
        headers: dict[str, str] | None = None,
        max_age_s: int = 0,
        loses_answer: bool = False,
    ) -> Answer:
        name = f"{instance.number} {path} {params}"
        etag, known = self._known.get(name, ("", None))
        sent = dict(headers or {})
        if etag and self._dice.random() < CONDITIONAL_SHARE:
            sent["if-none-match"] = etag
        if max_age_s:
            sent["cache-control"] = f"max-age={max_age_s}"
        url = instance.url + self.shared.path + path
        start_ns = time.monotonic_ns()
        try:
            with self._http.stream(method, url, json=body, params=params, headers=sent) as response:
                if loses_answer:
                    return Answer(start_ns, time.monotonic_ns(), Outcome.UNKNOWN)
                response.read()
        except (httpx.ConnectError, httpx.ConnectTimeout):
            time.sleep(RETRY_PAUSE_S)  # An instance that was killed is not back at once.
            return Answer(start_ns, time.monotonic_ns(), Outcome.REFUSED)
        except httpx.TransportError:
            return Answer(start_ns, time.monotonic_ns(), Outcome.UNKNOWN)
        end_ns = time.monotonic_ns()
        if response.status_code == httpx.codes.NOT_MODIFIED:
            self.outcomes["of them not modified (304)"] += 1
            return Answer(start_ns, end_ns, Outcome.OK, httpx.codes.OK, known)
        content = response.json()
        if response.status_code == httpx.codes.OK:
            if method == "GET" and "etag" in response.headers and "after" not in (params or {}):
                self._known[name] = (response.headers["etag"], content)
            return Answer(start_ns, end_ns, Outcome.OK, httpx.codes.OK, content)
        is_known = response.status_code < httpx.codes.INTERNAL_SERVER_ERROR or content.get("outcome_unknown") is False
        outcome = Outcome.REFUSED if is_known else Outcome.UNKNOWN
        return Answer(start_ns, end_ns, outcome, response.status_code, content)
