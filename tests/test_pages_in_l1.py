"""L1 serves every read: pages, items and conversations are cut from what is held, and are what the store has."""

from collections.abc import Callable
from typing import Any, NamedTuple

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.local.upstash import LocalUpstash
from tests.lives import SETTINGS, Compact, Life, Told, begin, events, live, ok, seen

MAX_AGE = {"cache-control": "max-age=60"}
READS = ("", "/items?limit=3", "/items?order=asc&limit=3&after=msg_2", "/items/msg_5")

TALK = [{"role": "user", "content": "hi"}] * 10

Make = Callable[..., httpx.Client]


@pytest.fixture
def make(make_api: Callable[[], httpx.Client], monkeypatch: pytest.MonkeyPatch) -> Make:
    """Start an instance with settings."""

    def start(**settings: int) -> httpx.Client:
        with monkeypatch.context() as patch:
            for name, value in settings.items():
                patch.setenv(f"WARMTHREAD_{name.upper()}", str(value))
            return make_api()

    return start


def create(api: httpx.Client, count: int, role: str = "user") -> str:
    items = [{"role": role, "content": f"message {n}", "id": f"msg_{n}"} for n in range(count)]
    return f"/v1/conversations/{api.post('/v1/conversations', json={'items': items[:100]}).json()['id']}"


def tier(answer: httpx.Response) -> str:
    assert answer.status_code == 200, answer.text
    return answer.headers["cache-status"].rpartition("detail=")[2]


def ids(answer: httpx.Response) -> list[str]:
    return [each["id"] for each in ok(answer)["data"]]


@pytest.mark.parametrize("first", READS)
def test_a_small_conversation_comes_whole_with_its_first_read(
    api: httpx.Client, make: Make, upstash: LocalUpstash, first: str
) -> None:
    url, reader = create(api, 10), make()
    upstash.reset()
    assert tier(reader.get(url + first)) == "L2"
    assert {tier(reader.get(url + path)) for path in READS} == {"L1"}
    assert upstash.requests == 1 + len(READS)
    upstash.reset()
    answers = [reader.get(url + path, headers=MAX_AGE) for path in (*READS, "/context?budget=10000")]

    assert [tier(each) for each in answers] == ["L0"] * 5
    assert upstash.requests == 0
    assert {each.headers["age"] for each in answers} == {"0"}


def test_news_reach_pages_items_and_metadata(api: httpx.Client, make: Make) -> None:
    url, reader = create(api, 10), make()
    reader.get(url)
    ok(api.post(url + "/items", json={"items": [{"role": "user", "content": "new", "id": "msg_10"}]}))
    ok(api.delete(url + "/items/msg_9"))
    ok(api.post(url, json={"metadata": {"a": "b"}}))
    page = reader.get(url + "/items?limit=3")

    assert (tier(page), ids(page)) == ("L2", ["msg_10", "msg_8", "msg_7"])
    assert reader.get(url, headers=MAX_AGE).json()["metadata"] == {"a": "b"}
    assert reader.get(url + "/items/msg_9", headers=MAX_AGE).status_code == 404
    assert tier(reader.get(url + "/items/msg_10", headers=MAX_AGE)) == "L0"


def test_freshness_is_asked_for_on_pages_and_items_as_on_contexts(
    api: httpx.Client, make: Make, upstash: LocalUpstash
) -> None:
    url, reader = create(api, 10), make()
    only = {"cache-control": "only-if-cached"}
    assert [reader.get(url + path, headers=only).status_code for path in READS] == [504] * 4
    reader.get(url + "/items")
    upstash.reset()
    assert [tier(reader.get(url + path, headers=only)) for path in READS] == ["L0"] * 4
    assert [tier(reader.get(url + path, headers={"warmthread-min-version": "10"})) for path in READS] == ["L0"] * 4
    assert upstash.requests == 0
    no_cache = {"cache-control": "no-cache, max-age=60"}
    assert [tier(reader.get(url + path, headers=no_cache)) for path in READS] == ["L1"] * 4
    for path in READS:
        tag = reader.get(url + path).headers["etag"]
        assert reader.get(url + path, headers=MAX_AGE | {"if-none-match": tag}).status_code == 304


