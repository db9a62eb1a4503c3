"""Spans: what a real collector reads of what was sent, and that nothing of it is there where nobody asks for it."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.faults.server import Fault, FaultyServer
from shared.environment import read_settings
from shared.request.tracing import Kind, Span, Trace, read_trace
from shared.telemetry import otlp
from shared.telemetry.otlp import Exporter
from tests.bearers import CRON
from tests.collector import ERROR, OK, Collector, Seen, running_collector
from tests.log_lines import LogLines

ROOT = Path(__file__).parents[1]
TRACE_ID, SPAN_ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = f"00-{TRACE_ID}-{SPAN_ID}-01"
UNSAMPLED = f"00-{TRACE_ID}-{SPAN_ID}-00"
STORE = {"UPSTASH_REDIS_REST_URL": "https://x", "UPSTASH_REDIS_REST_TOKEN": "t"}

Behind = Callable[..., httpx.Client]


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """What instances of the test send their spans to."""
    with running_collector() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"{collector.url}/base/")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20secret-4711, x-team = a=b")
        monkeypatch.setenv("OTEL_SERVICE_NAME", "memory")
        monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "team.name=blue%20one,service.name=other")
        yield collector


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spans are sent behind each request, and not some seconds apart."""
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "0")


def is_of(trace_id: str) -> Callable[[Seen], bool]:
    return lambda span: span.trace_id == trace_id


def named(spans: list[Seen], name: str) -> Seen:
    [found] = [span for span in spans if span.name == name]
    return found


def test_a_context_is_a_tree_of_what_was_done_for_it(
    collector: Collector, make_api: Callable[[], httpx.Client], conversation: str, logged: LogLines
) -> None:
    api = make_api()
    path = f"/v1/conversations/{conversation}/context?budget=500&model=gpt-4"
    api.get(path, headers={"traceparent": PARENT, "tracestate": "a=b", "x-request-id": "mine-1"})
    spans = collector.wait_for(is_of(TRACE_ID), 5)
    [posted] = collector.posted
    [line] = logged.requests(1)
    root = named(spans, "GET /v1/conversations/{conversation_id}/context")
    memory, read = named(spans, "search_memory"), named(spans, "EVAL read")

    assert posted.path == "/base/v1/traces"
    assert (posted.headers["content-type"], posted.headers["authorization"], posted.headers["x-team"]) == (
        "application/json",
        "Bearer secret-4711",
        "a=b",
    )
    assert "content-encoding" not in posted.headers
    assert root.resource.pop("service.instance.id")
    assert root.resource == {"service.name": "memory", "team.name": "blue one", "service.version": "local"}
    assert (root.kind, root.parent_id, root.state, root.status) == ("server", SPAN_ID, "a=b", OK)
    assert root.attributes.pop("http.response.body.size") == line["bytes_out"]
    assert root.attributes == {
        "http.request.method": "GET",
        "http.route": "/v1/conversations/{conversation_id}/context",
        "http.response.status_code": 200,
        "http.request.body.size": 0,
        "url.scheme": "http",
        "warmthread.request_id": "mine-1",
        "warmthread.tier": "L2",
    }
    assert (line["trace_id"], line["span_id"]) == (TRACE_ID, root.span_id)
    assert (memory.kind, memory.parent_id) == ("internal", root.span_id)
    assert memory.attributes == {"gen_ai.operation.name": "search_memory", "gen_ai.memory.record.count": 1}
    assert (read.kind, read.parent_id) == ("client", memory.span_id)
    assert read.attributes.pop("server.port") > 0
    assert read.attributes == {
        "db.system.name": "redis",
        "db.operation.name": "EVAL",
        "db.stored_procedure.name": "read",
        "server.address": "127.0.0.1",
    }
    assert {span.name for span in spans if span.parent_id == memory.span_id} >= {"choose context", "count tokens"}
    for span in spans:
        assert root.began_at_ns <= span.began_at_ns <= span.ended_at_ns
        assert span.flags & 0xFF == 1


@pytest.mark.usefixtures("at_once")
def test_appends_and_deletions_are_operations_of_a_memory(
    collector: Collector, make_api: Callable[[], httpx.Client]
) -> None:
    api = make_api()
    items = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    path = f"/v1/conversations/{api.post('/v1/conversations').json()['id']}"
    appended = api.post(f"{path}/items", json={"items": items, "context": {"budget": 500}}).json()
    api.delete(f"{path}/items/{appended['first_id']}")
    api.delete(path)
    spans = collector.wait_for(lambda span: "gen_ai.operation.name" in span.attributes, 4)

    assert [(span.name, span.attributes.get("gen_ai.memory.record.count")) for span in spans] == [
        ("create_memory_store", None),
        ("create_memory", 2),
        ("delete_memory", None),
        ("delete_memory_store", None),
    ]
    assert all(span.attributes["gen_ai.operation.name"] == span.name for span in spans)


