"""With the real encoding: the chat messages that are sent count exactly what the answer says."""

import orjson
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from shared.context.fit import fit
from shared.context.render import render
from shared.context.units import fold
from shared.errors import ContextDoesNotFit
from tests.context_promises import recount
from tests.dialogues import to_log
from tests.logs import call, message, output
from tests.real_tokens import real_count

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


@settings(max_examples=150, deadline=None)
@given(st.lists(raws, max_size=12), st.integers(20, 300))
def test_the_count_is_that_of_the_messages(raw_items: list[Raw], budget: int) -> None:
    numbered = [{"id": f"item_{seq}", "status": "completed", **raw} for seq, raw in enumerate(raw_items)]
    try:
        selection = fit(fold(to_log(numbered, real_count)), budget)
    except ContextDoesNotFit:
        assume(False)
    messages = orjson.loads(render("chat", selection).members["messages"])

    assert recount(messages, real_count) == selection.tokens
