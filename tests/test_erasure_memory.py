"""What was erased is in no instance's memory from its next request on, and in none at all once there is a receipt."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from scripts.faults.server import FaultyServer
from scripts.local.upstash import LocalUpstash
from shared.erasing import erasure
from shared.process.clock import Clock, Instant
from shared.request.erasures import NONE, TENANTS_MAX, Erasures
from shared.request.roles import ADMIN
from shared.store import keys
from tests.erasing import create, erase, erase_once

ANNA, BEN = "anna", "ben"
MAX_AGE = {"cache-control": "max-age=3600"}
ONLY_IF_CACHED = {"cache-control": "max-age=3600, only-if-cached"}
STALE = {"cache-control": "max-age=3600, stale-if-error=3600"}
PATHS = ("", "/items", "/context?budget=500")


@pytest.fixture
def role() -> str:
    return ADMIN


def warm(api: httpx.Client, conversation: str) -> None:
    for path in PATHS:
        assert api.get(f"/v1/conversations/{conversation}{path}").status_code == 200
        held = api.get(f"/v1/conversations/{conversation}{path}", headers=ONLY_IF_CACHED)
        assert held.headers["cache-status"].endswith("detail=L0"), held.headers


def test_after_its_next_request_an_instance_holds_nothing(
    api: httpx.Client, make_api: Callable[[], httpx.Client], server: FaultyServer, behind: Callable[..., httpx.Client]
) -> None:
    erased, other = create(api, ANNA, "secret"), create(api, BEN)
    instance = behind()
    warm(instance, erased)
    warm(instance, other)
    assert not erase_once(api, ANNA)["done"]
    # The next request, of whatever; its own answer is of now.
    assert instance.get(f"/v1/conversations/{other}", headers={"cache-control": "no-cache"}).status_code == 200

    for path in PATHS:
        url = f"/v1/conversations/{erased}{path}"
        assert instance.get(url, headers=ONLY_IF_CACHED).status_code == 504
        assert instance.get(url, headers=MAX_AGE).status_code == 404
    server.leave()
    for path in PATHS:
        assert instance.get(f"/v1/conversations/{erased}{path}", headers=STALE).status_code == 503
    server.come_back()


def test_once_the_receipt_is_there_no_instance_shows_anything(
    api: httpx.Client, make_api: Callable[[], httpx.Client]
) -> None:
    """Also one that asked nothing since: its caller was confirmed too long ago for an answer from memory."""
    erased = create(api, ANNA, "secret")
    instance = make_api()
    begun_at_s = time.monotonic()
    assert not erase_once(api, ANNA)["done"]
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(erase, api, ANNA)
        while not done.done():
            # The longest that it may go on: until just before the receipt.
            instance.get(f"/v1/conversations/{erased}", headers=MAX_AGE)
            time.sleep(0.2)

    assert time.monotonic() - begun_at_s >= erasure.HELD_S - 0.1
    for headers, status in ((ONLY_IF_CACHED, 504), (MAX_AGE, 404)):
        assert instance.get(f"/v1/conversations/{erased}", headers=headers).status_code == status


def test_an_instance_that_hears_nothing_is_silent_when_the_receipt_is_there(
    api: httpx.Client, make_api: Callable[[], httpx.Client]
) -> None:
    erased = create(api, ANNA, "secret")
    instance = make_api()
    warm(instance, erased)
    assert erase(api, ANNA)["done"]

    assert instance.get(f"/v1/conversations/{erased}", headers=ONLY_IF_CACHED).status_code == 504
    assert instance.get(f"/v1/conversations/{erased}", headers=MAX_AGE).status_code == 404


def test_what_is_still_on_its_way_is_not_kept(
    api: httpx.Client, server: FaultyServer, behind: Callable[..., httpx.Client]
) -> None:
    erased, other = create(api, ANNA, "secret"), create(api, BEN)
    instance = behind()
    with ThreadPoolExecutor(1) as pool:
        server.delay_s = 1.2
        late = pool.submit(instance.get, f"/v1/conversations/{erased}")
        time.sleep(0.4)
        server.delay_s = 0.0
        erase_once(api, ANNA)
        assert instance.get(f"/v1/conversations/{other}").status_code == 200
        assert late.result().status_code == 200  # It was asked for before.

    assert instance.get(f"/v1/conversations/{erased}", headers=ONLY_IF_CACHED).status_code == 504
    assert instance.get(f"/v1/conversations/{erased}", headers=STALE).status_code == 404


def test_an_erasure_before_costs_no_request(
    api: httpx.Client, make_api: Callable[[], httpx.Client], upstash: LocalUpstash, run: Callable[..., Any], tenant: str
) -> None:
    conversation = create(api, BEN)
    run("HSET", keys.tenant_key(tenant), "erasures", "7")
    cold = make_api()
    upstash.reset()
    for tier in ("L2", "L1"):
        answer = cold.get(f"/v1/conversations/{conversation}")
        assert answer.headers["cache-status"].endswith(f"detail={tier}")
    assert upstash.requests == 2
    assert cold.get(f"/v1/conversations/{conversation}", headers=MAX_AGE).headers["cache-status"].endswith("detail=L0")


class ManualClock(Clock):
    def __init__(self) -> None:
        self.at_s = 0.0

    def now(self) -> Instant:
        self.at_s += 1
        return Instant(self.at_s, self.at_s)


def test_another_count_forgets_what_is_held_and_what_was_asked_before() -> None:
    forgotten: list[str | None] = []
    clock = ManualClock()
    erasures = Erasures(clock)
    erasures.listen(forgotten.append)
    assert erasures.known("acme") == NONE
    early = clock.now()
    erasures.learn("acme", "5")
    assert (erasures.known("acme"), forgotten, erasures.is_outdated("acme", early)) == ("5", [], False)
    erasures.learn("acme", "5")
    erasures.learn("other", "9")
    assert forgotten == []
    erasures.learn("acme", "6")
    late = clock.now()
    assert forgotten == ["acme"]
    assert [erasures.is_outdated(tenant, at) for tenant in ("acme", "other") for at in (early, late)] == [
        *(True, False),
        *(False, False),
    ]
    # A reply that was under way is of the count before: what it brought is no more to be kept.
    erasures.learn("acme", "5")
    assert forgotten == ["acme", "acme"]
    assert erasures.is_outdated("acme", late)


@pytest.mark.parametrize("tenants", [TENANTS_MAX + 1])
def test_with_too_many_tenants_all_is_forgotten(tenants: int) -> None:
    forgotten: list[str | None] = []
    clock = ManualClock()
    erasures = Erasures(clock)
    erasures.listen(forgotten.append)
    early = clock.now()
    for number in range(tenants):
        erasures.learn(f"t{number}", "1")

    assert forgotten == [None]
    assert erasures.is_outdated("t0", early)
    assert not erasures.is_outdated("t0", clock.now())
