"""The log: one object of JSON a line, short, never in anybody's way, and never with what callers send."""

import io
import os
import sys
from collections.abc import Callable
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.faults.server import Fault, FaultyServer
from shared.process import log
from shared.request.caller import read_key
from tests.bearers import CRON
from tests.examples import examples
from tests.log_lines import Line, LogLines

CANARY = "xyzzy4711"
"""What must not be logged, wherever a request has it."""

WRONG = "Bearer wt_acme_secret"

Behind = Callable[..., httpx.Client]


def only(logged: LogLines) -> Line:
    [line] = logged.requests(1)
    return line


def test_a_request_is_one_line_that_says_what_became_of_it(
    api: httpx.Client, conversation: str, tenant: str, logged: LogLines
) -> None:
    log.begin("info", "the tests' own")  # The instance has begun before.
    ids = {"x-request-id": "a.b_C:1@/+=-", "x-vercel-id": "iad1::abc-123"}
    answer = api.get(f"/v1/conversations/{conversation}/context?budget=500", headers=ids)
    line = only(logged)

    assert line.pop("time").endswith("Z")
    assert 0 < line.pop("store_ms") < line.pop("duration_ms")
    assert line == {
        "level": "info",
        "message": "GET /v1/conversations/{conversation_id}/context 200",
        "request_id": "a.b_C:1@/+=-",
        "vercel_id": "iad1::abc-123",
        "deployment": "local",
        "method": "GET",
        "route": "/v1/conversations/{conversation_id}/context",
        "status": 200,
        "store_requests": 1,
        "bytes_in": 0,
        "bytes_out": len(answer.content),
        "tier": answer.headers["cache-status"].rpartition("=")[2],
        "tenant": log.mark(tenant),
    }
    assert answer.headers["x-request-id"] == "a.b_C:1@/+=-"


def test_what_was_read_from_memory_asked_no_store(api: httpx.Client, conversation: str, logged: LogLines) -> None:
    path = f"/v1/conversations/{conversation}/context?budget=500"
    api.get(path)
    api.get(path, headers={"cache-control": "max-age=60"})
    body = api.post(f"/v1/conversations/{conversation}/items", json={"items": [{"role": "user", "content": "x"}]})
    lines = logged.requests(3)

    assert [(line["store_requests"], line.get("tier")) for line in lines[1:]] == [(0, "L0"), (1, None)]
    assert lines[2]["bytes_in"] == len(body.request.content)


@pytest.mark.parametrize(
    ("call", "status", "problem"),
    [
        (lambda api: api.get("/v1/nothing"), 404, "not-found"),
        (lambda api: api.put("/v1/conversations"), 405, "method-not-allowed"),
        (lambda api: api.get("/v1/conversations/conv_1"), 404, "not-found"),
        (lambda api: api.get("/v1/conversations?limit=x"), 400, "invalid-value"),
        (lambda api: api.post("/v1/conversations", content=b"{"), 400, "malformed-request"),
        (lambda api: api.post("/v1/conversations", content=b"x" * 5_000_000), 413, "too-large"),
        (
            lambda api: api.get("/v1/conversations", headers={"authorization": WRONG}),
            401,
            "unauthorized",
        ),
    ],
)
def test_a_refusal_has_the_id_everywhere_and_its_problem_in_the_line(
    api: httpx.Client,
    logged: LogLines,
    call: Callable[[httpx.Client], httpx.Response],
    status: int,
    problem: str,
) -> None:
    api.headers["x-request-id"] = "mine-1"
    answer = call(api)
    line = only(logged)

    assert (answer.status_code, answer.headers["x-request-id"], answer.json()["request_id"]) == (
        status,
        "mine-1",
        "mine-1",
    )
    assert (line["level"], line["status"], line["request_id"]) == ("info", status, "mine-1")
    assert line["problem"] == answer.json()["type"] == f"urn:warmthread:problem:{problem}"
    assert "cause" not in line
    assert ("tenant" in line) == (line["route"] != "" and status not in (401, 405))