def test_a_store_that_fails_is_a_span_that_failed(collector: Collector, behind: Behind, server: FaultyServer) -> None:
    client = behind()
    server.fault = Fault.REFUSE_401
    client.get("/v1/conversations", headers={"traceparent": PARENT})
    spans = collector.wait_for(is_of(TRACE_ID), 2)
    store, root = named(spans, "EVAL list"), named(spans, "GET /v1/conversations")

    assert (store.status, store.attributes["error.type"]) == (ERROR, "store-unavailable")
    assert (root.status, root.attributes["error.type"]) == (ERROR, "urn:warmthread:problem:store-unavailable")


def test_a_refusal_is_no_failure_of_the_server(collector: Collector, make_api: Callable[[], httpx.Client]) -> None:
    make_api().get("/v1/conversations/conv_1", headers={"traceparent": PARENT})
    root = named(collector.wait_for(is_of(TRACE_ID), 2), "GET /v1/conversations/{conversation_id}")

    assert (root.status, root.attributes["http.response.status_code"]) == (OK, 404)
    assert "error.type" not in root.attributes


@pytest.mark.usefixtures("fresh_crons", "at_once")
def test_the_warming_cron_and_the_instance_that_it_warms_are_one_tree(
    collector: Collector, make_service: Callable[[], str], monkeypatch: pytest.MonkeyPatch, logged: LogLines
) -> None:
    monkeypatch.setenv("WARMTHREAD_OWN_URL", make_service())
    caller = {"traceparent": PARENT, "tracestate": "a=b", "x-request-id": "mine-1"}
    answer = httpx.get(f"{make_service()}/api/cron/warm", headers=CRON | caller, timeout=30)
    # They come from two instances, each with its own.
    collector.wait_for(lambda span: is_of(TRACE_ID)(span) and span.kind == "server", 2)
    spans = collector.spans(is_of(TRACE_ID))
    cron, call = named(spans, "GET /api/cron/warm"), named(spans, "POST")
    warmed = named(spans, "POST /api/conversations")

    assert answer.json()["instance"] == 200
    assert cron.parent_id == SPAN_ID
    assert (call.kind, call.parent_id) == ("client", cron.span_id)
    assert call.attributes == {"http.request.method": "POST", "http.response.status_code": 200}
    assert (warmed.kind, warmed.parent_id, warmed.state) == ("server", call.span_id, "a=b")
    assert {span.span_id for span in spans} >= {span.parent_id for span in spans} - {SPAN_ID}
    assert {line["request_id"] for line in logged.requests(2)} == {"mine-1"}


@pytest.mark.usefixtures("fresh_crons")
def test_without_spans_the_trace_goes_on_as_it_came(
    make_service: Callable[[], str], monkeypatch: pytest.MonkeyPatch, logged: LogLines
) -> None:
    monkeypatch.setenv("WARMTHREAD_OWN_URL", make_service())
    caller = {"traceparent": PARENT, "tracestate": "a=b"}
    httpx.get(f"{make_service()}/api/cron/warm", headers=CRON | caller, timeout=30)
    lines = logged.requests(2)

    assert [line["route"] for line in lines] == ["/api/conversations", "/api/cron/warm"]
    assert {(line["trace_id"], line["span_id"]) for line in lines} == {(TRACE_ID, SPAN_ID)}


@pytest.mark.parametrize(
    ("sampler", "parent", "is_sampled"),
    [
        ("parentbased_always_on", PARENT, True),
        ("parentbased_always_on", UNSAMPLED, False),
        ("parentbased_always_on", "", True),
        ("parentbased_always_off", PARENT, True),
        ("parentbased_always_off", "", False),
        ("parentbased_traceidratio", UNSAMPLED, False),
        ("always_on", UNSAMPLED, True),
        ("always_off", PARENT, False),
    ],
)
def test_the_sampler_decides_as_opentelemetry_has_it(sampler: str, parent: str, is_sampled: bool) -> None:
    exporter = Exporter(read_settings({**STORE, "OTEL_TRACES_SAMPLER": sampler}))
    trace = read_trace([parent.encode()], []) if parent else None

    assert (exporter.begin(trace) is not None) == is_sampled


