"""
Promise (h): whatever was appended, what is answered is accepted by the rules of the provider that it is for, it counts
what it says, and nothing is lost without being named. In all formats, of logs of every item type in every order and of
requests in each dialect, for which the law of docs/dialects.md holds as well.

`scripts/prove borders` does the same with 20,000 logs; here are 320, and all 2,000 where EXAMPLES is 1.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from scripts.proving.borders.command import Options, chunks
from scripts.proving.borders.conversation import Conversation, log_of
from scripts.proving.borders.drawing import SOURCES, Drawn
from scripts.proving.borders.kept import is_all_there
from scripts.proving.borders.law import in_each
from scripts.proving.borders.promise import broken
from scripts.proving.borders.report import Report, of_drawn, of_recorded
from scripts.proving.contexts.counting import NOT_ITS_TEXT, counted
from scripts.proving.contexts.dialogues import folded, read_dialogues
from scripts.proving.contexts.real_tokens import real_count
from shared.context.fit import fit
from shared.context.render import FORMATS, render
from shared.items.item import Item
from tests.examples import examples

DATA = Path(__file__).parent / "data"
LOGS = {"items": examples(1_000)}
OTHERS = examples(200)
ROOM = 10**9


@pytest.mark.parametrize("source", SOURCES)
def test_what_is_sent_is_accepted_counted_and_whole(source: str) -> None:
    report = of_drawn(source, 0, LOGS.get(source, OTHERS), real_count)

    assert report.violations == []
    assert report.logs > 0
    assert bool(report.dialogues) == (source in ("chat", "anthropic", "gemini"))


def test_recorded_dialogues_are_accepted_counted_and_whole() -> None:
    [first, *_] = read_dialogues(DATA / "tau_airline_12.jsonl")

    report = of_recorded(list(in_each(first.messages)), real_count)

    assert report.violations == []
    assert report.dialogues == 2 * 3  # At once and message by message, in each dialect.


PICTURE = {"type": "input_image", "image_url": "https://a.example/b"}
ITEMS: list[dict[str, Any]] = [
    {"role": "user", "content": [{"type": "input_text", "text": "hello"}, PICTURE]},
    {"type": "function_call", "call_id": "c1", "name": "f", "arguments": '{"city":"Rome"}'},
    {"type": "function_call_output", "call_id": "c1", "output": "sunny"},
    {"role": "assistant", "content": "It is sunny."},
]


def items_of(*items: Mapping[str, Any]) -> list[Item]:
    return log_of(Conversation([{"items": list(items)}]), real_count)


@pytest.mark.parametrize("context_format", FORMATS)
@pytest.mark.parametrize("lost", ["hello", "a.example", "Rome", "sunny", "It is"])
def test_what_is_lost_is_found(context_format: str, lost: str) -> None:
    selection = fit(folded(items_of(*ITEMS), context_format), ROOM)
    rendering = render(context_format, selection)
    spoilt = {name: value.replace(lost.encode(), b"nothing") for name, value in rendering.members.items()}

    named = set(rendering.unsupported)
    assert list(is_all_there(context_format, selection.items, rendering.members, named)) == []
    # As a text, the message with the picture is named: something of it is lost, and that may be anything.
    is_named = context_format == "text" and lost in ("hello", "a.example")
    assert bool(list(is_all_there(context_format, selection.items, spoilt, named))) != is_named


@pytest.mark.parametrize("context_format", FORMATS)
def test_a_count_of_something_else_is_found(context_format: str) -> None:
    selection = fit(folded(items_of(*ITEMS), context_format), ROOM)
    members = render(context_format, selection).members
    longer = {name: value.replace(b"hello", b"hello, and good morning") for name, value in members.items()}

    assert counted(selection, members, real_count) == selection.tokens
    recounted = counted(selection, longer, real_count)
    assert recounted == NOT_ITS_TEXT if context_format == "text" else recounted > selection.tokens


def test_what_is_refused_counted_wrongly_or_not_rendered_is_told_with_an_example(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    [user, *rest] = items_of(*ITEMS)
    wrong = user._replace(content_tokens=1, body=user.body.replace(b'"hello"', b'"  "'), differences={})
    unreadable = user._replace(body=b"{}")

    kinds = {each.kind for log in ([wrong, *rest], [unreadable, *rest]) for each in broken(log, ROOM, real_count)}

    assert {"counted wrongly", "not rendered"} <= kinds


def test_the_smallest_example_of_each_finding_is_kept() -> None:
    first, second = Report(logs=1), Report(logs=2)
    [found, *_] = broken([items_of(*ITEMS)[0]._replace(body=b"{}")], ROOM, real_count)
    for report, shown in ((first, "longer"), (second, "short")):
        report.broken[found] += 1
        report.smallest[found] = shown

    first.merge(second)

    assert (first.logs, first.broken[found]) == (3, 2)
    [violation] = first.violations
    assert violation.endswith("(2 logs), e.g. short")


def test_all_logs_are_shared_out_and_none_is_drawn_twice() -> None:
    drawn = list(chunks(Options(logs=2_000, seed=3)))

    assert sum(chunk.logs for chunk in drawn) == 2_000
    assert {chunk.source for chunk in drawn} == SOURCES.keys()
    assert len({chunk.seed for chunk in drawn}) == len(drawn)
    assert {chunk.seed for chunk in drawn}.isdisjoint(chunk.seed for chunk in chunks(Options(logs=2_000, seed=4)))


def test_the_same_seed_draws_the_same() -> None:
    first, second = (of_drawn("chat", 7, 5, real_count) for _ in range(2))

    assert first == second


def test_a_log_that_cannot_be_appended_is_a_finding_and_not_the_last() -> None:
    report = Report()
    for batch in ({"items": [{"type": "message", "role": "nobody"}]}, {"items": ITEMS}):
        report.hold(Drawn(Conversation([batch])), real_count)

    assert report.logs == 2
    [violation] = report.violations
    assert violation.startswith("append: not appended: InvalidValue")
