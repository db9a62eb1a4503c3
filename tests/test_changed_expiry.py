"""When a conversation expires can be changed: seen by all at once, in one step, and never too early."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from shared.store import keys
from tests.half_way import check_indexes

HELLO = {"items": [{"role": "user", "content": "hello"}]}


@pytest.fixture
def path(api: httpx.Client) -> str:
    body = {**HELLO, "metadata": {"k": "v"}, "expires_after_s": 1_000}
    return f"/v1/conversations/{api.post('/v1/conversations', json=body).json()['id']}"


@pytest.mark.parametrize("seconds", [50, 100_000, 0, None])
@pytest.mark.parametrize("metadata", [{}, {"metadata": {"k": "w"}}], ids=["alone", "with metadata"])
def test_an_expiry_is_changed_with_metadata_or_without(
    api: httpx.Client, path: str, seconds: int | None, metadata: Any, ttl_s: Any, run: Any, tenant: str
) -> None:
    before = api.get(path).json()
    changed = api.post(path, json={"expires_after_s": seconds, **metadata})
    told = changed.json()
    listed = api.get("/v1/conversations").json()["data"][0]

    assert changed.status_code == 200, changed.text
    assert told["metadata"] == metadata.get("metadata", {"k": "v"})
    assert told["version"] == before["version"] + 1
    assert told["expires_at"] == (told["last_active_at"] + seconds if seconds else None)
    assert api.get(path).json() == told
    assert (listed["expires_at"], listed["metadata"]) == (told["expires_at"], told["metadata"])
    left_s = ttl_s(path.rpartition("/")[2])
    assert seconds - 5 <= left_s <= seconds if seconds else left_s == -1
    assert api.get(path + "/items").json()["data"][0]["content"][0]["text"] == "hello"
    check_indexes(run, tenant)


def test_every_instance_sees_it_at_once(make_api: Callable[[], httpx.Client], path: str) -> None:
    first, second = make_api(), make_api()
    old = second.get(path).json()
    assert old["expires_at"]
    first.post(path, json={"expires_after_s": 0})

    assert second.get(path).json()["expires_at"] is None
    assert first.post(path, json={"expires_after_s": 70}).status_code == 200
    assert second.get(path).json()["expires_at"] == first.get(path).json()["expires_at"]
    assert second.get(path).json()["version"] == old["version"] + 2


def test_what_is_done_with_it_later_goes_by_the_new_expiry(api: httpx.Client, path: str, ttl_s: Any) -> None:
    api.post(path, json={"expires_after_s": 90})
    conversation = path.rpartition("/")[2]
    api.post(path + "/items", json=HELLO)
    assert 85 <= ttl_s(conversation) <= 90
    fork = api.post(path + "/fork").json()
    assert fork["expires_at"] == fork["last_active_at"] + 90
    compacted = api.post(path + "/compact").json()
    assert compacted["expires_at"] == compacted["last_active_at"] + 90
    api.post(path, json={"expires_after_s": None})
    api.post(path + "/items", json=HELLO)
    assert ttl_s(conversation) == -1


def test_it_is_a_version_of_its_own(api: httpx.Client, path: str) -> None:
    tag = api.get(path).headers["etag"]
    first = api.post(path, json={"expires_after_s": 9}, headers={"if-match": tag, "idempotency-key": "e"})
    again = api.post(path, json={"expires_after_s": 9}, headers={"if-match": tag, "idempotency-key": "e"})
    moved = api.post(path, json={"expires_after_s": 8}, headers={"if-match": tag})

    assert (first.status_code, again.status_code, moved.status_code) == (200, 200, 412)
    assert (again.json(), again.headers["idempotency-replayed"]) == (first.json(), "true")
    assert api.get(path, headers={"if-none-match": tag}).status_code == 200
    items = api.get(path + "/items").json()
    assert len(items["data"]) == 1
    assert api.get(path + "/context", params={"budget": 100}).json()["kept"]["items"] == 1


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "metadata"),
        ({"expires_after_s": -1}, "expires_after_s"),
        ({"expires_after_s": "9"}, "expires_after_s"),
        ({"expires_after_s": 10**9}, "expires_after_s"),
        ({"expires_after_s": 9, "metadata": 7}, "metadata"),
        ({"expires_after_s": 9, "id": "conv_x"}, "id"),
    ],
)
def test_what_is_wrong_is_refused_by_its_name(api: httpx.Client, path: str, body: Any, param: str) -> None:
    before = api.get(path).json()
    refused = api.post(path, json=body)

    assert (refused.status_code, refused.json()["error"]["param"]) == (400, param)
    assert api.get(path).json() == before


def test_null_metadata_is_none_as_before(api: httpx.Client, path: str) -> None:
    assert api.post(path, json={"metadata": None}).json()["metadata"] == {}


@pytest.mark.parametrize("seconds", [30, 5_000])
def test_an_expiry_that_was_taken_away_is_set_anew_by_whoever_repairs_the_row(
    api: httpx.Client, path: str, run: Any, key_of: Any, ttl_s: Any, tenant: str, seconds: int
) -> None:
    conversation = path.rpartition("/")[2]
    api.post(path, json={"expires_after_s": seconds})
    run("PERSIST", key_of(conversation))
    name = keys.rows_key(tenant, 0)
    run("HSET", name, conversation, "?" + run("HGET", name, conversation))
    listed = api.get("/v1/conversations").json()["data"]

    assert [each["id"] for each in listed] == [conversation]
    assert seconds - 5 <= ttl_s(conversation) <= seconds
