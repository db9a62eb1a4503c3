"""
Counts texts off the event loop, fairly.

    count    encoding (loaded if need be) -> a slice of about 10 ms in a worker thread -> the next slice -> …

At most a fixed number of threads count at a time. Each slice queues for a thread anew, first come first served, so
a text of 4 MB does not keep one of 1 kB waiting. tiktoken releases the GIL while it encodes. A caller that is
cancelled stops at the end of the slice that runs.
"""

from collections.abc import Iterable, Iterator, Sequence
from time import monotonic
from typing import TYPE_CHECKING

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from shared.tokens.count import count_steps, count_texts
from shared.tokens.encodings import Encodings

if TYPE_CHECKING:
    from tiktoken import Encoding

_SLICE_S = 0.01
# Counting so little takes less than 0.5 ms whatever it is: less than a thread can cost under load.
_INLINE_CHARS_MAX = 2_048


def upper_bound(texts: Iterable[str]) -> int:
    """
    Return a number of tokens that *texts* cannot exceed in any encoding: their bytes in UTF-8.

    Every token of a byte pair encoding stands for at least one byte.
    """
    return sum(len(text) if text.isascii() else len(text.encode(errors="surrogatepass")) for text in texts)


class Counter:
    """The counting of one instance of a function; part of its state."""

    def __init__(self, encodings: Encodings, threads: int) -> None:
        self._encodings = encodings
        self._threads = CapacityLimiter(threads)

    async def count(self, encoding_name: str, texts: Sequence[str]) -> list[int]:
        """
        Return the number of tokens of each of *texts*, same order; special tokens are plain text.

        Raises: InvalidValue: no such encoding, or a text that cannot be counted (shared/tokens/count.py).
        """
        if not any(texts):
            return [0] * len(texts)
        encoding = await self._encodings.get(encoding_name)
        if sum(map(len, texts)) <= _INLINE_CHARS_MAX:
            return count_texts(encoding, texts)
        counts = [0] * len(texts)
        steps = _steps(encoding, texts, counts)
        while not await run_sync(_advance, steps, limiter=self._threads):
            pass
        return counts


def _steps(encoding: "Encoding", texts: Sequence[str], counts: list[int]) -> Iterator[None]:
    """Add the tokens of each text to its count, step by step."""
    for position, text in enumerate(texts):
        for tokens in count_steps(encoding, text):
            counts[position] += tokens
            yield


def _advance(steps: Iterator[None]) -> bool:
    """Take *steps* for the time of a slice; say whether they are done."""
    end_at_s = monotonic() + _SLICE_S
    return all(monotonic() < end_at_s for _ in steps)
