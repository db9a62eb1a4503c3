"""Requests that are refused at the border, by name and without an effect: too long, too many, not what it must be."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from shared.conversations.token_counts import ITEMS_MAX
from shared.http.guard import CONFIRM_BYTES, HEADERS_BYTES_MAX, TARGET_BYTES_MAX

FUNCTION_CALL = {"role": "assistant", "content": None, "function_call": {"name": "find", "arguments": '{"q": 1}'}}


def test_a_target_is_only_so_long(api: httpx.Client) -> None:
    answer = api.get("/v1/conversations", params={"metadata[a]": "x" * TARGET_BYTES_MAX})

    assert (answer.status_code, answer.json()["limit_bytes"]) == (413, TARGET_BYTES_MAX)


def test_headers_are_only_so_long_together(api: httpx.Client) -> None:
    answer = api.get("/v1/conversations", headers={f"x-{number}": "x" * 1_000 for number in range(33)})

    assert (answer.status_code, answer.json()["limit_bytes"]) == (413, HEADERS_BYTES_MAX)


def test_a_long_body_of_unknown_length_is_taken_of_who_has_a_key(make_service: Callable[[], str], key: str) -> None:
    def pieces(part: bytes) -> Iterator[bytes]:
        yield b'{"items": [{"role": "user", "content": "'
        for _ in range(8):
            yield part
        yield b'"}]}'

    url = f"{make_service()}/v1/conversations"
    part = b"x" * CONFIRM_BYTES
    stranger, known = (
        httpx.post(url, content=pieces(part), headers={"authorization": f"Bearer {each}"})
        for each in (f"{key[:-1]}{'a' if key[-1] != 'a' else 'b'}", key)
    )

    assert (stranger.status_code, known.status_code) == (401, 200)


def test_an_update_needs_metadata(api: httpx.Client, conversation: str) -> None:
    answer = api.post(f"/v1/conversations/{conversation}", json={})

    assert (answer.status_code, answer.json()["param"]) == (400, "metadata")


@pytest.mark.parametrize("name", ["x", "rsv_0_rx", "rsv_zz"])
def test_what_is_no_reservation_is_unknown(api: httpx.Client, name: str) -> None:
    settled = api.post(f"/v1/reservations/{name}/settle", json={"tokens": 1})

    assert (settled.status_code, api.delete(f"/v1/reservations/{name}").status_code) == (404, 404)


def test_only_so_many_reservations_live(
    make_api: Callable[[], httpx.Client], budget: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WARMTHREAD_RESERVATIONS_MAX", "2")
    budget(tokens_day="1000")
    instance = make_api()
    answers = [instance.post("/v1/reservations", json={"tokens": 1}) for _ in range(3)]

    assert [each.status_code for each in answers] == [200, 200, 429]
    assert (answers[2].json()["limit"], answers[2].headers["x-should-retry"]) == (2, "false")


def test_a_context_that_does_not_fit_counts_what_the_caller_adds(api: httpx.Client, conversation: str) -> None:
    url = f"/v1/conversations/{conversation}/context"
    plain, added = (
        api.get(url, params=query).json()["needed_tokens"]
        for query in ({"budget": 1}, {"budget": 101, "overhead_tokens": 100})
    )

    assert added == plain + 100
    assert api.get(url, params={"budget": added, "overhead_tokens": 100}).status_code == 200
    assert api.get(url, params={"budget": added - 1, "overhead_tokens": 100}).status_code == 422


def test_a_flag_is_a_flag(api: httpx.Client, conversation: str) -> None:
    url = f"/v1/conversations/{conversation}/context"
    answer = api.post(url, json={"budget": 500, "stable_prefix": "true"})

    assert (answer.status_code, answer.json()["param"]) == (400, "stable_prefix")
    assert api.post(url, json={"budget": 500, "stable_prefix": True}).status_code == 200


def test_a_summary_beyond_what_a_conversation_holds_is_refused(
    make_api: Callable[[], httpx.Client], stored: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WARMTHREAD_CONVERSATION_BYTES_MAX", "10000")
    instance = make_api()
    items = [{"role": "user", "content": "x" * 9_000, "id": "msg_1"}]
    conversation = instance.post("/v1/conversations", json={"items": items}).json()["id"]
    before = stored(conversation)
    refused = instance.post(f"/v1/conversations/{conversation}/summary", json={"through": "msg_1", "text": "y" * 2_000})

    assert (refused.status_code, refused.json()["limit_bytes"]) == (413, 10_000)
    assert stored(conversation) == before


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"input": 5}, "input"),
        ({"input": ["x"] * (ITEMS_MAX + 1)}, "input"),
        ({"messages": [{"role": "assistant", "tool_calls": [{"type": "else"}]}]}, "messages[0].tool_calls[0].type"),
        ({"messages": [{"role": "assistant", "function_call": "find"}]}, "messages[0].function_call"),
    ],
)
def test_what_cannot_be_counted_is_named(api: httpx.Client, body: dict[str, Any], param: str) -> None:
    answer = api.post("/v1/tokens/count", json={"model": "gpt-4o", **body})

    assert (answer.status_code, answer.json()["param"]) == (400, param)


def test_calls_as_they_were_written_once_and_refusals_count(api: httpx.Client) -> None:
    def count(message: dict[str, Any]) -> int:
        body = {"model": "gpt-4o", "messages": [message]}
        return int(api.post("/v1/tokens/count", json=body).json()["tokens"])

    called = {"id": "c", "type": "function", "function": FUNCTION_CALL["function_call"]}

    assert count(FUNCTION_CALL) == count({"role": "assistant", "tool_calls": [called]})
    assert count({"role": "assistant", "refusal": "No."}) == count({"role": "assistant", "content": "No."})
