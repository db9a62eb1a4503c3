"""
Texts of as many tokens as a trace says, cut out of recorded dialogues.
"""

from functools import cache
from itertools import accumulate
from pathlib import Path

from scripts.proving.contexts.dialogues import read_dialogues
from scripts.proving.contexts.real_tokens import encoding

ROOT = Path(__file__).parents[3]
RECORDED = ROOT / "tests" / "data" / "tau_airline_12.jsonl"
STRIDE = 7_919
"""Tokens between the beginnings of two texts: a prime, so that hardly two begin alike."""


class Corpus:
    """All that was said in the dialogues of a file, as tokens one after the other."""

    def __init__(self, path: Path = RECORDED) -> None:
        said = [message.get("content") or "" for each in read_dialogues(path) for message in each.messages]
        tokens = encoding().encode_ordinary("\n".join(text for text in said if isinstance(text, str)))
        pieces = encoding().decode_tokens_bytes(tokens)
        self._bytes = b"".join(pieces)
        self._ends = [0, *accumulate(map(len, pieces))]

    @property
    def tokens(self) -> int:
        return len(self._ends) - 1

    def text(self, number: int, tokens: int) -> str:
        """
        Return the text of *number*, of about *tokens* tokens: cut out, it may count a few more or less.

        What is longer than the corpus goes through it again.
        """
        parts = []
        begin = number * STRIDE % self.tokens
        while tokens > 0:
            end = min(begin + tokens, self.tokens)
            parts.append(self._bytes[self._ends[begin] : self._ends[end]])
            tokens -= end - begin
            begin = 0
        return b"".join(parts).decode(errors="ignore")


@cache
def recorded() -> Corpus:
    """Return the shipped dialogues' corpus, made once."""
    return Corpus()
