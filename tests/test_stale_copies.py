"""While the store is away a copy of a conversation is the answer, for who accepts one by `stale-if-error`."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from scripts.faults.server import Fault, FaultyServer

ITEMS = {"items": [{"role": "user", "content": "hello"}]}
ACCEPTS = {"cache-control": "stale-if-error=3600"}
OUTAGES = [Fault.ERROR_500, Fault.CLOSE, Fault.REFUSE_401]


@pytest.fixture
def instance(behind: Callable[..., httpx.Client]) -> httpx.Client:
    return behind(store_timeout_s=1)


@pytest.fixture
def url(instance: httpx.Client) -> str:
    conversation = instance.post("/v1/conversations", json=ITEMS).json()["id"]
    return f"/v1/conversations/{conversation}/context?budget=500"


@pytest.mark.parametrize("fault", OUTAGES)
def test_who_accepts_a_stale_copy_gets_it_and_who_does_not_is_told(
    instance: httpx.Client, server: FaultyServer, url: str, fault: Fault
) -> None:
    fresh = instance.get(url)
    server.fault = fault
    stale = instance.get(url, headers=ACCEPTS)
    refused = [
        instance.get(url),
        instance.get(url, headers={"cache-control": "stale-if-error=0"}),
        instance.get(url, headers={"cache-control": "no-cache, stale-if-error=3600"}),
    ]

    assert (stale.status_code, stale.json()) == (200, fresh.json())
    assert stale.headers["cache-status"].endswith("detail=STALE")
    assert int(stale.headers["age"]) >= 0
    assert [each.status_code for each in refused] == [503] * 3


def test_a_copy_is_not_shown_to_who_was_not_confirmed(
    instance: httpx.Client, server: FaultyServer, url: str, tenant: str
) -> None:
    assert instance.get(url).status_code == 200
    server.leave()
    stranger: dict[str, Any] = {"authorization": f"Bearer wt_{tenant}_{'x' * 43}"}

    assert instance.get(url, headers=ACCEPTS | stranger).status_code == 503


def test_what_is_not_held_is_not_answered(instance: httpx.Client, server: FaultyServer, url: str) -> None:
    other = instance.post("/v1/conversations", json=ITEMS).json()["id"]
    instance.get(url)
    server.leave()

    assert instance.get(f"/v1/conversations/{other}/context?budget=500", headers=ACCEPTS).status_code == 503


@pytest.mark.parametrize("path", ["", "/items", "/items?order=asc&limit=1", "/items/msg_1"])
def test_pages_items_and_conversations_are_answered_as_well(
    instance: httpx.Client, server: FaultyServer, path: str
) -> None:
    items = {"items": [{"role": "user", "content": "hello", "id": "msg_1"}]}
    url = f"/v1/conversations/{instance.post('/v1/conversations', json=items).json()['id']}{path}"
    fresh = instance.get(url)
    server.leave()
    stale = instance.get(url, headers=ACCEPTS)

    assert (stale.status_code, stale.content) == (200, fresh.content)
    assert stale.headers["cache-status"].endswith("detail=STALE")
    assert instance.get(url).status_code == 503


def test_a_copy_that_is_older_than_the_version_asked_for_is_no_answer(
    instance: httpx.Client, server: FaultyServer, url: str
) -> None:
    instance.get(url)
    server.leave()
    answers = [instance.get(url, headers=ACCEPTS | {"warmthread-min-version": version}) for version in ("1", "2")]

    assert [each.status_code for each in answers] == [200, 503]
