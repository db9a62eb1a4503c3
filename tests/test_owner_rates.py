"""Rates of each user and each agent: what takes their permits, what a refusal says, what the others pay for it."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from scripts.local.upstash import LocalUpstash
from shared.request.caller import read_key
from shared.store.keys import spending_key
from tests.budget_calls import reserve_for, settle, tokens, tokens_of

MESSAGE = {"items": [{"role": "user", "content": "hello"}]}
FOR_CALL = {"budget": 500, "reserve_output": 100, "reserve": True}


@pytest.fixture
def created(api: httpx.Client) -> Callable[..., str]:
    """Make a conversation of a `user`, an `agent`, or both; return its path."""

    def create(**owners: str) -> str:
        return f"/v1/conversations/{api.post('/v1/conversations', json={**MESSAGE, **owners}).json()['id']}"

    return create


def append(api: httpx.Client, path: str, **more: Any) -> httpx.Response:
    return api.post(f"{path}/items", json={**MESSAGE, **more})


def items(api: httpx.Client, path: str) -> int:
    return len(api.get(f"{path}/items").json()["data"])


def test_a_refusal_names_the_rate_and_nothing_is_done(
    api: httpx.Client, created: Callable[..., str], budget: Any
) -> None:
    path, other = created(user="alice"), created(user="bob")
    budget(per_user=["rate=6", "burst=2"], rate="6000", burst="1000")
    answers = [append(api, path) for _ in range(3)]
    refused = answers[-1]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    problem = refused.json()
    assert (problem["violated-policies"], problem["error"]["code"]) == (["user-burst"], "rate_limit_exceeded")
    assert problem["detail"] == "The rate of each user is 6 requests a minute, at most 2 at once; nothing was done."
    assert 1 <= int(refused.headers["retry-after"]) <= 10
    assert '"user-burst";q=2;w=20, "user-requests";q=6;w=60' in refused.headers["ratelimit-policy"]
    assert f'"user-burst";r=0;t={refused.headers["retry-after"]}' in refused.headers["ratelimit"]
    assert refused.headers["ratelimit"].startswith('"burst";r=')
    assert items(api, path) == 3
    assert append(api, other).status_code == 200


def test_all_that_adds_takes_a_permit_and_nothing_else_does(
    api: httpx.Client, created: Callable[..., str], budget: Any
) -> None:
    path = created(user="alice")
    first = api.get(f"{path}/items").json()["first_id"]
    budget(per_user=["rate=1", "burst=7"])
    reserved = reserve_for(api, 1, user="alice")
    adding = [
        api.post("/v1/conversations", json={**MESSAGE, "user": "alice"}),
        append(api, path, context={"budget": 500}),
        append(api, path, reservation=reserved.json()["id"], usage={"input_tokens": 1, "output_tokens": 0}),
        api.post(f"{path}/summary", json={"through": first, "text": "They said hello."}),
        api.post(f"{path}/fork"),
        api.post(f"{path}/context", json=FOR_CALL),
    ]
    assert [each.status_code for each in (reserved, *adding)] == [200] * 7, [each.text for each in adding]
    again = [
        api.post("/v1/conversations", json={**MESSAGE, "user": "alice"}),
        append(api, path),
        append(api, path, context={"budget": 500}),
        api.post(f"{path}/summary", json={"through": first, "text": "They said hello."}),
        api.post(f"{path}/fork"),
        api.post(f"{path}/context", json=FOR_CALL),
        reserve_for(api, 1, user="alice"),
    ]
    others = [
        api.get(path),
        api.get(f"{path}/items"),
        api.post(f"{path}/context", json={"budget": 500}),
        api.post(path, json={"metadata": {"a": "b"}}),
        api.delete(f"/v1/reservations/{adding[-1].json()['reservation']['id']}"),
        api.get("/v1/usage", params={"user": "alice"}),
        api.post("/v1/conversations", json={**MESSAGE, "user": "bob"}),
        api.post("/v1/conversations", json=MESSAGE),
        reserve_for(api, 1),
        api.delete(path),
    ]

    assert [each.status_code for each in again] == [429] * len(again)
    assert {each.json()["violated-policies"][0] for each in again} == {"user-burst"}
    assert [each.status_code for each in others] == [200] * len(others), [each.text for each in others]


def test_where_the_agent_has_no_permit_the_user_loses_none(
    api: httpx.Client, created: Callable[..., str], budget: Any
) -> None:
    path, other = created(user="alice", agent="bot"), created(user="alice")
    budget(per_user=["rate=1", "burst=2"], per_agent=["rate=1", "burst=1"])
    answers = [append(api, path) for _ in range(3)]
    rest = [append(api, other) for _ in range(2)]

    assert [each.status_code for each in (*answers, *rest)] == [200, 429, 429, 200, 429]
    assert [each.json()["violated-policies"] for each in (answers[1], rest[1])] == [["agent-burst"], ["user-burst"]]


def test_permits_come_back_by_the_clock_of_the_store_and_never_more_than_a_burst(
    api: httpx.Client, created: Callable[..., str], budget: Any, clock: LocalUpstash
) -> None:
    path = created(user="alice")
    budget(per_user=["rate=6", "burst=2"])
    granted = []
    for _ in range(3):
        granted.append([append(api, path).status_code for _ in range(3)].count(200))
        clock.clock_shift_s += 3_600
    clock.clock_shift_s += 10 - 3_600
    granted.append([append(api, path).status_code for _ in range(2)].count(200))

    assert granted == [2, 2, 2, 1]


def test_a_clock_that_was_set_back_locks_no_user_out(
    api: httpx.Client, created: Callable[..., str], budget: Any, clock: LocalUpstash
) -> None:
    path = created(user="alice")
    budget(per_user=["rate=60", "burst=2"])
    clock.clock_shift_s = 7_200
    assert append(api, path).status_code == 200
    clock.clock_shift_s = 0
    assert append(api, path).status_code == 429
    clock.clock_shift_s = 2.5

    assert append(api, path).status_code == 200


def test_another_instance_learns_whose_it_is_and_takes_one_permit_for_a_call(
    api: httpx.Client, created: Callable[..., str], budget: Any, make_api: Callable[[], httpx.Client]
) -> None:
    path = created(user="alice", agent="bot")
    reserved = [reserve_for(api, 100, user="bob", agent="aide").json() for _ in range(2)]
    budget(per_user=["rate=1", "burst=3"])
    cold = make_api()
    usage = {"input_tokens": 60, "output_tokens": 20}
    answers = [append(cold, path, reservation=each["id"], usage=usage) for each in reserved]
    answers += [append(cold, path) for _ in range(2)]

    assert [each.status_code for each in answers] == [200, 200, 200, 429]
    assert tokens_of(api, user="bob") == tokens_of(api, agent="aide") == tokens(api) == (160, 0, 0)
    assert items(api, path) == 4


def test_an_instance_that_remembers_another_user_is_put_right(
    api: httpx.Client, created: Callable[..., str], budget: Any, make_api: Callable[[], httpx.Client]
) -> None:
    path, other = created(user="alice"), make_api()
    budget(per_user=["rate=1", "burst=1"])
    assert append(other, path).status_code == 200
    assert api.post(path, json={"user": "bob"}).status_code == 200
    answers = [append(other, path), append(api, path)]

    assert [each.status_code for each in answers] == [200, 429]


def test_a_context_reserves_for_whose_the_conversation_is(
    api: httpx.Client, created: Callable[..., str], budget: Any, make_api: Callable[[], httpx.Client]
) -> None:
    path = created(user="alice", agent="bot")
    budget(per_user=["tokens-day=700"])
    cold = make_api()
    made = cold.post(f"{path}/context", json=FOR_CALL).json()["reservation"]
    refused = cold.post(f"{path}/context", json={**FOR_CALL, "budget": 800})
    answer = append(api, path, reservation=made["id"], usage={"input_tokens": 9, "output_tokens": 3})

    assert answer.status_code == 200
    assert (refused.status_code, refused.json()["violated-policies"]) == (429, ["user-tokens-day"])
    assert tokens_of(api, user="alice") == tokens_of(api, agent="bot") == tokens(api) == (12, 0, 0)
    assert api.get("/v1/usage", params={"agent": "bot"}).json()["stored"]["conversations"] == 1


def test_a_book_of_a_rate_expires(
    api: httpx.Client, created: Callable[..., str], budget: Any, run: Any, key: str
) -> None:
    budget(per_user=["rate=60"])
    book = spending_key(read_key(key).tenant, "user", "alice")
    path = created(user="alice")
    assert 0 < run("TTL", book) <= 70 * 86_400
    run("PERSIST", book)
    assert append(api, path).status_code == 200

    assert 0 < run("TTL", book) <= 70 * 86_400


def test_who_has_no_such_limits_or_names_nobody_pays_nothing(
    api: httpx.Client,
    created: Callable[..., str],
    budget: Any,
    upstash: LocalUpstash,
    billed_commands: Callable[[], int],
) -> None:
    calls: dict[str, Callable[[], httpx.Response]] = {
        "append": lambda: append(api, path),
        "reserve": lambda: reserve_for(api, 1),
        "settle": lambda: settle(api, reserved.pop(), 1),
        "release": lambda: api.delete(f"/v1/reservations/{reserved.pop()['id']}"),
    }

    def costs() -> dict[str, tuple[int, int]]:
        seen = {}
        for name, call in calls.items():
            before = billed_commands()
            upstash.reset()
            assert call().status_code == 200
            seen[name] = (upstash.requests, billed_commands() - before)
        return seen

    reserved = [reserve_for(api, 1).json() for _ in range(4)]
    path = created(user="alice", agent="bot")
    without_limits = costs()
    path = created()
    budget(per_user=["tokens-day=1000", "usd-day=5"], per_agent=["tokens-month=1000"])
    without_names = costs()

    expected = {"append": (1, 6), "reserve": (1, 10), "settle": (1, 9), "release": (1, 9)}
    assert without_limits == without_names == expected


def test_what_users_and_agents_cost(
    api: httpx.Client,
    created: Callable[..., str],
    budget: Any,
    upstash: LocalUpstash,
    billed_commands: Callable[[], int],
) -> None:
    """As docs/budgets-and-rates.md says; what is said once a day, that a book lasts, apart."""
    both = {"user": "alice", "agent": "bot"}

    def cost(call: Callable[[], httpx.Response], requests: int = 1) -> int:
        before = billed_commands()
        upstash.reset()
        answer = call()
        assert (answer.status_code, upstash.requests) == (200, requests), answer.text
        return billed_commands() - before

    def costs(of: dict[str, str]) -> dict[str, int]:
        # Another function makes the reservation: where it is for somebody, the one that appends has to be told.
        to_settle = 1 + bool(of)
        path, reserved = created(**of), [reserve_for(api, 10, **of).json() for _ in range(4)]
        assert append(api, path).status_code == 200
        usage = {"input_tokens": 1, "output_tokens": 1}
        return {
            "create": cost(lambda: api.post("/v1/conversations", json={**MESSAGE, **of})),
            "append": cost(lambda: append(api, path)),
            "reserve": cost(lambda: reserve_for(api, 10, **of)),
            "settle": cost(lambda: settle(api, reserved[0], 5)),
            "release": cost(lambda: api.delete(f"/v1/reservations/{reserved[1]['id']}")),
            "append settling": cost(lambda: append(api, path, reservation=reserved[2]["id"], usage=usage), to_settle),
        }

    def more(of: dict[str, str], than: dict[str, int]) -> dict[str, int]:
        return {name: value - than[name] for name, value in costs(of).items()}

    nobody = costs({})
    joining = {"create": 1}  # What it is found by.
    budgets = {"reserve": 2, "settle": 3, "release": 3}
    told, rate, known = 6, 4, 3
    assert more({"user": "alice"}, nobody) == {"append": 0, **joining, **budgets, "append settling": told + 3}
    twice = {name: 2 * value for name, value in (joining | budgets).items()}
    assert more(both, nobody) == {"append": 0, **twice, "append settling": told + 2 * 3}
    budget(per_user=["rate=6000"], per_agent=["rate=6000"])
    assert more({}, nobody) == {**dict.fromkeys((*joining, *budgets), 0), "append": 1, "append settling": 1}
    assert more({"user": "alice"}, nobody) == {
        "create": 1 + known,
        "append": rate,
        **budgets,
        "reserve": 2 + known,
        "append settling": rate + told + 3 + 1,  # Whose it is, is asked for the second time too.
    }
    assert more(both, nobody) == {
        "create": 2 + known + 2,
        "append": rate + 2,
        **{name: 2 * value for name, value in budgets.items()},
        "reserve": 4 + known + 2,
        "append settling": rate + 2 + told + 2 * 3 + 1,
    }
