"""Explained contexts over HTTP: their tags, what they read, documents, and appends that answer with them."""

from collections.abc import Callable
from itertools import product
from typing import Any

import httpx
import pytest

from scripts.local.object_store import ObjectStore
from scripts.local.upstash import LocalUpstash
from shared.context.render import FORMATS

TALK = [
    {"role": "system", "content": "You answer briefly."},
    *(
        {"role": role, "content": f"message {at}: {'word ' * 12}"}
        for at in range(150)
        for role in ("user", "assistant")
    ),
]
WANTED: dict[str, Any] = {"budget": 400, "format": "chat"}
EXPLAINED: dict[str, Any] = {**WANTED, "explain": "true"}
BUDGETS = ((150, "o200k_base"), (400, "cl100k_base"), (3_000, "o200k_base"))
SENT = ("prompt", "pinned", "kept", "document")


def create(api: httpx.Client, items: list[dict[str, Any]]) -> str:
    path = ""
    for start in range(0, len(items), 100):
        answer = api.post(
            f"{path or '/v1/conversations'}{path and '/items'}", json={"items": items[start : start + 100]}
        )
        assert answer.status_code == 200, answer.text
        path = path or f"/v1/conversations/{answer.json()['id']}"
    return path


@pytest.fixture
def path(api: httpx.Client) -> str:
    return create(api, TALK)


def explained(api: httpx.Client, path: str, **wanted: Any) -> dict[str, Any]:
    answer = api.get(f"{path}/context", params=EXPLAINED | wanted)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    units = found["explanation"]["units"]
    assert sum(unit["tokens"] for unit in units if unit["state"] in SENT) == found["tokens"]
    assert sum(unit["tokens"] for unit in units if unit["state"] not in SENT) == found["omitted"]["tokens"]
    return found


def ids_of(found: dict[str, Any]) -> list[str]:
    return [item_id for unit in found["explanation"]["units"] for item_id in unit["item_ids"]]


def test_an_explained_context_has_a_tag_of_its_own(api: httpx.Client, path: str) -> None:
    bare = api.get(f"{path}/context", params=WANTED)
    answer = api.get(f"{path}/context", params=EXPLAINED)
    again = api.get(f"{path}/context", params=EXPLAINED, headers={"if-none-match": answer.headers["etag"]})
    other = api.get(f"{path}/context", params=EXPLAINED, headers={"if-none-match": bare.headers["etag"]})

    assert {name: value for name, value in answer.json().items() if name != "explanation"} == bare.json()
    assert answer.headers["etag"] != bare.headers["etag"]
    assert (again.status_code, again.content) == (304, b"")
    assert (other.status_code, other.content) == (200, answer.content)
    assert api.post(f"{path}/context", json={**WANTED, "explain": True}).content == answer.content


def test_an_instance_that_held_a_tail_reads_the_rest_in_one_request(
    api: httpx.Client, make_api: Callable[[], httpx.Client], upstash: LocalUpstash, path: str
) -> None:
    cold = make_api()
    bare = cold.get(f"{path}/context", params=WANTED)
    upstash.reset()
    answer = cold.get(f"{path}/context", params=EXPLAINED)
    requests = upstash.requests

    assert requests == 1
    assert answer.content == api.get(f"{path}/context", params=EXPLAINED).content
    assert cold.get(f"{path}/context", params=WANTED).content == bare.content


def test_it_names_the_items_that_pages_show(api: httpx.Client, path: str) -> None:
    items: list[str] = []
    more = True
    while more:
        page = api.get(f"{path}/items", params={"order": "asc", "limit": 100, "after": items[-1] if items else None})
        items += [item["id"] for item in page.json()["data"]]
        more = page.json()["has_more"]
    api.delete(f"{path}/items/{items[7]}")
    found = explained(api, path)

    assert ids_of(found) == [*items[:7], *items[8:]]
    assert found["kept"]["last_id"] == items[-1]


def test_an_append_answers_with_an_explained_context(
    api: httpx.Client, make_api: Callable[[], httpx.Client], path: str
) -> None:
    body = {"items": [{"role": "user", "content": "And now?"}], "context": {**WANTED, "explain": True}}
    for instance in (api, make_api()):
        answer = instance.post(f"{path}/items", json=body)

        assert answer.status_code == 200, answer.text
        assert answer.json()["context"] == explained(api, path)


def test_the_text_of_a_document_is_a_row_of_its_own(service: httpx.Client, s3: ObjectStore, tenant: str) -> None:
    for name, text in (("a.txt", "The text of a. "), ("b.txt", "And b. " * 400)):
        s3.put(f"{tenant}/{name}", text)
    mention = [{"type": "input_file", "file_url": f"document:{name}"} for name in ("a.txt", "b.txt")]
    question = {"role": "user", "content": [{"type": "input_text", "text": "Look:"}, *mention]}
    path = create(service, [*TALK[:40], question, {"role": "assistant", "content": "Seen. "}])
    reasons = set()
    for form, (budget, encoding) in product(FORMATS, BUDGETS):
        found = explained(service, path, budget=budget, format=form, encoding=encoding)
        units = found["explanation"]["units"]
        texts = [unit for unit in units if unit["state"] == "document"]
        shown = [each for each in found["documents"] if each["tokens"]]
        reasons |= {unit["reason"] for unit in texts}

        assert [(unit["tokens"], unit["reason"]) for unit in texts] == [
            (each["tokens"], each["status"]) for each in shown
        ]
        assert all(unit["item_ids"] == [] for unit in texts)
        if texts:
            [mentioned] = {each["item_id"] for each in shown}
            assert units[units.index(texts[0]) - 1]["item_ids"] == [mentioned]
        assert len(ids_of(found)) == len(set(ids_of(found))) == 42
    assert reasons == {"whole", "cut"}
