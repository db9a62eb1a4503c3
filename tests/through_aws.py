"""
A plugin of pytest: tests call the service as it is on Lambda. `scripts/test --through aws` loads it.

Each instance of a test is a front that makes events of requests, and calls in this process what Lambda would call
(scripts/aws/front.py). Who sends events goes round with the tests: by the name of a test, so that a run is like
another. Tests that call no instance are left out: they would run as they always do.
"""

import re
import zlib

import pytest

from scripts.aws.events import Sender
from scripts.aws.front import Front
from scripts.local.serving import quiet_server
from tests import instances

CALLING = frozenset({"service_url", "make_service", "behind"})
"""Fixtures that start an instance."""

STARTS = re.compile(r"\brunning_instance\b")
SENDERS = tuple(Sender)

SENT_WHOLE = "who sends events takes in a body before there is one, and gives up on it by its own bounds"
ONE_AT_A_TIME = "an instance has one invocation at a time; who comes meanwhile gets another instance"
OWN_DEADLINE = "Lambda says how long an invocation may run, not a setting"
OWN_IDS = "a request without an id has that of its invocation"
ONE_INSTANCE = "one instance has all functions, and one L1"
NOT_HELD = "no invocation stays open behind its answer"
ANSWERED_WHOLE = "an answer is sent as a whole or not at all: what is cut short is a problem"
NO_PLATFORM = "there is no platform that answers for paths that are not of the service"
ENCRYPTED = "it always comes by https"
TOO_LARGE = "Lambda takes answers of up to 6 MB, and this one has 9"

NOT_HERE = {
    "test_crons.py::test_a_cron_stops_before_the_platform_would_end_it": OWN_DEADLINE,
    "test_crons.py::test_warming_loads_the_hottest_into_the_store_and_into_the_conversations_instance": ONE_INSTANCE,
    "test_deadline.py::test_a_silent_store_is_given_up_before_the_platform_cuts*": OWN_DEADLINE,
    "test_deadline.py::test_a_body_that_does_not_come_is_given_up_too": SENT_WHOLE,
    "test_document_outages.py::test_a_large_document_that_is_another_one_by_now_is_not_mixed_with_it": ANSWERED_WHOLE,
    "test_document_outages.py::test_a_large_document_whose_rest_does_not_come_ends_before_its_length": ANSWERED_WHOLE,
    "test_document_tiers.py::test_while_the_store_is_away_an_instance_asks_once": ONE_AT_A_TIME,
    "test_document_tiers.py::test_while_the_store_is_away_who_comes_during_a_load_*": ONE_AT_A_TIME,
    "test_leftover.py::*": SENT_WHOLE,
    "test_log.py::test_an_id_that_will_not_do_is_replaced[None]": OWN_IDS,
    "test_metrics.py::test_an_outage_of_the_store_is_seen_when_it_is_over": NOT_HELD,
    "test_metrics.py::test_the_counts_of_two_instances_add_up": NOT_HELD,
    "test_metrics_hold.py::test_a_burst_is_counted_though_nothing_comes_after_it": NOT_HELD,
    "test_round_trips.py::test_a_large_conversation_costs_a_request_per_four_megabytes": TOO_LARGE,
    "test_spans.py::test_a_context_is_a_tree_of_what_was_done_for_it": ENCRYPTED,
    "test_strangers.py::test_a_body_that_does_not_come_ends_the_request_and_the_connection*": SENT_WHOLE,
    "test_strangers.py::test_strangers_at_work_are_few_and_the_others_get_their_turn": ONE_AT_A_TIME,
    "test_unrouted.py::test_files_and_paths_that_are_not_ours_are_the_platforms": NO_PLATFORM,
}
"""Tests -> why they cannot hold on Lambda. A star ends a name that others begin with."""

LARGE = "it takes bodies and answers of 1 MB"

NOT_BALANCED = {
    "test_api_bad_input.py::test_a_wrong_batch_is_refused_whole[items22-413-items[0]]": LARGE,
    "test_api_tokens.py::test_a_hostile_text_is_counted_or_refused*": LARGE,
    "test_neighbours.py::test_small_reads_do_not_wait_for_large_pages": LARGE,
    "test_strangers.py::test_a_body_that_comes_slowly_and_in_time_is_read": LARGE,
}
"""Tests -> why they cannot hold behind a load balancer; there a Function URL sends their events."""

_sender = Sender.FUNCTION_URL


def pytest_configure() -> None:
    instances.start_through = _start_front


def _start_front() -> instances.Served:
    front = Front(lambda: _sender)
    server = quiet_server(front, lifespan="off", http="h11", keep_alive_s=60)
    return instances.Served(server, front.close)


def pytest_runtest_setup(item: pytest.Item) -> None:
    global _sender  # noqa: PLW0603  # Fronts that outlive a test ask for that of the test.
    sender = SENDERS[zlib.crc32(item.nodeid.encode()) % len(SENDERS)]
    if sender is Sender.LOAD_BALANCER and why(item, NOT_BALANCED):
        sender = Sender.FUNCTION_URL
    _sender = sender


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    calling = [item for item in items if is_calling(item)]
    left_out = [item for item in items if item not in set(calling)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
    items[:] = calling
    for item in items:
        if reason := why(item, NOT_HERE):
            item.add_marker(pytest.mark.skip(reason=reason))


def is_calling(item: pytest.Item) -> bool:
    """Tell whether a test calls an instance."""
    return bool(CALLING & set(getattr(item, "fixturenames", ()))) or bool(STARTS.search(item.path.read_text()))


def _matches(name: str, pattern: str) -> bool:
    """Tell whether *name* begins like a *pattern* that ends with a star, or is it."""
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


def why(item: pytest.Item, reasons: dict[str, str]) -> str:
    """Return what *reasons* say of a test, "" for nothing."""
    name = item.nodeid.removeprefix("tests/")
    return next((reason for pattern, reason in reasons.items() if _matches(name, pattern)), "")
