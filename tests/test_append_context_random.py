"""
An append with a context is an append, and a context right after it: whatever the log holds, whoever else writes, and
however much of it the instance holds.
"""

from collections.abc import Callable
from typing import Any

import httpx
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from tests.examples import examples
from tests.logs import calls, hosted, messages, outputs, reasoning, rounds

EXAMPLES, STEPS, INSTANCES = examples(75), 15, 3
WHO = st.integers(0, INSTANCES - 1)
WHICH = st.integers(0, 1_000)
LOOSE = st.one_of(messages, messages, calls, outputs, reasoning, hosted).map(lambda raw: [raw])
BATCHES = st.lists(st.one_of(LOOSE, rounds()), min_size=1, max_size=4).map(
    lambda episodes: [raw for episode in episodes for raw in episode]
)
WANTED = st.fixed_dictionaries(
    {
        "budget": st.one_of(st.integers(20, 300), st.integers(300, 3_000)),
        "format": st.sampled_from(["items", "chat", "anthropic", "text"]),
    },
    optional={
        "model": st.sampled_from(["gpt-4o", "gpt-4"]),
        "stable_prefix": st.booleans(),
        "overhead_tokens": st.integers(0, 10),
    },
)


class Turns(RuleBasedStateMachine):
    instances: list[httpx.Client]

    def __init__(self) -> None:
        super().__init__()
        answer = self.instances[0].post("/v1/conversations", json={"items": []})
        self.path = f"/v1/conversations/{answer.json()['id']}"
        self.live: list[str] = []
        self.number = 0

    def post(self, who: int, path: str, body: dict[str, Any], headers: dict[str, str] | None = None) -> httpx.Response:
        answer = self.instances[who].post(self.path + path, json=body, headers=headers)
        assert answer.status_code in (200, 400, 422), answer.text
        return answer

    def learn(self, answer: httpx.Response) -> None:
        if answer.status_code == 200:
            self.live += [each["id"] for each in answer.json()["data"]]

    @rule(who=WHO, items=BATCHES, wanted=WANTED, is_keyed=st.booleans())
    def take_a_turn(self, who: int, items: list[dict[str, Any]], wanted: dict[str, Any], is_keyed: bool) -> None:
        self.number += 1
        headers = {"idempotency-key": f"{self.path}-{self.number}"} if is_keyed else {}
        body = {"items": items, "context": wanted}
        answer = self.post(who, "/items", body, headers)
        self.learn(answer)
        if answer.status_code != 200:
            return
        for each in range(INSTANCES):
            self.check(answer.json()["context"], self.post(each, "/context", wanted))
        if is_keyed:
            again = self.post((who + 1) % INSTANCES, "/items", body, headers)
            assert again.headers["idempotency-replayed"] == "true"
            assert again.json() == answer.json()

    def check(self, context: dict[str, Any], read: httpx.Response) -> None:
        if "error" not in context:
            assert context == read.json()
            return
        error, problem = context["error"], read.json()
        assert read.status_code == error["status"]
        assert {name: error[name] for name in problem["error"]} == problem["error"]
        assert error.get("needed_tokens") == problem.get("needed_tokens")

    @rule(who=WHO, items=BATCHES)
    def append(self, who: int, items: list[dict[str, Any]]) -> None:
        self.learn(self.post(who, "/items", {"items": items}))

    @rule(who=WHO, wanted=WANTED)
    def read(self, who: int, wanted: dict[str, Any]) -> None:
        self.post(who, "/context", wanted)

    @precondition(lambda self: self.live)
    @rule(who=WHO, which=WHICH)
    def delete(self, who: int, which: int) -> None:
        item_id = self.live.pop(which % len(self.live))
        assert self.instances[who].delete(f"{self.path}/items/{item_id}").status_code == 200

    @precondition(lambda self: self.live)
    @rule(who=WHO, which=WHICH)
    def summarise(self, who: int, which: int) -> None:
        self.post(who, "/summary", {"through": self.live[which % len(self.live)], "text": "so far"})

    @rule(who=WHO)
    def compact(self, who: int) -> None:
        self.post(who, "/compact", {})


def test_a_turn_is_an_append_and_the_context_after_it(make_api: Callable[[], httpx.Client]) -> None:
    Turns.instances = [make_api() for _ in range(INSTANCES)]
    run_state_machine_as_test(
        Turns,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
