"""
A script that ends half-way leaves the books of user and agent right: for each script that spends and each of its writes
that write is refused. The same call again has one effect in all books; where it never comes again, they agree with the
tenant's at the latest when what was reserved is past its end, and were never short of what counts.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from uuid import uuid4

import httpx
import pytest

from scripts.faults.server import FaultyServer
from scripts.local.upstash import LocalUpstash
from shared.request.caller import read_key
from shared.store.keys import spending_key, tenant_key
from tests.budget_calls import reserve_for, settle, tokens, tokens_of, wait_until
from tests.months import keep_clear_of_the_end_of_the_month

LIFE_S, KEPT_S = 600, 86_400
WRITES_MAX = 40
FOR = {"user": "alice", "agent": "bot"}
QUESTION = {"items": [{"role": "user", "content": "Which gate does the flight leave from?"}], **FOR}
FOR_CALL = {"budget": 500, "reserve_output": 100, "reserve": True}
ANSWER = {"items": [{"role": "assistant", "content": "Gate 12."}], "usage": {"input_tokens": 60, "output_tokens": 20}}

Call = Callable[[], httpx.Response]
Seen = tuple[int, int, int]


class Books:
    """The books of a tenant, one of its users and one of its agents, who alone spend, and the clock they end by."""

    def __init__(self, api: httpx.Client, clock: LocalUpstash) -> None:
        self.api = api
        self.clock = clock

    def wait(self, seconds: int) -> None:
        self.clock.clock_shift_s += seconds

    def reserved(self, amount: int = 300) -> Any:
        return reserve_for(self.api, amount, **FOR).json()

    def seen(self) -> tuple[Seen, Seen, Seen]:
        """Return what the tenant, the user and the agent settled, reserved and used above that."""
        of = [tokens_of(self.api, "month", **{kind: name}) for kind, name in FOR.items()]
        return tokens(self.api, "month"), of[0], of[1]


class Operation(NamedTuple):
    """*prepare* gives the call, the same each time; what is settled, reserved and overrun *after* it."""

    prepare: Callable[[Books], Call]
    after: Seen


def reserving(books: Books) -> Call:
    books.reserved(700)
    books.wait(LIFE_S + 1)
    key = str(uuid4())
    return lambda: reserve_for(books.api, 600, **FOR, **{"idempotency-key": key})


def reserving_with_a_context(books: Books) -> Call:
    path, key = f"/v1/conversations/{books.api.post('/v1/conversations', json=QUESTION).json()['id']}", str(uuid4())
    books.reserved(700)
    books.wait(LIFE_S + 1)
    return lambda: books.api.post(f"{path}/context", json=FOR_CALL, headers={"idempotency-key": key})


def settling(books: Books) -> Call:
    made = books.reserved()
    return lambda: settle(books.api, made, 80)


def settling_above(books: Books) -> Call:
    made = books.reserved()
    return lambda: settle(books.api, made, 310)


def settling_late(books: Books) -> Call:
    made = books.reserved()
    books.wait(LIFE_S + 1)
    return lambda: settle(books.api, made, 80)


def settling_what_was_expired(books: Books) -> Call:
    made = books.reserved()
    books.wait(LIFE_S + 1)
    assert reserve_for(books.api, 2_000, **FOR).status_code == 429
    return lambda: settle(books.api, made, 80)


def releasing(books: Books) -> Call:
    path = f"/v1/reservations/{books.reserved()['id']}"
    return lambda: books.api.delete(path)


def releasing_late(books: Books) -> Call:
    path = f"/v1/reservations/{books.reserved()['id']}"
    books.wait(LIFE_S + 1)
    return lambda: books.api.delete(path)


def appending(books: Books) -> Call:
    path = f"/v1/conversations/{books.api.post('/v1/conversations').json()['id']}"
    body = {**ANSWER, "reservation": books.reserved()["id"]}
    return lambda: books.api.post(f"{path}/items", json=body)


def appending_with_a_context(books: Books) -> Call:
    path = f"/v1/conversations/{books.api.post('/v1/conversations').json()['id']}"
    body = {**ANSWER, "reservation": books.reserved()["id"], "context": {"budget": 500}}
    return lambda: books.api.post(f"{path}/items", json=body)


OPERATIONS = {
    "reserve": Operation(reserving, (0, 600, 0)),
    "context": Operation(reserving_with_a_context, (0, 115, 0)),
    "settle": Operation(settling, (80, 0, 0)),
    "settle above": Operation(settling_above, (310, 0, 10)),
    "settle late": Operation(settling_late, (80, 0, 80)),
    "settle expired": Operation(settling_what_was_expired, (80, 0, 80)),
    "release": Operation(releasing, (0, 0, 0)),
    "release late": Operation(releasing_late, (0, 0, 0)),
    "append": Operation(appending, (80, 0, 0)),
    "append with context": Operation(appending_with_a_context, (80, 0, 0)),
}


@pytest.fixture
def make_books(
    behind: Callable[..., httpx.Client], mint: Callable[[], str], run: Any, clock: LocalUpstash
) -> Iterator[Callable[[], Books]]:
    """Make the books of a fresh tenant, each of whose users and agents may use 1,000 tokens a month."""
    url, clients = behind().base_url, []

    def make() -> Books:
        key = mint()
        limits = ("limit:tokens-month", 10_000, "per-user:limit:tokens-month", 1_000)
        run("HSET", tenant_key(read_key(key).tenant), *limits, "per-agent:limit:tokens-month", 1_000)
        clients.append(httpx.Client(base_url=url, headers={"authorization": f"Bearer {key}"}, timeout=30))
        return Books(clients[-1], clock)

    yield make
    for client in clients:
        client.close()


def books_of(run: Any, books: Books) -> list[dict[str, str]]:
    """Return all that the store has in the books of user and agent."""
    tenant = read_key(books.api.headers["authorization"].removeprefix("Bearer ")).tenant
    names = [spending_key(tenant, kind, name) for kind, name in FOR.items()]
    return [dict(zip(*[iter(run("HGETALL", name))] * 2, strict=True)) for name in names]


def live_in(book: dict[str, str]) -> list[str]:
    return [name for name, value in book.items() if name.startswith("r:") and value.startswith("live")]


def ended_half_way(server: FaultyServer, make_books: Callable[[], Books], name: str) -> Iterator[tuple[Books, Call]]:
    """Yield books in which the call *name* was refused its first, second, … write, until it has no more."""
    for nth_write in range(1, WRITES_MAX):
        books = make_books()
        keep_clear_of_the_end_of_the_month(books.clock, 3 * LIFE_S)
        call = OPERATIONS[name].prepare(books)
        before = server.ended_half_way
        server.nth_write = lambda _, nth=nth_write: nth
        first = call()
        server.nth_write = None
        is_refused = server.ended_half_way > before
        assert (first.status_code != 200) == is_refused, first.text
        yield books, call
        if not is_refused:
            assert nth_write > 2
            return
    raise AssertionError("too many writes")


def counts(seen: Seen) -> int:
    """Return what of a limit that holds is used up."""
    settled, reserved, overrun = seen
    return settled - overrun + reserved


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_same_call_again_has_one_effect_in_all_books(
    server: FaultyServer, make_books: Callable[[], Books], run: Any, name: str
) -> None:
    for books, call in ended_half_way(server, make_books, name):
        between = books.seen()
        assert min(counts(between[1]), counts(between[2])) >= counts(between[0])
        again = call()

        assert again.status_code == 200, again.text
        wait_until(lambda: books.seen() == (OPERATIONS[name].after,) * 3)  # noqa: B023  # it is called here.
        left = 1_000 - OPERATIONS[name].after[0] - OPERATIONS[name].after[1]
        assert reserve_for(books.api, left + 1, **FOR).json()["violated-policies"] == ["user-tokens-month"]
        made = reserve_for(books.api, left, **FOR)
        assert made.status_code == 200
        assert books.api.delete(f"/v1/reservations/{made.json()['id']}").status_code == 200
        # What is live, and nothing else, is left; what only says that it was written down goes with what runs out.
        live = 1 if OPERATIONS[name].after[1] else 0
        assert [len(live_in(each)) for each in books_of(run, books)] == [live] * 2


@pytest.mark.parametrize("name", OPERATIONS)
def test_where_it_never_comes_again_the_books_agree_when_it_is_past_its_end(
    server: FaultyServer, make_books: Callable[[], Books], run: Any, name: str
) -> None:
    for books, _ in ended_half_way(server, make_books, name):
        between = books.seen()
        assert min(counts(between[1]), counts(between[2])) >= counts(between[0])
        books.wait(LIFE_S + 1)
        shown = books.seen()
        assert shown == (shown[0],) * 3
        assert shown[0][1] == 0
        # What was only shown is now written down, and shown alike.
        assert reserve_for(books.api, 0, **FOR).status_code == 200
        assert books.seen() == shown
        # Nothing is kept of it when the tenant keeps nothing more.
        for _ in range(3):
            books.wait(KEPT_S // 2)
            assert reserve_for(books.api, 0, **FOR).status_code == 200
        fields = books_of(run, books)
        assert [sum(field.startswith("r:") for field in each) for each in fields] == [1, 1], fields


def test_a_book_expires_whatever_write_of_it_is_refused(
    server: FaultyServer, make_books: Callable[[], Books], run: Any
) -> None:
    for books, call in ended_half_way(server, make_books, "settle"):
        assert call().status_code == 200
        tenant = read_key(books.api.headers["authorization"].removeprefix("Bearer ")).tenant
        for kind, name in FOR.items():
            assert 69 * 86_400 < run("TTL", spending_key(tenant, kind, name)) <= 70 * 86_400


def test_an_append_whose_permits_are_refused_appends_nothing_and_the_next_one_once(
    server: FaultyServer, make_books: Callable[[], Books], run: Any
) -> None:
    burst = 8
    for nth_write in range(1, WRITES_MAX):
        books = make_books()
        tenant = read_key(books.api.headers["authorization"].removeprefix("Bearer ")).tenant
        run("HSET", tenant_key(tenant), "per-user:rate", f"1 {burst}", "per-agent:rate", f"1 {burst}")
        path = f"/v1/conversations/{books.api.post('/v1/conversations', json=QUESTION).json()['id']}/items"
        body, same = {"items": QUESTION["items"]}, {"idempotency-key": str(uuid4())}
        before = server.ended_half_way
        server.nth_write = lambda _, nth=nth_write: nth
        first = books.api.post(path, json=body, headers=same)
        server.nth_write = None
        is_refused = server.ended_half_way > before
        again = books.api.post(path, json=body, headers=same)
        assert [first.status_code, again.status_code] == [503 if is_refused else 200, 200]
        assert len(books.api.get(path).json()["data"]) == 2
        rest = [books.api.post(path, json=body).status_code for _ in range(burst)].count(200)
        # What was refused half-way may have cost a permit, and never gives one.
        assert burst - 3 <= rest <= burst - 2
        if not is_refused:
            assert nth_write > 4
            return
    raise AssertionError("too many writes")
