"""
What leads to the conversations of a user may be wrong, after a change that came to no end, an older release, or an
expiry: the conversation decides, and who meets what is wrong makes it right.
"""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from scripts.faults.server import FaultyServer
from shared.store import keys
from tests.half_way import check_indexes, check_members, failures, wait_until
from tests.half_way_operations import EXPORT
from tests.swept import MINUTES_US, age_unswept, sweep

pytestmark = pytest.mark.usefixtures("fresh_crons")


def make(api: httpx.Client, **body: Any) -> str:
    answer = api.post("/v1/conversations", json=body)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def ids(api: httpx.Client, **query: str) -> list[str]:
    answer = api.get("/v1/conversations", params={"limit": 100, **query})
    assert answer.status_code == 200, answer.text
    return [each["id"] for each in answer.json()["data"]]


CHANGES: dict[str, tuple[str, Callable[[httpx.Client, str], httpx.Response]]] = {
    "create": ("append", lambda api, _: api.post("/v1/conversations", json={"user": "b", "agent": "y"})),
    "give": ("update", lambda api, id_: api.post(f"/v1/conversations/{id_}", json={"user": "b", "agent": "y"})),
    "take away": ("update", lambda api, id_: api.post(f"/v1/conversations/{id_}", json={"user": None, "agent": None})),
    "fork": ("fork", lambda api, id_: api.post(f"/v1/conversations/{id_}/fork", json={"agent": "y"})),
    "delete": ("delete", lambda api, id_: api.delete(f"/v1/conversations/{id_}")),
    "import": ("import_part", lambda api, _: api.post("/v1/conversations/import", content=EXPORT)),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_that_ends_half_way_is_made_right_by_the_sweep(
    name: str, tenant_behind: Callable[[], Any], server: FaultyServer, run: Callable[..., Any]
) -> None:
    script, change = CHANGES[name]
    for _ in failures(server, script, asks_first=True):
        with tenant_behind() as (tenant, api, faulty):
            conversation = make(api, user="a", agent="x")
            change(faulty, conversation)
            age_unswept(run, tenant)
            sweep(api)
            check_indexes(run, tenant)


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_that_ends_half_way_is_made_right_by_who_lists(
    name: str, tenant_behind: Callable[[], Any], server: FaultyServer, run: Callable[..., Any]
) -> None:
    script, change = CHANGES[name]
    for _ in failures(server, script, asks_first=True):
        with tenant_behind() as (tenant, api, faulty):
            conversation = make(api, user="a", agent="x")
            change(faulty, conversation)
            lists = [{"user": "a"}, {"user": "b"}, {"user": "carla"}, {"agent": "x"}, {"agent": "y"}]
            for each in lists:
                [(field, wanted)] = each.items()
                told = api.get("/v1/conversations", params={"limit": 100, **each}).json()["data"]
                assert {row[field] for row in told} <= {wanted}
                for row in told:
                    there = api.get(f"/v1/conversations/{row['id']}").json()
                    # A change that ended half-way may have moved the place in lists, and no more.
                    times = {part: row.pop(part) for part in ("last_active_at", "expires_at")}
                    assert {part: there[part] for part in row} == row
                    assert all((there[part] or 0) <= (time_s or 0) for part, time_s in times.items())

            check_members(run, tenant)
            ids(api)
            check_indexes(run, tenant)


def test_what_expired_is_not_listed_and_leaves_the_sets_with_the_list(
    api: httpx.Client, tenant: str, run: Callable[..., Any]
) -> None:
    kept, gone = make(api, user="a", agent="x"), [make(api, user="a", agent="x") for _ in range(12)]
    for each in gone:
        expire(run, tenant, each)

    assert ids(api, user="a", limit="1") == [kept]
    wait_until(lambda: bool(run("ZCARD", keys.members_key(tenant, "user", "a")) == 1))
    wait_until(lambda: bool(run("ZCARD", keys.members_key(tenant, "agent", "x")) == 1))
    wait_until(lambda: run("ZRANGE", keys.activity_key(tenant, 0), 0, -1) == [kept])
    check_indexes(run, tenant)


def test_what_expired_leaves_the_sets_with_the_sweep(api: httpx.Client, tenant: str, run: Callable[..., Any]) -> None:
    kept = make(api, user="a", agent="x")
    gone = [make(api, user=user, agent="x") for user in ("a", "b", "b")]
    age_unswept(run, tenant)
    for each in gone:
        expire(run, tenant, each)

    assert sweep(api)["forgotten"] == 3
    check_indexes(run, tenant)
    assert ids(api, agent="x") == [kept]


def test_a_page_goes_on_after_what_expired(api: httpx.Client, tenant: str, run: Callable[..., Any]) -> None:
    made = [make(api, user="a") for _ in range(4)]
    expire(run, tenant, made[2])
    run("ZREM", keys.members_key(tenant, "user", "a"), made[2])

    assert ids(api, user="a", after=made[2]) == [made[1], made[0]]


def expire(run: Callable[..., Any], tenant: str, conversation: str) -> None:
    """Let it be gone as what expires is: nobody has said so to the indexes."""
    run("DEL", keys.conversation_key(tenant, conversation))
    run("ZADD", keys.activity_key(tenant, 0), 1_000_000, conversation)
    name = keys.rows_key(tenant, 0)
    created, _, _, rest = run("HGET", name, conversation).split(" ", 3)
    run("HSET", name, conversation, f"{created} 60 1 {rest}")


def as_an_older_release(run: Callable[..., Any], tenant: str, conversation: str, *, compacts: bool) -> None:
    """Write its row as a release did that knew of no users; what such a one compacts says nothing of them either."""
    name = keys.conversation_key(tenant, conversation)
    facts = run("HMGET", name, "c", "e", "t", "b", "m")
    run("HSET", keys.rows_key(tenant, 0), conversation, " ".join(facts))
    if compacts:
        run("HDEL", name, "us", "ag", "cu")


def test_what_an_older_release_wrote_is_asked_and_made_right(
    api: httpx.Client, tenant: str, run: Callable[..., Any]
) -> None:
    made = [make(api, user="a", agent="x") for _ in range(3)]
    as_an_older_release(run, tenant, made[0], compacts=False)
    as_an_older_release(run, tenant, made[1], compacts=True)

    assert ids(api, user="a") == ids(api, agent="x") == [made[2], made[0]]
    assert sorted(ids(api)) == sorted(made)
    check_indexes(run, tenant)


def test_a_fork_of_an_older_release_is_found_once_the_sweep_saw_it(
    api: httpx.Client, tenant: str, run: Callable[..., Any]
) -> None:
    fork = make(api, user="a", agent="x")
    as_an_older_release(run, tenant, fork, compacts=False)
    run("ZREM", keys.members_key(tenant, "user", "a"), fork)
    run("DEL", keys.members_key(tenant, "agent", "x"))
    age_unswept(run, tenant)
    sweep(api)

    check_indexes(run, tenant)
    assert ids(api, user="a") == ids(api, agent="x") == [fork]


def test_a_list_of_a_user_is_right_while_rows_move_to_more_shards(
    api: httpx.Client, make_api: Callable[[], httpx.Client], tenant: str, run: Callable[..., Any]
) -> None:
    made = [make(api, user="a" if at % 2 else "b", agent="x") for at in range(12)]
    run("HSET", keys.tenant_key(tenant), "shards", "2 1")
    other = make_api()
    moved = [make(other, user="a", agent="y") for _ in range(4)]
    assert api.post(f"/v1/conversations/{made[1]}", json={"user": "b"}).status_code == 200
    assert other.delete(f"/v1/conversations/{made[3]}").status_code == 200
    expected = [*moved[::-1], made[11], made[9], made[7], made[5]]

    assert ids(api, user="a") == ids(other, user="a") == expected
    age_unswept(run, tenant, range(2), MINUTES_US)
    sweep(api)
    assert run("HGET", keys.tenant_key(tenant), "shards") == "2"
    assert ids(api, user="a") == ids(make_api(), user="a") == expected
    check_indexes(run, tenant)


def test_a_list_looks_at_so_many_and_says_where_to_go_on(behind: Callable[..., httpx.Client]) -> None:
    api = behind(list_scan_max=2)
    made = [make(api, user="a", agent="y" if at else "x", metadata={"at": str(at)}) for at in range(6)]
    found = api.get("/v1/conversations", params={"user": "a", "metadata[at]": "0"}).json()

    assert [each["id"] for each in found["data"]] == [made[0]]
    assert ids(api, user="a", agent="x") == [made[0]]
    many = [make(api, user="b", metadata={"at": str(at)}) for at in range(24)]
    given_up = api.get("/v1/conversations", params={"user": "b", "metadata[at]": "0"}).json()
    assert (given_up["data"], given_up["has_more"]) == ([], True)
    assert ids(api, user="b", after=given_up["next_after"], **{"metadata[at]": "0"}) == [many[0]]
