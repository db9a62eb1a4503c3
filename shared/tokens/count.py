"""
Counts the tokens of a text exactly, whatever it is, in bounded steps.

    text -> stretches between hard cuts (shared/tokens/cuts.py) -> tiktoken, without the GIL -> a sum

The count is `len(encoding.encode(text, disallowed_special=()))`: special tokens are plain text. tiktoken itself
panics on a million spaces, needs many times longer for one huge piece than for as many small ones, and hands
back a list of all the tokens. So a stretch without a hard cut is counted in windows: of white space and of digits
the pieces are known, elsewhere soft cuts are used, and at each joint of two windows it is checked that the byte
pairs would not have merged across it. They do not, if and only if the last token before the joint and the first one
after it, encoded as one piece, are these two tokens: up to the first merge across the joint both sides are merged
as they are alone, and what those two tokens go through does not depend on their other neighbours.

A stretch of more than STRETCH_CHARS_MAX characters with neither kind of cut is refused: 65,536 Thai letters, say,
without one space or line.
"""

from collections.abc import Callable, Container, Generator, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from shared.errors import TextNotCountable
from shared.tokens.cuts import SoftCuts, digit_run_end, hard_cut, last_newline_end, white_run_end

if TYPE_CHECKING:
    from tiktoken import Encoding

# Stretches are at most this long: 1 ms in tiktoken, 4 ms if it is one piece of ASCII.
PIECE_CHARS = 16_384
# Long pieces are merged in windows of this size: the time per byte doubles at 64 KiB, and grows on.
WINDOW_CHARS = 4_096
_WINDOW_CHARS_MIN = 256  # A window has to hold several tokens, and the longest has 128 bytes.
STRETCH_CHARS_MAX = 65_536

# How many of a window's last tokens may be given up to find a joint, and how many joints are tried there.
_JOINT_TOKENS_MAX = 512
_JOINT_TRIES_MAX = 8
# The last tokens of a window depend on where it ends; a joint before them holds at the first try, nearly always.
_JOINT_TOKENS_MIN = 4


def count_text(encoding: "Encoding", text: str, *, piece_chars: int = PIECE_CHARS) -> int:
    """
    Return the number of tokens of *text*.

    Raises: TextNotCountable: *text* has a lone surrogate, or a stretch too long to be counted exactly.
    """
    return sum(count_steps(encoding, text, piece_chars=piece_chars))


def count_texts(encoding: "Encoding", texts: Iterable[str]) -> list[int]:
    """Return the number of tokens of each of *texts*, as `count_text` does."""
    return [count_text(encoding, text) for text in texts]


def count_steps(encoding: "Encoding", text: str, *, piece_chars: int = PIECE_CHARS) -> Iterator[int]:
    """
    Yield numbers whose sum is the number of tokens of *text*; each takes some milliseconds at most.

    Raises: TextNotCountable: as `count_text`.
    """
    try:
        yield from _Counting(encoding, text, piece_chars).steps()
    except UnicodeEncodeError as error:
        surrogate = ord(error.object[error.start])
        reason = f"has a lone surrogate, U+{surrogate:04X}, which no encoding can hold"
        raise TextNotCountable(reason, text, code="lone_surrogate") from error


class _Window(NamedTuple):
    start: int
    stop: int
    is_last: bool
    tokens: Sequence[int]


