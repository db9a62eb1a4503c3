"""
The logs that validators judge: each is one that append accepts, and together they hold all there is. The requests of
each dialect are accepted by the validators, which so see much that is right.
"""

import pytest
from hypothesis import given, settings

from scripts.proving.borders.items import TYPES, Raw, logs, stored
from scripts.proving.borders.requests import anthropic_requests, as_dumped, chat_requests, gemini_requests
from scripts.proving.providers import anthropic, chat, gemini
from shared.items.types import ITEM_TYPES
from tests.examples import examples

REQUESTS = {
    "chat": (chat_requests(), chat.faults),
    "anthropic": (anthropic_requests(), anthropic.faults),
    "gemini": (gemini_requests(), gemini.faults),
}


def test_there_are_items_of_every_type() -> None:
    assert TYPES.keys() == ITEM_TYPES.keys()


@pytest.mark.parametrize("name", TYPES)
def test_items_of_each_type_are_accepted(name: str) -> None:
    @settings(max_examples=30, deadline=None)
    @given(TYPES[name])
    def check(raw: Raw) -> None:
        [item] = stored([raw])

        assert item["type"] == name == raw["type"]

    check()


@settings(max_examples=examples(100), deadline=None)
@given(logs())
def test_logs_are_accepted(log: list[Raw]) -> None:
    assert [item["type"] for item in stored(log)] == [raw["type"] for raw in log]


@pytest.mark.parametrize("name", REQUESTS)
def test_requests_of_each_dialect_are_what_its_provider_takes(name: str) -> None:
    requests, faults = REQUESTS[name]

    @settings(max_examples=examples(100), deadline=None)
    @given(requests)
    def check(request: Raw) -> None:
        assert faults(request) == []

    check()


def test_a_reply_that_was_dumped_has_nulls() -> None:
    said = {"role": "assistant", "content": "Hi"}

    [dumped] = as_dumped({"messages": [said]})["messages"]

    assert said.items() <= dumped.items()
    assert dumped["tool_calls"] is None
