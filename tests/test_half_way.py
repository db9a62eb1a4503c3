"""
A script that ends half-way leaves nothing half-done: it is refused each of its writes in turn, then called again.

After the refusal the tenant sees what it saw before, or what it would have seen; after the second call, with its
Idempotency-Key or as a client's retry, there is one effect, whole, and the indexes are in step.
"""

from collections.abc import Callable
from typing import Any

import pytest

from scripts.faults.server import FaultyServer
from tests.half_way import check_indexes, failures, tenant_seen
from tests.half_way_operations import OPERATIONS, begin

KEY = {"idempotency-key": "attempt"}
RETRY = {"x-stainless-retry-count": "1"}
HEADERS: tuple[tuple[dict[str, str], dict[str, str]], ...] = ((KEY, KEY), ({}, RETRY))
"""Of the first call and of the same again: by a key, and as a client's retry without one."""


@pytest.mark.parametrize("name", OPERATIONS)
def test_each_write_of_a_change_can_be_refused(
    name: str, tenant_behind: Callable[[], Any], server: FaultyServer, run: Callable[..., Any]
) -> None:
    operation = OPERATIONS[name]
    with tenant_behind() as (_, api, _):
        conversation = begin(api, operation.deleted)
        before = tenant_seen(api)
        operation.call(api, conversation, {})
        expected = tenant_seen(api)
    for first_headers, again_headers in HEADERS:
        for _ in failures(server, operation.script, asks_first=True):
            with tenant_behind() as (tenant, api, faulty):
                conversation = begin(api, operation.deleted)
                # The instance holds what was there before: of every tenant the same.
                assert api.get(f"/v1/conversations/{conversation}/items").status_code == 200
                first = operation.call(faulty, conversation, first_headers)
                between = tenant_seen(api)
                again = operation.call(faulty, conversation, again_headers)
                after = tenant_seen(api)
            assert first.status_code in (200, 503), first.text
            if first.status_code == 503:
                assert first.json()["outcome_unknown"] is True
                assert again.status_code in operation.again, again.text
                assert between in (before, expected)
                assert after == expected
                check_indexes(run, tenant)
