"""A summary stands in contexts for the items up to one of them, which stay readable; no unit is torn by it."""

from typing import Any

import httpx
import pytest

from tests.lives import ok

U1, A1, U2 = "msg_u1", "msg_a1", "msg_u2"
CALL = {"type": "function_call", "id": "fc_c1", "call_id": "call_1", "name": "f", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "id": "fco_o1", "call_id": "call_1", "output": "done"}


def said(item_id: str, role: str, text: str = "some words") -> dict[str, Any]:
    return {"id": item_id, "role": role, "content": text}


TALK = [
    said("msg_s1", "system"),
    said(U1, "user"),
    CALL,
    OUTPUT,
    said(A1, "assistant"),
    said(U2, "user"),
    said("msg_a2", "assistant"),
]


@pytest.fixture
def url(api: httpx.Client) -> str:
    return f"/v1/conversations/{ok(api.post('/v1/conversations', json={'items': TALK}))['id']}"


def summarise(api: httpx.Client, url: str, through: str, text: str = "They spoke.") -> httpx.Response:
    return api.post(f"{url}/summary", json={"through": through, "text": text})


def context(api: httpx.Client, url: str, query: str = "budget=1000") -> dict[str, Any]:
    return ok(api.get(f"{url}/context?{query}"))


def shown(body: dict[str, Any]) -> list[str]:
    return ["note" if "Summary of" in str(each.get("content")) else each["id"] for each in body["input"]]


def test_a_context_shows_the_note_in_the_place_of_what_it_stands_for(api: httpx.Client, url: str) -> None:
    before = context(api, url)
    made = summarise(api, url, A1)
    after = context(api, url)

    assert ok(made) == {
        "object": "conversation.summary",
        "conversation_id": url.rpartition("/")[2],
        "through": A1,
        "tokens": after["summary"]["tokens"],
        "created_at": made.json()["created_at"],
    }
    assert shown(before) == ["msg_s1", U1, "fc_c1", "fco_o1", A1, U2, "msg_a2"]
    assert shown(after) == ["msg_s1", "note", U2, "msg_a2"]
    assert after["summary"]["through"] == A1
    assert after["input"][1]["content"][0]["text"] == "Summary of the conversation so far:\nThey spoke."
    assert (after["kept"]["items"], after["omitted"]["items"]) == (3, 4)


def test_the_note_is_counted_as_the_message_it_is(api: httpx.Client, url: str) -> None:
    summarise(api, url, A1)
    for encoding in ("o200k_base", "cl100k_base"):
        body = context(api, url, f"budget=1000&format=chat&encoding={encoding}")
        counted = ok(api.post("/v1/tokens/count", json={"encoding": encoding, "messages": body["messages"]}))

        assert body["tokens"] == counted["tokens"]


def test_items_that_a_summary_stands_for_stay_readable(api: httpx.Client, url: str) -> None:
    before = ok(api.get(f"{url}/items?order=asc"))
    summarise(api, url, A1)

    assert ok(api.get(f"{url}/items?order=asc")) == before
    assert ok(api.get(f"{url}/items/{U1}"))["id"] == U1


def test_the_newest_summary_takes_the_place_of_the_one_before(api: httpx.Client, url: str) -> None:
    summarise(api, url, A1, "first")
    summarise(api, url, "msg_a2", "second")
    api.post(f"{url}/items", json={"items": [said("msg_u3", "user")]})
    body = context(api, url)

    assert shown(body) == ["msg_s1", "note", "msg_u3"]
    assert body["input"][1]["content"][0]["text"].endswith("\nsecond")


def test_a_summary_reaches_other_reads_of_a_warm_instance(api: httpx.Client, url: str) -> None:
    tag = api.get(f"{url}/context?budget=1000").headers["etag"]
    made = summarise(api, url, A1)
    again = api.get(f"{url}/context?budget=1000", headers={"if-none-match": tag})

    assert again.status_code == 200
    assert again.headers["etag"].rpartition(".")[0] == made.headers["etag"].rstrip('"')


@pytest.mark.parametrize(
    ("through", "status", "param", "code"),
    [
        ("u9", 404, "through", "not_found"),
        ("no id", 404, "through", "not_found"),
        ("fc_c1", 400, "through", "unit_torn"),
    ],
)
def test_what_no_summary_can_go_through_is_refused(
    api: httpx.Client, url: str, through: str, status: int, param: str, code: str
) -> None:
    before = context(api, url)
    answer = summarise(api, url, through)
    error = answer.json()["error"]

    assert (answer.status_code, error["param"], error["code"]) == (status, param, code)
    assert context(api, url) == before


def test_a_late_output_is_not_torn_from_its_call(api: httpx.Client, url: str) -> None:
    late = [{**CALL, "id": "fc_c2", "call_id": "x"}, said("msg_u3", "user"), {**OUTPUT, "id": "fco_o2", "call_id": "x"}]
    api.post(f"{url}/items", json={"items": late})

    assert summarise(api, url, "fc_c2").json()["error"]["code"] == "unit_torn"
    assert summarise(api, url, "msg_u3").json()["error"]["code"] == "unit_torn"
    assert summarise(api, url, "fco_o2").status_code == 200


def test_a_call_that_waits_for_its_output_does_not_end_a_summary(api: httpx.Client, url: str) -> None:
    api.post(f"{url}/items", json={"items": [said("msg_u3", "user"), {**CALL, "id": "fc_c2", "call_id": "x"}]})

    assert summarise(api, url, "fc_c2").json()["error"]["code"] == "unit_torn"
    assert summarise(api, url, "msg_a2").status_code == 200


def test_a_deleted_item_or_an_older_one_ends_no_summary(api: httpx.Client, url: str) -> None:
    ok(summarise(api, url, A1))
    ok(api.delete(f"{url}/items/msg_a2"))

    for through in ("msg_a2", U1):
        answer = summarise(api, url, through)
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, "through")


@pytest.mark.parametrize("body", [{}, {"through": A1}, {"through": A1, "text": ""}, {"through": A1, "text": 3}])
def test_a_summary_needs_a_text(api: httpx.Client, url: str, body: dict[str, Any]) -> None:
    answer = api.post(f"{url}/summary", json=body)

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "text" if "through" in body else "through")


def test_a_text_that_is_too_long_or_would_pin_too_much_is_refused(api: httpx.Client, url: str) -> None:
    too_long = summarise(api, url, A1, "x" * 100_001)
    too_many_tokens = summarise(api, url, A1, "0 " * 33_000)

    for answer in (too_long, too_many_tokens):
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, "text")
    assert too_many_tokens.json()["error"]["code"] == "pinned_tokens_exceeded"


def test_an_output_that_comes_after_its_call_was_summarised_is_an_orphan(api: httpx.Client, url: str) -> None:
    api.post(f"{url}/items", json={"items": [{**CALL, "id": "fc_c2", "call_id": "x"}, said("msg_u3", "user")]})
    ok(summarise(api, url, "msg_u3"))
    api.post(f"{url}/items", json={"items": [said("msg_u4", "user"), {**OUTPUT, "id": "fco_o2", "call_id": "x"}]})
    body = context(api, url)

    assert shown(body) == ["msg_s1", "note", "msg_u4"]
    assert body["omitted"]["orphan_outputs"] == ["fco_o2"]


def test_nobody_summarises_what_is_not_theirs(other_api: httpx.Client, url: str) -> None:
    assert summarise(other_api, url, A1).status_code == 404
