r"""
Where a text may be cut so that its parts can be counted one by one.

An encoding first splits a text into pieces by its pattern, then merges byte pairs inside each piece. A *hard cut*
is a place where, in both shipped encodings, a piece always ends, and where neither side looks different to the
pattern without the other: tokens(left + right) = tokens(left) + tokens(right). With W for white space and B for
white space that is not \r or \n, the hard cuts are

    between  not W                  and  B                 only W starts before B, and only \r \n / follow in a piece
    between  \r or \n               and  not W, not "/"    `[\r\n/]*` and `\s*[\r\n]+` both end there
    between  a letter or digit      and  W, punctuation    but not "'", which may open a contraction
    between  a digit                and  "'", a letter     digits stand only with digits
    between  a letter, punctuation  and  a digit
    between  punctuation [\r\n]+    and  B                 the piece of the punctuation takes its newlines, no more
    between  \r or \n               and  B+ that is followed by something else than \r or \n, or by nothing

For the last one cl100k_base has an exception, `\s++$`, that makes one piece of a white end of text; no token of
either vocabulary holds a newline and ends in other white space, so the count is the same (a test holds it).

Inside a long piece there is no hard cut. A *soft cut* is a place in a run of like characters where the pattern,
started afresh, ends its piece where the uncut piece would have ended. The parts then have the tokens of the whole
if no byte pair would merge across the cut, which the caller has to check (shared/tokens/count.py):

    in a run of cased letters, 3 before     never the inside of a contraction
    in a run of uncased letters             if what follows the run cannot be an uppercase letter
    in punctuation, 1 before and 2 after    not after "/", which o200k_base takes after newlines
    in a run of "/", 1 before and 2 after   if white space, a letter or a digit follows the run
    in a run of newlines                    if neither white space nor "/" follows the run

"Letter" and "punctuation" mean characters that have been such in every version of Unicode that the encodings'
pattern engine or this interpreter may know, not all that are: a character in neither set only makes cuts rarer.
"""

import re
import sys
from functools import cache

_BLANK = "\\t\\x0b\\x0c \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000"
_WHITE = _BLANK + "\\r\\n"
_CASED = "A-Za-z\\xc0-\\xd6\\xd8-\\xf6\\xf8-\\u01ba\\u0391-\\u03a1\\u03a3-\\u03c9\\u0400-\\u0481"
_UNCASED = "\\u3041-\\u3096\\u30a1-\\u30fa\\u4e00-\\u9fa5\\uac00-\\ud7a3"
_LETTER = _CASED + _UNCASED
# Neither white space, letter, number nor mark: ASCII and its controls, general and CJK punctuation, arrows,
# operators, boxes, full-width forms, joiners, private use, flags, emoji without variation selectors.
_POINT_NOT_QUOTE_OR_SLASH = (
    "\\x00-\\x08\\x0e-\\x1f!-&(-.:-@\\[-`{-\\x7f\\u200b-\\u200f\\u2010-\\u2027\\u2030-\\u205e\\u2190-\\u23ff"
    "\\u2500-\\u2775\\u2794-\\u27bf\\u3001-\\u3003\\u3008-\\u3020\\uff01-\\uff0f\\uff1a-\\uff20\\ufffd"
    "\\ue000-\\uf8ff\\U0001f1e6-\\U0001f1ff\\U0001f300-\\U0001f64f\\U0001f680-\\U0001f6ff\\U0001f900-\\U0001f9ff"
)
_POINT_NOT_QUOTE = _POINT_NOT_QUOTE_OR_SLASH + "/"
_POINT = _POINT_NOT_QUOTE + "'"

_WHITE_RUN = re.compile(f"[{_WHITE}]*")
_BLANK_RUN = re.compile(f"[{_BLANK}]*")
_DIGIT_RUN = re.compile("[0-9]*")

# The others take 12 ms to compile, and short texts are never cut.


@cache
def _hard() -> re.Pattern[str]:
    return re.compile(
        f"(?<=[^{_WHITE}])(?=[{_BLANK}])"
        f"|(?<=[\\r\\n])(?=[^{_WHITE}/])"
        f"|(?<=[{_LETTER}0-9])(?=[{_WHITE}{_POINT_NOT_QUOTE}])"
        f"|(?<=[0-9])(?=['{_LETTER}])"
        f"|(?<=[{_LETTER}{_POINT}])(?=[0-9])"
        f"|(?<=[{_POINT}])[\\r\\n]+(?=[{_BLANK}])"
    )


@cache
def _solid() -> re.Pattern[str]:
    """No hard cut lies inside a run of this kind; matching it is many times cheaper than looking for one."""
    return re.compile(f"[{_CASED}]+|[{_UNCASED}]+|[{_POINT}]+|[0-9]+|[{_WHITE}]+")


