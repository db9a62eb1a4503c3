"""
The words by which items are recalled: of a text its terms, each as often as it is there.

    words of Latin script        stemmed as English, without what stands in every sentence
    of other scripts with spaces as they are, in lower case
    of scripts without spaces    each two characters that stand beside each other
    numbers, identifiers, paths  whole, and by their parts

A term is kept as CODE_CHARACTERS of a hash: what is stored has one width, and no delimiter that a text could forge.
Who changes what the terms of a text are has to change TERMS_FORMAT of terms.lua, by which the index of a conversation
is told from one that others made.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from hashlib import blake2s
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import Stemmer  # type: ignore[import-not-found]  # It comes without types.

CODE_CHARACTERS = 5
"""Of 64 each: of 20,000 different terms a fifth of a pair is expected to share one."""

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz+-"

TEXT_CHARACTERS_MAX = 20_000
"""Of an item, what is behind them is not found by its words. Large results begin with what they are."""

TERMS_MAX = 256
"""Of an item, the first ones."""

ASKED_MAX = 24
"""Of a question: as many as terms.lua keeps of a message of the user."""

WORD_CHARACTERS_MAX = 64

_IDENTIFIER = re.compile(r"[^\W_]+(?:[_.@:/#+'\u2019-]+[^\W_]+)*")
_PART = re.compile(r"[^\W_]+")
_DIGIT = re.compile(r"\d")
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+"
)
"""Thai, Lao, Burmese, Khmer, kana, Han."""

COMMON = frozenset(
    [
        "a",
        "about",
        "after",
        "again",
        "all",
        "also",
        "am",
        "an",
        "and",
        "any",
        "are",
        "as",
        "at",
        "be",
        "because",
        "been",
        "before",
        "being",
        "but",
        "by",
        "can",
        "could",
        "did",
        "do",
        "does",
        "doing",
        "don",
        "for",
        "from",
        "further",
        "had",
        "has",
        "have",
        "having",
        "he",
        "her",
        "here",
        "hers",
        "him",
        "his",
        "how",
        "i",
        "if",
        "in",
        "into",
        "is",
        "it",
        "its",
        "itself",
        "just",
        "let",
        "me",
        "more",
        "most",
        "my",
        "no",
        "nor",
        "not",
        "now",
        "of",
        "off",
        "on",
        "once",
        "only",
        "or",
        "other",
        "our",
        "out",
        "over",
        "own",
        "same",
        "she",
        "should",
        "so",
        "some",
        "such",
        "than",
        "that",
        "the",
        "their",
        "them",
        "then",
        "there",
        "these",
        "they",
        "this",
        "those",
        "through",
        "to",
        "too",
        "under",
        "until",
        "up",
        "very",
        "was",
        "we",
        "were",
        "what",
        "when",
        "where",
        "which",
        "while",
        "who",
        "whom",
        "why",
        "will",
        "with",
        "would",
        "you",
        "your",
        "yours",
    ]
)
"""English words that tell nothing: they would be a third of the index."""


def pack(text: str) -> str:
    """
    Return the terms of *text* as the store keeps them: each by its code, and how often it is there as one character
    more. The most telling ones come first: those with a digit, then the longest.
    """
    found: dict[str, int] = {}
    # Each word is looked at once, however often it is there: a text of 20,000 characters takes a fifth of the time.
    for word, count in Counter(_words(text)).items():
        for term in _terms_in(word):
            if term in found or len(found) < TERMS_MAX:
                found[term] = found.get(term, 0) + count
    codes: dict[str, int] = {}
    for term in sorted(found, key=_telling):
        code = code_of(term)
        codes[code] = codes.get(code, 0) + found[term]
    return "".join([code + ALPHABET[min(count, 63)] for code, count in codes.items()])


def query_codes(text: str) -> str:
    """Return the codes of the most telling terms of *text*, at most ASKED_MAX, one behind the other."""
    return "".join(dict.fromkeys(map(code_of, sorted(dict.fromkeys(words_of(text)), key=_telling)[:ASKED_MAX])))


def _telling(word: str) -> tuple[bool, int]:
    return word.isalpha() or _DIGIT.search(word) is None, -len(word)


def words_of(text: str) -> Iterator[str]:
    """Yield the terms in *text* as words."""
    for word in _words(text):
        yield from _terms_in(word)


def _words(text: str) -> list[str]:
    return _IDENTIFIER.findall(unicodedata.normalize("NFKC", text[:TEXT_CHARACTERS_MAX]).casefold())


@lru_cache(maxsize=4_096)
def _terms_in(word: str) -> tuple[str, ...]:
    return tuple(_split(word))


def _split(word: str) -> Iterator[str]:
    parts = _PART.findall(word)
    is_plain = len(parts) == 1 or (word.replace("\u2019", "'").partition("'")[0] == parts[0] and len(parts) == 2)
    if not is_plain and len(word) <= WORD_CHARACTERS_MAX:
        yield word
    for part in parts[:1] if is_plain else parts:
        if _UNSPACED.search(part):
            yield from _pairs(part)
        elif part not in COMMON and len(part) <= WORD_CHARACTERS_MAX:
            yield _stem(part)


def _pairs(part: str) -> Iterator[str]:
    """Yield each two characters of runs without spaces, a single one alone; and what stands between such runs."""
    at = 0
    for run in _UNSPACED.finditer(part):
        if run.start() > at:
            yield _stem(part[at : run.start()])
        characters = run[0]
        if len(characters) == 1:
            yield characters
        for first in range(len(characters) - 1):
            yield characters[first : first + 2]
        at = run.end()
    if at < len(part):
        yield _stem(part[at:])


@lru_cache(maxsize=4_096)
def _stem(word: str) -> str:
    if not word.isascii() or not word.isalpha():
        return word
    return str(_stemmer().stemWord(word))


@lru_cache(maxsize=1)
def _stemmer() -> "Stemmer.Stemmer":
    import Stemmer  # 2 ms that only who indexes or asks has to pay.

    return Stemmer.Stemmer("english", 0)


@lru_cache(maxsize=4_096)
def code_of(word: str) -> str:
    """Return what stands for *word* in the index."""
    number = int.from_bytes(blake2s(word.encode(), digest_size=4).digest())
    return "".join(ALPHABET[number >> shift & 63] for shift in range(0, 6 * CODE_CHARACTERS, 6))