def test_a_304_has_the_id_as_well(api: httpx.Client, conversation: str, logged: LogLines) -> None:
    path = f"/v1/conversations/{conversation}"
    etag = api.get(path).headers["etag"]
    answer = api.get(path, headers={"if-none-match": etag, "x-request-id": "mine-1"})

    assert (answer.status_code, answer.headers["x-request-id"]) == (304, "mine-1")
    assert logged.requests(2)[-1]["status"] == 304


@pytest.mark.parametrize(
    "given", [None, "", "a b", "a" * 129, "\u00e9", "a,b", 'a"', "wt_acme_" + 32 * "a", "x-wt_a_bcdef"]
)
def test_an_id_that_will_not_do_is_replaced(api: httpx.Client, given: str | None) -> None:
    headers = {} if given is None else {"x-request-id": given.encode()}
    answers = [api.get("/v1/conversations", headers=headers) for _ in range(2)]  # type: ignore[arg-type]
    made = [answer.headers["x-request-id"] for answer in answers]

    assert all(each.startswith("req_") and len(each) == 36 for each in made)
    assert made[0] != made[1]


def test_a_5xx_is_an_error_with_its_cause_and_so_are_lines_of_what_led_to_it_and_came_after(
    behind: Behind, server: FaultyServer, logged: LogLines
) -> None:
    client = behind()
    server.fault = Fault.REFUSE_401
    answer = client.get("/v1/conversations", headers={"x-request-id": "mine-1"})
    lines = logged.wait_for(2, lambda line: line.get("request_id") == "mine-1")

    assert answer.status_code == 503
    assert [(line["level"], line["message"]) for line in lines] == [
        ("warning", "store: status 401: WRONGPASS invalid or missing auth token"),
        ("error", "GET /v1/conversations 503"),
    ]
    assert lines[1]["cause"] == "status 401: WRONGPASS invalid or missing auth token"
    assert lines[1]["problem"] == "urn:warmthread:problem:store-unavailable"


def test_work_after_the_answer_has_its_request_s_id(
    behind: Behind, server: FaultyServer, logged: LogLines, conversation: str
) -> None:
    client = behind()
    server.faults.append(Fault.NONE)
    server.fault = Fault.REFUSE_400
    path = f"/v1/conversations/{conversation}/context?budget=500&encoding=cl100k_base"
    answer = client.get(path, headers={"x-request-id": "mine-1"})
    failures = logged.wait_for(1, lambda line: line["message"].startswith("background: keeping counts"))

    assert answer.status_code == 200
    assert [line["request_id"] for line in failures] == ["mine-1"]


@pytest.mark.parametrize(
    ("level", "statuses"), [("info", [200, 503]), ("warning", [503]), ("error", [503]), ("off", [])]
)
def test_a_level_leaves_out_what_is_below_it(
    behind: Behind, server: FaultyServer, logged: LogLines, level: str, statuses: list[int]
) -> None:
    client = behind(log_level=level)
    client.get("/v1/conversations")
    server.fault = Fault.REFUSE_401
    client.get("/v1/conversations")

    assert [line["status"] for line in logged.requests(len(statuses))] == statuses
    assert ("warning" in {line["level"] for line in logged.lines()}) == (level in ("info", "warning"))


def test_openai_s_clients_read_the_id(service_url: str, key: str) -> None:
    from openai import NotFoundError, OpenAI

    with OpenAI(base_url=f"{service_url}/v1", api_key=key) as client:
        made = client.conversations.create(extra_headers={"x-request-id": "mine-1"})
        with pytest.raises(NotFoundError) as refused:
            client.conversations.retrieve("conv_1", extra_headers={"x-request-id": "mine-2"})

    assert (made._request_id, refused.value.request_id) == ("mine-1", "mine-2")


TEXTS = st.sampled_from(
    [CANARY, f"{CANARY}\n{{}}", f'"{CANARY}"', f"\u2028{CANARY}\u00e9", f"{CANARY} " * 40, f"%{CANARY}\ud800"]
)
PLACES = (
    *("path", "item", "query", "header", "body", "content", "metadata", "key", "tenant", "method", "document"),
    "state",
)