def test_a_share_of_traces_is_sampled() -> None:
    names = {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.25"}
    exporter = Exporter(read_settings({**STORE, **names}))
    sampled = sum(exporter.begin(None) is not None for _ in range(4_000))

    assert 800 <= sampled <= 1_200  # Six standard deviations.


@pytest.mark.usefixtures("at_once")
def test_what_the_collector_does_not_take_is_told_once_and_hurts_nobody(
    collector: Collector, make_api: Callable[[], httpx.Client], logged: LogLines
) -> None:
    api = make_api()
    collector.status = 503
    statuses = [api.get("/v1/conversations").status_code for _ in range(3)]
    collector.wait_for_refused(3)
    collector.status = 200
    statuses.append(api.get("/v1/conversations").status_code)
    [again] = logged.wait_for(1, lambda line: line["message"] == "spans: taken again")

    assert statuses == [200] * 4
    assert logged.messages("spans: status") == [" 503"]
    assert again["spans_lost"] >= 6


async def test_what_finds_no_room_is_counted_and_told(collector: Collector, logged: LogLines) -> None:
    names = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{collector.url}/own"}
    exporter = Exporter(read_settings({**STORE, **names}))
    for _ in range(otlp.SPANS_MAX + 7):
        Span("x", Kind.INTERNAL, exporter.keep, TRACE_ID, None).end()
    await exporter.flush()
    is_due = exporter.is_due()
    await exporter.close()

    assert [(posted.path, len(posted.spans)) for posted in collector.posted] == [("/own", otlp.BATCH_SPANS)] * 4
    assert not is_due
    assert [line["spans_lost"] for line in logged.lines()] == [7]


def test_without_an_endpoint_nothing_of_it_is_loaded() -> None:
    program = """
import asyncio, sys
from api.conversations import app
from shared.app import lifespan

async def run():
    async with lifespan(app) as state:
        print(state["spans"], "shared.telemetry.otlp" in sys.modules)

asyncio.run(run())
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=STORE, capture_output=True, text=True, check=True
    )

    assert done.stdout == "None False\n"


WRONG_PARENTS = [
    f"00-{'0' * 32}-{SPAN_ID}-01",
    f"00-{TRACE_ID}-{'0' * 16}-01",
    f"ff-{TRACE_ID}-{SPAN_ID}-01",
    f"00-{TRACE_ID}-{SPAN_ID}-01-more",
    f"01-{TRACE_ID}-{SPAN_ID}-01.more",
    f"00-{TRACE_ID}-{SPAN_ID}-1",
    f"00-{TRACE_ID}{SPAN_ID[:1]}-{SPAN_ID[1:]}-01",
    f"000-{TRACE_ID[1:]}-{SPAN_ID}-01",
    f"00-{TRACE_ID.upper()}-{SPAN_ID}-01",
    f" {PARENT}",
    f"{PARENT}\n",
    f"01-{TRACE_ID}-{SPAN_ID}-0a"[:-1],
    "-" * 55,
    "",
]


@pytest.mark.parametrize("parent", WRONG_PARENTS)
def test_a_malformed_parent_is_as_good_as_none(parent: str) -> None:
    assert read_trace([parent.encode()], [b"a=b"]) is None


def test_two_parents_are_none_and_a_later_version_is_read_as_far_as_it_is_known() -> None:
    later = f"01-{TRACE_ID}-{SPAN_ID}-03-what.comes"

    assert read_trace([PARENT.encode()] * 2, []) is None
    assert read_trace([later.encode()], []) == Trace(TRACE_ID, SPAN_ID, 3)
    assert Trace(TRACE_ID, SPAN_ID, 3).headers() == {"traceparent": PARENT}


@pytest.mark.parametrize(
    ("states", "state"),
    [
        ([b"a=b, c@d=e", b"f=g"], "a=b,c@d=e,f=g"),
        ([b" , a=b ,"], "a=b"),
        ([b"a"], ""),
        ([b"A=b"], ""),
        ([b"a=\xe9"], ""),
        ([b",".join([b"a=b"] * 33)], ""),
        ([b"a=" + b"b" * 600], ""),
        ([b" " * 500 + b"a"], ""),
    ],
)
def test_a_state_goes_on_or_is_left_out_as_a_whole(states: list[bytes], state: str) -> None:
    found = read_trace([PARENT.encode()], states)

    assert found is not None
    assert found.state == state


@given(st.binary(max_size=120), st.lists(st.binary(max_size=600), max_size=3))
def test_nothing_makes_reading_a_trace_fail(parent: bytes, states: list[bytes]) -> None:
    found: Any = read_trace([parent], states)

    assert found is None or found.headers()["traceparent"].count("-") == 3
