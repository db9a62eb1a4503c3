"""
A script that ends half-way leaves the books whole: for each script of budgets and each of its writes that write is
refused, and the same call comes again. Whatever the first one came to, there is one effect.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple
from uuid import uuid4

import httpx
import pytest

from scripts.faults.server import FaultyServer
from scripts.local.upstash import LocalUpstash
from shared.budgets.reservations import UNRECORDED, make_id, reservation_keys
from shared.environment import read_settings
from shared.errors import StoreUnavailable
from shared.request.caller import read_key
from shared.store.keys import reservations_key, tenant_key
from shared.store.upstash import Store
from tests.budget_calls import reserve, settle, tokens, wait_until
from tests.months import keep_clear_of_the_end_of_the_month

LIFE_S, KEPT_S = 600, 86_400
WRITES_MAX = 30
QUESTION = {"items": [{"role": "user", "content": "Which gate does the flight leave from?"}]}
ANSWER = {"items": [{"role": "assistant", "content": "Gate 12."}], "usage": {"input_tokens": 60, "output_tokens": 20}}
FOR_CALL = {"budget": 500, "reserve_output": 100, "reserve": True}


class Books:
    """The books of one tenant, and the clock by which its reservations end."""

    def __init__(self, api: httpx.Client, clock: LocalUpstash) -> None:
        self.api = api
        self.clock = clock

    def wait(self, seconds: int) -> None:
        self.clock.clock_shift_s += seconds

    def reserved(self, amount: int = 300) -> Any:
        return reserve(self.api, amount).json()

    def conversation(self) -> str:
        return f"/v1/conversations/{self.api.post('/v1/conversations', json=QUESTION).json()['id']}"


Call = Callable[[], httpx.Response]


class Operation(NamedTuple):
    """*prepare* gives the call, the same each time; what is settled, reserved and overrun *before* and *after* it."""

    prepare: Callable[[Books], Call]
    after: tuple[int, int, int]
    before: tuple[int, int, int] = (0, 0, 0)


def reserving(books: Books) -> Call:
    books.reserved(700)
    books.wait(LIFE_S + 1)
    key = str(uuid4())
    return lambda: reserve(books.api, 600, **{"idempotency-key": key})


def reserving_with_a_context(books: Books) -> Call:
    path, key = books.conversation(), str(uuid4())
    books.reserved(700)
    books.wait(LIFE_S + 1)
    return lambda: books.api.post(f"{path}/context", json=FOR_CALL, headers={"idempotency-key": key})


def settling(books: Books) -> Call:
    made = books.reserved()
    return lambda: settle(books.api, made, 80)


def settling_late(books: Books) -> Call:
    made = books.reserved()
    books.wait(LIFE_S + 1)
    return lambda: settle(books.api, made, 80)


def settling_what_was_expired(books: Books) -> Call:
    made = books.reserved()
    books.wait(LIFE_S + 1)
    assert reserve(books.api, 2_000).status_code == 429
    return lambda: settle(books.api, made, 80)


def settling_what_the_store_never_saw(books: Books) -> Call:
    made = {"id": make_id(UNRECORDED)}
    return lambda: settle(books.api, made, 80)


def releasing(books: Books) -> Call:
    path = f"/v1/reservations/{books.reserved()['id']}"
    return lambda: books.api.delete(path)


def releasing_late(books: Books) -> Call:
    path = f"/v1/reservations/{books.reserved()['id']}"
    books.wait(LIFE_S + 1)
    return lambda: books.api.delete(path)


def appending(books: Books) -> Call:
    path, body = books.conversation(), {**ANSWER, "reservation": books.reserved()["id"]}
    return lambda: books.api.post(f"{path}/items", json=body)


def appending_with_a_context(books: Books) -> Call:
    path, body = books.conversation(), {**ANSWER, "reservation": books.reserved()["id"], "context": {"budget": 500}}
    return lambda: books.api.post(f"{path}/items", json=body)


def appending_for_what_the_store_never_saw(books: Books) -> Call:
    path, body = books.conversation(), {**ANSWER, "reservation": make_id(UNRECORDED)}
    return lambda: books.api.post(f"{path}/items", json=body)


OPERATIONS = {
    "reserve": Operation(reserving, (0, 600, 0)),
    "context": Operation(reserving_with_a_context, (0, 600, 0)),
    "settle": Operation(settling, (80, 0, 0), (0, 300, 0)),
    "settle late": Operation(settling_late, (80, 0, 80)),
    "settle expired": Operation(settling_what_was_expired, (80, 0, 80)),
    "settle unrecorded": Operation(settling_what_the_store_never_saw, (80, 0, 80)),
    "release": Operation(releasing, (0, 0, 0), (0, 300, 0)),
    "release late": Operation(releasing_late, (0, 0, 0)),
    "append": Operation(appending, (80, 0, 0), (0, 300, 0)),
    "append with context": Operation(appending_with_a_context, (80, 0, 0), (0, 300, 0)),
    "append unrecorded": Operation(appending_for_what_the_store_never_saw, (80, 0, 80)),
}


@pytest.fixture
def make_books(
    server: FaultyServer,
    behind: Callable[..., httpx.Client],
    mint: Callable[[], str],
    run: Any,
    clock: LocalUpstash,
) -> Iterator[Callable[[], Books]]:
    """Make the books of a fresh tenant, which may use 1,000 tokens a month."""
    url, clients = behind().base_url, []

    def make() -> Books:
        key = mint()
        run("HSET", tenant_key(read_key(key).tenant), "limit:tokens-month", "1000")
        clients.append(httpx.Client(base_url=url, headers={"authorization": f"Bearer {key}"}, timeout=30))
        return Books(clients[-1], clock)

    yield make
    for client in clients:
        client.close()


def is_now(books: Books, expected: tuple[int, int, int]) -> bool:
    return tokens(books.api, "month") == expected


def live_fields(run: Any, books: Books) -> tuple[list[str], list[str]]:
    """Return the fields and the places of reservations."""
    tenant = read_key(books.api.headers["authorization"].removeprefix("Bearer ")).tenant
    names = run("HKEYS", tenant_key(tenant))
    return [name for name in names if name.startswith("r:")], run("ZRANGE", reservations_key(tenant), 0, -1)


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_script_that_ends_half_way_and_the_same_call_again_have_one_effect(
    server: FaultyServer, make_books: Callable[[], Books], run: Any, name: str
) -> None:
    operation = OPERATIONS[name]
    for nth_write in range(1, WRITES_MAX):
        books = make_books()
        keep_clear_of_the_end_of_the_month(books.clock, 3 * LIFE_S)
        call = operation.prepare(books)
        before = server.ended_half_way
        server.nth_write = lambda _, nth=nth_write: nth
        first = call()
        server.nth_write = None
        is_refused = server.ended_half_way > before
        between = tokens(books.api, "month")
        again = call()

        assert (first.status_code != 200) == is_refused, first.text
        assert again.status_code == 200, again.text
        expected = operation.after
        if name == "context":
            # What it did not need of the 600 is given back after the response.
            expected = (0, again.json()["reservation"]["tokens"], 0)
            wait_until(partial(is_now, books, expected))
        assert between in (operation.before, operation.after, expected)
        assert tokens(books.api, "month") == expected
        # What is left is what the limit leaves, and nothing of it is kept after its end.
        left = 1_000 - expected[0] - expected[1]
        assert [reserve(books.api, left + 1).status_code, reserve(books.api, left).status_code] == [429, 200]
        books.wait(LIFE_S + KEPT_S + 2)
        assert tokens(books.api, "month")[:2] in ((expected[0], 0), (0, 0))  # The month may have ended.
        assert reserve(books.api, 0).status_code == 200
        fields, places = live_fields(run, books)
        assert (len(fields), len(places)) == (1, 1), (nth_write, fields, places)
        if not is_refused:
            break
    assert nth_write > 1
    assert nth_write < WRITES_MAX - 1


async def test_a_grant_without_a_key_is_sent_again_under_its_id_and_has_one_effect(
    server: FaultyServer, upstash: LocalUpstash, api: httpx.Client, key: str
) -> None:
    environ = {"UPSTASH_REDIS_REST_URL": server.url, "UPSTASH_REDIS_REST_TOKEN": upstash.token}
    store, caller = Store(read_settings(environ)), read_key(key)
    for nth_write in range(1, WRITES_MAX):
        reservation_id, before = make_id(), server.ended_half_way
        names = [tenant_key(caller.tenant), *reservation_keys(caller.tenant, reservation_id)]
        arguments: list[str | int] = [caller.key_hash, "", 60, reservation_id, LIFE_S, KEPT_S, 100, "-", 10, "", ""]
        arguments += ["", "", "known"]  # For nobody.
        server.nth_write = lambda _, nth=nth_write: nth
        with suppress(StoreUnavailable):
            await store.eval("reserve", names, arguments)
        server.nth_write = None
        replies = [await store.eval("reserve", names, arguments) for _ in range(2)]

        assert [reply[:3] for reply in replies] == [["ok", reservation_id, "10"]] * 2
        assert tokens(api) == (0, 10 * nth_write, 0)
        if server.ended_half_way == before:
            break
    await store.close()
    assert 1 < nth_write < WRITES_MAX - 1
