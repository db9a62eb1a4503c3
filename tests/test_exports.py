"""An export holds all that reads show of a conversation, and an import makes the same conversation of it."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import example, given

from tests.exports import edited, lines_of, pages_of, restore, send
from tests.lives import SETTINGS, Append, Compact, Delete, Life, Summarise, Told, begin, live, lives, ok, seen

Json = dict[str, Any]
MOVED = ("last_active_at", "expires_at", "bytes")
"""What an import makes anew."""


def facts(info: Json) -> Json:
    return {name: value for name, value in info.items() if name not in MOVED}


def lasting(pages: list[bytes]) -> list[Json]:
    """Return the lines of *pages* without the cursors, which name the physical history."""
    return [
        {name: value for name, value in line.items() if name != "cursor"} for page in pages for line in lines_of(page)
    ]


def items_of(api: httpx.Client, conversation_id: str) -> list[Json]:
    page = api.get(f"/v1/conversations/{conversation_id}/items", params={"order": "asc", "limit": 100})
    return list(ok(page)["data"])


@SETTINGS
@given(lives, lives)
@example([Append(("u", "u", "c", "s")), Delete(55), Summarise(57), Delete(19)], [Summarise(0)])
def test_an_import_of_an_export_equals_the_original_in_every_read(
    api: httpx.Client, other_api: httpx.Client, life: Life, later: Life
) -> None:
    told = begin(api)
    live(api, told, life)
    pages = pages_of(api, told.id)
    original = ok(api.get(f"/v1/conversations/{told.id}"))
    made = restore(other_api, pages)

    assert facts(made) == facts(original)
    assert seen(other_api, told) == seen(api, told)
    assert items_of(other_api, told.id) == items_of(api, told.id)
    assert lasting(pages_of(other_api, told.id)) == lasting(pages)
    # It goes on as the original does once that is compacted: a summary whose last item is gone ends before it then.
    ok(api.post(f"/v1/conversations/{told.id}/compact"))
    copy = Told(told.id, [*told.ids], [*told.deleted], [*told.summaries])
    live(api, told, later)
    live(other_api, copy, later)
    assert copy == told
    assert seen(other_api, told) == seen(api, told)
    assert other_api.delete(f"/v1/conversations/{told.id}").status_code == 200


def test_an_export_of_one_page_begins_and_ends(api: httpx.Client) -> None:
    told = begin(api)
    live(api, told, [])
    ok(api.post(f"/v1/conversations/{told.id}/items", json={"items": [{"role": "user", "content": "hi", "id": "m_1"}]}))
    [page] = pages_of(api, told.id)
    first, item, last = lines_of(page)
    info = ok(api.get(f"/v1/conversations/{told.id}"))

    assert first == {
        "format": "warmthread.conversation/1",
        "type": "conversation",
        "id": told.id,
        "created_at": info["created_at"],
        "metadata": {"k": "0"},
        "user": None,
        "agent": None,
        "expires_after_s": info["expires_at"] - info["last_active_at"],
        "forked_from": None,
        "version": 1,
    }
    [shown] = items_of(api, told.id)
    assert item == {
        "type": "item",
        "created_at": shown.pop("created_at"),
        "tokens_before": 0,
        "item": shown,
    }
    assert {name: value for name, value in last.items() if name != "sha256"} == {
        "type": "end",
        "items": 1,
        "gone": 0,
        "written_tokens": info["tokens"],
        "results": 0,
        "saved_tokens": 0,
        "asked": {"items": 0, "terms": 0},
        "recalled_from": "m_1",
    }


@pytest.fixture
def short_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of few lines, so that a short conversation has many."""
    from shared.conversations import exporting

    monkeypatch.setattr(exporting, "LINES_MAX", 3)


def long_life(api: httpx.Client) -> Told:
    told = begin(api)
    url = f"/v1/conversations/{told.id}/items"
    for start in range(0, 20, 5):
        new = [{"role": "user", "content": f"message {n}", "id": f"item_{n}"} for n in range(start, start + 5)]
        ok(api.post(url, json={"items": new}))
        told.ids.extend(each["id"] for each in new)
    return told


@pytest.mark.usefixtures("short_pages")
@pytest.mark.parametrize("is_compacted", [False, True])
def test_an_export_of_many_pages_is_made_of_all_of_them(
    api: httpx.Client, other_api: httpx.Client, is_compacted: bool
) -> None:
    told = long_life(api)
    live(api, told, [Delete(0), Delete(5), Delete(6), Delete(6), *([Compact()] if is_compacted else [])])
    ok(api.post(f"/v1/conversations/{told.id}/summary", json={"through": "item_3", "text": "three"}))
    pages = pages_of(api, told.id)

    assert len(pages) == 7
    assert facts(restore(other_api, pages)) == facts(ok(api.get(f"/v1/conversations/{told.id}")))
    assert seen(other_api, told) == seen(api, told)
    assert lasting(pages_of(other_api, told.id)) == lasting(pages)


