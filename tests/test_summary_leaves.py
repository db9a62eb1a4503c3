"""A summary that is replaced or deleted leaves the store at once, and what it stood for is to be seen again."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from scripts.faults.server import Fault, FaultyServer
from tests.lives import ok

FIRST, SECOND = "the first text", "the second text"
KEY = {"idempotency-key": "once"}
ITEMS = [{"id": f"{role[0]}{turn}", "role": role, "content": "words"} for turn in (1, 2) for role in ("user", "system")]
COVERS = "warmthread-summary-covers"


@pytest.fixture
def conversation(api: httpx.Client) -> str:
    return str(ok(api.post("/v1/conversations", json={"items": ITEMS}))["id"])


@pytest.fixture
def url(conversation: str) -> str:
    return f"/v1/conversations/{conversation}"


@pytest.fixture
def field(run: Callable[..., Any], key_of: Callable[[str], str], conversation: str) -> Callable[[str], str]:
    """Return what a field of the conversation holds."""
    return lambda name: str(run("HGET", key_of(conversation), name))


def summarise(api: httpx.Client, url: str, through: str, text: str) -> httpx.Response:
    answer = api.post(f"{url}/summary", json={"through": through, "text": text})
    assert answer.status_code == 200, answer.text
    return answer


def context(api: httpx.Client, url: str) -> dict[str, Any]:
    return ok(api.get(f"{url}/context?budget=1000&format=text"))


def test_a_summary_is_read_as_it_was_made(api: httpx.Client, make_api: Callable[[], httpx.Client], url: str) -> None:
    made = summarise(api, url, "u1", FIRST)
    cold = make_api()
    of_store = cold.get(f"{url}/summary")
    context(cold, url)
    held = cold.get(f"{url}/summary", headers={"cache-control": "max-age=60"})

    assert of_store.json() == held.json() == {**made.json(), "text": FIRST}
    assert of_store.headers["etag"] == held.headers["etag"] == made.headers["etag"]
    assert "detail=L0" in held.headers["cache-status"]
    assert cold.get(f"{url}/summary", headers={"if-none-match": made.headers["etag"]}).status_code == 304


def test_without_a_summary_there_is_none_to_read_or_to_delete(
    api: httpx.Client, other_api: httpx.Client, url: str
) -> None:
    for _ in ("cold", "held"):
        for method in ("GET", "DELETE"):
            answer = api.request(method, f"{url}/summary")
            assert (answer.status_code, answer.json()["error"]["param"]) == (404, "conversation_id")
        context(api, url)
    summarise(api, url, "u1", FIRST)
    for method in ("GET", "DELETE"):
        assert other_api.request(method, f"{url}/summary").status_code == 404
    assert other_api.get(f"{url}/summary", headers={"cache-control": "only-if-cached"}).status_code == 504


def test_a_summary_that_is_replaced_leaves_the_store(
    api: httpx.Client, url: str, conversation: str, stored: Callable[[str], str], field: Callable[[str], str]
) -> None:
    empty_bytes = int(field("b"))
    summarise(api, url, "u1", "x" * 1_000)
    one_bytes, one_pinned = int(field("b")), int(field("p"))
    summarise(api, url, "u1", "x" * 1_000)

    assert FIRST not in stored(conversation)
    assert one_bytes - empty_bytes > 1_000
    assert 0 < int(field("b")) - one_bytes < 100
    assert int(field("p")) == one_pinned
    summarise(api, url, "s1", SECOND)
    assert "xxx" not in stored(conversation)
    assert SECOND in stored(conversation)
    assert ok(api.get(f"{url}/summary"))["text"] == SECOND


def test_a_summary_that_is_deleted_leaves_the_store_and_contexts_show_the_items(
    api: httpx.Client, url: str, conversation: str, stored: Callable[[str], str], field: Callable[[str], str]
) -> None:
    before, pinned = context(api, url), field("p")
    summarise(api, url, "u1", FIRST)
    assert FIRST in context(api, url)["text"]
    answer = api.delete(f"{url}/summary")

    assert ok(answer) == ok(api.get(url))
    assert answer.headers["etag"] == api.get(url).headers["etag"]
    assert FIRST not in stored(conversation)
    assert {**context(api, url), "version": 4} == before
    assert field("p") == pinned
    assert api.get(f"{url}/summary").status_code == 404
    summarise(api, url, "u1", SECOND)
    assert SECOND in context(api, url)["text"]


def test_an_instance_that_holds_the_tail_reads_what_a_deleted_summary_stood_for(
    api: httpx.Client, make_api: Callable[[], httpx.Client], url: str
) -> None:
    ok(api.post(f"{url}/items", json={"items": [{"role": "user", "content": "word " * 300} for _ in range(60)]}))
    last = ok(api.get(f"{url}/items?limit=1"))["data"][0]["id"]
    summarise(api, url, last, FIRST)
    ok(api.post(f"{url}/items", json={"items": [{"role": "user", "content": "news"}]}))
    tail = make_api()
    query = f"{url}/context?budget=2000&format=text"
    assert FIRST in ok(tail.get(query))["text"]
    ok(api.delete(f"{url}/summary"))

    assert ok(tail.get(query)) == ok(make_api().get(query))
    assert "word word" in ok(tail.get(query))["text"]


def test_an_instance_that_holds_a_summary_hears_of_one_that_took_its_place_and_is_gone(
    api: httpx.Client, make_api: Callable[[], httpx.Client], url: str
) -> None:
    summarise(api, url, "u1", FIRST)
    reader = make_api()
    assert FIRST in context(reader, url)["text"]
    summarise(api, url, "u1", "the second")
    ok(api.delete(f"{url}/summary"))

    assert context(reader, url) == context(make_api(), url)
    assert reader.get(f"{url}/summary").status_code == 404


def test_a_deletion_of_a_summary_that_comes_again_is_done_once(
    behind: Callable[..., httpx.Client], server: FaultyServer, url: str
) -> None:
    far = behind()
    summarise(far, url, "u1", FIRST)
    server.faults.append(Fault.CLOSE)  # The store's client sends it again.
    first = far.delete(f"{url}/summary", headers=KEY)
    summarise(far, url, "u1", SECOND)
    second = far.delete(f"{url}/summary", headers=KEY)

    assert (first.status_code, second.status_code) == (200, 200)
    assert second.content == first.content
    assert second.headers["idempotency-replayed"] == "true"
    assert ok(far.get(f"{url}/summary"))["text"] == SECOND


def test_a_summary_is_deleted_at_the_expected_version_only(api: httpx.Client, url: str) -> None:
    old = api.get(url).headers["etag"]
    made = summarise(api, url, "u1", FIRST)
    moved = api.delete(f"{url}/summary", headers={"if-match": old})
    done = api.delete(f"{url}/summary", headers={"if-match": made.headers["etag"]})

    assert (moved.status_code, done.status_code) == (412, 200)
    assert moved.headers["etag"] == made.headers["etag"]


def test_deleting_an_item_that_the_summary_stands_for_says_so(api: httpx.Client, url: str) -> None:
    summarise(api, url, "s1", f"told of u1: {FIRST}")
    answers = {each: api.delete(f"{url}/items/{each}", headers={"idempotency-key": each}) for each in ("s1", "u2")}
    again = api.delete(f"{url}/items/s1", headers={"idempotency-key": "s1"})
    ok(api.delete(f"{url}/summary"))

    assert answers["s1"].headers[COVERS] == again.headers[COVERS] == "true"
    assert COVERS not in answers["u2"].headers
    assert COVERS not in api.delete(f"{url}/items/u1").headers


def test_a_fork_from_before_the_summary_has_none(
    api: httpx.Client, url: str, stored: Callable[[str], str], run: Callable[..., Any], key_of: Callable[[str], str]
) -> None:
    summarise(api, url, "u1", FIRST)
    ok(api.post(f"{url}/items", json={"items": [{"id": "u3", "role": "user", "content": "between"}]}))
    summarise(api, url, "s1", SECOND)
    early, late = (ok(api.post(f"{url}/fork", json=body))["id"] for body in ({"after": "u3"}, {}))

    assert context(api, f"/v1/conversations/{early}")["summary"] is None
    assert api.get(f"/v1/conversations/{early}/summary").status_code == 404
    assert ok(api.get(f"/v1/conversations/{late}/summary"))["text"] == SECOND
    for text in (FIRST, SECOND):
        assert text not in stored(early)
    system_tokens = int(run("HGET", key_of(early), "p"))
    ok(api.post(f"/v1/conversations/{late}/compact"))
    ok(api.delete(f"/v1/conversations/{late}/summary"))
    assert int(run("HGET", key_of(late), "p")) == system_tokens


def test_summaries_replaced_for_ever_never_fill_a_conversation(
    api: httpx.Client, url: str, run: Callable[..., Any], key_of: Callable[[str], str], conversation: str
) -> None:
    for number in range(90):
        summarise(api, url, "s1", f"text {number}")

    # For a day the log also says which batches it was given.
    assert sum(not name.startswith("b:") for name in run("HKEYS", key_of(conversation))) < 90
    assert ok(api.get(f"{url}/summary"))["text"] == "text 89"
