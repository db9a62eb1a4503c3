"""
The encodings, from the bundle: o200k_base and cl100k_base.

    get    memory -> the shipped file, its hash checked, in a worker thread; once per instance

Nothing is ever downloaded, and tiktoken is imported by the first load, not by this module: a cold function that
only reads stored counts pays for neither. A load holds the GIL for most of the time that tiktoken takes to build
its tables, so the event loop stalls once per encoding and instance. The files hold the tokens of the published ones in
a form that is read in a third of the time (scripts/pack_encodings.py).
"""

import hashlib
import marshal
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import anyio
import anyio.to_thread

from shared.errors import InvalidValue

if TYPE_CHECKING:
    from tiktoken import Encoding

DATA = Path(__file__).parent / "data"


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
        "c8cd7e7486eede6ff48e15d6a03148669592b67a7c472a0314e85c5e116a26d1",
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
        "7adc98f7e397b03925bb1a2b9ea5809386af721f3066adfb1256c0a319a24f49",
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
    Build the encoding *name* from its file in *folder*; 0.1 s.

    Raises: CorruptEncoding: the file differs from the one that was packed.
    """
    from tiktoken import Encoding

    definition = DEFINITIONS[name]
    content = (folder / f"{name}.tokens").read_bytes()
    if hashlib.sha256(content).hexdigest() != definition.packed_sha256:
        raise CorruptEncoding(f"could not load {name}: the file's sha256 is not {definition.packed_sha256}")
    tokens = marshal.loads(content)  # noqa: S302  # its hash is known.
    ranks = dict(zip(tokens, range(len(tokens)), strict=True))
    encoding = Encoding(
        name, pat_str=definition.pattern, mergeable_ranks=ranks, special_tokens=definition.special_tokens
    )
    # The native encoder has its own copy; the dict would keep 50 MB alive for pickling alone.
    ranks.clear()
    return encoding


class Encodings:
    """The encodings that one instance of a function has loaded; part of its state."""

    def __init__(self, folder: Path = DATA) -> None:
        self._folder = folder
        self._loaded: dict[str, Encoding] = {}
        self._locks: dict[str, anyio.Lock] = {}

    def is_loaded(self, name: str) -> bool:
        return name in self._loaded

    async def get(self, name: str) -> "Encoding":
        """
        Return the encoding *name*; callers that arrive during its load wait for it.

        Raises: InvalidValue: there is no such encoding.
        """
        if name in self._loaded:
            return self._loaded[name]
        if name not in DEFINITIONS:
            raise InvalidValue(
                f"There is no encoding {name!r}; the encodings are {', '.join(ENCODINGS)}.", param="encoding"
            )
        async with self._locks.setdefault(name, anyio.Lock()):
            if name not in self._loaded:
                await anyio.to_thread.run_sync(self._load, name)
        return self._loaded[name]

    def _load(self, name: str) -> None:
        # What counts is only imported for it: its patterns take 30 ms to compile.
        import shared.tokens.count  # noqa: F401

        # Stored from the thread: a caller that is cancelled meanwhile does not throw the work away.
        self._loaded[name] = load_encoding(name, self._folder)
