"""Counts are those of plain tiktoken for every text, and exist for texts that it cannot take."""

import re
import unicodedata
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiktoken import Encoding

from shared.errors import TextNotCountable
from shared.tokens import cuts
from shared.tokens.count import STRETCH_CHARS_MAX, count_steps, count_text, count_texts
from shared.tokens.encodings import DATA, DEFINITIONS, load_encoding
from shared.tokens.vocabulary import read_ranks
from tests.examples import examples

loaded = cache(load_encoding)
every_encoding = pytest.mark.parametrize("encoding", DEFINITIONS, indirect=True)


@pytest.fixture(scope="module")
def encoding(request: pytest.FixtureRequest) -> Encoding:
    """An encoding, loaded where a test needs it: every process of a run imports this file."""
    return loaded(str(request.param))


# What the patterns of the encodings treat each in its own way, and what sits at the edges of those sets.
ATOMS = [
    *("a", "z", "A", "Z", "hello", " world", "é", "É", "ß", "Ж", "ж", "Ω"),  # cased letters
    *("ǅ", "ʰ", "ª", "ก", "क", "𝐀", "𠀀", "好", "の", "ア", "한"),  # letters of other kinds
    *("\u0301", "\ufe0f", "ี", "्"),  # marks
    *(" ", "  ", "   ", "\t", "\u3000", "\xa0", "\x85", "\u2028", "\x0b", "\x0c", "\x1c"),
    *("\n", "\n\n", "\r\n", "\r", " \n", "\n ", "/\n", "\n/"),
    *("'", "'s", "'S", "'t", "'re", "'ll", "'lL", "'ſ", "’s"),
    *("1", "12", "123", "1234", "٣", "½", "Ⅷ", "ⓐ"),
    *("!", "!!", ".", "/", "//", "*/", "_", "-", "{", '"', "、", "。", "「", "…", "<|endoftext|>"),
    *("❤", "❤️", "👨", "👨‍👩‍👧", "🔥", "🇦", "\u200d", "\ue000", "\u0378", "\ufeff", "\uffff", "\x00"),
]


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Sequences of few different atoms, with runs longer than a window."""
    atoms = st.sampled_from(draw(st.lists(st.sampled_from(ATOMS), min_size=1, max_size=6)))
    words = st.lists(atoms, max_size=20).map("".join)
    runs = st.builds(lambda atom, times: atom * times, atoms, st.sampled_from([2, 3, 7, 60, 400]))
    return "".join(draw(st.lists(words | runs, max_size=8)))


def plain_count(encoding: Encoding, text: str) -> int:
    return len(encoding.encode(text, disallowed_special=()))


@every_encoding
@settings(max_examples=examples(400), deadline=None)
@given(text=texts(), piece_chars=st.sampled_from([2, 3, 5, 8, 13, 40, 300]))
def test_a_text_counts_as_in_tiktoken(encoding: Encoding, text: str, piece_chars: int) -> None:
    assert plain_count(encoding, text) == count_text(encoding, text, piece_chars=piece_chars)


@every_encoding
@settings(max_examples=examples(300), deadline=None)
@given(text=st.text(st.characters(exclude_categories=["Cs"])), piece_chars=st.integers(1, 20))
def test_any_characters_count_as_in_tiktoken(encoding: Encoding, text: str, piece_chars: int) -> None:
    assert plain_count(encoding, text) == count_text(encoding, text, piece_chars=piece_chars)


@every_encoding
def test_each_character_counts_as_in_tiktoken_among_others(encoding: Encoding) -> None:
    """Every 29th character, and not every one, only for time."""
    for code in range(0, 0x110000, 29):
        if not 0xD800 <= code < 0xE000:
            text = "a{0} {0}\n{0}!{0}1{0}{0}好".format(chr(code))

            assert plain_count(encoding, text) == count_text(encoding, text, piece_chars=2), hex(code)


@every_encoding
def test_special_tokens_count_as_plain_text(encoding: Encoding) -> None:
    assert count_texts(encoding, ["<|endoftext|>", "", "a<|endofprompt|>b"]) == [
        plain_count(encoding, text) for text in ("<|endoftext|>", "", "a<|endofprompt|>b")
    ]
    assert count_text(encoding, "<|endoftext|>") > 1


MILLION = 1_000_000
UNIFORM = {
    "letters": "a" * MILLION,
    "alternating case": "aA" * (MILLION // 2),
    "ideographs": "好" * (4 * MILLION // 3),
    "prose in ideographs": "我们今天去吃饭，然后回家。" * (4 * MILLION // 39),
    "emoji families": "👨‍👩‍👧‍👦" * (MILLION // 25),
    "newlines": "\n" * MILLION,
    "newlines after a point": "!" + "\n" * MILLION,
    "digits": "1234567" * (MILLION // 7),
    "points": "!" * MILLION,
    "dashes": "-" * MILLION,
    "slashes": "/" * MILLION + "x",
    "words": "hello world " * (MILLION // 12),
    "json": '{"a":[1,22,"b\\n"]},' * (MILLION // 20),
    "special tokens": "<|endoftext|>" * (MILLION // 13),
}


@pytest.mark.parametrize("text", UNIFORM.values(), ids=list(UNIFORM))
def test_a_hostile_text_counts_as_in_tiktoken(text: str) -> None:
    encoding = loaded("o200k_base")

    assert plain_count(encoding, text) == count_text(encoding, text)


@every_encoding
@pytest.mark.parametrize("blank", [" ", "\t", "\u3000"])
def test_a_million_blanks_are_counted_though_tiktoken_panics(encoding: Encoding, blank: str) -> None:
    blanks = blank * MILLION
    # One piece by the pattern of either encoding; a following word takes the last blank.
    one_piece = len(encoding._encode_single_piece(blanks))
    with_word = len(encoding._encode_single_piece(blanks[1:])) + plain_count(encoding, f"{blank}x")

    assert count_text(encoding, blanks) == one_piece
    assert count_text(encoding, f"{blanks}x") == with_word
    assert count_text(encoding, f"!\n{blanks}x") == with_word + plain_count(encoding, "!\n")


@every_encoding
def test_white_space_of_all_kinds_is_counted_at_full_size(encoding: Encoding) -> None:
    lines = " \t\n" * MILLION

    assert count_text(encoding, lines) == len(encoding._encode_single_piece(lines))


@every_encoding
def test_steps_are_small_whatever_the_text(encoding: Encoding) -> None:
    for text in (" " * MILLION, "a" * MILLION, "hello " * (MILLION // 6), "1" * MILLION):
        assert len(list(count_steps(encoding, text))) >= MILLION // STRETCH_CHARS_MAX


@every_encoding
@pytest.mark.parametrize("repeated", ["❤️", "\u0301", "ที่นี่", "'s", "٣", "/\n"])
def test_what_cannot_be_cut_is_counted_up_to_the_limit_and_refused_above(encoding: Encoding, repeated: str) -> None:
    allowed = repeated * (STRETCH_CHARS_MAX // len(repeated))

    assert count_text(encoding, allowed) == plain_count(encoding, allowed)
    with pytest.raises(TextNotCountable, match="65536"):
        count_text(encoding, allowed * 20)


@every_encoding
@pytest.mark.parametrize("text", ["\ud800", "ab\udfffcd", "x " * 100_000 + "\udc00"])
def test_a_lone_surrogate_is_refused_by_name(encoding: Encoding, text: str) -> None:
    surrogate = next(char for char in text if "\ud800" <= char <= "\udfff")

    with pytest.raises(TextNotCountable, match=f"U\\+{ord(surrogate):04X}"):
        count_text(encoding, text)


@pytest.mark.parametrize("name", DEFINITIONS)
def test_no_token_holds_a_newline_and_ends_in_a_blank(name: str) -> None:
    """Because of this, the end of a text may be cut after its last newline in cl100k_base."""
    tokens = read_ranks((DATA / f"{name}.tokens").read_bytes())

    assert [token for token in tokens if re.search(rb"[\r\n].*[^\r\n/]\Z", token, re.DOTALL)] == []


def test_the_character_sets_of_cuts_hold_what_they_say() -> None:
    def categories(characters: str) -> set[str]:
        members = re.compile(f"[{characters}]")
        return {unicodedata.category(char) for char in map(chr, range(0x110000)) if members.match(char)}

    assert categories(cuts._CASED) == {"Lu", "Ll"}
    assert categories(cuts._UNCASED) == {"Lo"}
    assert {category[0] for category in categories(cuts._POINT)} <= {"P", "S", "C"}
    assert re.findall(f"(?=[{cuts._POINT}])[{cuts._WHITE}]", "".join(map(chr, range(0x110000)))) == []
