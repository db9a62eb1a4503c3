"""
Which tests run when instances have a cluster of Valkey as their store: `scripts/test --store cluster`.

Those that call an instance do, but for what is another store's: faults and counts of HTTP requests, a clock that a test
can shift, figures of one server. Tests that call no instance are left out: they would run as they always do.
"""

import inspect

import pytest

from tests.through_aws import is_calling, why

HTTP_FAULTS = "the faults are those of a store that speaks HTTP"
COUNTS = "it counts what reaches a store that speaks HTTP, or what one server runs"
OWN = "it has stores of its own, which speak HTTP"
CLOCK = "the clock of a cluster is the machine's"

FIXTURES = {
    "server": HTTP_FAULTS,
    "behind": HTTP_FAULTS,
    "tenant_behind": HTTP_FAULTS,
    "clock": CLOCK,
    "billed_commands": COUNTS,
    "full": COUNTS,
}
"""What a test asks for -> why it cannot run here."""

NOT_HERE = {
    "test_idempotency.py::test_what_the_store_client_sends_again_is_done_once*": HTTP_FAULTS,
    "test_closed.py::test_a_wrong_setting_closes_what_needs_it_and_nothing_else[UPSTASH*": "another store is named",
    "test_l1.py::*": OWN,
    "test_limits.py::test_a_conversation_over_half_a_record_is_compacted_whole": OWN,
    "test_limits.py::test_a_tag_of_a_lost_history_expects_nothing_of_the_true_one": "it copies across slots",
}
"""Tests -> why they cannot hold on a cluster. A star ends a name that others begin with."""


def select(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave in *items* those that can run."""
    left_out = [item for item in items if not _can_run(item)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in set(left_out)]


def _can_run(item: pytest.Item) -> bool:
    asked_for = set(getattr(item, "fixturenames", ()))
    itself = set(inspect.signature(getattr(item, "function", lambda: None)).parameters)
    return is_calling(item) and not FIXTURES.keys() & asked_for and "upstash" not in itself and not why(item, NOT_HERE)
