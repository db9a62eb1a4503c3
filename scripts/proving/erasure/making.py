"""
A user whose canary stands wherever a client's words may: in every text of every item type that the service takes, and
in whatever else a request says.

What the service refuses, a canary in the place of an enumerated value for instance, is stored nowhere, and is counted.
"""

import copy
from collections.abc import Iterator
from typing import Any

import httpx
import orjson

from scripts.proving.releases.samples import EVERY_TYPE, MESSAGES
from shared.conversations.export_lines import hash_of

ITEMS_TOGETHER = 50
PLAIN_TOGETHER = 3


class Canaries:
    """Texts that stand nowhere else: each is *stem* and a number, of characters that every name may have."""

    def __init__(self, stem: str) -> None:
        self.stem = stem
        self.count = 0

    def __call__(self) -> str:
        self.count += 1
        return f"{self.stem}-{self.count}"


class Made:
    """What was made: *ids* of conversations, *rich* ones among them, and how many *refused* canaries."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.rich: list[str] = []
        self.accepted = 0
        self.refused = 0


def make(api: httpx.Client, canaries: Canaries, user: str, document: str, conversations: int) -> Made:
    """Make so many *conversations* of *user*, some with all there is; *document*: that one mentions, "" for none."""
    made = Made()
    _every_text(api, canaries, user, made)
    _whatever_else(api, canaries, user, document, made)
    while len(made.ids) < conversations:
        items = [{"role": "user", "content": f"{canaries()} said so"} for _ in range(PLAIN_TOGETHER)]
        made.ids.append(_create(api, {"items": items, "user": user}))
    return made


def _every_text(api: httpx.Client, canaries: Canaries, user: str, made: Made) -> None:
    """Append each item once for each of its texts, with a canary in the place of that."""
    for format_, samples in {"items": [{"items": [dict(each)]} for each in EVERY_TYPE], **_messages()}.items():
        path = ""
        for sample in samples:
            for place in places_of(sample):
                if not path or made.accepted % ITEMS_TOGETHER == 0:
                    path = _create(api, {"user": user, "agent": canaries(), "metadata": {canaries(): canaries()}})
                    made.ids.append(path)
                    made.rich.append(path)
                body = replaced(sample, place, canaries())
                if format_ != "items":
                    body = {**body, "format": format_}
                answer = api.post(f"/v1/conversations/{path}/items", json=body)
                made.accepted += answer.is_success
                made.refused += not answer.is_success


def _messages() -> dict[str, list[dict[str, Any]]]:
    return {name: [copy.deepcopy(dict(given))] for name, given in MESSAGES.items()}


def _whatever_else(api: httpx.Client, canaries: Canaries, user: str, document: str, made: Made) -> None:
    """Ids, metadata, summaries, forks, keys, documents, agents, imports, and a conversation that is deleted again."""
    items: list[dict[str, Any]] = [{"role": "user", "content": canaries(), "id": canaries()} for _ in range(4)]
    for path in [document, f"{canaries()}/none.txt"] if document else []:
        part = {"type": "input_file", "file_url": f"document:{path}"}
        text = {"type": "input_text", "text": canaries()}
        items.append({"role": "user", "content": [part, text], "id": canaries()})
    body = {"id": f"conv_{canaries()}", "items": items, "user": user, "agent": canaries()}
    first = _create(api, {**body, "metadata": {"k": canaries()}}, {"idempotency-key": canaries()})
    path = f"/v1/conversations/{first}"
    _send(api, "POST", f"{path}/summary", {"through": items[1]["id"], "text": canaries()})
    _send(api, "POST", path, {"metadata": {canaries(): canaries()}}, {"idempotency-key": canaries()})
    _send(api, "DELETE", f"{path}/items/{items[2]['id']}", None, {"idempotency-key": canaries()})
    fork = _send(api, "POST", f"{path}/fork", {"metadata": {"of": canaries()}}, {"idempotency-key": canaries()})
    of_part = _send(api, "POST", f"{path}/fork", {"after": items[0]["id"], "agent": canaries()})
    for budget in (500, 2_000):
        query = {"budget": budget, "recall_budget": 25, "model": "gpt-4o", "query": canaries()}
        _send(api, "GET", f"{path}/context", None, params=query)
        _send(api, "GET", f"{path}/context", None, params={**query, "model": "gpt-4"})
    imported = _import(api, first, f"conv_{canaries()}", "end")
    _import(api, first, f"conv_{canaries()}", "more")
    gone = _create(api, {"id": f"conv_{canaries()}", "items": items[:1], "user": user, "agent": canaries()})
    _send(api, "DELETE", f"/v1/conversations/{gone}", None, {"idempotency-key": canaries()})
    found = [first, fork["id"], of_part["id"], imported]
    made.ids += found
    made.rich += found


def _import(api: httpx.Client, conversation: str, as_id: str, end: str) -> str:
    """Import what is exported of *conversation* as another one; where the *end* is "more" it is never finished."""
    answer = api.get(f"/v1/conversations/{conversation}/export")
    lines = [orjson.loads(line) for line in answer.raise_for_status().content.splitlines()]
    lines[0]["id"] = as_id
    raw = [orjson.dumps(line) + b"\n" for line in lines[:-1]]
    last = orjson.dumps({**lines[-1], "type": end, "sha256": hash_of("", raw)})
    api.post("/v1/conversations/import", content=b"".join([*raw, last])).raise_for_status()
    return as_id


def places_of(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield where texts stand in *value*, and names of members that are nobody's words but a client's."""
    if isinstance(value, str):
        yield at
    elif isinstance(value, dict):
        for name, member in value.items():
            yield from places_of(member, (*at, name))
    elif isinstance(value, list):
        for number, element in enumerate(value):
            yield from places_of(element, (*at, number))


def replaced(value: Any, place: tuple[Any, ...], text: str) -> Any:
    """Return a copy of *value* with *text* at *place*; of what is JSON in a text it stays JSON."""
    changed = copy.deepcopy(value)
    holder = changed
    for step in place[:-1]:
        holder = holder[step]
    before = holder[place[-1]]
    holder[place[-1]] = f'{{"said":"{text}"}}' if before.startswith("{") else text
    return changed


def _create(api: httpx.Client, body: dict[str, Any], headers: dict[str, str] | None = None) -> str:
    return str(_send(api, "POST", "/v1/conversations", body, headers)["id"])


def _send(
    api: httpx.Client,
    method: str,
    path: str,
    body: Any,
    headers: dict[str, str] | None = None,
    params: dict[str, Any] | None = None,
) -> Any:
    answer = api.request(method, path, json=body, headers=headers, params=params)
    if not answer.is_success:
        raise RuntimeError(f"{method} {path} was answered {answer.status_code}: {answer.text[:300]}")
    return answer.json()
