"""Short forms of results: where they are cut, what they count, and which results are shown so."""

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.proving.contexts.dialogues import counted_log, with_short_results
from scripts.proving.contexts.real_tokens import real_count
from shared.context.short_results import shortening_of, shown_short
from shared.items.counts import counts_of
from shared.items.item import Item
from shared.items.short import marker, result_text, saving, short_text, shortened
from shared.items.short_counts import forms_of, result_of
from shared.items.short_forms import LADDER
from shared.items.shown import NO_EXTRAS, Extras
from shared.items.traits import describe
from tests.examples import examples

WORDS = [
    "ERROR",
    "line 12:",
    "/usr/lib/x.py",
    "können",
    "結果は",
    "。",
    "…",
    '{"a":1,',
    "\n",
    "\n\n",
    "  ",
    "\t",
    "1234567",
    "don't",
    "🙂",
    "a/b//c",
    "-" * 20,
]
texts = st.lists(
    st.one_of(st.sampled_from(WORDS), st.text(st.characters(exclude_categories=["Cs"]), max_size=12)),
    min_size=20,
    max_size=160,
)


def output(text: str, item_id: str = "fco_1") -> dict[str, object]:
    return {"id": item_id, "type": "function_call_output", "call_id": "c1", "status": "completed", "output": text}


@settings(max_examples=examples(400), deadline=None)
@given(parts=texts, joint=st.sampled_from(["", " ", "\n"]), item_id=st.sampled_from(["fco_1a", "my-id_", "x9"]))
def test_each_form_counts_what_its_text_counts(parts: list[str], joint: str, item_id: str) -> None:
    text = joint.join(parts)
    item = output(text, item_id)
    result = result_of(item, NO_EXTRAS)
    if result is None:
        return
    assert "".join(result.cut.segments) == text
    assert sum(map(real_count, result.cut.segments)) == real_count(text)
    counts = counts_of(describe(item), real_count)
    for form in forms_of(result.cut, counts.label_tokens, real_count):
        short, extras = shortened(item, NO_EXTRAS, form)
        counted = counts_of(describe(short, extras), real_count)

        assert form.content_tokens == counted.content_tokens < counts.content_tokens
        assert counted.content_tokens - counts.label_tokens <= LADDER[-1]
        assert short["output"].startswith(text[: form.begin_chars] + "\n… ")
        assert short["output"].endswith(text[len(text) - form.end_chars :] if form.end_chars else item_id)
        assert form.left_out_tokens == real_count(text) - real_count(text[: form.begin_chars]) - (
            real_count(text[-form.end_chars :]) if form.end_chars else 0
        )


def test_forms_are_of_the_lengths_of_the_ladder() -> None:
    text = " ".join(f"Line {number} of what the tool said." for number in range(400))
    result = result_of(output(text), NO_EXTRAS)
    assert result is not None
    forms = forms_of(result.cut, 0, real_count)

    for length, form in zip(LADDER, forms, strict=False):
        assert 0.7 * length < form.content_tokens <= length
    assert len(forms) == sum(3 * length <= 2 * real_count(text) for length in LADDER)
    assert short_text(text, forms[0], "fco_1") == text[: forms[0].begin_chars] + "\n" + marker(
        forms[0].left_out_tokens, "fco_1"
    )


@pytest.mark.parametrize(
    "item",
    [
        {
            "type": "function_call_output",
            "output": [
                {"type": "input_text", "text": "a " * 99},
                {"type": "input_image", "image_url": "https://x/y.png"},
            ],
        },
        {"type": "shell_call_output", "output": [{"stdout": "a " * 99, "stderr": ""}]},
        {"type": "message", "role": "user", "content": "a " * 99},
        {"type": "function_call_output", "output": "short"},
    ],
)
def test_what_holds_more_than_text_has_no_short_form(item: dict[str, object]) -> None:
    assert result_of({"id": "x_1", "call_id": "c", **item}, NO_EXTRAS) is None


def test_texts_in_parts_are_one() -> None:
    parts = [{"type": "input_text", "text": "a b"}, {"type": "input_text", "text": "c"}]

    assert result_text({"type": "function_call_output", "output": parts}, NO_EXTRAS) == "a b\nc"


def log_of(results: int, tokens: int = 400) -> list[Item]:
    text = "word " * tokens
    normal: list[tuple[dict[str, Any], Extras, str]] = [
        (
            {"id": "msg_0", "type": "message", "role": "user", "content": [{"type": "input_text", "text": "Do."}]},
            NO_EXTRAS,
            "",
        )
    ]
    for at in range(results):
        call = {"id": f"fc_{at}", "type": "function_call", "call_id": f"c{at}", "name": "f", "arguments": "{}"}
        normal += [(call, NO_EXTRAS, ""), ({**output(text, f"fco_{at}"), "call_id": f"c{at}"}, NO_EXTRAS, "")]
    return counted_log(normal, real_count)


@pytest.mark.parametrize("results", range(1, 35))
def test_results_become_short_ten_at_a_time(results: int) -> None:
    shown = with_short_results(log_of(results, 100), 100_000)

    assert sum(item.left_out_tokens > 0 for item in shown) == max(0, 10 * ((results - 3) // 10))


def test_one_result_takes_a_quarter_of_the_room() -> None:
    log = log_of(2, 3_000)
    shown = with_short_results(log, 2_003)
    of_results = [item for item in shown if item.kind == "o"]

    assert all(item.content_tokens + item.overhead_tokens <= 500 for item in of_results)
    for item in of_results:
        text = orjson.loads(item.body)["output"]
        assert text.startswith("word word")
        assert text.endswith(" word ")
        assert "tokens left out; item fco_" in text


def test_a_tail_is_shown_as_the_whole_log_is() -> None:
    log = log_of(40)
    saved = sum(map(saving, log))
    shortening = shortening_of(reversed(log), 40, 9_000)
    whole = shown_short(log, log, shortening, saved, {})
    for start in (30, 61, 80):
        tail = shown_short(log[start:], log[start:], shortening, saved, {})

        assert tail == whole[start:]
