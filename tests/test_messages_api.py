"""Messages of other APIs over HTTP: what is stored of them, seen of them, counted of them, and gone with them."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from shared.conversations.entries import read_entry
from shared.store import keys
from tests.dialogues import DIALOGUES
from tests.messages import Dialogue

named = pytest.mark.parametrize("dialogue", DIALOGUES, ids=lambda each: f"{each.context_format}: {each.name}")

SIGNED = {"type": "thinking", "thinking": "hm", "signature": "c2VjcmV0"}
THOUGHT: dict[str, Any] = {
    "messages": [{"role": "assistant", "content": [SIGNED, {"type": "text", "text": "a"}]}],
    "format": "anthropic",
}


def body_of(dialogue: Dialogue) -> dict[str, Any]:
    body = {"messages": dialogue.messages, "format": dialogue.context_format}
    return body if dialogue.system is None else body | {"system": dialogue.system}


def begin(api: httpx.Client, **body: Any) -> str:
    answer = api.post("/v1/conversations", json=body)
    assert answer.status_code == 200, answer.text
    return f"/v1/conversations/{answer.json()['id']}"


def items_of(api: httpx.Client, path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.get(f"{path}/items?order=asc&limit=100").json()["data"]
    return found


def what_is_said(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in item.items() if name not in ("id", "created_at")} for item in items]


def stored(run: Callable[..., Any], tenant: str, path: str) -> list[str]:
    """Return the entries of a conversation as the store holds them."""
    fields = run("HGETALL", keys.conversation_key(tenant, path.rpartition("/")[2]))
    pairs = dict(zip(fields[::2], fields[1::2], strict=True))
    return [pairs[str(seq)] for seq in sorted(int(name) for name in pairs if name.isdigit())]


@named
def test_messages_are_created_and_appended_as_the_same_items(api: httpx.Client, dialogue: Dialogue) -> None:
    created = begin(api, **body_of(dialogue))
    path = begin(api)
    appended = api.post(f"{path}/items", json=body_of(dialogue))

    assert appended.status_code == 200, appended.text
    assert appended.json()["data"] == items_of(api, path)
    assert what_is_said(items_of(api, created)) == what_is_said(items_of(api, path))
    assert api.post(f"{begin(api)}/items", json={"items": items_of(api, path)}).status_code == 200


@named
def test_messages_count_as_what_is_stored_of_them(api: httpx.Client, dialogue: Dialogue) -> None:
    path = begin(api, **body_of(dialogue))
    counted = api.post("/v1/tokens/count", json={"model": "gpt-4o", **body_of(dialogue)})

    assert counted.status_code == 200, counted.text
    context = api.get(f"{path}/context?model=gpt-4o&format={dialogue.context_format}").json()
    assert counted.json()["tokens"] == context["tokens"]
    assert counted.json()["exact"] == context["exact"]


def test_contents_of_gemini_come_by_their_own_names(api: httpx.Client) -> None:
    contents = [{"role": "user", "parts": [{"text": "hi"}]}]
    spellings: list[dict[str, Any]] = [
        {"contents": contents, "system_instruction": "Be brief."},
        {"contents": contents, "systemInstruction": {"parts": [{"text": "Be brief."}]}},
        {"contents": contents, "system": "Be brief.", "format": "gemini"},
        {"messages": contents, "system": "Be brief.", "format": "gemini"},
    ]
    first, *others = (what_is_said(items_of(api, begin(api, **body))) for body in spellings)

    assert [item["role"] for item in first] == ["system", "user"]
    assert others == [first] * 3


def test_extras_are_stored_and_never_shown_as_items(
    api: httpx.Client, make_api: Callable[[], httpx.Client], run: Callable[..., Any], tenant: str
) -> None:
    path = begin(api, **THOUGHT)
    first = items_of(api, path)[0]

    assert "c2VjcmV0" in stored(run, tenant, path)[0]
    for client in (api, make_api()):
        seen = [
            client.get(f"{path}/items"),
            client.get(f"{path}/items/{first['id']}"),
            client.get(f"{path}/items?order=asc&limit=1"),
            client.get(f"{path}/context?budget=1000&format=items"),
            client.get(f"{path}/context?budget=1000&format=chat"),
            client.get(f"{path}/context?budget=1000&format=text"),
        ]
        assert [answer.status_code for answer in seen] == [200] * 6
        assert not any("c2VjcmV0" in answer.text for answer in seen)


def test_extras_are_blanked_with_their_item(api: httpx.Client, run: Callable[..., Any], tenant: str) -> None:
    path = begin(api, **THOUGHT)
    first = items_of(api, path)[0]
    assert api.delete(f"{path}/items/{first['id']}").status_code == 200

    assert "c2VjcmV0" not in "".join(run("HGETALL", keys.conversation_key(tenant, path.rpartition("/")[2])))


def test_forks_and_compaction_keep_extras(api: httpx.Client, run: Callable[..., Any], tenant: str) -> None:
    path = begin(api, items=[{"role": "user", "content": "gone"}])
    api.post(f"{path}/items", json=THOUGHT)
    gone, *left = items_of(api, path)
    forked = f"/v1/conversations/{api.post(f'{path}/fork', json={}).json()['id']}"
    assert api.delete(f"{path}/items/{gone['id']}").status_code == 200
    assert api.post(f"{path}/compact", json={}).status_code == 200

    for each in (path, forked):
        entries = [read_entry(0, raw) for raw in stored(run, tenant, each)]
        items = [entry.item for entry in entries if entry.item is not None][-2:]
        assert [item.id for item in items] == [item["id"] for item in left]
        assert b"c2VjcmV0" in items[0].extras
        assert len({item.message for item in items}) == 1
        assert items[0].message


def test_neighbouring_batches_are_different_messages(api: httpx.Client, run: Callable[..., Any], tenant: str) -> None:
    path = begin(api)
    for _ in range(2):
        api.post(f"{path}/items", json={"messages": [{"role": "assistant", "content": "a"}]})
    messages = api.get(f"{path}/context?budget=1000&format=chat").json()["messages"]

    assert messages == [{"role": "assistant", "content": "a"}] * 2
    assert len({entry.item.message for raw in stored(run, tenant, path) if (entry := read_entry(0, raw)).item}) == 2


def test_a_repeated_append_answers_the_same_items(api: httpx.Client) -> None:
    path, headers = begin(api), {"Idempotency-Key": "turn-1"}
    first = api.post(f"{path}/items", json=THOUGHT, headers=headers)
    again = api.post(f"{path}/items", json=THOUGHT, headers=headers)

    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json() == first.json()
    assert len(items_of(api, path)) == 2


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (
            {"messages": [{"role": "user", "content": "a"}, {"role": "user", "content": [{"type": "x"}]}]},
            "messages[1].content[0].type",
        ),
        ({"messages": [{"role": "user", "content": "a"}], "format": "claude"}, "format"),
        ({"messages": [{"role": "user", "content": "a"}], "system": "x"}, "system"),
        ({"contents": [{"role": "user", "parts": [{"x": 1}]}]}, "contents[0].parts[0].x"),
        ({"items": [{"role": "assistant", "content": "", "tool_calls": [{}]}]}, "items[0].tool_calls"),
        ({"items": [], "messages": []}, "messages"),
    ],
)
def test_what_is_not_known_is_refused_and_nothing_stored(api: httpx.Client, body: Any, param: str) -> None:
    path = begin(api)
    before = api.get(path).headers["ETag"]
    for refused in (api.post(f"{path}/items", json=body), api.post("/v1/conversations", json=body)):
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, param), refused.text

    assert api.get(path).headers["ETag"] == before


@pytest.mark.parametrize("messages", [[], None])
def test_an_append_needs_a_message(api: httpx.Client, messages: list[Any] | None) -> None:
    refused = api.post(f"{begin(api)}/items", json={"messages": messages, "format": "anthropic"})

    assert refused.status_code == 400
    assert refused.json()["error"]["param"] == ("format" if messages is None else "messages")


def test_a_conversation_may_begin_with_a_system_prompt_alone_or_with_nothing(api: httpx.Client) -> None:
    briefed = begin(api, messages=[], format="anthropic", system="Be brief.")
    instructed = begin(api, contents=[], systemInstruction={"parts": [{"text": "Be brief."}]})

    assert [item["role"] for item in items_of(api, briefed)] == ["system"]
    assert what_is_said(items_of(api, briefed)) == what_is_said(items_of(api, instructed))
    for field in ("messages", "contents", "items"):
        assert items_of(api, begin(api, **{field: []})) == []


def test_the_text_that_cannot_be_counted_is_named(api: httpx.Client) -> None:
    text = "\u0e01\u0e32\u0e23" * 30_000
    call = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}
    user = {"role": "user", "content": "a"}
    output = {"type": "function_call_output", "call_id": "c1", "output": text}
    asked = {"role": "user", "parts": [{"text": "a"}]}
    answered = {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"r": text}}}]}
    items = api.post("/v1/conversations", json={"items": [user, user, call, output]})
    contents = api.post("/v1/conversations", json={"contents": [asked, answered]})

    assert (items.status_code, items.json()["error"]["param"]) == (422, "items[3].output")
    assert contents.status_code == 422
    assert contents.json()["error"]["param"] == "contents[1].parts[0]"


def test_extras_count_into_the_size_of_an_item(api: httpx.Client) -> None:
    redacted = {"type": "redacted_thinking", "data": "x" * 1_048_576}
    body = {"messages": [{"role": "assistant", "content": [redacted]}], "format": "anthropic"}
    refused = api.post("/v1/conversations", json=body)

    assert refused.status_code == 413
    assert refused.json()["error"]["param"] == "messages[0].content[0]"