def test_a_page_behind_a_deleted_item_asks_the_store_where_it_stood(
    api: httpx.Client, make: Make, upstash: LocalUpstash
) -> None:
    url, reader = create(api, 10), make()
    reader.get(url + "/items")
    ok(api.delete(url + "/items/msg_4"))
    page = url + "/items?order=asc&limit=2&after=msg_4"
    assert ids(reader.get(page)) == ["msg_5", "msg_6"]
    upstash.reset()

    assert (tier(reader.get(page, headers=MAX_AGE)), upstash.requests) == ("L1", 1)
    assert reader.get(url + "/items?after=msg_none").status_code == 404


def test_of_a_large_conversation_pages_from_the_newest_end_are_held_and_each_is_one_request(
    api: httpx.Client, make: Make, upstash: LocalUpstash
) -> None:
    url, reader = create(api, 50, "assistant"), make(l1_whole_bytes_max=1_000)
    pages = [f"{url}/items?limit=20", f"{url}/items?limit=20&after=msg_30", f"{url}/items?limit=20&after=msg_10"]
    upstash.reset()
    cold = [reader.get(page) for page in pages]
    assert upstash.requests == 3
    assert [tier(each) for each in cold] == ["L2"] * 3
    assert [ids(each)[-1] for each in cold] == ["msg_30", "msg_10", "msg_0"]
    assert [each.json()["has_more"] for each in cold] == [True, True, False]
    upstash.reset()
    fresh = [reader.get(page) for page in pages]
    assert ([tier(each) for each in fresh], upstash.requests) == (["L1"] * 3, 3)
    upstash.reset()
    lenient = [reader.get(page, headers=MAX_AGE) for page in (*pages, url, f"{url}/items/msg_40")]

    assert ([tier(each) for each in lenient], upstash.requests) == (["L0"] * 5, 0)
    assert [each.content for each in lenient[:3]] == [each.content for each in fresh] == [each.content for each in cold]


def test_of_a_large_conversation_pages_from_the_oldest_end_and_items_come_alone(
    api: httpx.Client, make: Make, upstash: LocalUpstash
) -> None:
    url, reader = create(api, 50), make(l1_whole_bytes_max=1_000)
    paths = ("/items?order=asc&limit=20", "/items?limit=5&after=msg_20", "/items/msg_3")
    for _ in range(2):
        upstash.reset()
        assert [tier(reader.get(url + path, headers=MAX_AGE)) for path in paths] == ["L2"] * 3
        assert upstash.requests == 3
    # What a conversation is, is held without its items.
    assert [tier(reader.get(url)), tier(reader.get(url)), tier(reader.get(url, headers=MAX_AGE))] == ["L2", "L1", "L0"]


def test_an_item_of_a_held_page_that_another_instance_deleted_is_not_there(
    api: httpx.Client, make: Make, upstash: LocalUpstash
) -> None:
    url, reader = create(api, 50), make(l1_whole_bytes_max=1_000)
    ok(reader.get(url + "/items?limit=20"))
    ok(api.delete(url + "/items/msg_45"))
    upstash.reset()
    gone = reader.get(url + "/items/msg_45")

    assert (gone.status_code, gone.json()["error"]["code"]) == (404, "not_found")
    assert upstash.requests == 2, "what is new to it, and then the item by itself"
    assert ok(reader.get(url + "/items/msg_44"))["id"] == "msg_44"


def test_who_saw_a_newer_page_sees_nothing_older_afterwards(api: httpx.Client, make: Make) -> None:
    url, reader = create(api, 20), make(l1_whole_bytes_max=1_000)
    reader.get(url + "/items?limit=5")
    ok(api.post(url + "/items", json={"items": [{"role": "user", "content": "new", "id": "msg_20"}]}))
    assert ids(reader.get(url + "/items?order=asc&limit=2&after=msg_18")) == ["msg_19", "msg_20"]
    ok(api.delete(url + "/items/msg_0"))
    assert tier(reader.get(url + "/items/msg_1")) == "L2"

    assert tier(reader.get(url + "/items?limit=5", headers=MAX_AGE)) == "L2"


