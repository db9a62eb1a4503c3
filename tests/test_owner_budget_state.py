"""
Budgets of a tenant, its users and its agents against a model of them: whatever is reserved, settled, released or left
to expire by several instances, in any order and however often repeated, all books are those of the model, and a grant
is refused exactly where a limit of one of them does not allow it.
"""

import asyncio
import time
from collections.abc import Iterator
from itertools import product
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from scripts.local.tenants import mint, set_limits
from scripts.local.upstash import LocalUpstash
from shared.budgets.amounts import Amount
from shared.budgets.reservations import Budgets
from shared.environment import read_settings
from shared.errors import AlreadySettled, BudgetExceeded
from shared.request.caller import make_key, read_key
from shared.request.owners import Owners
from shared.store.attempts import Attempt
from shared.store.upstash import Store
from tests.examples import examples

LIFE_S, DAY_S = 600, 86_400
NOT_KEYED = Attempt("0" * 48, "0" * 64, "", "", is_client_retry=False)
USERS, AGENTS = ("", "alice", "bob"), ("", "bot", "aide")
LIMITS = {
    ("tenant", "day"): 1_500,
    ("tenant", "month"): 4_000,
    ("user", "day"): 900,
    ("user", "month"): 2_000,
    ("agent", "day"): 1_000,
    ("agent", "month"): 2_200,
}
INSTANCES = 3
instances = st.integers(0, INSTANCES - 1)


class Model:
    """One reservation as it should be."""

    def __init__(self, owners: Owners, tokens: int, made_at_s: int) -> None:
        self.owners, self.tokens = owners, tokens
        self.ends_at_s, self.day = made_at_s + LIFE_S, made_at_s // DAY_S
        self.settled: int | None = None
        self.is_released = False

    def live_tokens(self, now_s: int) -> int:
        return 0 if self.is_released or self.settled is not None or now_s >= self.ends_at_s else self.tokens

    def is_of(self, kind: str, name: str) -> bool:
        return kind == "tenant" or getattr(self.owners, kind) == name


