"""
Whatever is made, changed, forked, imported and deleted, by whichever of two instances: lists by user and agent are what
a model says, and the sets behind them hold their conversations and no others.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import httpx
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from shared.store import keys
from tests.examples import examples
from tests.exports import pages_of, renamed, restore
from tests.half_way import check_indexes
from tests.swept import sweep

pytestmark = pytest.mark.usefixtures("fresh_crons")

EXAMPLES, STEPS = examples(75), 25
USERS, AGENTS = st.sampled_from([None, "anna", "berta"]), st.sampled_from([None, "x", "y"])
WHICH = st.integers(0, 1_000)
INSTANCES = st.integers(0, 1)


class Made(NamedTuple):
    """A conversation of the model."""

    id: str
    user: str | None
    agent: str | None


class Owned(RuleBasedStateMachine):
    apis: tuple[httpx.Client, httpx.Client]
    run: Callable[..., Any]
    tenant: str
    copies = 0

    def __init__(self) -> None:
        super().__init__()
        for each in self.apis[0].get("/v1/conversations", params={"limit": 100}).json()["data"]:
            assert self.apis[0].delete(f"/v1/conversations/{each['id']}").status_code == 200
        self.there: list[Made] = []
        self.made_at_us: dict[str, int] = {}

    def answer(self, instance: int, method: str, path: str, body: Any = None) -> Any:
        answer = self.apis[instance].request(method, f"/v1/conversations{path}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def take(self, told: dict[str, Any], user: str | None, agent: str | None) -> None:
        assert (told["user"], told["agent"]) == (user, agent)
        self.there.append(Made(told["id"], user, agent))
        created, micros = self.run("HMGET", keys.conversation_key(self.tenant, told["id"]), "c", "cu")
        self.made_at_us[told["id"]] = int(created) * 1_000_000 + int(micros or 0)

    @rule(instance=INSTANCES, user=USERS, agent=AGENTS)
    def make(self, instance: int, user: str | None, agent: str | None) -> None:
        body = {"user": user, "agent": agent, "items": [{"role": "user", "content": "hi"}]}
        self.take(self.answer(instance, "POST", "", body), user, agent)

    @precondition(lambda self: self.there)
    @rule(instance=INSTANCES, which=WHICH, changes=st.fixed_dictionaries({}, optional={"user": USERS, "agent": AGENTS}))
    def change(self, instance: int, which: int, changes: dict[str, str | None]) -> None:
        at = which % len(self.there)
        self.there[at] = self.there[at]._replace(**changes)  # type: ignore[arg-type]
        told = self.answer(instance, "POST", f"/{self.there[at].id}", {"metadata": {"k": "v"}, **changes})
        assert Made(told["id"], told["user"], told["agent"]) == self.there[at]

    @precondition(lambda self: self.there)
    @rule(instance=INSTANCES, which=WHICH, changes=st.fixed_dictionaries({}, optional={"agent": AGENTS}))
    def fork(self, instance: int, which: int, changes: dict[str, str | None]) -> None:
        source = self.there[which % len(self.there)]
        told = self.answer(instance, "POST", f"/{source.id}/fork", changes)
        self.take(told, source.user, changes.get("agent", source.agent))

    @precondition(lambda self: self.there)
    @rule(instance=INSTANCES, which=WHICH)
    def import_a_copy(self, instance: int, which: int) -> None:
        source = self.there[which % len(self.there)]
        Owned.copies += 1
        [page] = pages_of(self.apis[instance], source.id)
        self.take(restore(self.apis[instance], [renamed(page, f"conv_copy-{Owned.copies}")]), source.user, source.agent)

    @precondition(lambda self: self.there)
    @rule(instance=INSTANCES, which=WHICH)
    def delete(self, instance: int, which: int) -> None:
        gone = self.there.pop(which % len(self.there))
        self.answer(instance, "DELETE", f"/{gone.id}")

    @precondition(lambda self: self.there)
    @rule(instance=INSTANCES, which=WHICH)
    def compact(self, instance: int, which: int) -> None:
        each = self.there[which % len(self.there)]
        told = self.answer(instance, "POST", f"/{each.id}/compact")
        assert Made(told["id"], told["user"], told["agent"]) == each

    @precondition(lambda self: self.there)
    @rule(which=WHICH)
    def expire(self, which: int) -> None:
        """Let one be gone as what expires is: nobody has said so to the indexes."""
        gone = self.there.pop(which % len(self.there))
        self.run("DEL", keys.conversation_key(self.tenant, gone.id))
        self.run("ZADD", keys.activity_key(self.tenant, 0), 1_000_000, gone.id)
        name = keys.rows_key(self.tenant, 0)
        created, _, _, rest = self.run("HGET", name, gone.id).split(" ", 3)
        self.run("HSET", name, gone.id, f"{created} 60 1 {rest}")

    @rule()
    def look_at_all(self) -> None:
        self.settle()

    def settle(self) -> None:
        assert sweep(self.apis[0])["failed"] == 0
        check_indexes(self.run, self.tenant)

    def listed(self, instance: int, limit: int, **owners: str) -> list[Made]:
        found: list[Made] = []
        after: dict[str, str] = {}
        while True:
            query = {"limit": str(limit), **owners, **after}
            page = self.apis[instance].get("/v1/conversations", params=query).json()
            found += [Made(each["id"], each["user"], each["agent"]) for each in page["data"]]
            if not page["has_more"]:
                return found
            after = {"after": page["next_after"]}

    @invariant()
    def lists_are_as_the_model(self) -> None:
        newest = sorted(self.there, key=lambda each: (self.made_at_us[each.id], each.id), reverse=True)
        for user in ("anna", "berta"):
            for limit in (2, 100):
                assert self.listed(0, limit, user=user) == [each for each in newest if each.user == user]
        for agent in ("x", "y"):
            assert self.listed(1, 3, agent=agent) == [each for each in newest if each.agent == agent]
        both = [each for each in newest if (each.user, each.agent) == ("anna", "x")]
        assert self.listed(1, 2, user="anna", agent="x") == both
        assert sorted(self.listed(0, 100), key=str) == sorted(self.there, key=str)

    def teardown(self) -> None:
        self.settle()


def test_lists_by_user_and_agent_are_those_of_a_model(
    make_api: Callable[[], httpx.Client], run: Callable[..., Any], tenant: str
) -> None:
    Owned.apis, Owned.run, Owned.tenant = (make_api(), make_api()), staticmethod(run), tenant
    run_state_machine_as_test(
        Owned,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
            database=None,
        ),
    )