class _Counting:
    """The count of one text, in progress."""

    def __init__(self, encoding: "Encoding", text: str, piece_chars: int) -> None:
        self._encoding = encoding
        # tiktoken's public functions make a list of all tokens, and hold the GIL for it: 100 ms for 4 million.
        self._bpe = encoding._core_bpe
        self._text = text
        self._piece_chars = piece_chars
        self._window_chars = min(max(piece_chars, _WINDOW_CHARS_MIN), WINDOW_CHARS)

    def steps(self) -> Iterator[int]:
        text, start = self._text, 0
        while len(text) - start > self._piece_chars:
            stop = start + self._piece_chars
            cut = hard_cut(text, start, stop)
            if cut is None and text[start] in "0123456789":
                # Digits are taken three at a time, from the first.
                cut = start + (digit_run_end(text, start, stop) - start) // 3 * 3
            if cut is not None and cut > start:
                yield len(self._encode(start, cut)) // 4
                start = cut
            elif (white_end := self._white_end(start)) > start:
                middle = last_newline_end(text, start, white_end)
                yield from self._piece_steps(start, middle)
                yield from self._piece_steps(middle, white_end)
                start = white_end
            else:
                start = yield from self._stretch_steps(start)
        yield len(self._encode(start, len(text))) // 4

    def _encode(self, start: int, stop: int) -> bytes:
        """Return the tokens of [start, stop), four bytes each."""
        # The buffer claims one item of four bytes per byte that it has: only its bytes may be read.
        return bytes(self._bpe.encode_to_tiktoken_buffer(self._text[start:stop], frozenset()))

    def _white_end(self, start: int) -> int:
        """
        Return where the white pieces that begin at *start* end.

        They are one up to the last newline, and one of the rest but for the character that the next piece may take.
        """
        end = white_run_end(self._text, start)
        if end == start or end == len(self._text) or self._text[end - 1] in "\r\n":
            return end
        return end - 1

    def _piece_steps(self, start: int, stop: int) -> Iterator[int]:
        """Count the one piece [start, stop)."""

        def window(place: int, chars: int) -> _Window:
            end = min(place + chars, stop)
            return _Window(place, end, end == stop, self._piece_tokens(place, end))

        if start < stop:
            yield from self._window_steps(start, window, range(start, stop))

    def _piece_tokens(self, start: int, stop: int) -> Sequence[int]:
        """Return the tokens of white space that is one piece, or part of one."""
        if stop - start <= PIECE_CHARS and last_newline_end(self._text, start, stop) == start:
            # Blanks alone are one piece to the pattern as well, and this lets go of the interpreter.
            return memoryview(self._encode(start, stop)).cast("I")
        tokens: Sequence[int] = self._bpe.encode_single_piece(self._text[start:stop].encode())
        return tokens

    def _stretch_steps(self, start: int) -> Generator[int, None, int]:
        """Count from *start* to some hard cut or the end, and return that place."""

        def window(place: int, chars: int) -> _Window:
            end = min(place + chars, len(self._text))
            cut = end if end == len(self._text) else hard_cut(self._text, place, end)
            tokens = memoryview(self._encode(place, cut or end)).cast("I")
            return _Window(place, cut or end, cut is not None, tokens)

        return (yield from self._window_steps(start, window, SoftCuts(self._text)))

    def _window_steps(
        self, start: int, open_window: Callable[[int, int], _Window], cuts: Container[int]
    ) -> Generator[int, None, int]:
        window = open_window(start, self._window_chars)
        last: int | None = None
        while not window.is_last:
            joint = self._joint(window, open_window, cuts)
            if joint is not None:
                kept, following = joint
                yield kept
                last, window = window.tokens[kept - 1], following
                continue
            chars = window.stop - window.start
            if chars >= STRETCH_CHARS_MAX:
                raise self._uncountable(window.start)
            window = open_window(window.start, min(8 * chars, STRETCH_CHARS_MAX))
            if last is not None and not self._joins(last, window.tokens[0]):
                raise self._uncountable(window.start)
        yield len(window.tokens)
        return window.stop

    def _joint(
        self, window: _Window, open_window: Callable[[int, int], _Window], cuts: Container[int]
    ) -> tuple[int, _Window] | None:
        """Return how many tokens of *window* stand and the window that follows them; None if no joint is found."""
        places = (tail for tail in self._tails(window) if tail[1] in cuts)
        for kept, place in islice(places, _JOINT_TRIES_MAX):
            following = open_window(place, self._window_chars)
            # Its old neighbour is one that the token before the joint is known not to merge with.
            first = following.tokens[0]
            if first == window.tokens[kept] or self._joins(window.tokens[kept - 1], first):
                return kept, following
        return None

    def _tails(self, window: _Window) -> Iterator[tuple[int, int]]:
        """Yield, from the end, the number of tokens before each token that begins a character, and its place."""
        place, count = window.stop, len(window.tokens)
        for kept in range(count - 1, max(0, count - _JOINT_TOKENS_MAX), -1):
            token = self._encoding.decode_single_token_bytes(window.tokens[kept])
            place -= sum(byte & 0xC0 != 0x80 for byte in token)
            if count - kept >= _JOINT_TOKENS_MIN and token[0] & 0xC0 != 0x80:
                yield kept, place

    def _joins(self, last: int, first: int) -> bool:
        """Say whether the tokens *last* and *first* stay what they are when one follows the other in a piece."""
        pair = b"".join(map(self._encoding.decode_single_token_bytes, (last, first)))
        joined: list[int] = self._bpe.encode_single_piece(pair)
        return joined == [last, first]

    def _uncountable(self, start: int) -> TextNotCountable:
        return TextNotCountable(
            f"has more than {STRETCH_CHARS_MAX} characters, near character {start}, with no place where they can be "
            "cut to be counted",
            self._text,
        )
