"""A fork is the conversation as it was at one of its items, and goes its own way from there."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.lives import SETTINGS, Append, Delete, Life, Told, Update, begin, delete, live, lives, ok, seen, unsummarise


def fork(api: httpx.Client, told: Told, **body: Any) -> Told:
    made = ok(api.post(f"/v1/conversations/{told.id}/fork", json=body))
    return Told(made["id"], list(told.ids), list(told.deleted), list(told.summaries))


def until(life: Life, number: int) -> Life:
    """Return what happened up to the *number*-th item."""
    events: Life = []
    seen_items = 0
    for event in life:
        if not isinstance(event, Append):
            events.append(event)
            continue
        wanted = number + 1 - seen_items
        events.append(Append(event.kinds[:wanted]))
        seen_items += len(event.kinds)
        if seen_items > number:
            break
    return events


@SETTINGS
@given(lives, st.integers(0, 60))
def test_a_fork_is_the_conversation_as_it_was_at_an_item(api: httpx.Client, life: Life, which: int) -> None:
    told = begin(api)
    live(api, told, life)
    if not told.ids:
        assert seen(api, fork(api, told)) == seen(api, told)
        return
    number = which % len(told.ids)
    then = begin(api)
    live(api, then, until(life, number))
    for each in told.deleted:
        if each in then.ids and each not in then.deleted:
            delete(api, then, each)
    if len(told.summaries) > len(then.summaries):
        # What was replaced or deleted since is nowhere any more.
        unsummarise(api, then)
    metadata = api.get(f"/v1/conversations/{told.id}").json()["metadata"]
    ok(api.post(f"/v1/conversations/{then.id}", json={"metadata": metadata}))
    forked = fork(api, told, after=told.ids[number])

    assert seen(api, then._replace(id=forked.id)) == seen(api, then)
    behind = told.ids[number + 1 :]
    assert {api.get(f"/v1/conversations/{forked.id}/items", params={"after": each}).status_code for each in behind} <= {
        404
    }
    assert seen(api, fork(api, told)) == seen(api, told)


def test_a_fork_goes_its_own_way(api: httpx.Client) -> None:
    told = begin(api)
    live(api, told, [Append(("s", "u", "a", "u", "a"))])
    forked = fork(api, told, after=told.ids[2], metadata={"branch": "b"})
    before = seen(api, told)
    live(api, Told(forked.id, told.ids[:3], [], []), [Append(("u", "a")), Delete(0), Update("c")])

    assert seen(api, told) == before
    live(api, told, [Append(("u", "u"))])
    page = ok(api.get(f"/v1/conversations/{forked.id}/items", params={"order": "asc"}))
    assert [each["id"] for each in page["data"]] == ["item_1", "item_2", "item_3", "item_4"]
    ok(api.delete(f"/v1/conversations/{told.id}"))
    assert len(ok(api.get(f"/v1/conversations/{forked.id}/items"))["data"]) == 4


def test_a_fork_has_its_own_metadata_or_the_conversations(api: httpx.Client) -> None:
    told = begin(api)
    made = [ok(api.post(f"/v1/conversations/{told.id}/fork", json=body)) for body in ({}, {"metadata": {"a": "b"}})]

    assert [each["metadata"] for each in made] == [{"k": "0"}, {"a": "b"}]
    assert [each["object"] for each in made] == ["conversation"] * 2
    listed = [each["id"] for each in ok(api.get("/v1/conversations"))["data"]]
    assert listed == [made[1]["id"], made[0]["id"], told.id]


def test_a_fork_lives_as_long_as_the_conversation_would(api: httpx.Client, ttl_s: Callable[[str], int]) -> None:
    for expires_after_s in (0, 1_000):
        made = ok(api.post("/v1/conversations", json={"expires_after_s": expires_after_s}))
        forked = ok(api.post(f"/v1/conversations/{made['id']}/fork"))

        assert ttl_s(forked["id"]) == (-1 if expires_after_s == 0 else pytest.approx(1_000, abs=5))


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({"after": "item_9"}, 404, "after"),
        ({"after": "no id"}, 404, "after"),
        ({"after": 3}, 400, "after"),
        ({"metadata": {"a": 1}}, 400, "metadata.a"),
        ({"metadata": []}, 400, "metadata"),
        ({"before": "item_1"}, 400, "before"),
    ],
)
def test_a_fork_that_cannot_be_is_refused_and_names_the_field(
    api: httpx.Client, body: dict[str, Any], status: int, param: str
) -> None:
    told = begin(api)
    live(api, told, [Append(("u",))])
    answer = api.post(f"/v1/conversations/{told.id}/fork", json=body)

    assert (answer.status_code, answer.json()["error"]["param"]) == (status, param)
    assert len(ok(api.get("/v1/conversations"))["data"]) == 1


def test_nobody_forks_what_is_not_theirs(api: httpx.Client, other_api: httpx.Client) -> None:
    told = begin(api)

    assert other_api.post(f"/v1/conversations/{told.id}/fork").status_code == 404
    assert api.post("/v1/conversations/conv_unknown/fork").status_code == 404
