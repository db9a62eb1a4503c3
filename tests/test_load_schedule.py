"""Schedules: the same seed gives the same one, and it says what the trace says."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.proving.contexts.dialogues import read_dialogues
from scripts.proving.load.joined import joined_schedule
from scripts.proving.load.plan import DESIGNS, Options, order, pieces, short
from scripts.proving.load.schedule import ITEMS_MAX, Mix, Step, digest, schedule
from scripts.proving.load.texts import recorded
from scripts.proving.load.traces import Arrival, piece, read_trace
from scripts.proving.load.wire import Wire
from tests.examples import examples

ROOT = Path(__file__).parents[1]
TRACE = read_trace(ROOT / "tests" / "data" / "mooncake_conversation_thirds.jsonl")
DIALOGUES = read_dialogues(ROOT / "tests" / "data" / "tau_airline_12.jsonl")
PROGRAM = """
from tests.test_load_schedule import DIALOGUES, TRACE, drawn
print(*drawn(7))
"""


def drawn(seed: int) -> list[str]:
    """Return the names of all schedules of a plan."""
    options = short(60, Options(seed=seed))
    found = [digest(each.steps) for each in pieces(TRACE, options)]
    return [*found, digest(joined_schedule(DIALOGUES, 60, 3, seed))]


def test_a_short_form_keeps_the_stretches_that_were_asked_for() -> None:
    asked = short(330, Options(slices={1.0: 48.0, 3.0: 36.0}))

    assert asked.slices == {1.0: 48.0, 3.0: 36.0}
    assert asked.steps_max > short(60, Options()).steps_max
    assert short(60, Options()).slices == {10.0: 15.0}


def test_the_same_seed_gives_the_same_schedule_in_any_process() -> None:
    command = [sys.executable, "-c", PROGRAM]
    other = subprocess.run(
        command, cwd=ROOT, env={"PYTHONHASHSEED": "5"}, capture_output=True, text=True, check=True
    ).stdout.split()

    assert drawn(7) == other
    assert not set(drawn(8)) & set(other)


@settings(max_examples=examples(100), deadline=None)
@given(st.lists(st.tuples(st.integers(1, 130_000), st.integers(1, 2_000)), min_size=1, max_size=6))
def test_a_conversation_has_as_many_tokens_as_its_prompts(sizes: list[tuple[int, int]]) -> None:
    arrivals = [Arrival(30.0 * turn, *size, 0, turn) for turn, size in enumerate(sizes)]
    steps = schedule(arrivals, 1.0, 1)
    said = 0
    for step in steps:
        added = sum(piece.tokens for piece in step.pieces)
        assert len(step.pieces) <= ITEMS_MAX + 1
        if step.kind == "turn":
            now = arrivals[step.turn]
            before = arrivals[step.turn - 1] if step.turn else None
            expected = now.input_tokens if before is None else said + max(
                1, now.input_tokens - before.input_tokens - before.output_tokens
            )  # fmt: skip
            assert said + added == expected
        said += added


def test_requests_of_a_conversation_come_one_after_the_other() -> None:
    arrivals = piece(TRACE, 3, 100)
    steps = schedule(arrivals, 2.0, 3)
    kinds = Counter(each.kind for each in steps)
    of: dict[int, list[Step]] = {}
    for each in steps:
        of.setdefault(each.conversation, []).append(each)

    assert kinds["turn"] == kinds["reply"] == len(arrivals)
    assert kinds["create"] == len(of)
    assert 0 < kinds["reread"] < len(arrivals)
    for own in of.values():
        assert [each.kind for each in own if each.kind != "reread"] == ["create"] + ["turn", "reply"] * own[-1].turn + [
            "turn",
            "reply",
        ]


def test_a_speed_divides_all_times() -> None:
    arrivals = piece(TRACE, 3, 100)
    slow, fast = schedule(arrivals, 1.0, 3), schedule(arrivals, 10.0, 3)

    assert [each.at_s / 10 for each in slow] == [each.at_s for each in fast]
    assert [each.pieces for each in slow] == [each.pieces for each in fast]


def test_the_first_of_two_stretches_is_not_always_the_same_design() -> None:
    assert {order(0), order(1)} == {DESIGNS, DESIGNS[::-1]}


def test_texts_have_the_tokens_that_were_asked_for() -> None:
    from scripts.proving.contexts.real_tokens import real_count

    for number, tokens in [(0, 1), (5, 100), (77, 2_000), (3, 60_000)]:
        assert abs(real_count(recorded().text(number, tokens)) - tokens) <= 4 + tokens // 1_000


def test_a_document_is_mentioned_by_the_first_message_of_some_conversations() -> None:
    steps = schedule(TRACE[:100], 1.0, 1, Mix(document_share=0.5))
    mentioning = [each for each in steps if each.document]
    body = Wire(recorded(), 8_000).append(mentioning[0], "conv_1").body

    assert {(each.kind, each.turn) for each in mentioning} == {("turn", 0)}
    assert 20 < len(mentioning) < 70
    assert f"document:{mentioning[0].document}".encode() in body


def test_joined_dialogues_keep_their_calls_apart() -> None:
    steps = joined_schedule(DIALOGUES[:1], 400, 1, 1, at_once=1, length=3)
    messages = [message for step in steps if step.conversation == 0 for message in step.messages]
    calls = [call["id"] for message in messages for call in message.get("tool_calls") or []]
    by_dialogue = [{call for call in calls if call.endswith(f"_{number}")} for number in range(3)]

    assert all(by_dialogue)
    assert sum(map(len, by_dialogue)) == len(set(calls))
    assert [message["role"] for message in messages].count("system") == 1
    assert {each.kind for each in steps} == {"create", "turn"}


def test_long_conversations_begin_with_batches_that_an_append_may_have() -> None:
    begun = 200
    steps = joined_schedule(DIALOGUES, 20, 1, 1, at_once=2, length=12, begun=begun)
    wire = Wire(recorded(), 8_000)

    assert {each.kind for each in steps} == {"create", "reply", "turn"}
    for conversation in {each.conversation for each in steps}:
        own = [each for each in steps if each.conversation == conversation]
        ahead = [each for each in own if each.kind != "turn"]
        assert own[: len(ahead)] == ahead
        assert own[0].kind == "create"
        assert begun <= sum(len(each.messages) for each in ahead) < begun + 20
        assert all(wire.items(each) <= 100 for each in own)
        messages = [message for each in own for message in each.messages]
        assert messages[0]["role"] == "system"
        assert wire.entries(own[0]) == len(own[0].messages)