@cache
def _soft() -> re.Pattern[str]:
    return re.compile(
        f"(?<=[{_CASED}]{{3}})[{_CASED}]"
        f"|(?<=[{_POINT_NOT_QUOTE_OR_SLASH}'])[{_POINT}](?=[{_POINT}])"
        "|(?<=/)(?P<slash>/)(?=/)"
        f"|(?<=[{_UNCASED}])(?P<uncased>[{_UNCASED}])"
        f"|(?<=[\\r\\n])(?P<newline>[\\r\\n])"
    )


@cache
def _soft_runs() -> dict[str, tuple[re.Pattern[str], re.Pattern[str]]]:
    """By group of _soft: the run that the place is in, and what may follow the run."""
    return {
        "uncased": (re.compile(f"[{_UNCASED}]*"), re.compile(f"[{_WHITE}{_POINT}0-9a-z]|\\Z")),
        "slash": (re.compile("/*"), re.compile(f"[{_WHITE}{_LETTER}0-9]|\\Z")),
        "newline": (re.compile("[\\r\\n]*"), re.compile(f"[^{_WHITE}/]|\\Z")),
    }


# A cut is usually near the end of where it is looked for: a space is seldom 200 characters away. Farther away it is
# looked for in blocks, because one search holds the GIL for as long as it finds nothing (80 ns a character).
_NEAR_CHARS = 200
_BLOCK_CHARS = 8_192
_RUN_BLOCK_CHARS = 262_144


def white_run_end(text: str, start: int) -> int:
    """Return the end of the white space that begins at *start*; *start* if there is none."""
    return _end(_WHITE_RUN, text, start)


def digit_run_end(text: str, start: int, stop: int) -> int:
    """Return the end of the ASCII digits that begin at *start*, at most *stop*."""
    return _end(_DIGIT_RUN, text, start, stop)


def last_newline_end(text: str, start: int, stop: int) -> int:
    """Return the place after the last newline in [start, stop); *start* if there is none."""
    return max(text.rfind("\n", start, stop), text.rfind("\r", start, stop), start - 1) + 1


def hard_cut(text: str, start: int, stop: int) -> int | None:
    """
    Return the last hard cut in (start, stop], found near *stop* if one is there; None if there is none.

    *stop* must lie inside the text.
    """
    solid = _solid().match(text, start, stop + 1)
    solid_end = solid.end() if solid else start
    if solid_end > stop:
        return None
    floor = max(solid_end - 1, start)
    end, begin = stop, stop - _NEAR_CHARS
    while end > floor:
        begin = max(begin, floor)
        # The pattern sees one character past the block, to know what the last possible cut stands before.
        cut = max((match.end() for match in _hard().finditer(text, begin, end + 1)), default=start)
        if cut > start:
            return cut
        end, begin = begin, begin - _BLOCK_CHARS
    return _cut_after_newlines(text, start, stop)


def _cut_after_newlines(text: str, start: int, stop: int) -> int | None:
    """Return the cut between the last newline before *stop* and the blanks after it, however many they are."""
    cut = last_newline_end(text, start, stop)
    end = _end(_BLANK_RUN, text, cut)
    return None if cut == start or end == cut or text.startswith(("\r", "\n"), end) else cut


class SoftCuts:
    """Answers whether a place in *text* is a soft cut; remembers the last runs, so that each is scanned once."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._runs: dict[re.Pattern[str], tuple[int, int]] = {}

    def __contains__(self, place: object) -> bool:
        assert isinstance(place, int)
        match = _soft().match(self._text, place)
        if match is None:
            return False
        if match.lastgroup is None:
            return True
        run, ends = _soft_runs()[match.lastgroup]
        return ends.match(self._text, self._run_end(run, place)) is not None

    def _run_end(self, run: re.Pattern[str], place: int) -> int:
        start, end = self._runs.get(run, (0, 0))
        if place < start and _end(run, self._text, place, start) == start:
            start = place
        if not start <= place < end:
            start, end = place, _end(run, self._text, place)
        self._runs[run] = start, end
        return end


def _end(run: re.Pattern[str], text: str, start: int, stop: int = sys.maxsize) -> int:
    """Return the end of *run*, which may be empty, at *start*, at most *stop*."""
    while True:
        # In blocks: one match holds the GIL, 10 ms for 4 million characters.
        block_stop = min(start + _RUN_BLOCK_CHARS, stop, len(text))
        match = run.match(text, start, block_stop)
        assert match is not None
        start = match.end()
        if start < block_stop or start >= min(stop, len(text)):
            return start
