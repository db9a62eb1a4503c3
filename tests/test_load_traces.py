"""Traces: which requests continue which, what a stretch holds, what is refused."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.proving.load.traces import AZURE_HEADER, Arrival, Blocks, TraceError, joined, piece, read_trace, spread
from tests.examples import examples

DATA = Path(__file__).parent / "data"


def turns(*requests: Blocks) -> list[tuple[int, int]]:
    return [(each.conversation, each.turn) for each in joined(requests)]


def test_a_request_that_begins_with_all_blocks_of_another_continues_it() -> None:
    found = turns(
        Blocks(0, 1_200, 50, (0, 1, 2)),
        Blocks(1, 900, 50, (0, 8)),
        Blocks(9, 1_900, 50, (0, 1, 3, 4)),  # Block 2 was not full, and is another one now.
        Blocks(20, 2_400, 50, (0, 1, 3, 4, 5)),
    )

    assert found == [(0, 0), (1, 0), (0, 1), (0, 2)]


@pytest.mark.parametrize(
    "second",
    [
        Blocks(5, 2_000, 50, (0, 7, 2)),  # Another beginning; all have block 0.
        Blocks(5, 2_000, 50, (0, 1, 7, 8, 9)),  # Goes another way before the end.
        Blocks(5, 1_200, 50, (0, 1, 2)),  # The same again: nothing was said since.
    ],
)
def test_what_does_not_go_on_where_a_request_ended_is_a_conversation_of_its_own(second: Blocks) -> None:
    assert turns(Blocks(0, 1_900, 50, (0, 1, 2, 3)), second) == [(0, 0), (1, 0)]


def test_the_shipped_traces_are_read() -> None:
    mooncake = read_trace(DATA / "mooncake_conversation_thirds.jsonl")
    azure = read_trace(DATA / "azure_conv_2023_400.csv")

    assert len(mooncake) == 514
    assert 533 <= mooncake[-1].at_s < 537
    assert sum(each.turn > 0 for each in mooncake) == 102
    assert (len(azure), azure[0], {each.turn for each in azure}) == (399, Arrival(0.0, 374, 44, 0, 0), {0})


def test_requests_of_one_tick_are_spread_over_it_in_their_order() -> None:
    requests = [Blocks(at_s, 10 + number, 1, (0,)) for number, at_s in enumerate([0.0] * 9 + [3.0] + [6.0] * 5)]
    found = spread(requests)

    assert spread(requests) == found
    assert [each.input_tokens for each in found] == [each.input_tokens for each in requests]
    assert [each.at_s for each in found] == sorted({each.at_s for each in found})
    assert [sum(begin <= each.at_s < begin + 3 for each in found) for begin in (0, 3, 6)] == [9, 1, 5]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.jsonl", '{"timestamp": 1}\n', "a.jsonl, line 1"),
        ("b.jsonl", "", "b.jsonl holds no requests"),
        ("c.csv", f"{AZURE_HEADER}\nyesterday,1,2\n", "c.csv, line 2"),
        ("d.csv", f"{AZURE_HEADER}\n", "d.csv holds no requests"),
    ],
)
def test_what_is_no_trace_is_refused_by_its_line(tmp_path: Path, name: str, text: str, said: str) -> None:
    (tmp_path / name).write_text(text)

    with pytest.raises(TraceError, match=said):
        read_trace(tmp_path / name)


@settings(max_examples=examples(60), deadline=None)
@given(st.integers(0, 1_000), st.floats(1, 150))
def test_a_stretch_holds_whole_turns_from_its_begin_on(seed: int, seconds: float) -> None:
    found = piece(read_trace(DATA / "mooncake_conversation_thirds.jsonl"), seed, seconds)

    assert all(0 <= each.at_s < seconds for each in found)
    assert [each.at_s for each in found] == sorted(each.at_s for each in found)
    for conversation in {each.conversation for each in found}:
        own = [each.turn for each in found if each.conversation == conversation]
        assert own == list(range(len(own)))
