"""
POST /v1/tokens/count counts what would be stored and sent: what a context counts in which there is room for all.
"""

from collections.abc import Callable
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scripts.proving.borders.requests import anthropic_requests, as_dumped, chat_requests, gemini_requests
from tests.examples import examples

ASKED = {
    "chat": {"role": "user", "content": "Hi"},
    "anthropic": {"role": "user", "content": "Hi"},
    "gemini": {"role": "user", "parts": [{"text": "Hi"}]},
}
"""What a request begins with, so that no context leaves out an answer to nothing."""

REQUESTS = {"chat": chat_requests() | chat_requests().map(as_dumped), "anthropic": anthropic_requests()}
REQUESTS["gemini"] = gemini_requests()
on_a_server = settings(
    max_examples=examples(15),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def counted(api: httpx.Client, **body: Any) -> int:
    answer = api.post("/v1/tokens/count", json=body)
    assert answer.status_code == 200, answer.text
    return int(answer.json()["tokens"])


def context_of(api: httpx.Client, context_format: str, encoding: str, **body: Any) -> dict[str, Any]:
    created = api.post("/v1/conversations", json=body)
    assert created.status_code == 200, created.text
    query: dict[str, str | int] = {"format": context_format, "encoding": encoding, "budget": 10**8}
    answer = api.get(f"/v1/conversations/{created.json()['id']}/context", params=query)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


@pytest.mark.parametrize("context_format", REQUESTS)
@on_a_server
@given(data=st.data(), encoding=st.sampled_from(["o200k_base", "o200k_base", "cl100k_base"]))
def test_messages_count_what_a_context_of_them_counts(
    api: httpx.Client, context_format: str, data: st.DataObject, encoding: str
) -> None:
    request = data.draw(REQUESTS[context_format])
    field = "contents" if "contents" in request else "messages"
    body = {**request, field: [ASKED[context_format], *request[field]], "format": context_format}
    context = context_of(api, context_format, encoding, **body)

    assert context["omitted"]["items"] == len(context["omitted"]["dangling_reasoning"])
    assert counted(api, encoding=encoding, **body) == context["tokens"]


@on_a_server
@given(request=chat_requests())
def test_what_a_context_sends_counts_the_same_when_it_is_counted_as_messages(
    api: httpx.Client, request: dict[str, Any]
) -> None:
    sent = context_of(api, "chat", "o200k_base", messages=[ASKED["chat"], *request["messages"]])

    assert counted(api, encoding="o200k_base", messages=sent["messages"]) == sent["tokens"]


CALL = {"id": "c1", "type": "function", "function": {"name": "find", "arguments": "{}"}}
CALLING = {"role": "assistant", "content": None, "tool_calls": [CALL]}
RESULT = {"role": "tool", "tool_call_id": "c1", "content": "found"}
BOTH_CALLED = {**CALLING, "tool_calls": [CALL, {**CALL, "id": "c2"}]}


@pytest.mark.parametrize(
    ("messages", "tokens"),
    [
        ([{"role": "assistant", "content": "Hello"}, ASKED["chat"]], 3 + 5 + 5),
        ([RESULT], 3 + 4 + 2 + 1),
        ([CALLING, ASKED["chat"]], 3 + 4 + 1 + 1 + 5),
        ([BOTH_CALLED, RESULT, ASKED["chat"]], 3 + 4 + 2 + 2 + 7 + 5),
    ],
    ids=["an answer to nothing", "a result alone", "a call without result", "one of two calls without result"],
)
def test_what_no_context_sends_counts_as_well(api: httpx.Client, messages: list[Any], tokens: int) -> None:
    assert counted(api, model="gpt-4o", messages=messages) == tokens


def test_thoughts_with_nothing_behind_them_count_nothing(api: httpx.Client) -> None:
    thought = {"type": "thinking", "thinking": "hm", "signature": "c2ln"}
    messages = [ASKED["anthropic"], {"role": "assistant", "content": [thought]}, ASKED["anthropic"]]

    assert counted(api, model="gpt-4o", format="anthropic", messages=messages) == 3 + 5 + 5


def test_a_call_of_the_older_kind_counts_as_what_is_stored_of_it(api: httpx.Client) -> None:
    called = {"role": "assistant", "content": None, "function_call": {"name": "find", "arguments": "{}"}}
    older = [ASKED["chat"], called, {"role": "function", "name": "find", "content": "found"}]
    context = context_of(api, "chat", "o200k_base", messages=older)

    assert context["messages"][-1]["role"] == "tool"
    assert counted(api, model="gpt-4o", messages=older) == counted(api, model="gpt-4o", messages=context["messages"])


def test_the_easy_messages_of_the_responses_api_count_as_items(api: httpx.Client) -> None:
    said = [{"role": "user", "content": [{"type": "input_text", "text": "Hi"}]}, {"role": "assistant", "content": "a"}]
    more = [*said, {"role": "assistant", "content": [{"type": "output_text", "text": "b"}]}]

    assert counted(api, model="gpt-4o", input=said[:1]) == 3 + 5
    assert counted(api, model="gpt-4o", input=more) == context_of(api, "chat", "o200k_base", items=more)["tokens"]


def test_an_id_of_an_item_may_be_any_that_an_append_takes(api: httpx.Client) -> None:
    said = {"type": "message", "role": "user", "content": "Hi"}
    many = [{**said, "id": f"msg_{number}"} for number in (2, 1, 3)]

    assert counted(api, model="gpt-4o", input=[said, *many, said]) == 3 + 5 * 5


REFUSED: list[dict[str, Any]] = [
    {"messages": [{"role": "user"}]},
    {"messages": [{"role": "critic", "content": "x"}]},
    {"messages": [{"role": "user", "content": [{"type": "input_text", "text": "x"}]}]},
    {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
    {"messages": [{"role": "tool", "content": "x"}]},
    {"messages": [{**CALLING, "tool_calls": 7}]},
    {"messages": [{**CALLING, "tool_calls": [{**CALL, "type": "web"}]}]},
    {"messages": [{"role": "user", "content": "x", "invented": 1}]},
    {"messages": "x"},
    {"messages": [{"role": "user", "content": [{"type": "tool_use"}]}], "format": "anthropic"},
    {"messages": [{"role": "user", "content": "x"}], "system": "y"},
    {"contents": [{"parts": [{"x": 1}]}]},
]


@pytest.mark.parametrize("body", REFUSED, ids=lambda body: orjson.dumps(body).decode()[:60])
def test_what_an_append_refuses_is_refused_by_the_same_name(
    api: httpx.Client, make_conversation: Callable[[], str], body: dict[str, Any]
) -> None:
    appended = api.post(f"{make_conversation()}/items", json=body)
    count = api.post("/v1/tokens/count", json={"model": "gpt-4o", **body})

    assert (count.status_code, count.json()["param"]) == (400, appended.json()["param"])
    assert count.json()["detail"] == appended.json()["detail"]


@pytest.fixture
def make_conversation(api: httpx.Client) -> Callable[[], str]:
    return lambda: f"/v1/conversations/{api.post('/v1/conversations').json()['id']}"


def test_more_messages_are_counted_than_a_batch_may_have(api: httpx.Client) -> None:
    many = [ASKED["chat"]] * 101

    assert api.post("/v1/conversations", json={"messages": many}).status_code == 400
    assert counted(api, model="gpt-4o", messages=many) == 3 + 5 * 101
    assert counted(api, model="gpt-4o", messages=[]) == 3
    assert counted(api, model="gpt-4o", messages=[], format="anthropic", system="Be brief.") == 3 + 4 + 3
