"""
Where in what a caller sent a text stands, for refusals of that text.
"""

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager

from shared.errors import SHOWN_CHARS, TextNotCountable
from shared.process.pool import Pool

type Texts = tuple[str, tuple[str, ...]]
"""A path, and the texts of what was made of what stands there."""


@asynccontextmanager
async def naming(pool: Pool, value: object, path: str, made: Iterable[Texts] = ()) -> AsyncIterator[None]:
    """
    Have a text that cannot be counted refused by its place in *value*, JSON that is called *path*; or by that of what
    was *made* of it, where it does not stand there as such.
    """
    try:
        yield
    except TextNotCountable as error:
        # A body has 60,000 values at most: too many for the loop, and few enough for a call.
        at = await pool.run(where, error.text, value, path)
        if at == path:
            at = next((each for each, texts in made if error.text in texts), path)
        raise error.at(at) from None


def where(text: str, value: object, path: str) -> str:
    """Return the path to *text* within *value*; *path*, which is that of *value*, when it stands nowhere as such."""
    left = [(value, path)]  # JSON may nest deeper than Python calls.
    while left:
        value, at = left.pop()
        if value == text:
            return at
        left += reversed([*_members(value, at)])
    return path


def _members(value: object, at: str) -> Iterator[tuple[object, str]]:
    if isinstance(value, dict):
        yield from ((member, f"{at}.{name[:SHOWN_CHARS]}") for name, member in value.items())
    elif isinstance(value, list):
        yield from ((member, f"{at}[{index}]") for index, member in enumerate(value))
