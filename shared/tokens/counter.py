"""
Counts texts off the event loop, fairly.

    count    encoding (as much of it as is needed) -> a slice of about 10 ms in the pool -> the next slice -> …

Each slice queues for a thread anew, first come first served, so a text of 4 MB does not keep one of 1 kB waiting
(shared/process/pool.py). tiktoken releases the GIL while it encodes. A caller that is
cancelled stops at the end of the slice that runs.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from shared.process.pool import Pool
from shared.request.tracing import part
from shared.tokens.encodings import Encodings

if TYPE_CHECKING:
    from tiktoken import Encoding

# Counting so little takes less than 0.5 ms whatever it is: less than a thread can cost under load.
_INLINE_CHARS_MAX = 2_048
_INLINE_TEXTS_MAX = 256


class Counter:
    """
    The counting of one instance of a function; part of its state. *pool* is where it counts, *counted* the tokens since
    the start by encoding.
    """

    def __init__(self, encodings: Encodings, pool: Pool) -> None:
        self.counted: dict[str, int] = {}
        self._encodings = encodings
        self.pool = pool

    async def load(self, encoding_name: str) -> None:
        """Have the whole of an encoding at hand. Raises InvalidValue: there is no such encoding."""
        await self._encodings.get(encoding_name)

    async def count(self, encoding_name: str, texts: Sequence[str]) -> list[int]:
        """
        Return the number of tokens of each of *texts*, same order; special tokens are plain text.

        Raises: InvalidValue: no such encoding, or a text that cannot be counted (shared/tokens/count.py).
        """
        if not any(texts):
            return [0] * len(texts)
        with part("count tokens"):
            return await self._count(encoding_name, texts)

    async def _count(self, encoding_name: str, texts: Sequence[str]) -> list[int]:
        encoding = await self._encodings.get_for(encoding_name, texts)
        from shared.tokens.count import count_texts  # A function that only reads never needs it.

        if len(texts) <= _INLINE_TEXTS_MAX and sum(map(len, texts)) <= _INLINE_CHARS_MAX:
            counts = count_texts(encoding, texts)
        else:
            counts = [0] * len(texts)
            await self.pool.run_steps(_steps(encoding, texts, counts))
        self.counted[encoding_name] = self.counted.get(encoding_name, 0) + sum(counts)
        return counts


def _steps(encoding: "Encoding", texts: Sequence[str], counts: list[int]) -> Iterator[None]:
    """Add the tokens of each text to its count, step by step."""
    from shared.tokens.count import count_steps

    for position, text in enumerate(texts):
        for tokens in count_steps(encoding, text):
            counts[position] += tokens
            yield
