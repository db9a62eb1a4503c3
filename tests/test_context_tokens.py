"""With the real encoding: the chat messages that are sent count exactly what the answer says."""

import orjson
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from scripts.proving.contexts.dialogues import to_log
from scripts.proving.contexts.promises import recount
from scripts.proving.contexts.real_tokens import real_count
from shared.context.fit import fit
from shared.context.format_rules import CHAT
from shared.context.render import render
from shared.context.units import fold
from shared.context.whole import whole_of
from shared.errors import ContextDoesNotFit
from tests.examples import examples
from tests.logs import call, characters, item_id, message, output
from tests.messages import log_of, read

Raw = dict[str, object]
words = st.one_of(
    st.text(max_size=30), st.sampled_from(["<|endoftext|>", "Grüße 👩‍👩‍👧‍👦", "日本語のテキスト", " \n\n "])
)
raws = st.one_of(
    st.builds(message, st.sampled_from(["user", "assistant", "system", "developer"]), st.lists(words, max_size=3)),
    st.builds(message, st.just("user"), st.lists(words, max_size=2), words),
    st.builds(call, words, words, st.booleans()),
    st.builds(output, words, words, st.booleans()),
)


@settings(max_examples=examples(150), deadline=None)
@given(st.lists(raws, max_size=12), st.integers(20, 300))
def test_the_count_is_that_of_the_messages(raw_items: list[Raw], budget: int) -> None:
    numbered = [{"id": item_id(raw, seq), "status": "completed", **raw} for seq, raw in enumerate(raw_items)]
    try:
        selection = fit(fold(to_log(numbered, real_count)), budget)
    except ContextDoesNotFit:
        assume(False)
    messages = orjson.loads(render("chat", selection).members["messages"])

    assert recount(messages, real_count) == selection.tokens


pictures = st.builds(
    lambda url, detail: {"type": "input_image", "image_url": url, "detail": detail},
    st.sampled_from(["https://example.com/a.png", "data:image/gif;base64,R0lGODlhAAQAAoAAAP///wAAACw="]),
    st.sampled_from(["low", "high", "auto", "original"]),
)
said = st.builds(
    lambda role, parts: {"type": "message", "role": role, "content": parts},
    st.sampled_from(["user", "user", "assistant"]),
    st.lists(st.one_of(pictures, words.map(lambda text: {"type": "input_text", "text": text})), max_size=3),
)


@settings(max_examples=examples(150), deadline=None)
@given(st.lists(st.one_of(raws, said), min_size=1, max_size=8))
def test_it_is_the_count_of_the_same_messages_when_they_come_in(raw_items: list[Raw]) -> None:
    numbered = [{"id": item_id(raw, seq), "status": "completed", **raw} for seq, raw in enumerate(raw_items)]
    selection = fit(fold(to_log(numbered, characters)), 10**6)
    messages = orjson.loads(render("chat", selection).members["messages"])
    assume(messages)

    assert whole_of(log_of(read("chat", messages)), CHAT).tokens == selection.tokens
