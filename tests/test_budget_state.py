"""
Budgets against a model of them: whatever is reserved, settled, released or left to expire, in any order and however
often repeated, the counters are those of the model, and no grant ever breaks a limit.
"""

import asyncio
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
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
from shared.store.attempts import Attempt
from shared.store.upstash import Store
from tests.examples import examples

ROOT = Path(__file__).parents[1]
DAY_LIMIT, MONTH_LIMIT = 1_000, 2_500
LIFE_S, DAY_S = 600, 86_400
NOT_KEYED = Attempt("0" * 48, "0" * 64, "", "", is_client_retry=False)


class Model:
    """One reservation as it should be."""

    def __init__(self, tokens: int, made_at_s: int) -> None:
        self.tokens, self.ends_at_s, self.day = tokens, made_at_s + LIFE_S, made_at_s // DAY_S
        self.settled: int | None = None
        self.is_released = False

    def live_tokens(self, now_s: int) -> int:
        return 0 if self.is_released or self.settled is not None or now_s >= self.ends_at_s else self.tokens


class BudgetMachine(RuleBasedStateMachine):
    """One tenant is enough: every name in the store holds the tenant."""

    upstash: LocalUpstash
    reservations = Bundle("reservations")

    @initialize()
    def begin(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.store = Store(read_settings())
        self.budgets = Budgets(self.store, read_settings())
        key = make_key(f"t{uuid4().hex[:20]}")
        self.caller = read_key(key)
        self.run(mint(self.store, key))
        limits: dict[str, str | None] = {"limit:tokens-day": str(DAY_LIMIT), "limit:tokens-month": str(MONTH_LIMIT)}
        self.run(set_limits(self.store, self.caller.tenant, limits))
        self.known: dict[str, Model] = {}
        # The middle of a day and of a month, in whose halves all that follows happens.
        self.base_s = (int(time.time()) // DAY_S + 40) * DAY_S + DAY_S // 2
        month = time.gmtime(self.base_s)
        self.base_s += (10 - month.tm_mday) * DAY_S
        self.offset_s = 0
        self.shift()

    def run(self, coroutine: Any) -> Any:
        return self.loop.run_until_complete(coroutine)

    def shift(self) -> None:
        self.upstash.clock_shift_s = self.base_s + self.offset_s - time.time() + 0.001

    @property
    def now_s(self) -> int:
        return self.base_s + self.offset_s

    @rule(target=reservations, tokens=st.integers(0, 1_200))
    def reserve(self, tokens: int) -> Any:
        self.shift()
        live = sum(each.live_tokens(self.now_s) for each in self.known.values() if each.day == self.now_s // DAY_S)
        all_live = sum(each.live_tokens(self.now_s) for each in self.known.values())
        day = sum(each.settled or 0 for each in self.known.values() if each.day == self.now_s // DAY_S)
        month = sum(each.settled or 0 for each in self.known.values())
        fits = day + live + tokens <= DAY_LIMIT and month + all_live + tokens <= MONTH_LIMIT
        try:
            made = self.run(self.budgets.reserve(self.caller, NOT_KEYED, Amount(None, tokens, None, None)))
        except BudgetExceeded:
            assert not fits
            return multiple()
        assert fits
        self.known[made.id] = Model(tokens, self.now_s)
        return made.id

    @rule(name=reservations, tokens=st.integers(0, 1_500))
    def settle(self, name: str, tokens: int) -> None:
        self.shift()
        model = self.known[name]
        held = model.live_tokens(self.now_s)
        try:
            done = self.run(self.budgets.settle(self.caller, name, Amount(None, tokens, None, None)))
        except AlreadySettled:
            assert model.settled not in (None, tokens)
            return
        assert model.settled in (None, tokens)
        if model.settled is None:
            assert done.overrun_tokens == max(0, tokens - held)
            model.settled = tokens

    @rule(name=reservations)
    def settle_again(self, name: str) -> None:
        self.shift()
        tokens = self.known[name].settled
        if tokens is not None:
            done = self.run(self.budgets.settle(self.caller, name, Amount(None, tokens, None, None)))
            assert done.tokens == tokens

    @rule(name=reservations)
    def release(self, name: str) -> None:
        self.shift()
        model = self.known[name]
        state = self.run(self.budgets.release(self.caller, name)).status
        if model.settled is not None:
            assert state == "settled"
        elif self.now_s < model.ends_at_s or model.is_released:
            assert state == "released"
            model.is_released = True
        else:
            assert state == "expired"

    @rule(name=consumes(reservations))
    def crash(self, name: str) -> None:
        """Its owner never comes back."""

    @rule(seconds=st.sampled_from([1, 60, 599, 601, 6 * 3_600]))
    def wait(self, seconds: int) -> None:
        self.offset_s = min(self.offset_s + seconds, 4 * DAY_S)

    @invariant()
    def counters_are_those_of_the_model(self) -> None:
        if not hasattr(self, "known"):
            return
        self.shift()
        usage = self.run(self.budgets.usage(self.caller))
        for window, days in (("day", [self.now_s // DAY_S]), ("month", range(100_000))):
            mine = [each for each in self.known.values() if each.day in days]
            shown = usage[window]["tokens"]
            assert shown["settled"] == sum(each.settled or 0 for each in mine)
            assert shown["reserved"] == sum(each.live_tokens(self.now_s) for each in mine)

    def teardown(self) -> None:
        if hasattr(self, "loop"):
            self.run(self.store.close())
            self.loop.close()


@pytest.mark.usefixtures("clock")
def test_budgets_are_those_of_a_model(upstash: LocalUpstash) -> None:
    machine = type("Machine", (BudgetMachine,), {"upstash": upstash})
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


@pytest.mark.parametrize(
    "options",
    [("--operations", "1600", "--processes", "8"), ("--operations", "600", "--processes", "4", "--halfway")],
    ids=["whole", "halfway"],
)
def test_the_books_are_right_after_processes_raced_and_crashed(options: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.proving", "budgets", *options],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=120,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "The books are right." in done.stdout
