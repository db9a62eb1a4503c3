"""The function on Lambda: what an answer is there, what is done behind it, until when it runs, where paths lead."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aws.answering import Behind, size_in_json
from aws.deadline import LambdaDeadlines
from aws.places import Places, pattern_of
from aws.shapes import EventError
from scripts.aws.events import Asked, Sender, event_of
from scripts.aws.front import Context, Front
from scripts.faults.server import Fault, FaultyServer
from scripts.local.routing import Routing
from scripts.local.upstash import LocalUpstash
from tests.aws_functions import Function, running_function
from tests.bearers import METRICS_SECRET
from tests.examples import examples
from tests.instances import ROOT


@pytest.fixture
def function(upstash: Any) -> Iterator[Function]:
    with running_function() as function:
        yield function


def create(function: Function, key: str, text: str = "hello", sender: Sender = Sender.FUNCTION_URL) -> str:
    body = {"items": [{"role": "user", "content": text}]}
    answered = function.ask("POST", "/v1/conversations", key, body, sender)
    assert answered.status == 200, answered.body
    return str(json.loads(answered.body)["id"])


@pytest.mark.parametrize("sender", Sender)
def test_a_problem_and_json_are_text_and_a_head_has_no_body(function: Function, key: str, sender: Sender) -> None:
    id_ = create(function, key, sender=sender)
    read, missing, head = (
        function.ask(method, f"/v1/conversations/{name}", key, sender=sender)
        for method, name in (("GET", id_), ("GET", "conv_missing"), ("HEAD", id_))
    )

    assert json.loads(read.body)["id"] == id_
    assert dict(missing.headers)["content-type"] == "application/problem+json"
    assert json.loads(missing.body)["status"] == missing.status == 404
    assert (head.status, head.body) == (200, b"")
    assert dict(head.headers)["content-length"] == str(len(read.body))


def test_a_problem_is_no_base64_which_a_rest_api_would_hand_on(function: Function) -> None:
    event: dict[str, object] = {
        "resource": "/",
        "httpMethod": "GET",
        "path": "/v1/usage",
        "headers": None,
        "requestContext": {},
    }
    returned = function.invoke(event)

    assert returned["isBase64Encoded"] is False
    assert json.loads(returned["body"])["status"] == returned["statusCode"] == 401


def test_requests_share_what_the_instance_holds_and_the_loop_of_its_store(function: Function, key: str) -> None:
    id_ = create(function, key)
    tiers = [
        dict(function.ask("GET", f"/v1/conversations/{id_}/context?budget=50", key, cache_control=age).headers)[
            "cache-status"
        ]
        for age in ("no-cache", "max-age=60")
    ]

    assert tiers[1].endswith("L0")


def test_every_path_of_the_service_is_answered(function: Function, key: str) -> None:
    statuses = {
        path: function.ask("GET", path, key).status
        for path in ("/", "/dashboard", "/v1/openapi.json", "/api/health", "/v1/usage", "/v1/conversations")
    }
    metrics = function.ask("GET", "/api/metrics", METRICS_SECRET)

    assert set(statuses.values()) == {200}
    assert metrics.status == 200
    assert function.ask("POST", "/dashboard").status == 405
    assert "content-security-policy" in dict(function.ask("GET", "/dashboard/main.js").headers)
    assert json.loads(function.ask("GET", "/conversations").body)["did_you_mean"] == "/v1/conversations"


def test_the_id_of_an_invocation_is_that_of_a_request_which_has_none(function: Function) -> None:
    given_id = dict(function.ask("GET", "/v1/usage", x_request_id="mine").headers)["x-request-id"]
    own_id = dict(function.ask("GET", "/v1/usage").headers)["x-request-id"]

    assert given_id == "mine"
    assert own_id.count("-") == 4


def test_too_little_time_is_said_before_lambda_would_cut_the_invocation_off(
    upstash: LocalUpstash, function: Function, key: str
) -> None:
    upstash.reset()
    answered = function.ask("GET", "/v1/usage", key, remaining_s=0.2)

    assert (answered.status, upstash.requests) == (503, 0)
    assert function.ask("GET", "/v1/usage", key).status == 200


@pytest.mark.parametrize(("carrier_s", "remaining_s"), [(29.0, 60.0), (60.0, 5.0)])
def test_an_invocation_ends_with_lambda_or_with_what_carries_its_answer(carrier_s: float, remaining_s: float) -> None:
    deadlines = LambdaDeadlines()
    before_s = time.monotonic()
    deadlines.begin(Context(remaining_s), carrier_s)

    wanted_s = min(carrier_s, remaining_s)
    assert before_s + wanted_s - 0.01 <= deadlines.cut_at_s() <= time.monotonic() + wanted_s


@pytest.fixture
def large(function: Function, key: str) -> str:
    """A conversation whose page is too large for a load balancer: its quotation marks are two bytes each there."""
    return create(function, key, '"' * 300_000)


def test_an_answer_that_is_too_large_for_its_carrier_is_a_problem(function: Function, key: str, large: str) -> None:
    path = f"/v1/conversations/{large}/items"
    by_url, balanced = (
        function.ask("GET", path, key, sender=each) for each in (Sender.FUNCTION_URL, Sender.LOAD_BALANCER)
    )
    problem = json.loads(balanced.body)

    assert by_url.status == 200
    assert balanced.status == problem["status"] == 422
    assert problem["type"] == "urn:warmthread:problem:answer-too-large"
    assert problem["bytes"] > problem["bytes_max"]
    assert dict(balanced.headers)["x-should-retry"] == "false"
    assert "x-request-id" in dict(balanced.headers)
    assert function.ask("HEAD", path, key, sender=Sender.LOAD_BALANCER).status == 200


def test_what_was_written_is_said_to_be_done_though_its_answer_is_too_large(function: Function, key: str) -> None:
    id_ = create(function, key)
    body = {"items": [{"role": "user", "content": '"' * 300_000, "id": "msg_large"}]}
    written = function.ask("POST", f"/v1/conversations/{id_}/items", key, body, Sender.LOAD_BALANCER)

    assert (written.status, json.loads(written.body)["done"]) == (500, True)
    assert dict(written.headers)["x-should-retry"] == "false"
    assert function.ask("GET", f"/v1/conversations/{id_}/items/msg_large", key).status == 200


@given(st.text(st.characters(exclude_categories=["Cs"])) | st.binary())
@settings(max_examples=examples(60))
def test_an_answer_is_measured_as_lambda_returns_it(content: str | bytes) -> None:
    if isinstance(content, str):
        assert size_in_json(content.encode()) == len(json.dumps(content, ensure_ascii=False).encode())
    else:
        assert size_in_json(content) >= len(content)


def test_what_was_counted_is_handed_over_before_the_answer_leaves(
    deployment: str, kept: Callable[[], dict[str, str]], function: Function, key: str
) -> None:
    function.ask("GET", "/v1/usage", key)

    assert any(name.startswith("requests GET /v1/usage") for name in kept())


class _Left:
    """An app that leaves work behind its answer, which ends when *may_end* is set."""

    def __init__(self) -> None:
        self.may_end = asyncio.Event()
        self.became = ""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x"})
        try:
            await self.may_end.wait()
            self.became = "done"
        except asyncio.CancelledError:
            self.became = "ended"
            raise


@pytest.mark.parametrize(("ends", "became"), [(True, "done"), (False, "ended")])
async def test_what_is_left_behind_an_answer_is_done_or_ended_before_it_leaves(ends: bool, became: str) -> None:
    left, sent = _Left(), []

    async def send(message: Any) -> None:
        sent.append(message["type"])
        if ends:
            asyncio.get_running_loop().call_soon(left.may_end.set)

    await Behind(left, LambdaDeadlines(), after_s=30.0 if ends else 0.01)({}, None, send)  # type: ignore[arg-type]

    assert (left.became, sent) == (became, ["http.response.start", "http.response.body"])


async def test_an_app_that_fails_before_it_answers_is_not_waited_for() -> None:
    async def failing(scope: Any, receive: Any, send: Any) -> None:
        raise KeyError("nobody sees it")

    with pytest.raises(KeyError):
        await Behind(failing, LambdaDeadlines())({}, None, None)  # type: ignore[arg-type]


def test_an_instance_answers_the_next_event_though_the_last_one_failed(
    server: FaultyServer, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("UPSTASH_REDIS_REST_URL", server.url)
    with running_function() as function:
        server.fault = Fault.CLOSE
        lost = function.ask("GET", "/v1/usage", key)
        server.fault = Fault.NONE
        with pytest.raises(EventError):
            function.invoke({"requestContext": {}})

        assert lost.status == 503
        assert function.ask("GET", "/v1/usage", key).status == 200


async def test_who_comes_while_an_instance_works_gets_another_one(
    server: FaultyServer, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("UPSTASH_REDIS_REST_URL", server.url)
    monkeypatch.setenv("WARMTHREAD_STORE_TIMEOUT_S", "0.3")
    headers = [("authorization", f"Bearer {key}")]
    event = json.dumps(event_of(Sender.FUNCTION_URL, Asked("GET", "/v1/usage", "", headers, b"")))
    front = Front(lambda: Sender.FUNCTION_URL)

    server.fault = Fault.SILENT
    held = asyncio.create_task(front.invoke(event))
    assert await asyncio.to_thread(server.arrived.wait, 30)
    server.fault = Fault.NONE
    other = await front.invoke(event)
    first = await held
    await asyncio.to_thread(front.close)

    assert [json.loads(each)["statusCode"] for each in (first, other)] == [503, 200]


PLACES, ROUTING = Places(ROOT), Routing(ROOT)
PARTS = st.sampled_from(
    [
        *("v1", "api", "conversations", "documents", "changes", "tokens", "usage", "reservations", "openapi.json"),
        *("cron", "sweep", "warm", "health", "dashboard", "main.js", "index.html", "robots.txt", "x", "%41", "_items"),
        "",
    ]
)


@given(st.lists(PARTS, max_size=5).map(lambda parts: "/" + "/".join(parts)))
@settings(max_examples=examples(600))
def test_a_path_leads_where_the_platform_of_vercel_json_takes_it(path: str) -> None:
    """Where it takes it nowhere, to the function that tells callers what they may have meant."""
    found = ROUTING.place(path).found
    wanted = found[1:].replace("/", ".") if isinstance(found, str) else found

    assert PLACES.find(path) == (wanted or "api.health")
    assert dict(PLACES.headers(path)) == ROUTING.headers(path)


@pytest.mark.parametrize(
    "path", ["/../vercel.json", "/dashboard/../../vercel.json", "/%2e%2e/vercel.json", "//etc/passwd"]
)
def test_no_path_leads_out_of_what_is_public(path: str) -> None:
    assert PLACES.find(path) == "api.health"


@pytest.mark.parametrize("source", ["/a/:id", "/a/(.+)", "/a/(\\d+)", "/(a|b", "/a*"])
def test_a_rule_of_vercel_json_that_is_not_understood_is_an_error(source: str) -> None:
    with pytest.raises(ValueError, match=r"vercel\.json"):
        pattern_of(source)
