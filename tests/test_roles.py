"""
Roles of keys: every route with a key of every role. What is refused is a 403 that says what would do, and changes
nothing; what is allowed is answered.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from scripts.local.upstash import LocalUpstash
from shared.request.roles import ROLES, is_enough
from shared.store.keys import tenant_key
from tests.conversations import everything
from tests.instances import client_of
from tests.role_requests import ASKINGS, MORE, Asking, World, key_of_each, key_with, make_world

pytestmark = pytest.mark.unmeasured

RATES = {"no rate": None, "a rate": "600000 600000"}


@pytest.fixture
def world(api: httpx.Client, tenant: str, documents_folder: Path) -> World:
    return make_world(api, tenant, documents_folder)


@pytest.fixture
def stored_now(run: Callable[..., Any], tenant: str) -> Callable[[], Any]:
    """Return all that the store holds of the tenant, its permits too."""
    return lambda: (everything(run, tenant), run("HGET", tenant_key(tenant), "tat"))


def check_refused(answer: httpx.Response, role: str, least: str) -> None:
    problem = answer.json()

    assert (answer.status_code, answer.headers["content-type"]) == (403, "application/problem+json")
    assert problem["type"] == "urn:warmthread:problem:insufficient-role"
    assert (problem["role"], problem["required_role"]) == (role, least)
    assert f"'{role}'" in problem["detail"]
    assert f"'{least}'" in problem["detail"]
    assert problem["error"] == {
        "message": problem["detail"],
        "type": "permission_error",
        "param": None,
        "code": "insufficient_role",
    }


def test_every_role_may_do_what_the_one_before_it_may_and_something_more() -> None:
    may = [{name for name, each in ASKINGS.items() if is_enough(role, each.role)} for role in ROLES]

    assert may[0] < may[1] < may[2] <= may[3] == ASKINGS.keys()


@pytest.mark.parametrize("rate", RATES.values(), ids=RATES)
@pytest.mark.parametrize("asking", ASKINGS.values(), ids=ASKINGS)
def test_a_route_answers_the_roles_that_it_takes_and_no_others(
    asking: Asking,
    rate: str | None,
    service_url: str,
    api: httpx.Client,
    tenant: str,
    documents_folder: Path,
    limit: Callable[[str | None], None],
    run: Callable[..., Any],
    stored_now: Callable[[], Any],
) -> None:
    limit(rate)
    world = make_world(api, tenant, documents_folder)
    for role in ROLES:
        for is_confirmed in (False, True):
            with client_of(service_url, key_with(run, tenant, role)) as client:
                if is_confirmed:
                    assert client.get("/v1/usage").status_code == 200
                if is_enough(role, asking.role):
                    answer = asking.send(client, world)
                    assert answer.status_code == 200, answer.text
                    # What only reads leaves the world as it is.
                    world = world if asking.route.method == "GET" else make_world(api, tenant, documents_folder)
                else:
                    before = stored_now(), world.files()
                    check_refused(asking.send(client, world), role, asking.role)
                    assert (stored_now(), world.files()) == before


@pytest.mark.parametrize("rate", RATES.values(), ids=RATES)
def test_a_cold_instance_refuses_as_a_warm_one(
    make_service: Callable[[], str],
    rate: str | None,
    tenant: str,
    world: World,
    limit: Callable[[str | None], None],
    run: Callable[..., Any],
    stored_now: Callable[[], Any],
) -> None:
    limit(rate)
    lacking = [
        (key_with(run, tenant, role), role, asking)
        for role in ROLES
        for asking in ASKINGS.values()
        if not is_enough(role, asking.role)
    ]
    before, url = (stored_now(), world.files()), make_service()
    for key, role, asking in lacking:
        with client_of(url, key) as client:
            check_refused(asking.send(client, world), role, asking.role)

    assert len(lacking) > 20
    assert (stored_now(), world.files()) == before


def test_what_openai_clients_see(service_url: str, tenant: str, world: World, run: Callable[..., Any]) -> None:
    key = key_with(run, tenant, "read")
    client = openai.OpenAI(base_url=f"{service_url}/v1", api_key=key, max_retries=3)
    sent = client.conversations.items.list(world.names["conversation_id"])
    with pytest.raises(openai.PermissionDeniedError) as refused:
        client.conversations.create()
    client.close()

    assert len(sent.data) == 2
    assert (refused.value.code, refused.value.type) == ("insufficient_role", "permission_error")


def test_a_lesser_key_gets_no_replay_of_what_another_key_did(
    service_url: str, api: httpx.Client, tenant: str, world: World, run: Callable[..., Any]
) -> None:
    path = f"/v1/conversations/{world.names['conversation_id']}"
    writes: list[tuple[str, str, dict[str, Any], str]] = [
        ("POST", "/v1/conversations", {"json": MORE}, "append"),
        ("POST", f"{path}/items", {"json": MORE}, "append"),
        ("POST", f"{path}/context", {"json": {"budget": 500, "reserve": True}}, "append"),
        ("POST", f"{path}/fork", {"json": {}}, "append"),
        ("POST", "/v1/reservations", {"json": {"tokens": 3}}, "append"),
        ("POST", path, {"json": {"metadata": {"a": "b"}}}, "full"),
        ("PUT", "/v1/documents/a.md", {"content": b"Closed on Sundays."}, "full"),
        ("DELETE", f"{path}/items/msg_1", {}, "full"),
        ("DELETE", path, {}, "full"),
    ]
    for number, (method, target, sent, least) in enumerate(writes):
        headers = {"idempotency-key": f"attempt-{number}"}
        assert api.request(method, target, headers=headers, **sent).status_code == 200
        for role, key in key_of_each(run, tenant).items():
            with client_of(service_url, key) as client:
                answer = client.request(method, target, headers=headers, **sent)
            if is_enough(role, least):
                assert answer.headers["idempotency-replayed"] == "true", answer.text
            else:
                check_refused(answer, role, least)


def test_an_append_that_an_openai_client_repeats_is_refused_to_a_lesser_key_too(
    service_url: str, api: httpx.Client, tenant: str, world: World, run: Callable[..., Any]
) -> None:
    path = f"/v1/conversations/{world.names['conversation_id']}/items"
    again = {"x-stainless-retry-count": "1"}
    assert api.post(path, json=MORE).status_code == 200
    with client_of(service_url, key_with(run, tenant, "read")) as client:
        check_refused(client.post(path, json=MORE, headers=again), "read", "append")
    assert api.post(path, json=MORE, headers=again).headers["idempotency-replayed"] == "true"


@pytest.mark.parametrize("size", [0, 1_000, 20_000, 1_000_000])
@pytest.mark.parametrize("is_confirmed", [False, True])
def test_a_refusal_costs_one_request_to_the_store_whatever_the_size_of_the_body(
    service_url: str,
    tenant: str,
    world: World,
    upstash: LocalUpstash,
    run: Callable[..., Any],
    size: int,
    is_confirmed: bool,
) -> None:
    path = f"/v1/conversations/{world.names['conversation_id']}/items"
    body = {"items": [{"role": "user", "content": "word " * (size // 5) + "."}]}
    with client_of(service_url, key_with(run, tenant, "read")) as client:
        if is_confirmed:
            assert client.get("/v1/usage").status_code == 200
        upstash.reset()
        check_refused(client.post(path, json=body), "read", "append")

    assert upstash.requests == 1


def test_a_refusal_takes_no_permit_and_two_commands(
    service_url: str,
    tenant: str,
    run: Callable[..., Any],
    limit: Callable[[str | None], None],
    billed_commands: Callable[[], int],
) -> None:
    limit("1 2")
    with client_of(service_url, key_with(run, tenant, "read")) as client:
        before = billed_commands()
        check_refused(client.post("/v1/conversations", json=MORE), "read", "append")
        commands = billed_commands() - before
        statuses = [client.get("/v1/conversations").status_code for _ in range(3)]

    assert commands == 2
    assert statuses == [200, 200, 429]


def test_what_was_refused_is_refused_from_memory_and_the_rest_goes_on(
    service_url: str, tenant: str, world: World, upstash: LocalUpstash, run: Callable[..., Any]
) -> None:
    with client_of(service_url, key_with(run, tenant, "append")) as client:
        path = f"/v1/conversations/{world.names['conversation_id']}"
        check_refused(client.delete(path), "append", "full")
        upstash.reset()
        check_refused(client.delete(path), "append", "full")
        check_refused(client.post(path, json={"metadata": {}}), "append", "full")
        asked = upstash.requests

        assert asked == 0
        assert client.get(path).status_code == 200
        assert client.post(f"{path}/items", json=MORE).status_code == 200


def test_a_context_that_reserves_takes_more_than_one_that_does_not(
    service_url: str, api: httpx.Client, tenant: str, world: World, upstash: LocalUpstash, run: Callable[..., Any]
) -> None:
    path = f"/v1/conversations/{world.names['conversation_id']}/context"
    before = api.get("/v1/usage").json()["day"]["tokens"]["reserved"]
    with client_of(service_url, key_with(run, tenant, "read")) as client:
        first = client.post(path, json={"budget": 500})
        upstash.reset()
        check_refused(client.post(path, json={"budget": 500, "reserve": True}), "read", "append")
        asked = upstash.requests
        held = client.post(path, json={"budget": 500}, headers={"cache-control": "max-age=60"})

    assert (first.status_code, held.status_code, asked) == (200, 200, 1)
    assert held.headers["cache-status"] == "Warmthread; hit; detail=L0"
    assert "reservation" not in first.json()
    assert api.get("/v1/usage").json()["day"]["tokens"]["reserved"] == before


def test_a_write_is_not_let_through_by_what_another_request_confirmed(
    service_url: str, tenant: str, world: World, run: Callable[..., Any], stored_now: Callable[[], Any]
) -> None:
    """Answers from L1, a permit that is held, a tenant that is known to have no rate: none of it stands for a role."""
    path = f"/v1/conversations/{world.names['conversation_id']}"
    with client_of(service_url, key_with(run, tenant, "read")) as client:
        assert client.get(f"{path}/context?budget=500").status_code == 200
        assert client.get(f"{path}/context?budget=500", headers={"cache-control": "max-age=60"}).status_code == 200
        before = stored_now()
        check_refused(client.post(f"{path}/items", json=MORE), "read", "append")
        assert client.get(f"{path}/context?budget=500", headers={"cache-control": "max-age=60"}).status_code == 200

    assert stored_now() == before


def test_a_read_with_the_least_role_renews_the_expiry(
    service_url: str, api: httpx.Client, tenant: str, run: Callable[..., Any], key_of: Callable[[str], str], ttl_s: Any
) -> None:
    """What the service does behind an answer is its own work, whoever asked."""
    body = {**MORE, "expires_after_s": 5_000}
    conversation = api.post("/v1/conversations", json=body).json()["id"]
    run("EXPIRE", key_of(conversation), 50)
    run("HSET", key_of(conversation), "t", 1)
    with client_of(service_url, key_with(run, tenant, "read")) as client:
        for _ in range(2):  # The second answer comes when the work behind the first one is done.
            assert client.get(f"/v1/conversations/{conversation}/context?budget=500").status_code == 200

    assert ttl_s(conversation) > 4_900