@pytest.mark.usefixtures("short_pages")
def test_pages_are_of_the_state_that_the_first_was_of(api: httpx.Client, other_api: httpx.Client) -> None:
    told = long_life(api)
    path = f"/v1/conversations/{told.id}"
    before, whole = seen(api, told), pages_of(api, told.id)
    first = api.get(path + "/export").content
    ok(api.post(path + "/items", json={"items": [{"role": "user", "content": "later"}]}))
    ok(api.post(path, json={"metadata": {"k": "later"}}))
    ok(api.post(path + "/summary", json={"through": "item_19", "text": "later"}))
    ok(api.delete(f"{path}/items/item_0"))  # Its page is there already.
    pages = [first]
    while "cursor" in (last := lines_of(pages[-1])[-1]):
        pages.append(api.get(path + "/export", params={"cursor": last["cursor"]}).content)

    assert lasting(pages) == lasting(whole)
    restore(other_api, pages)
    assert seen(other_api, told) == before


@pytest.mark.usefixtures("short_pages")
@pytest.mark.parametrize("how", ["delete", "compact", "summary"])
def test_an_export_whose_state_is_gone_is_begun_anew(api: httpx.Client, how: str) -> None:
    told = long_life(api)
    path = f"/v1/conversations/{told.id}"
    ok(api.post(path + "/summary", json={"through": "item_4", "text": "four"}))
    cursor = lines_of(api.get(path + "/export").content)[-1]["cursor"]
    if how == "summary":
        ok(api.post(path + "/summary", json={"through": "item_9", "text": "nine"}))
    else:
        live(api, told, [Delete(12)])
    if how == "compact":
        ok(api.post(path + "/compact"))
    statuses = []
    for _ in range(9):
        answer = api.get(path + "/export", params={"cursor": cursor})
        statuses.append(answer.status_code)
        if answer.status_code != 200:
            break
        cursor = lines_of(answer.content)[-1].get("cursor", "")

    assert statuses[-1] == 409
    assert (answer.json()["error"]["code"], answer.json()["error"]["param"]) == ("export_moved", "cursor")
    assert len(pages_of(api, told.id)) > 5


def test_a_cursor_that_is_none_is_refused(api: httpx.Client) -> None:
    told = begin(api)
    for cursor in ("x", "1.2.3", "g" * 200, f"{'a' * 16}.1.{'b' * 16}..1.1.1.1.1.0.0....{'c' * 63}"):
        refused = api.get(f"/v1/conversations/{told.id}/export", params={"cursor": cursor})
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, "cursor")
    unknown = f"{'a' * 16}.1.{'b' * 16}..1.1.2.1.1.0.0....{'c' * 64}"
    assert api.get(f"/v1/conversations/{told.id}/export", params={"cursor": unknown}).status_code == 409
    assert api.get("/v1/conversations/conv_none/export").status_code == 404


def test_an_export_renews_no_expiry(api: httpx.Client, run: Any, key_of: Any) -> None:
    told = begin(api)
    name = key_of(told.id)
    run("HSET", name, "t", int(run("HGET", name, "t")) - 2_000_000)
    before = run("HGET", name, "t")
    pages_of(api, told.id)
    api.get("/api/health")

    assert run("HGET", name, "t") == before


def test_pages_hold_at_most_four_megabytes(api: httpx.Client, other_api: httpx.Client) -> None:
    told = begin(api)
    url = f"/v1/conversations/{told.id}/items"
    for _ in range(3):
        batch = [{"role": "user", "content": 'é\n"' * 150_000} for _ in range(3)]
        ok(api.post(url, json={"items": batch}))
    pages = pages_of(api, told.id)

    assert len(pages) > 1
    assert max(map(len, pages)) <= 4_000_000
    restore(other_api, pages)
    assert other_api.get(url).content == api.get(url).content


@pytest.fixture
def page(api: httpx.Client) -> bytes:
    told = begin(api)
    live(api, told, [])
    path = f"/v1/conversations/{told.id}"
    items = [{"role": "user", "content": f"message {n}", "id": f"item_{n}"} for n in range(4)]
    ok(api.post(path + "/items", json={"items": items}))
    ok(api.delete(path + "/items/item_1"))
    ok(api.post(path + "/summary", json={"through": "item_2", "text": "two"}))
    [page] = pages_of(api, told.id)
    return page


