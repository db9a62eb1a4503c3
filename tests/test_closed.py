"""A wrong setting closes what needs it and nothing else, and says so where it is closed, in health and in the log."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from scripts.local.upstash import LocalUpstash
from scripts.openapi.routes import routes
from shared.environment import read_configuration
from shared.errors import Misconfigured
from shared.http.closed import refuse_when_closed
from tests.bearers import CHANGES_SECRET, CRON_SECRET, METRICS_SECRET
from tests.instances import client_of
from tests.log_lines import LogLines

SECRET = "tooshort-4711"
ITEMS = {"items": [{"id": "msg_1", "role": "user", "content": "hello"}]}
MORE: dict[str, Any] = {"items": [{"role": "user", "content": "more"}]}
TURN = {**MORE, "context": {"budget": 100}}
CALLS: dict[str, Callable[[httpx.Client, str], httpx.Response]] = {
    "create": lambda api, _: api.post("/v1/conversations", json=ITEMS),
    "retrieve": lambda api, id_: api.get(f"/v1/conversations/{id_}"),
    "compact": lambda api, id_: api.post(f"/v1/conversations/{id_}/compact"),
    "append": lambda api, id_: api.post(f"/v1/conversations/{id_}/items", json=MORE),
    "append_context": lambda api, id_: api.post(f"/v1/conversations/{id_}/items", json=TURN),
    "context": lambda api, id_: api.get(f"/v1/conversations/{id_}/context?budget=100"),
    "context_for_call": lambda api, id_: api.post(f"/v1/conversations/{id_}/context", json={"budget": 100}),
    "count": lambda api, _: api.post("/v1/tokens/count", json={"model": "gpt-4o", "input": "x"}),
    "reserve": lambda api, _: api.post("/v1/reservations", json={"tokens": 1}),
    "usage": lambda api, _: api.get("/v1/usage"),
    "document": lambda api, _: api.get("/v1/documents/no-such-document"),
    "changes": lambda api, _: called(api, "/v1/changes", CHANGES_SECRET),
    "sweep": lambda api, _: called(api, "/api/cron/sweep", CRON_SECRET),
    "warm": lambda api, _: called(api, "/api/cron/warm", CRON_SECRET),
    "metrics": lambda api, _: api.get("/api/metrics", headers={"authorization": f"Bearer {METRICS_SECRET}"}),
    "health": lambda api, _: api.get("/api/health"),
}
APPENDS = {"append", "append_context"}
CONVERSATIONS = {"create", "retrieve", "compact", "context", "context_for_call", *APPENDS}
CLOSED: dict[str, set[str]] = {
    "CRON_SECRET": {"sweep", "warm"},
    "WARMTHREAD_CHANGES_SECRET": {"changes"},
    "WARMTHREAD_CHANGES_MAX": {"changes"},
    "WARMTHREAD_METRICS_SECRET": {"metrics"},
    "WARMTHREAD_METRICS_FLUSH_S": {"metrics"},
    "WARMTHREAD_CRON_S": {"sweep", "warm"},
    "VERCEL_AUTOMATION_BYPASS_SECRET": {"warm"},
    "WARMTHREAD_OWN_URL": {"warm"},
    "WARMTHREAD_WARM_DOCUMENTS_MAX": {"warm"},
    "WARMTHREAD_L1_BYTES_MAX": CONVERSATIONS,
    "WARMTHREAD_BATCH_ITEMS_MAX": {"create", "reserve", "context_for_call", *APPENDS},
    "WARMTHREAD_BODY_BYTES_MAX": {"create", "compact", "context_for_call", "count", "reserve", "changes", *APPENDS},
    "WARMTHREAD_RESERVATION_S": {"reserve", "context_for_call"},
    "WARMTHREAD_DOCUMENTS_URL": {
        *("document", "context", "context_for_call", "append_context", "changes", "sweep", "warm")
    },
    "WARMTHREAD_RATE_OUTAGE": CONVERSATIONS | {"count", "reserve", "usage", "document"},
    "WARMTHREAD_POOL_THREADS": set(CALLS),
    "UPSTASH_REDIS_REST_URL": set(CALLS),
    "UPSTASH_REDIS_REST_TOKEN": set(CALLS),
    "WARMTHREAD_L1_BYTES": set(),
}
"""Variable -> the calls that are closed while it is wrong."""


def called(api: httpx.Client, path: str, secret: str) -> httpx.Response:
    return api.post(path, json={"changes": []}, headers={"authorization": f"Bearer {secret}"})


@pytest.mark.usefixtures("fresh_crons")
@pytest.mark.parametrize("variable", CLOSED)
def test_a_wrong_setting_closes_what_needs_it_and_nothing_else(
    make_service: Callable[[], str], key: str, conversation: str, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    value = {"WARMTHREAD_OWN_URL": "ftp://x", "WARMTHREAD_DOCUMENTS_URL": "ftp://x"}.get(variable, f"{SECRET} \u00e9")
    monkeypatch.setenv(variable, value)
    with client_of(make_service(), key) as api:
        answers = {name: call(api, conversation) for name, call in CALLS.items()}
    closed = {name for name, answer in answers.items() if "urn:warmthread:problem:misconfigured" in answer.text}

    assert closed == CLOSED[variable]
    for name, answer in answers.items():
        assert value not in answer.text
        if name in closed:
            problem = answer.json()
            assert (answer.status_code, problem["settings"]) == (503, [variable])
            assert problem["detail"].startswith(f"{variable} must ")
        else:
            assert answer.status_code < 400 or name in ("document", "changes"), answer.text
    if "health" not in closed:
        [warning] = answers["health"].json()["warnings"]
        assert warning.startswith(variable)


def test_nothing_is_stored_and_no_store_asked_where_it_is_closed(
    make_service: Callable[[], str], upstash: LocalUpstash, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WARMTHREAD_BATCH_ITEMS_MAX", "many")
    with client_of(make_service(), key) as api:
        upstash.reset()
        answers = [CALLS["create"](api, "") for _ in range(3)]

    assert [each.status_code for each in answers] == [503] * 3
    assert "Nothing was done." in answers[0].json()["detail"]
    assert upstash.requests == 0


def test_it_is_logged_once_by_an_instance_and_never_with_its_value(
    upstash: LocalUpstash, monkeypatch: pytest.MonkeyPatch, logged: LogLines
) -> None:
    from api.health import app

    monkeypatch.setenv("CRON_SECRET", SECRET)
    monkeypatch.setenv("WARMTHREAD_POOL_THREADS", SECRET)
    with TestClient(app) as client:
        answers = [client.get("/api/health") for _ in range(3)]
    lines = logged.lines(lambda line: line["message"].startswith("settings: "))

    assert [each.status_code for each in answers] == [503] * 3
    rules = [each["message"].removeprefix("settings: ").partition(" ")[::2] for each in lines]
    assert rules == [
        ("WARMTHREAD_POOL_THREADS", "must be a whole number from 1 to 32; until then everything is closed."),
        ("CRON_SECRET", "must have at least 16 characters, all of them visible ASCII; until then crons are closed."),
    ]
    assert {each["level"] for each in lines} == {"error"}
    assert SECRET not in logged.text


def test_several_are_all_named() -> None:
    store = {"UPSTASH_REDIS_REST_URL": "https://x", "UPSTASH_REDIS_REST_TOKEN": "t"}
    wrong = read_configuration(
        {**store, "CRON_SECRET": "abc", "WARMTHREAD_CRON_S": "x", "WARMTHREAD_CHANGES_MAX": "y"}
    ).wrong
    [route] = [each for each in routes() if each.operation == "sweep"]
    with pytest.raises(Misconfigured) as refused:
        refuse_when_closed(route.areas, wrong)

    assert refused.value.extensions["settings"] == ["WARMTHREAD_CRON_S", "CRON_SECRET"]


@pytest.mark.parametrize(("policy", "eviction"), [("noeviction", "off"), ("allkeys-lru", "on"), ("volatile-ttl", "on")])
def test_health_says_whether_the_store_evicts(
    service_url: str, upstash: LocalUpstash, run: Callable[..., Any], policy: str, eviction: str
) -> None:
    run("CONFIG", "SET", "maxmemory-policy", policy)
    try:
        upstash.reset()
        told = httpx.get(f"{service_url}/api/health").json()
    finally:
        run("CONFIG", "SET", "maxmemory-policy", "noeviction")

    assert told["store"] == {"eviction": eviction}
    assert upstash.requests == 1 + 1  # The second is this test's own, which sets it back.
    assert len(told["warnings"]) == (eviction == "on")


def test_a_store_that_does_not_tell_is_healthy(service_url: str, run: Callable[..., Any]) -> None:
    run("ACL", "SETUSER", "default", "-info")
    try:
        answer = httpx.get(f"{service_url}/api/health")
    finally:
        run("ACL", "SETUSER", "default", "+info")

    assert answer.status_code == 200
    assert (answer.json()["store"], answer.json()["warnings"]) == ({"eviction": "unknown"}, [])
