"""
The law of docs/dialects.md: what was appended in a format, and is asked for in it with room for all, is equal to it in
the format's normal form. Of requests that are drawn, tests/test_valid_out.py holds it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.proving.borders.law import Dialogue, in_each, outcome
from scripts.proving.contexts.dialogues import read_dialogues
from tests.dialogues import DIALOGUES
from tests.examples import examples

DATA = Path(__file__).parent / "data"
RECORDED = ("tau_airline_12", "swe_agent_marshmallow_1867")


def assert_comes_back(dialogue: Dialogue, cuts: Sequence[int] = ()) -> None:
    come_back, appended = outcome(dialogue, cuts)

    assert come_back == appended


@pytest.mark.parametrize("dialogue", DIALOGUES, ids=lambda each: f"{each.context_format}: {each.name}")
def test_every_shape_comes_back(dialogue: Dialogue) -> None:
    assert_comes_back(dialogue)


@pytest.mark.parametrize("dialogue", DIALOGUES, ids=lambda each: f"{each.context_format}: {each.name}")
def test_every_shape_comes_back_where_each_message_is_an_append(dialogue: Dialogue) -> None:
    assert_comes_back(dialogue, range(1, len(dialogue.messages)))


@st.composite
def joined(draw: st.DrawFn) -> Dialogue:
    """Dialogues one behind the other: ids of calls come again, and only the last may end with an open call."""
    context_format = draw(st.sampled_from(sorted({each.context_format for each in DIALOGUES})))
    own = [each for each in DIALOGUES if each.context_format == context_format]
    closed = [each for each in own if "open" not in each.name]
    chosen = [*draw(st.lists(st.sampled_from(closed), max_size=5)), draw(st.sampled_from(own))]
    messages = [message for each in chosen for message in each.messages]
    system = None if context_format == "chat" else chosen[0].system
    return Dialogue("", context_format, messages, system)


@given(joined())
@settings(max_examples=examples(200), deadline=None)
def test_dialogues_one_behind_the_other_come_back(dialogue: Dialogue) -> None:
    assert_comes_back(dialogue)


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_dialogues_come_back(name: str) -> None:
    for recorded in read_dialogues(DATA / f"{name}.jsonl"):
        for dialogue in in_each(recorded.messages):
            assert_comes_back(dialogue)


def _called(*ids: str) -> list[dict[str, Any]]:
    return [{"id": each, "type": "function", "function": {"name": "f", "arguments": "{}"}} for each in ids]


def test_results_stand_in_the_order_in_which_they_were_sent() -> None:
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": "two things"},
        {"role": "assistant", "content": None, "tool_calls": _called("c1", "c2")},
        {"role": "tool", "tool_call_id": "c2", "content": "second"},
        {"role": "tool", "tool_call_id": "c1", "content": "first"},
    ]
    for dialogue in in_each(messages):
        assert_comes_back(dialogue)
        assert_comes_back(dialogue, (1, 2, 3))


def test_what_stands_before_the_first_message_of_the_user_and_last_thoughts_are_not_there() -> None:
    greeted: list[dict[str, Any]] = [{"role": "assistant", "content": "Hello!"}, {"role": "user", "content": "hi"}]
    thought: list[dict[str, Any]] = [
        {"role": "user", "parts": [{"text": "q"}]},
        {"role": "model", "parts": [{"text": "a"}, {"text": "hm", "thought": True}]},
    ]

    assert outcome(Dialogue("", "chat", greeted))[0] == [
        {"role": "user", "content": [{"type": "text", "text": "hi"}]},
    ]
    assert outcome(Dialogue("", "gemini", thought))[0]["contents"][1]["parts"] == [{"text": "a"}]
    assert_comes_back(Dialogue("", "chat", greeted))
    assert_comes_back(Dialogue("", "gemini", thought))
