"""
A conversation, its export, the import of that under another tenant, and what differs between the two in any read.

    make(api, conversation, dice)      a conversation as it was drawn, with changes of every kind
    pages(api, id), restore(api, …)    its export, and the import of that
    differences(source, copy, id)      the reads that do not answer the same
"""

import random
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import httpx
import orjson

from scripts.proving.borders.conversation import Conversation
from shared.context.render import FORMATS

type Json = dict[str, Any]

LINES = {"content-type": "application/x-ndjson"}
MADE_ANEW = frozenset({"last_active_at", "expires_at", "bytes", "request_id", "cursor"})
"""What an import is not to have the same of: its life begins with it, and what compaction takes out is not there."""

BUDGETS = (100_000, 300, 60)
QUERIES = (
    *(f"budget={budget}&format={name}" for name in FORMATS for budget in BUDGETS),
    "budget=100000&format=chat&encoding=cl100k_base",
    "budget=400&format=chat&stable_prefix=true&explain=true",
    "budget=400&format=items&tool_results=short",
)
RECALLING = (
    "budget=60&format=chat&recall_budget=50",
    "budget=150&format=text&recall_budget=75",
    "budget=90&recall_budget=25",
)
"""What is recalled ranks by how near items are, so as compaction leaves them."""

GONE_MAX, ITEMS_MAX, PAGE = 4, 6, 7
REFUSED = (400, 404, 413, 422)


class Broken(Exception):
    """The service answered as it never may; the text says to what."""


class Made(NamedTuple):
    """*id*: of the conversation; *ids*: of all items that it ever had; *gone*: of those that were deleted."""

    id: str
    ids: list[str]
    gone: list[str]


def make(api: httpx.Client, drawn: Conversation, dice: random.Random) -> Made | None:
    """Return a conversation of what was *drawn*, None where the service takes none of it; *dice* change it further."""
    told = _ok(api.post("/v1/conversations", json={"metadata": {"of": str(dice.random())}}))
    path, ids = f"/v1/conversations/{told['id']}", list[str]()
    for batch in drawn.batches:
        answer = api.post(f"{path}/items", content=_json(batch))
        if answer.status_code not in REFUSED:
            ids += [each["id"] for each in _ok(answer)["data"]]
    if not ids:
        api.delete(path)
        return None
    made = Made(told["id"], ids, [])
    for at in sorted(drawn.deleted):
        if at < len(ids):
            _delete(api, made, ids[at])
    if drawn.summary and drawn.through >= 0:
        _summarise(api, made, drawn.through)
    for _ in range(dice.randrange(5)):
        _change(api, made, dice)
    return made


def _change(api: httpx.Client, made: Made, dice: random.Random) -> None:
    path = f"/v1/conversations/{made.id}"
    match dice.choice(["delete", "delete", "summary", "unsummary", "compact", "metadata", "expiry", "append"]):
        case "delete":
            _delete(api, made, dice.choice(made.ids))
        case "summary":
            _summarise(api, made, dice.randrange(len(made.ids)))
        case "unsummary":
            api.delete(f"{path}/summary")
        case "compact":
            _ok(api.post(f"{path}/compact"))
        case "metadata":
            _ok(api.post(path, json={"metadata": {"of": "another"}}))
        case "expiry":
            _ok(api.post(path, json={"expires_after_s": dice.choice([None, 5_000, 10**6])}))
        case _:
            said = {"role": dice.choice(["user", "assistant"]), "content": f"Where is word{dice.randrange(40)}?"}
            made.ids.append(_ok(api.post(f"{path}/items", json={"items": [said]}))["last_id"])


def _delete(api: httpx.Client, made: Made, item_id: str) -> None:
    if item_id not in made.gone:
        _ok(api.delete(f"/v1/conversations/{made.id}/items/{item_id}"))
        made.gone.append(item_id)


def _summarise(api: httpx.Client, made: Made, at: int) -> None:
    body = {"through": made.ids[min(at, len(made.ids) - 1)], "text": f"All up to {at}."}
    answer = api.post(f"/v1/conversations/{made.id}/summary", json=body)
    if answer.status_code not in REFUSED:
        _ok(answer)


def pages(api: httpx.Client, conversation_id: str) -> list[bytes]:
    """Return the pages of an export. Raises Broken."""
    found: list[bytes] = []
    query: dict[str, str] = {}
    while True:
        answer = api.get(f"/v1/conversations/{conversation_id}/export", params=query)
        if answer.status_code != httpx.codes.OK:
            raise Broken(f"an export was answered {answer.status_code}: {answer.text[:200]}")
        found.append(answer.content)
        last = orjson.loads(answer.content.splitlines()[-1])
        if last["type"] == "end":
            return found
        query = {"cursor": last["cursor"]}


def restore(api: httpx.Client, exported: list[bytes]) -> None:
    """Make a conversation of an export. Raises Broken."""
    for page in exported:
        answer = api.post("/v1/conversations/import", content=page, headers=LINES)
        if answer.status_code != httpx.codes.OK:
            raise Broken(f"an import was answered {answer.status_code}: {answer.text[:300]}")


def differences(source: httpx.Client, copy: httpx.Client, made: Made, exported: list[bytes]) -> Iterator[str]:
    """
    Yield the reads of the conversation that *source* and *copy* do not answer the same; the original is compacted
    meanwhile, which no read shows.
    """
    yield from _differing(source, copy, made, reads(made))
    _ok(source.post(f"/v1/conversations/{made.id}/compact"))
    recalling = [f"/context?{query}" for query in RECALLING]
    yield from (f"{path} (compacted)" for path in _differing(source, copy, made, [*reads(made), *recalling]))
    again = pages(copy, made.id)
    if [_lines(page) for page in again] != [_lines(page) for page in exported]:
        yield "/export"


def _differing(source: httpx.Client, copy: httpx.Client, made: Made, paths: Iterable[str]) -> Iterator[str]:
    for path in paths:
        answers = [_shown(each.get(f"/v1/conversations/{made.id}{path}")) for each in (source, copy)]
        if answers[0] != answers[1]:
            yield path


def reads(made: Made) -> Iterator[str]:
    yield from ("", "/summary", "/items?order=asc&limit=100", f"/items?order=desc&limit={PAGE}")
    for item_id in made.gone[:GONE_MAX]:
        yield f"/items/{item_id}"
        for order in ("asc", "desc"):
            yield f"/items?order={order}&limit={PAGE}&after={item_id}"
    for item_id in made.ids[-ITEMS_MAX:]:
        yield f"/items/{item_id}"
    for query in QUERIES:
        yield f"/context?{query}"


def _shown(answer: httpx.Response) -> tuple[int, Any]:
    if answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
        raise Broken(f"{answer.request.url.path} was answered {answer.status_code}: {answer.text[:200]}")
    return answer.status_code, _without(answer.json())


def _without(value: Mapping[str, Any]) -> Json:
    return {name: member for name, member in value.items() if name not in MADE_ANEW}


def _lines(page: bytes) -> list[Json]:
    return [_without(orjson.loads(line)) for line in page.splitlines()]


def _json(batch: Mapping[str, Any]) -> bytes:
    import json  # Integers of any size.

    return json.dumps(batch).encode()


def _ok(answer: httpx.Response) -> Json:
    if answer.status_code != httpx.codes.OK:
        raise Broken(
            f"{answer.request.method} {answer.request.url.path} was answered {answer.status_code}: {answer.text}"
        )
    told: Json = answer.json()
    return told