def _send(api: httpx.Client, place: str, text: str, conversation: str) -> None:
    plain = text.encode("ascii", "xmlcharrefreplace").decode().replace("\n", "").strip()
    path, headers = f"/v1/conversations/{conversation}", {"x-other": plain}
    content = {"items": [{"role": "user", "content": text.encode(errors="replace").decode()}]}
    calls: dict[str, Callable[[], object]] = {
        "path": lambda: api.get(f"/v1/{plain}", headers=headers),
        "item": lambda: api.get(f"{path}/items/{CANARY}"),
        "query": lambda: api.get(path, params={plain: plain}),
        "header": lambda: api.get(
            path, headers=headers | dict.fromkeys(("x-vercel-id", "traceparent"), f"{plain} {plain}")
        ),
        "body": lambda: api.post(f"{path}/items", content=f'{{"{CANARY}": {text}'.encode(errors="replace")),
        "content": lambda: api.post(f"{path}/items", json=content),
        "metadata": lambda: api.post(path, json={"metadata": {plain[:60]: plain[:500]}}),
        "key": lambda: api.get(path, headers={"authorization": f"Bearer wt_acme_{CANARY}"}),
        "tenant": lambda: api.get(path, headers={"authorization": f"Bearer wt_{CANARY}_abcdef"}),
        "method": lambda: api.request(CANARY.upper(), path),
        "document": lambda: api.get(f"/v1/documents/{CANARY}/{CANARY}.md"),
        "state": lambda: api.get(path, headers={"tracestate": f"{CANARY}={CANARY}", "traceparent": "00-1-2-3"}),
    }
    calls[place]()


@given(place=st.sampled_from(PLACES), text=TEXTS, fault=st.sampled_from([Fault.NONE, Fault.REFUSE_401, Fault.NOT_JSON]))
@settings(max_examples=examples(80), deadline=None)
def _no_line_holds_what_is_sent(api: httpx.Client, server: FaultyServer, place: str, text: str, fault: Fault) -> None:
    server.fault = Fault.NONE
    conversation = api.post("/v1/conversations", json={"items": [{"role": "user", "content": CANARY}]}).json()["id"]
    server.fault = fault
    _send(api, place, text, conversation)
    server.fault = Fault.NONE


@pytest.mark.usefixtures("fresh_crons")
def test_no_line_holds_what_a_caller_sends(
    behind: Behind, server: FaultyServer, key: str, upstash: Any, logged: LogLines
) -> None:
    api = behind()
    _no_line_holds_what_is_sent(api, server)
    api.get("/api/cron/sweep", headers=CRON)
    assert len(logged.requests(20)) >= 20
    text = logged.text
    for secret in (CANARY, CANARY.upper(), key, read_key(key).tenant, key.rpartition("_")[2], "conv_", upstash.token):
        assert secret not in text


def test_a_line_that_is_too_long_is_cut_and_stays_an_object(logged: LogLines) -> None:
    log.error("a" * 10_000, traceback=f"first\n{chr(1) * 9_000}\nlast", cause="\u2028\ud800" * 5_000, status=500)
    [line] = logged.lines()

    assert len(logged.text) <= log.LINE_BYTES_MAX
    assert logged.text.isascii()
    assert line["status"] == 500
    assert line["traceback"].startswith("first\n")
    assert line["traceback"].endswith("\nlast")


def test_where_nobody_takes_lines_they_are_dropped_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as reader, io.TextIOWrapper(os.fdopen(writing, "wb")) as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        log.begin("info", "")
        for number in range(200):
            log.info("x" * 3_000, number=number)
        taken = reader.read1(1_000_000).splitlines()
        log.info("last")
        last = orjson.loads(reader.read1(10_000))
        log.limit("warning")
        monkeypatch.undo()

    numbers = [orjson.loads(line)["number"] for line in taken]
    assert numbers == list(range(len(numbers)))
    assert 0 < len(numbers) < 200
    assert (last["message"], last["lines_dropped"]) == ("last", 200 - len(numbers))


def test_marks_are_alike_in_all_instances_of_a_store_and_no_hash_that_anybody_can_make() -> None:
    marks = []
    for key in ("token", "token", "another"):
        log.begin("warning", key)
        marks.append(log.mark("acme"))

    assert marks[0] == marks[1] != marks[2]
    assert len(marks[0]) == log.MARK_DIGITS
