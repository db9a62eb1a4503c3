"""Who may do what: keys, and the wall between tenants."""

from typing import Any

import httpx
import pytest

RESERVATION = "rsv_7ccc0_r" + "0" * 32
ROUTES = [
    ("POST", "/v1/conversations"),
    ("GET", "/v1/conversations"),
    ("GET", "/v1/conversations/{id}"),
    ("POST", "/v1/conversations/{id}"),
    ("DELETE", "/v1/conversations/{id}"),
    ("GET", "/v1/conversations/{id}/items"),
    ("POST", "/v1/conversations/{id}/items"),
    ("GET", "/v1/conversations/{id}/items/msg_1"),
    ("DELETE", "/v1/conversations/{id}/items/msg_1"),
    ("GET", "/v1/conversations/{id}/context?budget=1000"),
    ("POST", "/v1/tokens/count"),
    ("GET", "/v1/usage"),
    ("POST", "/v1/reservations"),
    ("POST", f"/v1/reservations/{RESERVATION}/settle"),
    ("DELETE", f"/v1/reservations/{RESERVATION}"),
]
BODIES: dict[str, dict[str, Any]] = {
    "/v1/conversations/{id}": {"metadata": {"stolen": "yes"}},
    "/v1/conversations/{id}/items": {"items": [{"role": "user", "content": "stolen"}]},
    "/v1/tokens/count": {"model": "gpt-4o", "input": "x"},
    "/v1/reservations": {"tokens": 1},
    f"/v1/reservations/{RESERVATION}/settle": {"tokens": 1},
}


@pytest.fixture
def conversation(api: httpx.Client) -> str:
    body = {"items": [{"role": "user", "content": "private", "id": "msg_1"}]}
    return str(api.post("/v1/conversations", json=body).json()["id"])


@pytest.mark.parametrize(("method", "route"), ROUTES)
@pytest.mark.parametrize(
    "authorization", [None, "Bearer sk-not-ours", "Bearer wt_nobody_wrongsecret", "Basic d3Q6d3Q=", "Bearer wt_"]
)
def test_without_a_valid_key_every_route_answers_401_and_does_nothing(
    api: httpx.Client, conversation: str, stored: Any, method: str, route: str, authorization: str | None
) -> None:
    before = stored(conversation)
    headers = {"authorization": authorization} if authorization else {}
    with httpx.Client(base_url=api.base_url) as stranger:
        answer = stranger.request(method, route.format(id=conversation), headers=headers, json=BODIES.get(route))

    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.json()["error"]["code"] in ("invalid_api_key", "missing_api_key")
    assert stored(conversation) == before


def test_a_key_of_the_right_tenant_with_a_wrong_secret_is_refused(api: httpx.Client, key: str) -> None:
    answer = api.get("/v1/conversations", headers={"authorization": f"Bearer {key}x"})

    assert answer.status_code == 401


@pytest.mark.parametrize(("method", "route"), [route for route in ROUTES if "{id}" in route[1]])
def test_another_tenants_conversation_does_not_exist(
    api: httpx.Client, other_api: httpx.Client, conversation: str, stored: Any, method: str, route: str
) -> None:
    before = stored(conversation)
    answer = other_api.request(method, route.format(id=conversation), json=BODIES.get(route))

    assert answer.status_code == 404
    assert stored(conversation) == before


def test_a_list_holds_only_the_tenants_own(api: httpx.Client, other_api: httpx.Client, conversation: str) -> None:
    assert [row["id"] for row in api.get("/v1/conversations").json()["data"]] == [conversation]
    assert other_api.get("/v1/conversations").json()["data"] == []
    assert other_api.get("/v1/conversations", params={"after": conversation}).status_code == 404


def test_health_needs_no_key(api: httpx.Client) -> None:
    with httpx.Client(base_url=api.base_url) as stranger:
        answer = stranger.get("/api/health")

    assert (answer.status_code, answer.json()["status"]) == (200, "ok")
