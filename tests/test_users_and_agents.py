"""Whose a conversation is: given when it is made, changed, shown wherever it is, carried by forks and exports."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.exports import pages_of, renamed, send

ANNA, BOT = "anna@example.com", "support bot 🤖"


def make(api: httpx.Client, **body: Any) -> dict[str, Any]:
    answer = api.post("/v1/conversations", json=body)
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()
    return made


def owners(told: dict[str, Any]) -> tuple[str | None, str | None]:
    return told["user"], told["agent"]


def ids(api: httpx.Client, **query: Any) -> list[str]:
    answer = api.get("/v1/conversations", params={"limit": 100, **query})
    assert answer.status_code == 200, answer.text
    return [each["id"] for each in answer.json()["data"]]


def test_a_conversation_shows_its_user_and_agent_wherever_it_is_shown(api: httpx.Client) -> None:
    made = make(api, user=ANNA, agent=BOT, items=[{"role": "user", "content": "hi", "id": "one"}])
    path = f"/v1/conversations/{made['id']}"
    seen = [
        made,
        api.get(path).json(),
        api.get("/v1/conversations").json()["data"][0],
        api.post(path, json={"metadata": {"k": "v"}}).json(),
        api.post(path + "/summary", json={"through": "one", "text": "so far"}) and api.delete(path + "/summary").json(),
        api.delete(path + "/items/one").json(),
        api.post(path + "/compact").json(),
        api.get(path).json(),
        api.get("/v1/conversations").json()["data"][0],
    ]

    assert [owners(each) for each in seen] == [(ANNA, BOT)] * len(seen)
    assert owners(make(api)) == (None, None)
    assert owners(make(api, user=ANNA)) == (ANNA, None)
    assert owners(make(api, user=None, agent=BOT)) == (None, BOT)


@pytest.mark.parametrize("name", ["user", "agent"])
@pytest.mark.parametrize("value", ["", "x" * 129, "a\nb", "\x7f", 7, ["a"]])
def test_a_wrong_name_is_refused_and_named(api: httpx.Client, conversation: str, name: str, value: Any) -> None:
    before = ids(api)
    paths = ("/v1/conversations", f"/v1/conversations/{conversation}")
    answers = [api.post(path, json={name: value}) for path in paths]
    if isinstance(value, str):
        answers.append(api.get("/v1/conversations", params={name: value}))
    if name == "agent":
        answers.append(api.post(f"/v1/conversations/{conversation}/fork", json={name: value}))

    assert {(each.status_code, each.json()["error"]["param"]) for each in answers} == {(400, name)}
    assert ids(api) == before
    assert owners(api.get(f"/v1/conversations/{conversation}").json()) == (None, None)


def test_the_longest_names_are_taken_whatever_their_characters(api: httpx.Client) -> None:
    user, agent = "🤖" * 128, "@? 1 {}\"'" + "é" * 119
    made = make(api, user=user, agent=agent, metadata={"a": "b c"})

    assert owners(made) == (user, agent)
    assert ids(api, user=user) == ids(api, agent=agent) == ids(api, user=user, agent=agent) == [made["id"]]
    [listed] = api.get("/v1/conversations", params={"user": user}).json()["data"]
    assert listed == {name: api.get(f"/v1/conversations/{made['id']}").json()[name] for name in listed}


def test_user_and_agent_can_be_changed_and_taken_away(api: httpx.Client) -> None:
    made = make(api, user="a")
    path = f"/v1/conversations/{made['id']}"

    changed = api.post(path, json={"user": "b", "agent": "x"}).json()
    assert owners(changed) == owners(api.get(path).json()) == ("b", "x")
    assert changed["version"] == made["version"] + 1
    assert ids(api, user="a") == []
    assert ids(api, user="b") == ids(api, agent="x") == [made["id"]]
    assert owners(api.post(path, json={"user": None}).json()) == owners(api.get(path).json()) == (None, "x")
    assert ids(api, user="b") == []
    assert owners(api.post(path, json={"agent": None, "metadata": {"k": "v"}}).json()) == (None, None)
    assert ids(api, agent="x") == []
    assert api.get(path).json()["metadata"] == {"k": "v"}
    assert api.get(path + "/items").json()["data"] == []
    refused = api.post(path, json={})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "metadata")


def test_a_change_that_comes_again_is_answered_as_it_was(
    api: httpx.Client, make_api: Callable[[], httpx.Client]
) -> None:
    made = make(api, user="a", agent="x")
    path, keyed = f"/v1/conversations/{made['id']}", {"idempotency-key": "change"}
    first = api.post(path, json={"user": "b"}, headers=keyed)
    assert owners(api.post(path, json={"user": "c"}).json()) == ("c", "x")
    again = make_api().post(path, json={"user": "b"}, headers=keyed)

    assert again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert owners(api.get(path).json()) == ("c", "x")
    assert ids(api, user="b") == []


def test_what_is_kept_of_a_change_names_nobody(api: httpx.Client, tenant: str, run: Callable[..., Any]) -> None:
    keyed = {"idempotency-key": "creation"}
    made = api.post("/v1/conversations", json={"user": ANNA, "agent": "secret agent"}, headers=keyed).json()
    path = f"/v1/conversations/{made['id']}"
    for step, body in enumerate(({"user": "berta"}, {"agent": "other agent"}, {"metadata": {}})):
        assert api.post(path, json=body, headers={"idempotency-key": f"{step}"}).status_code == 200
    assert api.post(path + "/fork", headers={"idempotency-key": "fork"}).status_code == 200

    kept = [run("GET", name) for name in run("KEYS", f"wt2:{{{tenant}}}:attempt:*")]
    assert len(kept) == 5
    assert not [each for each in kept for name in (ANNA, "secret agent", "berta", "other agent") if name in each]
    names = run("KEYS", f"wt2:{{{tenant}}}:of:*")
    assert not [each for each in names for name in (ANNA, "secret", "berta", "other") if name in each]


def test_a_fork_is_of_the_user_of_its_conversation(api: httpx.Client, make_api: Callable[[], httpx.Client]) -> None:
    made = make(api, user="a", agent="x")
    path = f"/v1/conversations/{made['id']}/fork"
    inherited, other, none = (api.post(path, json=body).json() for body in ({}, {"agent": "y"}, {"agent": None}))
    elsewhere = make_api().post(path).json()

    shown = [owners(each) for each in (inherited, other, none, elsewhere)]
    assert shown == [("a", "x"), ("a", "y"), ("a", None), ("a", "x")]
    assert ids(api, user="a") == [elsewhere["id"], none["id"], other["id"], inherited["id"], made["id"]]
    assert ids(api, agent="x") == [elsewhere["id"], inherited["id"], made["id"]]
    assert ids(api, agent="y") == [other["id"]]
    refused = api.post(path, json={"user": "b"})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "user")


def test_an_export_carries_them_and_an_import_lists_by_them(api: httpx.Client, other_api: httpx.Client) -> None:
    made = make(api, user="a", agent=BOT, items=[{"role": "user", "content": "hi"}])
    [page] = pages_of(api, made["id"])
    answer = send(other_api, page)
    copy = send(api, renamed(page, "conv_copy")).json()

    assert owners(answer.json()["conversation"]) == owners(copy["conversation"]) == ("a", BOT)
    assert ids(other_api, user="a") == ids(other_api, agent=BOT) == [made["id"]]
    assert sorted(ids(api, user="a")) == sorted([made["id"], "conv_copy"])


def test_users_of_one_tenant_are_none_of_anothers(api: httpx.Client, other_api: httpx.Client) -> None:
    make(api, user="a")
    assert ids(other_api, user="a") == []


def test_lists_of_a_user_are_newest_first_and_go_on_after_any(api: httpx.Client) -> None:
    made = [make(api, user="a", agent=f"x{at % 2}", metadata={"at": str(at % 3)})["id"] for at in range(9)]
    make(api, user="b", agent="x0")
    newest = made[::-1]
    # An older one that is used is no newer.
    body = {"items": [{"role": "user", "content": "hi"}]}
    assert api.post(f"/v1/conversations/{made[0]}/items", json=body).status_code == 200

    assert ids(api, user="a") == newest
    assert ids(api, user="a", agent="x1") == [each for at, each in enumerate(made) if at % 2][::-1]
    assert ids(api, user="a", **{"metadata[at]": "2"}) == [made[8], made[5], made[2]]
    paged: list[str] = []
    after: dict[str, str] = {}
    while True:
        page = api.get("/v1/conversations", params={"user": "a", "limit": 2, **after}).json()
        paged += [each["id"] for each in page["data"]]
        if not page["has_more"]:
            break
        assert page["next_after"] == page["last_id"]
        after = {"after": page["next_after"]}
        if len(paged) == 4:  # What the list goes on after may be gone by then.
            assert api.delete(f"/v1/conversations/{paged[-1]}").status_code == 200
        if len(paged) == 6:
            assert api.post(f"/v1/conversations/{paged[-1]}", json={"user": "b"}).status_code == 200
    assert paged == newest
    assert api.get("/v1/conversations", params={"user": "a", "after": "conv_none"}).status_code == 404


def test_another_instance_deletes_what_it_never_saw(
    api: httpx.Client, make_api: Callable[[], httpx.Client], tenant: str, run: Callable[..., Any]
) -> None:
    made = [make(api, user="a", agent="x")["id"] for _ in range(2)]
    assert make_api().delete(f"/v1/conversations/{made[0]}").status_code == 200
    assert api.post(f"/v1/conversations/{made[1]}", json={"user": "b"}).status_code == 200
    other = make_api()
    assert other.delete(f"/v1/conversations/{made[1]}").status_code == 200
    assert other.delete(f"/v1/conversations/{made[1]}").status_code == 404
    assert run("KEYS", f"wt2:{{{tenant}}}:of:*") == []
