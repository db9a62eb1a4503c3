"""What a read asks of the store, by what this instance holds and by what its caller accepts."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from scripts.local.upstash import LocalUpstash
from shared.request.caller import read_key
from shared.store.keys import tenant_key

MAX_AGE = {"cache-control": "max-age=60"}


@pytest.fixture
def conversation(api: httpx.Client) -> str:
    items = [{"role": "user", "content": f"message {n}", "id": f"msg_{n}"} for n in range(10)]
    return str(api.post("/v1/conversations", json={"items": items}).json()["id"])


@pytest.fixture
def url(conversation: str) -> str:
    return f"/v1/conversations/{conversation}/context?budget=500"


@pytest.fixture
def other_instance(make_api: Callable[[], httpx.Client]) -> httpx.Client:
    return make_api()


def append(api: httpx.Client, conversation: str, text: str) -> None:
    body = {"items": [{"role": "user", "content": text}]}
    assert api.post(f"/v1/conversations/{conversation}/items", json=body).status_code == 200


def tier(answer: httpx.Response) -> str:
    assert answer.status_code in (200, 304), answer.text
    return answer.headers["cache-status"].rpartition("detail=")[2]


def last_text(answer: httpx.Response) -> str:
    return str(answer.json()["input"][-1]["content"][0]["text"])


def test_the_second_read_transfers_nothing_and_the_third_asks_nothing(
    api: httpx.Client, upstash: LocalUpstash, url: str
) -> None:
    first, second = api.get(url), api.get(url)
    upstash.reset()
    third = api.get(url, headers=MAX_AGE)

    assert [tier(first), tier(second), tier(third)] == ["L2", "L1", "L0"]
    assert upstash.requests == 0
    assert first.content == second.content == third.content


def test_an_instance_sees_at_once_what_another_one_wrote(
    api: httpx.Client, other_instance: httpx.Client, conversation: str, url: str
) -> None:
    api.get(url)
    append(other_instance, conversation, "from elsewhere")
    answer = api.get(url)

    assert (tier(answer), last_text(answer)) == ("L2", "from elsewhere")
    assert answer.json()["version"] == 11


def test_deletions_and_metadata_reach_other_instances_as_entries(
    api: httpx.Client, other_instance: httpx.Client, conversation: str, url: str
) -> None:
    api.get(url)
    other_instance.delete(f"/v1/conversations/{conversation}/items/msg_9")
    other_instance.post(f"/v1/conversations/{conversation}", json={"metadata": {"a": "b"}})
    answer = api.get(url)

    assert (tier(answer), last_text(answer)) == ("L2", "message 8")
    assert api.get(f"/v1/conversations/{conversation}").json()["metadata"] == {"a": "b"}
    assert api.get(f"/v1/conversations/{conversation}/items/msg_9").status_code == 404


def test_who_accepts_an_age_may_miss_what_is_newer_but_never_beyond_it(
    api: httpx.Client, other_instance: httpx.Client, conversation: str, url: str
) -> None:
    api.get(url)
    append(other_instance, conversation, "newer")

    assert last_text(api.get(url, headers=MAX_AGE)) == "message 9"
    assert last_text(api.get(url, headers={"cache-control": "max-age=0"})) == "newer"


def test_no_cache_always_asks(api: httpx.Client, upstash: LocalUpstash, url: str) -> None:
    api.get(url)
    upstash.reset()
    answer = api.get(url, headers={"cache-control": "max-age=60, no-cache"})

    assert (tier(answer), upstash.requests) == ("L1", 1)


def test_only_if_cached_never_asks(api: httpx.Client, upstash: LocalUpstash, url: str, conversation: str) -> None:
    upstash.reset()
    miss = api.get(url, headers={"cache-control": "only-if-cached"})
    page = api.get(f"/v1/conversations/{conversation}/items", headers={"cache-control": "only-if-cached"})

    assert (miss.status_code, miss.json()["error"]["code"]) == (504, "not_cached")
    assert page.status_code == 504
    assert upstash.requests == 0
    api.get(url)
    upstash.reset()
    assert tier(api.get(url, headers={"cache-control": "only-if-cached"})) == "L0"
    assert upstash.requests == 0


def test_a_copy_that_is_new_enough_needs_no_request(api: httpx.Client, upstash: LocalUpstash, url: str) -> None:
    api.get(url)
    upstash.reset()

    assert tier(api.get(url, headers={"warmthread-min-version": "10"})) == "L0"
    assert upstash.requests == 0
    assert tier(api.get(url, headers={"warmthread-min-version": "11"})) == "L1"
    assert api.get(url, headers={"warmthread-min-version": "new"}).status_code == 400


@pytest.mark.parametrize(
    "path", ["", "/items", "/items/msg_3", "/context?budget=500", "/context?budget=400&format=chat"]
)
def test_an_answer_that_the_caller_has_is_a_304(api: httpx.Client, conversation: str, path: str) -> None:
    url = f"/v1/conversations/{conversation}{path}"
    first = api.get(url)
    tag = first.headers["etag"]
    again = api.get(url, headers={"if-none-match": f'"other", W/{tag}'})

    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    append(api, conversation, "news")
    changed = api.get(url, headers={"if-none-match": tag})
    assert (changed.status_code, changed.headers["etag"] != tag) == (200, True)


def test_a_context_of_other_parameters_has_another_tag(api: httpx.Client, conversation: str) -> None:
    url = f"/v1/conversations/{conversation}/context"
    queries = ("budget=500", "budget=501", "budget=500&format=chat", "model=gpt-4o")
    tags = {api.get(f"{url}?{query}").headers["etag"] for query in queries}

    assert len(tags) == 4


def test_what_is_held_whole_answers_every_read(api: httpx.Client, upstash: LocalUpstash, conversation: str) -> None:
    url = f"/v1/conversations/{conversation}"
    cold = [
        api.get(url + path).content for path in ("", "/items?limit=3", "/items?order=asc&after=msg_2", "/items/msg_5")
    ]
    api.get(url + "/context?budget=5000")
    upstash.reset()
    warm = [
        api.get(url + path, headers=MAX_AGE)
        for path in ("", "/items?limit=3", "/items?order=asc&after=msg_2", "/items/msg_5")
    ]

    assert [answer.content for answer in warm] == cold
    assert {tier(answer) for answer in warm} == {"L0"}
    assert upstash.requests == 0


def test_a_revoked_key_ends_where_nothing_is_asked_within_seconds(
    api: httpx.Client, url: str, run: Any, key: str
) -> None:
    api.get(url)
    run("DEL", tenant_key(read_key(key).tenant))

    assert api.get(url).status_code == 401
    assert api.get(url, headers=MAX_AGE).status_code == 401


def test_a_store_that_was_set_back_is_noticed(
    api: httpx.Client, conversation: str, url: str, run: Any, key_of: Any
) -> None:
    name = key_of(conversation)
    before = run("HGETALL", name)
    append(api, conversation, "lost")
    assert last_text(api.get(url)) == "lost"
    run("DEL", name)
    run("HSET", name, *before)
    answer = api.get(url)

    assert (tier(answer), last_text(answer), answer.json()["version"]) == ("L2", "message 9", 10)
    append(api, conversation, "after the loss")
    assert last_text(api.get(url)) == "after the loss"


def test_a_store_set_back_and_written_again_to_the_same_version_is_noticed(
    api: httpx.Client, other_instance: httpx.Client, conversation: str, url: str, run: Any, key_of: Any
) -> None:
    name = key_of(conversation)
    before = run("HGETALL", name)
    append(api, conversation, "lost")
    assert last_text(api.get(url)) == "lost"
    run("DEL", name)
    run("HSET", name, *before)
    append(other_instance, conversation, "another eleventh")
    answer = api.get(url)

    assert (last_text(answer), answer.json()["version"]) == ("another eleventh", 11)
    append(other_instance, conversation, "a twelfth")
    assert [item["content"][0]["text"] for item in api.get(url).json()["input"][-2:]] == [
        "another eleventh",
        "a twelfth",
    ]


def test_a_cold_context_of_a_long_conversation_reads_its_tail_only(
    api: httpx.Client, other_instance: httpx.Client, upstash: LocalUpstash
) -> None:
    items = [
        {"role": "system", "content": "Pinned."},
        *({"role": "user", "content": f"m{n} " + "x" * 500} for n in range(99)),
    ]
    conversation = api.post("/v1/conversations", json={"items": items}).json()["id"]
    for batch in range(19):
        body = {"items": [{"role": "user", "content": f"b{batch} m{n} " + "x" * 500} for n in range(100)]}
        api.post(f"/v1/conversations/{conversation}/items", json=body)
    url = f"/v1/conversations/{conversation}/context?budget=1000"
    upstash.reset()
    cold = other_instance.get(url)
    requests = upstash.requests
    whole = other_instance.get(f"/v1/conversations/{conversation}/context?budget=10000000").json()
    warm = other_instance.get(url)

    assert requests == 1
    assert whole["kept"]["items"] == 2000
    assert (cold.content, tier(warm)) == (warm.content, "L1")
    assert cold.json()["input"][0]["content"][0]["text"] == "Pinned."


def test_an_answer_says_where_its_time_went(api: httpx.Client, url: str) -> None:
    def timing(answer: httpx.Response) -> dict[str, float]:
        parts = [part.split(";dur=") for part in answer.headers["server-timing"].split(", ")]
        return {name: float(duration) for name, duration in parts}

    api.get(url)
    asked, not_asked, refused = api.get(url), api.get(url, headers=MAX_AGE), api.get("/v1/conversations/none")

    assert timing(asked)["total"] > timing(asked)["store"] > 0
    assert timing(not_asked)["store"] == 0 < timing(not_asked)["total"]
    assert timing(refused)["store"] > 0
    assert {each.headers["warmthread-deployment"] for each in (asked, not_asked, refused)} == {"local"}


def test_an_encoding_that_was_not_asked_for_before_is_counted_from_memory(
    api: httpx.Client, upstash: LocalUpstash, url: str
) -> None:
    api.get(url)
    upstash.reset()
    held = api.get(f"{url}&encoding=cl100k_base", headers={"cache-control": "only-if-cached"})
    asked = api.get(f"{url}&encoding=cl100k_base")

    assert tier(held) == "L0"
    assert held.content == asked.content
