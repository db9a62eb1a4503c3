"""Items are checked on the event loop, but for what it would wait for: pydantic's import, and large batches."""

import sys
from threading import get_ident
from typing import Any

import httpx
import pytest

from shared.items.checking import SHAPES, run_checks
from shared.items.given import Given, count_given
from shared.items.normalize import normalize_items
from shared.process.pool import Pool

PLAIN = {"role": "user", "content": "a"}
UNUSUAL = {"type": "local_shell_call", "call_id": "c", "action": {"type": "exec", "command": ["ls"], "env": {}}}


@pytest.fixture
def not_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, SHAPES, raising=False)


@pytest.mark.usefixtures("not_imported")
async def test_only_the_first_item_that_is_checked_by_its_shape_leaves_the_loop() -> None:
    pool, threads = Pool(1), list[int]()

    async def check(*items: dict[str, Any], is_large: bool = False) -> list[bool]:
        def checks() -> None:
            threads.append(get_ident())
            normalize_items(list(items), str)

        threads.clear()
        await run_checks(pool, is_large, checks)
        return [thread == get_ident() for thread in threads]

    assert await check(PLAIN) == [True]
    assert await check({**PLAIN, "id": "a"}, UNUSUAL) == [True, False]
    assert await check(UNUSUAL) == [True]
    assert await check(PLAIN, is_large=True) == [False]


@pytest.mark.usefixtures("not_imported")
def test_what_is_checked_again_has_the_ids_that_its_replay_has(api: httpx.Client) -> None:
    path = f"/v1/conversations/{api.post('/v1/conversations', json={}).json()['id']}/items"
    first, again = (
        api.post(path, json={"items": [PLAIN, UNUSUAL]}, headers={"idempotency-key": "once"}) for _ in range(2)
    )

    assert again.headers["idempotency-replayed"] == "true"
    assert first.json() == again.json()
    assert [each["id"] for each in api.get(path, params={"order": "asc"}).json()["data"]] == [
        each["id"] for each in first.json()["data"]
    ]


@pytest.mark.parametrize(
    ("value", "count"),
    [
        (None, 0),
        ({"role": "user"}, 0),
        ([PLAIN, UNUSUAL, 1], 2),
        ([{"role": "user", "content": []}, {"role": "user", "content": [{"type": "text", "text": "a"}]}], 2),
        ([{"role": "assistant", "content": "a", "tool_calls": [{}] * 100}], 100),
        ([{"role": "model", "parts": [{"text": "a"}, {"functionCall": {}}]}], 2),
    ],
)
def test_parts_and_calls_of_a_message_are_counted_as_items(value: object, count: int) -> None:
    assert count_given(Given(value)) == count
