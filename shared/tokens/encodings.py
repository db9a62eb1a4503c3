"""
The encodings, from the bundle: o200k_base and cl100k_base.

    get        memory -> the shipped file, its hash checked, in the pool; once per instance
    get_for    the same when it is loaded; until then as much of it as a few short texts need

Nothing is ever downloaded, and tiktoken is imported by the first load, not by this module: a cold function that
only reads stored counts pays for neither, and one that counts a message not for the whole vocabulary. A load holds the
GIL for most of the time that tiktoken takes to build its tables, so the event loop stalls once per encoding and
instance. The files hold the tokens of the published ones in a form that is read faster (scripts/pack_encodings.py).
"""

import asyncio
import hashlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from shared.errors import InvalidValue
from shared.process.background import tell
from shared.process.pool import Pool
from shared.tokens.vocabulary import read_ranks, select_ranks

if TYPE_CHECKING:
    from tiktoken import Encoding

DATA = Path(__file__).parent / "data"

PARTIAL_CHARS_MAX = 8_192
"""Choosing the tokens of longer texts takes as long as a quarter of the whole load, and more."""

PARTIAL_COUNTS_MAX = 8
"""After as many counts without the whole encoding, an instance has paid for its load."""


class Definition(NamedTuple):
    """
    What makes an encoding besides its ranks; equal to tiktoken's own, which a test compares.

    *published_sha256* is that of OpenAI's file, *packed_sha256* that of ours.
    """

    published_sha256: str
    packed_sha256: str
    pattern: str
    special_tokens: dict[str, int]


_LETTERS_UPPER = r"\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}"
_LETTERS_LOWER = r"\p{Ll}\p{Lm}\p{Lo}\p{M}"
_CONTRACTION = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"

DEFINITIONS = {
    "o200k_base": Definition(
        "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
        "c5abcb148fdefbc7ef56fd7615bab390f540b89fc2352ab16621290b09670b0d",
        "|".join(
            [
                rf"[^\r\n\p{{L}}\p{{N}}]?[{_LETTERS_UPPER}]*[{_LETTERS_LOWER}]+{_CONTRACTION}",
                rf"[^\r\n\p{{L}}\p{{N}}]?[{_LETTERS_UPPER}]+[{_LETTERS_LOWER}]*{_CONTRACTION}",
                r"\p{N}{1,3}",
                r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
                r"\s*[\r\n]+",
                r"\s+(?!\S)",
                r"\s+",
            ]
        ),
        {"<|endoftext|>": 199999, "<|endofprompt|>": 200018},
    ),
    "cl100k_base": Definition(
        "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
        "094b41f4dbf2f47e7f67baadaa3b11c2da429d24c9bb5a611aafc861937e4d7a",
        "|".join(
            [
                r"'(?i:[sdmt]|ll|ve|re)",
                r"[^\r\n\p{L}\p{N}]?+\p{L}++",
                r"\p{N}{1,3}+",
                r" ?[^\s\p{L}\p{N}]++[\r\n]*+",
                r"\s++$",
                r"\s*[\r\n]",
                r"\s+(?!\S)",
                r"\s",
            ]
        ),
        {
            "<|endoftext|>": 100257,
            "<|fim_prefix|>": 100258,
            "<|fim_middle|>": 100259,
            "<|fim_suffix|>": 100260,
            "<|endofprompt|>": 100276,
        },
    ),
}


ENCODINGS = tuple(DEFINITIONS)


class CorruptEncoding(Exception):
    """A shipped encoding file is not the one that its hash names: the bundle is broken."""


def load_encoding(name: str, folder: Path = DATA) -> "Encoding":
    """
    Build the encoding *name* from its file in *folder*; 0.2 s.

    Raises: CorruptEncoding: the file differs from the one that was packed.
    """
    return _build(name, read_ranks(_read(name, folder)))


def load_partial_encoding(name: str, texts: Sequence[str], folder: Path = DATA) -> "Encoding":
    """
    Build as much of the encoding *name* as encoding *texts* needs; 10 ms for a few hundred characters.

    Raises: CorruptEncoding: the file differs from the one that was packed.
    """
    return _build(name, select_ranks(_read(name, folder), texts))


def _read(name: str, folder: Path) -> bytes:
    content = (folder / f"{name}.tokens").read_bytes()
    sha256 = DEFINITIONS[name].packed_sha256
    if hashlib.sha256(content).hexdigest() != sha256:
        raise CorruptEncoding(f"could not load {name}: the file's sha256 is not {sha256}")
    return content


def _build(name: str, ranks: dict[bytes, int]) -> "Encoding":
    from tiktoken import Encoding

    definition = DEFINITIONS[name]
    encoding = Encoding(
        name, pat_str=definition.pattern, mergeable_ranks=ranks, special_tokens=definition.special_tokens
    )
    # The native encoder has its own copy; the dict would keep 50 MB alive for pickling alone.
    ranks.clear()
    return encoding


class Encodings:
    """The encodings that one instance of a function has loaded; part of its state. *pool* is where they are loaded."""

    def __init__(self, pool: Pool, folder: Path = DATA) -> None:
        self._pool = pool
        self._folder = folder
        self._loaded: dict[str, Encoding] = {}
        self._loading: dict[str, asyncio.Task[Encoding]] = {}
        self._partial_counts = dict.fromkeys(ENCODINGS, 0)

    def is_loaded(self, name: str) -> bool:
        return name in self._loaded

    async def get(self, name: str) -> "Encoding":
        """
        Return the encoding *name*; callers that arrive during its load wait for it.

        Raises: InvalidValue: there is no such encoding.
        """
        if name in self._loaded:
            return self._loaded[name]
        # A caller that is cancelled meanwhile does not throw the work away.
        return await asyncio.shield(self._load(name))

    async def get_for(self, name: str, texts: Sequence[str]) -> "Encoding":
        """
        Return an encoding that encodes *texts*, and maybe no others, as the encoding *name* does.

        The whole one is loaded beside, once so many texts have come that it will pay.

        Raises: InvalidValue: there is no such encoding.
        """
        if name in self._loaded or sum(map(len, texts)) > PARTIAL_CHARS_MAX:
            return await self.get(name)
        _check(name)
        self._partial_counts[name] += 1
        if self._partial_counts[name] > PARTIAL_COUNTS_MAX and name not in self._loading:
            self._load(name).add_done_callback(partial(_tell_failure, name))
        return await self._pool.run(load_partial_encoding, name, texts, self._folder)

    async def settle(self) -> None:
        """Wait until nothing is being loaded."""
        await asyncio.gather(*self._loading.values(), return_exceptions=True)

    def _load(self, name: str) -> "asyncio.Task[Encoding]":
        _check(name)
        if name not in self._loading:
            self._loading[name] = asyncio.create_task(self._load_whole(name))
        return self._loading[name]

    async def _load_whole(self, name: str) -> "Encoding":
        try:
            self._loaded[name] = await self._pool.run(load_encoding, name, self._folder)
            return self._loaded[name]
        finally:
            del self._loading[name]


def _tell_failure(name: str, load: "asyncio.Task[Encoding]") -> None:
    """Nobody may be waiting for *load*, so what became of it is told here."""
    if not load.cancelled() and (error := load.exception()):
        tell(f"loading {name}", (), error)


def _check(name: str) -> None:
    if name not in DEFINITIONS:
        raise InvalidValue(
            f"There is no encoding {name!r}; the encodings are {', '.join(ENCODINGS)}.", param="encoding"
        )
