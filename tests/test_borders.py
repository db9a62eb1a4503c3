"""
The cases of tests/borders.py through the whole service: what is answered is accepted by the rules of the provider that
it is for (scripts/proving/providers/), and is what the case says is right.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import httpx
import pytest

from scripts.proving.providers import chat
from scripts.proving.providers.by_format import FAULTS
from shared.context.render import FORMATS
from tests.borders import APPEND, cases
from tests.providers.pairs import pairs

REQUEST_MEMBERS = ("input", "system", "messages", "contents", "system_instruction", "text")
DIGITS = "115792089237316195423570985008687907853269984665640564039457584007913129639935"


class Answer(NamedTuple):
    """A context with room for all: *raw* as it came, *whole* as read, *request* what a caller sends of it."""

    raw: str
    whole: dict[str, Any]
    request: dict[str, Any]


def asked(api: httpx.Client, conversation: str, context_format: str) -> Answer:
    query: dict[str, Any] = {"budget": 1_000_000, "format": context_format}
    answered = api.get(f"/v1/conversations/{conversation}/context", params=query)
    assert answered.status_code == 200, answered.text
    whole = answered.json()
    return Answer(answered.text, whole, {name: whole[name] for name in REQUEST_MEMBERS if name in whole})


def check_short_ids(answer: Answer, _format: str) -> None:
    [call] = pairs("chat", answer.request)
    assert call.result == "sun"


def check_white_space(answer: Answer, _format: str) -> None:
    assert answer.request["messages"][-1]["content"] == [{"type": "text", "text": "The sea was"}]


def check_names(answer: Answer, context_format: str) -> None:
    called = [(call.name, call.result) for call in pairs(context_format, answer.request)]
    assert called == [("browser_tabs_open", "no such tool"), ("tool", "no such tool")]


def check_no_arguments(answer: Answer, context_format: str) -> None:
    called = [(call.arguments, call.result) for call in pairs(context_format, answer.request)]
    assert called == [({}, "12:00"), ({}, "12:01")]


def check_nulls(answer: Answer, _format: str) -> None:
    reasoning, message = answer.request["input"][1:3]
    assert reasoning == {"id": "rs_1a", "type": "reasoning", "summary": []}
    assert message["content"] == [{"type": "output_text", "text": "4", "annotations": []}]
    assert "phase" not in message


def check_output_text(answer: Answer, _format: str) -> None:
    assert answer.request["input"][1]["content"] == [{"type": "output_text", "text": "hello", "annotations": []}]


def check_own_results(answer: Answer, context_format: str) -> None:
    called = [(call.arguments, call.result) for call in pairs(context_format, answer.request)]
    assert called == [({"n": 1}, "one"), ({"n": 2}, "two")]


def check_starts_with_user(answer: Answer, _format: str) -> None:
    first, second = answer.request["messages"][:2]
    assert (first["role"], second["role"]) == ("user", "assistant")
    assert first["content"][0]["text"].strip()


def check_ends_with_user(answer: Answer, _format: str) -> None:
    last = answer.request["messages"][-1]
    assert last["role"] == "user"
    assert last["content"][0]["text"].strip()


def check_image_is_named(answer: Answer, _format: str) -> None:
    assert len(answer.whole["omitted"]["unsupported"]) == 1


def check_digits(answer: Answer, _format: str) -> None:
    assert DIGITS in answer.raw


def check_open_call_is_last(answer: Answer, _format: str) -> None:
    messages = answer.request["messages"]
    assert [message["role"] for message in messages] == ["user", "developer", "assistant"]
    result = {"role": "tool", "tool_call_id": messages[-1]["tool_calls"][0]["id"], "content": "sun"}
    assert chat.faults({"messages": [*messages, result, {"role": "user", "content": "so?"}]}) == []


def check_refusal_is_text(answer: Answer, _format: str) -> None:
    content = answer.request["messages"][1]["content"]
    said = content if isinstance(content, str) else "\n".join(part["text"] for part in content)
    assert said.split("\n") == ["Here is the first part.", "I cannot go on."]


def check_depth(answer: Answer, _format: str) -> None:
    assert re.sub(r"[\\\s]", "", answer.raw).count('{"a":') == 300


CHECKS: dict[str, Sequence[Callable[[Answer, str], None]]] = {
    "call-id-of-55-characters": [check_short_ids],
    "ends-with-white-space": [check_white_space],
    "tool-name-that-no-api-admits": [check_names],
    "call-without-arguments": [check_no_arguments],
    "nulls-of-model-dump": [check_nulls],
    "assistant-with-input-text": [check_output_text],
    "one-call-id-twice-in-a-response": [check_own_results],
    "user-message-without-text-first-empty": [check_starts_with_user],
    "user-message-without-text-last-empty": [check_ends_with_user],
    "user-message-without-text-first-blank": [check_starts_with_user],
    "user-message-without-text-last-blank": [check_ends_with_user],
    "user-message-without-text-first-image-by-id": [check_starts_with_user, check_image_is_named],
    "user-message-without-text-last-image-by-id": [check_ends_with_user, check_image_is_named],
    "integer-over-64-bits": [check_digits],
    "developer-behind-an-open-call": [check_open_call_is_last],
    "text-and-refusal": [check_refusal_is_text],
    "arguments-nested-300-deep": [check_depth],
}
"""What a case says is right, in its own formats."""

REFUSED = {
    "chat-message-among-items": ("items[1].tool_calls", "messages"),
    "which-item-cannot-be-counted": ("items[3]", ""),
}
"""What the refusal's param begins with, and a word that its sentence holds."""

