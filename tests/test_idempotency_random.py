"""Each logical append is in the log exactly once, whatever is sent again, in whatever order and company."""

from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import httpx
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from tests.examples import examples

EXAMPLES, STEPS = examples(75), 25
COPIES = st.integers(1, 4)
WHICH = st.integers(0, 1_000)

numbers = count()
"""Keys are never used twice between the examples, which share a tenant."""


class Batch:
    """One logical append: its body, its key, the answer it was given."""

    def __init__(self, size: int, key: str) -> None:
        # Few different texts, so that different appends often have the same body.
        self.body = {"items": [{"role": "user", "content": f"text {n}"} for n in range(size)]}
        self.headers = {"idempotency-key": key} if key else {}
        self.answer = b""


class Appends(RuleBasedStateMachine):
    api: httpx.Client

    def __init__(self) -> None:
        super().__init__()
        self.url = f"/v1/conversations/{self.api.post('/v1/conversations').json()['id']}"
        self.keyed: list[Batch] = []
        self.newest: Batch | None = None
        self.live: list[str] = []

    def send(self, batch: Batch, **headers: str) -> httpx.Response:
        return self.api.post(f"{self.url}/items", json=batch.body, headers={**batch.headers, **headers})

    def accept(self, batch: Batch, answer: httpx.Response) -> None:
        """Take note of a batch that is sent for the first time."""
        assert answer.status_code == 200, answer.text
        batch.answer = answer.content
        self.live += [item["id"] for item in answer.json()["data"]]
        self.newest = batch

    def repeat(self, batch: Batch, answer: httpx.Response) -> None:
        assert (answer.status_code, answer.content) == (200, batch.answer)
        assert answer.headers["idempotency-replayed"] == "true"

    @rule(size=st.integers(1, 2), copies=COPIES)
    def append_with_a_key(self, size: int, copies: int) -> None:
        batch = Batch(size, f"key-{next(numbers)}")
        with ThreadPoolExecutor(copies) as threads:
            answers = list(threads.map(lambda _: self.send(batch), range(copies)))
        [first] = [each for each in answers if "idempotency-replayed" not in each.headers]
        self.accept(batch, first)
        self.keyed.append(batch)
        for each in answers:
            assert each.content == first.content

    @rule(size=st.integers(1, 2))
    def append_without_a_key(self, size: int) -> None:
        batch = Batch(size, "")
        self.accept(batch, self.send(batch))

    @precondition(lambda self: self.keyed)
    @rule(which=WHICH, retries=st.sampled_from(["0", "2"]))
    def send_any_key_again(self, which: int, retries: str) -> None:
        batch = self.keyed[which % len(self.keyed)]
        self.repeat(batch, self.send(batch, **{"x-stainless-retry-count": retries}))

    @precondition(lambda self: self.keyed)
    @rule(which=WHICH)
    def send_any_key_with_another_body(self, which: int) -> None:
        other = Batch(3, self.keyed[which % len(self.keyed)].headers["idempotency-key"])
        assert self.send(other).status_code == 422

    @precondition(lambda self: self.newest is not None and not self.newest.headers)
    @rule(retries=st.sampled_from(["1", "2"]))
    def retry_the_newest(self, retries: str) -> None:
        assert self.newest is not None
        self.repeat(self.newest, self.send(self.newest, **{"x-stainless-retry-count": retries}))

    @precondition(lambda self: self.live)
    @rule(which=WHICH)
    def delete_an_item(self, which: int) -> None:
        item = self.live.pop(which % len(self.live))
        headers = {"idempotency-key": f"key-{next(numbers)}"}
        for _ in range(2):
            assert self.api.delete(f"{self.url}/items/{item}", headers=headers).status_code == 200
        self.newest = None

    @rule()
    def change_the_metadata(self) -> None:
        assert self.api.post(self.url, json={"metadata": {"n": str(next(numbers))}}).status_code == 200
        self.newest = None

    def teardown(self) -> None:
        page: dict[str, Any] = self.api.get(f"{self.url}/items", params={"order": "asc", "limit": 100}).json()
        assert [item["id"] for item in page["data"]] == self.live[:100]
        assert page["has_more"] == (len(self.live) > 100)


def test_every_append_is_in_the_log_exactly_once(api: httpx.Client) -> None:
    checks = [HealthCheck.too_slow]
    Appends.api = api
    run_state_machine_as_test(
        Appends,
        settings=settings(
            max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None, suppress_health_check=checks, database=None
        ),
    )