def test_a_context_asks_once_whatever_tail_pages_left(api: httpx.Client, make: Make, upstash: LocalUpstash) -> None:
    url = create(api, 1)
    answer = [{"role": "assistant", "content": "word " * 50}] * 30
    for _ in range(3):
        ok(api.post(url + "/items", json={"items": [{"role": "user", "content": "question"}, *answer]}))
    reader = make(l1_whole_bytes_max=1_000)
    assert len(ids(reader.get(url + "/items?limit=20"))) == 20
    upstash.reset()
    context = reader.get(url + "/context?budget=500")

    assert upstash.requests == 1
    whole = make().get(url + "/context?budget=500")
    assert {**context.json(), "request_id": ""} == {**whole.json(), "request_id": ""}


def test_a_read_of_a_large_conversation_bills_what_the_docs_say(
    api: httpx.Client, make: Make, billed_commands: Callable[[], int]
) -> None:
    """Its first page also brings the system messages; later ones, and what comes alone, do not."""
    url, reader = create(api, 50), make(l1_whole_bytes_max=1_000)
    ok(api.post(url + "/items", json={"items": [{"role": "system", "content": "Be brief."}, *TALK]}))
    paths = ("/items?limit=5", "/items?limit=5", "/items?limit=9", "/items?order=asc", "/items/msg_3", "")
    costs = []
    for path in paths:
        before = billed_commands()
        ok(reader.get(url + path))
        costs.append(billed_commands() - before)

    assert costs == [5, 3, 4, 4, 4, 3]


class PageOf(NamedTuple):
    limit: int
    order: str
    after: int | None
    is_lenient: bool


pages = st.builds(
    PageOf,
    st.integers(1, 9),
    st.sampled_from(["asc", "desc", "desc"]),
    st.one_of(st.none(), st.integers(0, 60)),
    st.booleans(),
)
steps = st.lists(
    st.tuples(st.one_of(events, events, events, st.just(Compact())), st.lists(pages, max_size=3)),
    min_size=1,
    max_size=14,
)


@pytest.fixture
def readers(make: Make) -> dict[str, list[httpx.Client]]:
    """Instances by the largest reply that they take: of each, one that holds nothing, and some that do."""
    return {
        "large": [make(l1_bytes_max=0, l1_whole_bytes_max=0), make(), make(l1_whole_bytes_max=0)],
        "small": [
            make(l1_bytes_max=0, l1_whole_bytes_max=0, store_reply_bytes_max=1_000),
            make(l1_whole_bytes_max=0, store_reply_bytes_max=1_000),
        ],
    }


@SETTINGS
@given(steps)
def test_what_l1_answers_is_what_the_store_has(
    api: httpx.Client, readers: dict[str, list[httpx.Client]], steps: list[tuple[Any, list[PageOf]]]
) -> None:
    told = begin(api)
    url = f"/v1/conversations/{told.id}/items"
    for event, wanted in steps:
        life: Life = [event]
        live(api, told, life)
        for page in wanted:
            parameters: dict[str, str | int] = {"limit": page.limit, "order": page.order}
            if page.after is not None and told.ids:
                parameters["after"] = told.ids[page.after % len(told.ids)]
            expected = _page(told, page, parameters.get("after"))
            for cold, *warm in readers.values():
                answer = cold.get(url, params=parameters)
                shown = ids(answer)
                assert shown == expected[: len(shown)]
                assert answer.json()["has_more"] == (
                    len(_page(told, page._replace(limit=99), parameters.get("after"))) > len(shown)
                )
                assert len(shown) == len(expected) or cold is not readers["large"][0]
                for reader in warm:
                    assert reader.get(url, params=parameters).content == answer.content
                    if page.is_lenient:
                        assert reader.get(url, params=parameters, headers=MAX_AGE).content == answer.content
    for cold, *warm in readers.values():
        assert [seen(reader, told) for reader in warm] == [seen(cold, told)] * len(warm)


def _page(told: Told, page: PageOf, after: str | int | None) -> list[str]:
    """Return the ids that *page* shows, by what was done to the conversation."""
    known = told.ids if page.order == "asc" else told.ids[::-1]
    start = known.index(str(after)) + 1 if after is not None else 0
    return [each for each in known[start:] if each not in told.deleted][: page.limit]