CASES = {case.name: case for case in cases()}
BROKEN: dict[tuple[str, str], str] = {}
"""What fails today, by case and format, and why: whoever mends a kind takes its lines out."""


def marked(name: str, context_format: str) -> Any:
    reason = BROKEN.get((name, context_format))
    marks = [pytest.mark.xfail(strict=True, reason=reason)] if reason else []
    return pytest.param(name, context_format, id=f"{name}-{context_format}", marks=marks)


ANSWERED = [marked(name, context_format) for name in CHECKS for context_format in FORMATS]


def test_every_case_is_checked_or_refused() -> None:
    assert CHECKS.keys() | REFUSED.keys() == CASES.keys()
    assert {name for name, case in CASES.items() if case.formats == [APPEND]} == REFUSED.keys()
    assert BROKEN.keys() <= {(name, each) for name in CASES for each in (*FORMATS, APPEND)}


@pytest.mark.parametrize(("name", "context_format"), ANSWERED)
def test_what_is_answered_is_accepted_and_right(api: httpx.Client, name: str, context_format: str) -> None:
    case = CASES[name]
    conversation = api.post("/v1/conversations", json={"items": case.items}).json()["id"]

    answer = asked(api, conversation, context_format)

    assert FAULTS[context_format](answer.request) == []
    for check in CHECKS[name] if context_format in case.formats else ():
        check(answer, context_format)


@pytest.mark.parametrize(("name", "context_format"), [marked(name, APPEND) for name in REFUSED])
def test_what_cannot_be_taken_is_refused_by_name(api: httpx.Client, name: str, context_format: str) -> None:
    param, word = REFUSED[name]
    conversation = api.post("/v1/conversations", json={}).json()["id"]

    refused = api.post(f"/v1/conversations/{conversation}/items", json={"items": CASES[name].items})

    assert refused.status_code in (400, 422), refused.text
    assert refused.json()["error"]["param"].startswith(param)
    assert word in refused.json()["error"]["message"]
    assert api.get(f"/v1/conversations/{conversation}/items").json()["data"] == []


def test_the_digits_that_a_model_wrote_are_stored(api: httpx.Client) -> None:
    items = CASES["integer-over-64-bits"].items
    conversation = api.post("/v1/conversations", json={"items": items}).json()["id"]

    assert DIGITS in api.get(f"/v1/conversations/{conversation}/items").text
