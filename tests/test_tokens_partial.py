"""A part of an encoding counts what it was made for as the whole does, and the whole is loaded once it pays."""

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiktoken import Encoding

from shared.errors import InvalidValue
from shared.process.pool import Pool
from shared.tokens.count import count_texts
from shared.tokens.counter import Counter
from shared.tokens.encodings import (
    ENCODINGS,
    PARTIAL_CHARS_MAX,
    PARTIAL_COUNTS_MAX,
    Encodings,
    load_encoding,
    load_partial_encoding,
)

LATIN = ["the", "conversation", "don't", "I'LL", "naïve", "Straße", "aaaaaaaaaaaaaaaa", "<|endoftext|>"]
OTHER = ["世界", "こんにちは", "안녕", "สวัสดี", "🙂", "👨\u200d👩\u200d👧", "٣٤", "\x00"]
MARKS = ["12345", "\r\n", "\n\n", "", "   ", "\t", "//", "!!\n", '{"a":[1,2]}', "https://example.com/?q=1", "______"]
WORDS = st.sampled_from([*LATIN, *OTHER, *MARKS])
TEXTS = st.lists(WORDS | st.text(max_size=20), max_size=20).map(" ".join)


@cache
def whole(name: str) -> Encoding:
    return load_encoding(name)


@pytest.mark.parametrize("name", ENCODINGS)
@settings(deadline=None)  # The first loads the whole.
@given(texts=st.lists(TEXTS, max_size=4))
def test_a_part_has_the_tokens_of_the_whole_for_its_texts(name: str, texts: list[str]) -> None:
    part = load_partial_encoding(name, texts)

    assert [part.encode_ordinary(text) for text in texts] == [whole(name).encode_ordinary(text) for text in texts]
    assert count_texts(part, texts) == count_texts(whole(name), texts)


@pytest.mark.parametrize("name", ENCODINGS)
def test_long_runs_that_are_cut_for_counting_have_the_same_count(name: str) -> None:
    for text in ("x" * 5_000, "好" * 3_000, " " * 8_000, "-=" * 2_000 + "7" * 500):
        assert count_texts(load_partial_encoding(name, [text]), [text]) == count_texts(whole(name), [text])


async def test_the_first_short_counts_do_not_load_the_encoding_and_the_later_ones_do_not_wait_for_it() -> None:
    encodings = Encodings(Pool(2))
    counter = Counter(encodings, Pool(2))

    for _ in range(PARTIAL_COUNTS_MAX):
        assert await counter.count("cl100k_base", ["hello world"]) == [2]
    await encodings.settle()
    assert not encodings.is_loaded("cl100k_base")

    assert await counter.count("cl100k_base", ["hello world"]) == [2]
    await encodings.settle()
    assert encodings.is_loaded("cl100k_base")


async def test_a_long_text_is_counted_by_the_whole() -> None:
    encodings = Encodings(Pool(2))

    await encodings.get_for("cl100k_base", ["x" * PARTIAL_CHARS_MAX, "x"])

    assert encodings.is_loaded("cl100k_base")


async def test_an_unknown_encoding_is_refused_by_name_before_anything_is_read() -> None:
    with pytest.raises(InvalidValue, match="gpt2"):
        await Encodings(Pool(2)).get_for("gpt2", ["text"])