@pytest.mark.parametrize(
    ("at", "members", "param"),
    [
        (0, {"format": "warmthread.conversation/2"}, "lines[0].format"),
        (0, {"type": "item"}, "lines[0].type"),
        (0, {"id": "user_1"}, "lines[0].id"),
        (0, {"version": 2}, "lines[0].version"),
        (0, {"version": "9"}, "lines[0].version"),
        (0, {"metadata": {"k": 1}}, "lines[0].metadata.k"),
        (0, {"expires_after_s": -1}, "lines[0].expires_after_s"),
        (0, {"created_at": None}, "lines[0].created_at"),
        (0, {"forked_from": "x"}, "lines[0].forked_from"),
        (0, {"user": ""}, "lines[0].user"),
        (0, {"agent": 7}, "lines[0].agent"),
        (1, {"type": "other"}, "lines[1].type"),
        (1, {"created_at": -1}, "lines[1].created_at"),
        (1, {"tokens_before": None}, "lines[1].tokens_before"),
        (1, {"item": {"role": "nobody", "content": "x", "id": "a"}}, "lines[1].item.role"),
        (1, {"item": {"role": "user", "content": "x"}}, "lines[1].item.id"),
        (1, {"item": None}, "lines[1].item"),
        (1, {"message": "no mark"}, "lines[1].message"),
        (1, {"extras": {"format": "other"}}, "lines[1].extras.format"),
        (1, {"extras": {"format": "chat", "content": [7]}}, "lines[1].extras.content[0]"),
        (2, {"id": "ä"}, "lines[2].id"),
        (2, {"id": "item_0"}, "lines[2]"),
        (5, {"through": "item_9"}, "lines[5].through"),
        (5, {"text": ""}, "lines[5].text"),
        (6, {"written_tokens": -1}, "lines[6].written_tokens"),
        (6, {"results": None}, "lines[6].results"),
        (6, {"asked": 7}, "lines[6].asked"),
        (6, {"recalled_from": "ä"}, "lines[6].recalled_from"),
        (6, {"asked": {"items": 1}}, "lines[6].asked.terms"),
    ],
)
def test_a_line_that_is_wrong_is_refused_by_its_place(
    other_api: httpx.Client, page: bytes, at: int, members: Json, param: str
) -> None:
    refused = send(other_api, edited(page, at, **members))

    assert (refused.status_code, refused.json()["error"]["param"]) == (400, param)
    assert other_api.get("/v1/conversations").json()["data"] == []
    assert restore(other_api, [page])["items"] == 3


def test_what_was_changed_or_lost_on_the_way_is_noticed(other_api: httpx.Client, page: bytes) -> None:
    lines = page.splitlines(keepends=True)
    for spoilt in (page.replace(b"message 3", b"message 4"), b"".join([*lines[:2], *lines[3:]]), page[:-9], b"", b"{}"):
        refused = send(other_api, spoilt)
        assert refused.status_code == 400, refused.text
    changed = send(other_api, page.replace(b"message 3", b"message 4"))
    assert changed.json()["error"]["code"] == "checksum_differs"


def test_an_import_that_comes_again_changes_nothing(
    other_api: httpx.Client, page: bytes, stored: Any, run: Any, tenant_of: Callable[[str], str]
) -> None:
    made = restore(other_api, [page])
    path = f"/v1/conversations/{made['id']}"
    ok(other_api.post(path + "/items", json={"items": [{"role": "user", "content": "more"}]}))
    again = send(other_api, page)

    assert (again.status_code, again.headers["idempotency-replayed"]) == (200, "true")
    assert again.json()["conversation"] == ok(other_api.get(path))
    assert again.json()["conversation"]["items"] == made["items"] + 1


def test_an_import_takes_no_id_that_is_taken(api: httpx.Client, other_api: httpx.Client, page: bytes) -> None:
    conversation_id = lines_of(page)[0]["id"]
    assert send(api, page).status_code == 409
    ok(other_api.post("/v1/conversations", json={"id": conversation_id}))
    refused = send(other_api, page)

    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "conversation_exists")
    other_api.delete(f"/v1/conversations/{conversation_id}")
    assert send(other_api, page).status_code == 409


@pytest.mark.usefixtures("short_pages")
def test_parts_come_in_order_and_may_come_again(api: httpx.Client, other_api: httpx.Client) -> None:
    told = long_life(api)
    pages = pages_of(api, told.id)
    digests = [lines_of(each)[-1]["sha256"] for each in pages]
    early = send(other_api, pages[1])
    first = send(other_api, pages[0])
    again = send(other_api, pages[0])
    second = send(other_api, pages[1])
    begun = send(other_api, pages[0])
    late = send(other_api, pages[3])

    assert (early.status_code, early.json()["sha256"]) == (409, None)
    assert (first.json()["status"], first.json()["items"], first.json()["sha256"]) == ("partial", 3, digests[0])
    assert [each.json()["sha256"] for each in (again, second, begun)] == [digests[0], digests[1], digests[1]]
    assert (late.status_code, late.json()["sha256"]) == (409, digests[1])
    assert late.json()["error"]["code"] == "import_out_of_order"
    assert other_api.get(f"/v1/conversations/{told.id}").status_code == 404
    restore(other_api, pages[2:])
    assert seen(other_api, told) == seen(api, told)
    assert send(other_api, pages[0]).json()["status"] == "complete"


@pytest.mark.usefixtures("short_pages")
def test_another_export_takes_the_place_of_what_was_begun(api: httpx.Client, other_api: httpx.Client) -> None:
    told = long_life(api)
    old = pages_of(api, told.id)
    live(api, told, [Delete(0)])
    new = pages_of(api, told.id)
    assert send(other_api, old[0]).status_code == 200
    restore(other_api, new)

    assert seen(other_api, told) == seen(api, told)
