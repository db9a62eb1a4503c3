"""If-Match: a write that expects a version is done at that version or not at all."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

BATCH = {"items": [{"role": "user", "content": "hi"}]}
Write = Callable[[httpx.Client, str, str], httpx.Response]

WRITES: dict[str, Write] = {
    "append": lambda api, url, tag: api.post(url + "/items", json=BATCH, headers={"if-match": tag}),
    "update": lambda api, url, tag: api.post(url, json={"metadata": {"a": "b"}}, headers={"if-match": tag}),
    "delete_item": lambda api, url, tag: api.delete(url + "/items/msg_1", headers={"if-match": tag}),
    "delete": lambda api, url, tag: api.delete(url, headers={"if-match": tag}),
    "fork": lambda api, url, tag: api.post(url + "/fork", headers={"if-match": tag}),
    "summary": lambda api, url, tag: api.post(
        url + "/summary", json={"through": "msg_1", "text": "so far"}, headers={"if-match": tag}
    ),
}


@pytest.fixture
def created(api: httpx.Client) -> httpx.Response:
    items = [{"role": "user", "content": f"message {n}", "id": f"msg_{n}"} for n in range(12)]
    return api.post("/v1/conversations", json={"items": items})


@pytest.fixture
def url(created: httpx.Response) -> str:
    return f"/v1/conversations/{created.json()['id']}"


def version(answer: httpx.Response) -> int:
    """Return the version that an entity tag `"<generation>.<version>.<chain hash>"` names."""
    generation, number, *_ = answer.headers["etag"].strip('"').split(".")
    assert len(generation) == 16
    return int(number)


def state(answer: httpx.Response) -> list[str]:
    """Return what an entity tag names of a state: that of a conversation names its last use as well."""
    return str(answer.headers["etag"]).strip('"').split(".")[:3]


def test_every_write_names_the_version_after_it(api: httpx.Client, created: httpx.Response, url: str) -> None:
    appended = api.post(url + "/items", json=BATCH)
    updated = api.post(url, json={"metadata": {}})
    deleted = api.delete(url + "/items/msg_1")

    assert [version(each) for each in (created, appended, updated, deleted)] == [12, 13, 14, 15]
    assert api.get(url).headers["etag"] == deleted.headers["etag"]
    assert state(api.get(url + "/items")) == state(deleted)
    assert version(api.post("/v1/conversations")) == 0


@pytest.mark.parametrize("name", WRITES)
@pytest.mark.parametrize("form", ["{}", "W/{}", '"12"', "*", '"other", {}'])
def test_a_write_at_the_expected_version_is_done(
    api: httpx.Client, created: httpx.Response, url: str, name: str, form: str
) -> None:
    assert WRITES[name](api, url, form.format(created.headers["etag"])).status_code == 200


@pytest.mark.parametrize("name", WRITES)
@pytest.mark.parametrize(
    "tag", ['"11"', '"1"', '"2"', '"112"', 'W/"11", "13"', '"012"', '"7.12.0123abcd"', '"other"', '""']
)
def test_a_write_at_another_version_is_refused_and_names_the_current_one(
    api: httpx.Client, created: httpx.Response, url: str, stored: Callable[[str], str], name: str, tag: str
) -> None:
    before = stored(created.json()["id"])
    answer = WRITES[name](api, url, tag)
    problem = answer.json()

    assert answer.status_code == 412
    assert problem["type"] == "urn:warmthread:problem:version-moved"
    assert problem["version"] == 12
    assert (problem["error"]["param"], problem["error"]["code"]) == ("If-Match", "version_moved")
    assert state(answer) == state(created)
    assert stored(created.json()["id"]) == before


@pytest.mark.parametrize("tag", ["", "12", '"12', '"12" "13"', "W/12", '"12", *'])
def test_a_condition_that_cannot_be_read_is_refused(api: httpx.Client, url: str, tag: str) -> None:
    answer = WRITES["append"](api, url, tag)

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "If-Match")


def test_a_context_names_the_version_that_an_append_can_expect(api: httpx.Client, url: str) -> None:
    tag = api.get(url + "/context", params={"budget": 500}).headers["etag"]

    assert WRITES["append"](api, url, tag).status_code == 200
    assert WRITES["append"](api, url, tag).status_code == 412


def test_of_concurrent_appends_at_one_version_one_is_done(api: httpx.Client, created: httpx.Response, url: str) -> None:
    with ThreadPoolExecutor(10) as threads:
        answers = list(threads.map(lambda _: WRITES["append"](api, url, created.headers["etag"]), range(10)))

    assert sorted(each.status_code for each in answers) == [200] + [412] * 9
    assert version(api.get(url)) == 13


def test_what_does_not_exist_is_not_found_whatever_is_expected(api: httpx.Client) -> None:
    for name, write in WRITES.items():
        for tag in ("*", '"1"'):
            assert write(api, "/v1/conversations/conv_unknown", tag).status_code == 404, name


def test_a_write_that_was_done_is_answered_again_though_the_version_moved(api: httpx.Client, url: str) -> None:
    headers: dict[str, Any] = {"if-match": '"12"', "idempotency-key": "once"}
    first, second = (api.post(url + "/items", json=BATCH, headers=headers) for _ in range(2))

    assert second.content == first.content
    assert second.headers["idempotency-replayed"] == "true"