class Machine(RuleBasedStateMachine):
    """One tenant is enough: every name in the store holds the tenant."""

    upstash: LocalUpstash
    reservations = Bundle("reservations")

    @initialize()
    def begin(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.stores = [Store(read_settings()) for _ in range(INSTANCES)]
        self.budgets = [Budgets(store, read_settings()) for store in self.stores]
        key = make_key(f"t{uuid4().hex[:20]}")
        self.caller = read_key(key)
        self.run(mint(self.stores[0], key))
        limits: dict[str, str | None] = {
            f"{'' if kind == 'tenant' else f'per-{kind}:'}limit:tokens-{window}": str(limit)
            for (kind, window), limit in LIMITS.items()
        }
        self.run(set_limits(self.stores[0], self.caller.tenant, limits))
        self.known: dict[str, Model] = {}
        # The middle of a day and of a month, in whose halves all that follows happens.
        self.base_s = (int(time.time()) // DAY_S + 40) * DAY_S + DAY_S // 2
        self.base_s += (10 - time.gmtime(self.base_s).tm_mday) * DAY_S
        self.offset_s = 0
        self.shift()

    def run(self, coroutine: Any) -> Any:
        return self.loop.run_until_complete(coroutine)

    def shift(self) -> None:
        self.upstash.clock_shift_s = self.base_s + self.offset_s - time.time() + 0.001

    @property
    def now_s(self) -> int:
        return self.base_s + self.offset_s

    def sums(self, kind: str, name: str, window: str) -> tuple[int, int]:
        """Return what is settled and reserved."""
        mine = [
            each
            for each in self.known.values()
            if each.is_of(kind, name) and (window == "month" or each.day == self.now_s // DAY_S)
        ]
        return sum(each.settled or 0 for each in mine), sum(each.live_tokens(self.now_s) for each in mine)

    def over(self, owners: Owners, tokens: int) -> Iterator[str]:
        """Yield the policies that *tokens* more for *owners* would break, in the order in which they are looked at."""
        for kind, name in (("tenant", "x"), *owners._asdict().items()):
            for window in ("day", "month") if name else ():
                if sum(self.sums(kind, name, window)) + tokens > LIMITS[kind, window]:
                    yield f"{'' if kind == 'tenant' else f'{kind}-'}tokens-{window}"

    @rule(
        target=reservations,
        tokens=st.integers(0, 1_100),
        user=st.sampled_from(USERS),
        agent=st.sampled_from(AGENTS),
        at=instances,
    )
    def reserve(self, tokens: int, user: str, agent: str, at: int) -> Any:
        self.shift()
        owners, asked = Owners(user, agent), Amount(None, tokens, None, None)
        over = [*self.over(owners, tokens)]
        refused, made = None, None
        try:
            made = self.run(self.budgets[at].reserve(self.caller, NOT_KEYED, asked, owners))
        except BudgetExceeded as error:
            refused = error.extensions["violated-policies"]
        assert refused == (over[:1] or None)
        if made is None:
            return multiple()
        self.known[made.id] = Model(owners, tokens, self.now_s)
        return made.id

    @rule(name=reservations, tokens=st.integers(0, 1_200), at=instances)
    def settle(self, name: str, tokens: int, at: int) -> None:
        self.shift()
        model = self.known[name]
        held = model.live_tokens(self.now_s)
        try:
            done = self.run(self.budgets[at].settle(self.caller, name, Amount(None, tokens, None, None)))
        except AlreadySettled:
            assert model.settled not in (None, tokens)
            return
        assert model.settled in (None, tokens)
        if model.settled is None:
            assert done.overrun_tokens == max(0, tokens - held)
            model.settled = tokens

    @rule(name=reservations, at=instances)
    def settle_again(self, name: str, at: int) -> None:
        tokens = self.known[name].settled
        if tokens is not None:
            self.settle(name, tokens, at)

    @rule(name=reservations, at=instances)
    def release(self, name: str, at: int) -> None:
        self.shift()
        model = self.known[name]
        if self.run(self.budgets[at].release(self.caller, name)).status == "released":
            model.is_released = True

    @rule(name=reservations, tokens=st.integers(0, 500), at=instances)
    def keep(self, name: str, tokens: int, at: int) -> None:
        """Give back what is above *tokens*, as a context does that needed less."""
        self.shift()
        model = self.known[name]
        if model.live_tokens(self.now_s) >= tokens and model.live_tokens(self.now_s) == model.tokens:
            reservation = self.run(self.budgets[at].reserve(self.caller, NOT_KEYED, Amount(None, 0, None, None)))
            self.known[reservation.id] = Model(Owners(), 0, self.now_s)
            self.run(self.budgets[at].keep(self.caller, reservation._replace(id=name, tokens=tokens)))
            model.tokens = tokens

    @rule(seconds=st.sampled_from([1, 60, 599, 601, 6 * 3_600]))
    def wait(self, seconds: int) -> None:
        self.offset_s = min(self.offset_s + seconds, 4 * DAY_S)

    @invariant()
    def all_books_are_those_of_the_model(self) -> None:
        if not hasattr(self, "known"):
            return
        self.shift()
        books = [("tenant", "x"), *product(["user"], USERS[1:]), *product(["agent"], AGENTS[1:])]
        for at, (kind, name) in enumerate(books):
            of = () if kind == "tenant" else (kind, name)
            shown = self.run(self.budgets[at % INSTANCES].usage(self.caller, *of))
            for window in ("day", "month"):
                seen = shown[window]["tokens"]
                assert (seen["settled"], seen["reserved"]) == self.sums(kind, name, window)
                assert seen["limit"] == LIMITS[kind, window]

    def teardown(self) -> None:
        if hasattr(self, "loop"):
            for store in self.stores:
                self.run(store.close())
            self.loop.close()


@pytest.mark.usefixtures("clock")
def test_the_books_of_users_and_agents_are_those_of_a_model(upstash: LocalUpstash) -> None:
    machine = type("OwnMachine", (Machine,), {"upstash": upstash})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples(90),
            stateful_step_count=30,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
