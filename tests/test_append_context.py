"""One call a turn: an append that answers with the context right after it, in one script and one request."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from scripts.faults.server import Fault, FaultyServer
from scripts.local.upstash import LocalUpstash

ANSWER = {"role": "assistant", "content": "Sunny, 21 degrees."}
QUESTION = {"role": "user", "content": "And in Rome?"}
WANTED: dict[str, Any] = {"budget": 400, "format": "chat"}
KEYED = {"idempotency-key": "turn-1"}
RETRIED = {"x-stainless-retry-count": "1"}
LOG = [
    {"role": "system", "content": "You answer briefly."},
    *({"role": role, "content": f"message {at}: {'word ' * 12}"} for at in range(40) for role in ("user", "assistant")),
]
BAD = [
    ([], "context"),
    ("chat", "context"),
    ({}, "context.budget"),
    ({"budget": 0}, "context.budget"),
    ({"budget": "400"}, "context.budget"),
    ({"budgt": 400}, "context.budgt"),
    ({"budget": 400, "format": "prose"}, "context.format"),
    ({"budget": 400, "model": "gpt-4o", "encoding": "o200k_base"}, "context.encoding"),
    ({"model": "no-such-model"}, "context.model"),
    ({"budget": 10, "overhead_tokens": 10}, "context.overhead_tokens"),
    ({"budget": 400, "reserve": True}, "context.reserve"),
    ({"budget": 400, "reserve": False}, "context.reserve"),
]
KINDS = ["items", "chat", "anthropic", "text"]


@pytest.fixture
def path(api: httpx.Client) -> str:
    return f"/v1/conversations/{api.post('/v1/conversations', json={'items': LOG}).json()['id']}"


@pytest.fixture
def cold(make_api: Callable[[], httpx.Client]) -> httpx.Client:
    """An instance that knows the key, and no conversation."""
    instance = make_api()
    assert instance.get("/v1/conversations").status_code == 200
    return instance


def turn(
    api: httpx.Client, path: str, wanted: Any = WANTED, headers: dict[str, str] | None = None, **more: Any
) -> httpx.Response:
    body = {"items": [ANSWER, QUESTION], "context": wanted, **more}
    return api.post(f"{path}/items", json=body, headers=headers)


def context_of(api: httpx.Client, path: str, wanted: dict[str, Any] = WANTED) -> Any:
    answer = api.post(f"{path}/context", json=wanted)
    assert answer.status_code == 200, answer.text
    return answer.json()


def texts(api: httpx.Client, path: str) -> list[str]:
    data = api.get(f"{path}/items", params={"order": "asc", "limit": 100}).json()["data"]
    return [each["content"][0]["text"] for each in data]


@pytest.mark.parametrize("is_warm", [True, False])
def test_an_append_answers_with_the_context_right_after_it(
    api: httpx.Client, cold: httpx.Client, upstash: LocalUpstash, path: str, is_warm: bool
) -> None:
    if is_warm:
        context_of(cold, path)
    upstash.reset()
    answer = turn(cold, path)
    requests = upstash.requests

    assert (answer.status_code, requests) == (200, 1), answer.text
    body = answer.json()
    assert body.pop("context") == context_of(api, path)
    assert [each["content"][0]["text"] for each in body["data"]] == [ANSWER["content"], QUESTION["content"]]
    assert list(body) == ["object", "data", "first_id", "last_id", "has_more"]
    assert answer.headers["etag"] == api.get(path + "/items").headers["etag"]


@pytest.mark.parametrize("wanted", [{"format": name} for name in KINDS] + [{"model": "gpt-4"}, {"stable_prefix": True}])
def test_the_context_takes_what_other_contexts_do(api: httpx.Client, path: str, wanted: dict[str, Any]) -> None:
    answer = turn(api, path, {**WANTED, **wanted})

    assert answer.json()["context"] == context_of(api, path, {**WANTED, **wanted})


def test_what_an_append_read_and_wrote_is_there_for_the_next_one(
    cold: httpx.Client, path: str, billed_commands: Callable[[], int], upstash: LocalUpstash
) -> None:
    costs = []
    for _ in range(3):
        before = billed_commands()
        upstash.reset()
        assert turn(cold, path).status_code == 200
        costs.append((upstash.requests, billed_commands() - before))
    read = cold.get(f"{path}/context", params=WANTED)

    # The first one reads the tail, and what is pinned before it. The others read no entry: not even their own.
    assert costs == [(1, 8), (1, 6), (1, 6)]
    assert "detail=L1" in read.headers["cache-status"]


def test_news_of_others_come_with_the_append(
    api: httpx.Client, cold: httpx.Client, path: str, upstash: LocalUpstash
) -> None:
    context_of(cold, path)
    others = [{"role": "user", "content": "from elsewhere"}, ANSWER]
    assert api.post(f"{path}/items", json={"items": others}).status_code == 200
    upstash.reset()
    answer = turn(cold, path)
    requests = upstash.requests

    assert requests == 1
    assert "from elsewhere" in answer.text
    assert answer.json()["context"] == context_of(api, path)


def test_a_large_batch_is_not_sent_back(
    cold: httpx.Client, path: str, upstash: LocalUpstash, billed_commands: Callable[[], int]
) -> None:
    context_of(cold, path, {"budget": 100_000})
    large = {"role": "user", "content": "a long text " * 20_000}
    before = billed_commands()
    upstash.reset()
    body = {"items": [ANSWER, large], "context": {"budget": 100_000}}
    answer = cold.post(f"{path}/items", json=body)
    requests, billed = upstash.requests, billed_commands() - before

    assert (requests, billed) == (1, 6)
    assert answer.json()["context"] == context_of(cold, path, {"budget": 100_000})


@pytest.mark.parametrize("headers", [KEYED, RETRIED], ids=["key", "retry"])
def test_a_call_that_comes_again_appends_once_and_has_the_context_as_it_is_now(
    api: httpx.Client, cold: httpx.Client, path: str, headers: dict[str, str]
) -> None:
    first = turn(api, path, headers=KEYED if headers is KEYED else None)
    before = texts(api, path)
    if headers is KEYED:
        assert api.post(f"{path}/items", json={"items": [{"role": "user", "content": "later"}]}).status_code == 200
        before.append("later")
    for instance in (api, cold):
        again = turn(instance, path, headers=headers)

        assert (again.status_code, again.headers["idempotency-replayed"]) == (200, "true")
        assert again.json()["data"] == first.json()["data"]
        assert again.json()["context"] == context_of(api, path)
    assert texts(api, path) == before


def test_a_key_stands_for_one_context_as_well(api: httpx.Client, path: str) -> None:
    turn(api, path, headers=KEYED)
    answer = turn(api, path, {**WANTED, "budget": 500}, headers=KEYED)

    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "idempotency_key_reused")


def test_what_the_stores_client_sends_again_is_done_once(
    behind: Callable[..., httpx.Client], server: FaultyServer, api: httpx.Client, path: str
) -> None:
    instance = behind()
    context_of(instance, path)
    before = texts(api, path)
    server.faults.append(Fault.CLOSE)
    answer = turn(instance, path)

    assert (answer.status_code, len(server.faults)) == (200, 0), answer.text
    assert answer.json()["context"] == context_of(api, path)
    assert texts(api, path) == [*before, ANSWER["content"], QUESTION["content"]]


def test_a_context_that_does_not_fit_stands_beside_what_was_stored(api: httpx.Client, path: str) -> None:
    answer = turn(api, path, {"budget": 12, "overhead_tokens": 2})
    problem = api.post(f"{path}/context", json={"budget": 12, "overhead_tokens": 2}).json()

    assert answer.status_code == 200
    assert answer.json()["context"] == {
        "error": {**problem["error"], "status": 422, "needed_tokens": problem["needed_tokens"]}
    }
    assert problem["error"]["code"] == "context_does_not_fit"
    assert texts(api, path)[-2:] == [ANSWER["content"], QUESTION["content"]]


@pytest.mark.parametrize(("wanted", "param"), BAD)
def test_a_wrong_parameter_is_named_and_nothing_is_stored(
    api: httpx.Client, path: str, stored: Callable[[str], str], wanted: Any, param: str
) -> None:
    conversation_id = path.rpartition("/")[2]
    before = stored(conversation_id)
    answer = turn(api, path, wanted, headers=KEYED)

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param), answer.text
    assert "context" in answer.json()["detail"]
    assert stored(conversation_id) == before
    assert turn(api, path, headers=KEYED).status_code == 200, "its key is as unused as before"


def test_null_is_no_context(api: httpx.Client, path: str) -> None:
    answer = turn(api, path, None)

    assert answer.status_code == 200
    assert "context" not in answer.json()


def test_a_conversation_that_is_not_there_takes_nothing(api: httpx.Client, path: str) -> None:
    first = turn(api, path, headers=KEYED)
    assert api.delete(path).status_code == 200
    answer, again = turn(api, path), turn(api, path, headers=KEYED)

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    # What the key stands for was done, and is answered as without a context.
    assert (again.status_code, again.json()["data"]) == (200, first.json()["data"])
    assert again.json()["context"]["error"]["code"] == "not_found"


def test_a_version_that_moved_refuses_both(api: httpx.Client, path: str, stored: Callable[[str], str]) -> None:
    tag, conversation_id = api.get(path).headers["etag"], path.rpartition("/")[2]
    assert turn(api, path, headers={"if-match": tag}).status_code == 200
    before = stored(conversation_id)
    answer = turn(api, path, headers={"if-match": tag})

    assert (answer.status_code, answer.json()["error"]["code"]) == (412, "version_moved")
    assert stored(conversation_id) == before


def test_a_conversation_that_would_be_too_large_is_as_before(
    make_api: Callable[[], httpx.Client], monkeypatch: pytest.MonkeyPatch, path: str, stored: Callable[[str], str]
) -> None:
    monkeypatch.setenv("WARMTHREAD_CONVERSATION_BYTES_MAX", "10000")
    instance, conversation_id = make_api(), path.rpartition("/")[2]
    before = stored(conversation_id)
    body = {"items": [{"role": "user", "content": "x" * 9_000}], "context": WANTED}
    answer = instance.post(f"{path}/items", json=body)

    assert (answer.status_code, answer.json()["limit_bytes"]) == (413, 10_000)
    assert stored(conversation_id) == before


def test_more_than_travels_at_once_takes_another_request(
    api: httpx.Client, cold: httpx.Client, upstash: LocalUpstash, path: str
) -> None:
    context_of(cold, path, {"budget": 100_000})
    others = [{"role": "user", "content": "word " * 20_000}, ANSWER]
    assert api.post(f"{path}/items", json={"items": others}).status_code == 200
    upstash.reset()
    answer = turn(cold, path, {"budget": 100_000})
    requests = upstash.requests

    assert requests == 2
    assert answer.json()["context"] == context_of(api, path, {"budget": 100_000})


def test_a_store_that_goes_away_after_the_append_leaves_it_acknowledged(
    behind: Callable[..., httpx.Client], server: FaultyServer, api: httpx.Client, path: str
) -> None:
    instance = behind()
    context_of(instance, path)
    others = [{"role": "user", "content": "word " * 20_000}, ANSWER]
    assert api.post(f"{path}/items", json={"items": others}).status_code == 200
    server.faults.extend([Fault.NONE, Fault.REFUSE_400])
    answer = turn(instance, path)

    assert (answer.status_code, len(server.faults)) == (200, 0), answer.text
    error = answer.json()["context"]["error"]
    assert (error["code"], error["status"]) == ("store_unavailable", 503)
    assert "The items are stored" in error["message"]
    assert texts(api, path)[-1] == QUESTION["content"]
    assert instance.post(f"{path}/context", json=WANTED).json() == context_of(api, path)


def test_a_reservation_is_settled_in_the_same_step(
    api: httpx.Client, path: str, upstash: LocalUpstash, stored: Callable[[str], str]
) -> None:
    reservation = api.post("/v1/reservations", json={"tokens": 500}).json()["id"]
    settling = {"reservation": reservation, "usage": {"input_tokens": 60, "output_tokens": 20}}
    context_of(api, path)
    upstash.reset()
    answer = turn(api, path, **settling)
    requests = upstash.requests

    assert (answer.status_code, requests) == (200, 1), answer.text
    assert answer.json()["context"] == context_of(api, path)
    used = api.get("/v1/usage").json()["day"]["tokens"]
    assert (used["settled"], used["reserved"]) == (80, 0)
    # With other numbers nothing is appended.
    before = stored(path.rpartition("/")[2])
    refused = turn(api, path, **{**settling, "usage": {"input_tokens": 1, "output_tokens": 1}})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "already_settled")
    assert stored(path.rpartition("/")[2]) == before


def test_a_turn_takes_one_permit_of_the_rate(
    cold: httpx.Client, path: str, limit: Callable[[str | None], None]
) -> None:
    context_of(cold, path)
    limit("1 3")
    answers = [turn(cold, path) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[2].json()["context"]["version"] == len(LOG) + 6


def test_documents_that_the_batch_mentions_are_shown(
    api: httpx.Client, tenant: str, documents_folder: Any, path: str, upstash: LocalUpstash
) -> None:
    (documents_folder / tenant).mkdir()
    (documents_folder / tenant / "a.md").write_text("The text of a.")
    (documents_folder / "shared").mkdir(exist_ok=True)
    (documents_folder / "shared" / f"{tenant}.md").write_text("What all may read.")
    names = ("a.md", f"shared/{tenant}.md")
    parts = [{"type": "input_file", "file_url": f"document:{name}"} for name in names]
    body = {"items": [{"role": "user", "content": parts}], "context": WANTED}
    shown, costs = [], []
    for _ in range(6):
        upstash.reset()
        answer = api.post(f"{path}/items", json=body).json()
        costs.append(upstash.requests)
        shown.append({each["path"]: each["status"] for each in answer["context"]["documents"]})

        assert "The text of a." in str(answer["context"]["messages"])
        assert answer["context"] == context_of(api, path)
    assert shown == [dict.fromkeys(names, "whole")] * 6
    # Some of them also have what the one before left to do after its answer.
    assert min(costs) == 1
