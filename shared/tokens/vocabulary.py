"""
The files of tokens, and reading of them all or no more than some texts can need.

Byte pairs are merged by looking up parts of the text, and nothing else: of the whole vocabulary only the tokens that
occur in a text decide how it is split. So a part of an encoding counts a text exactly, and is there in 10 ms where the
whole takes 170.

    texts -> at each byte, the slot of what begins there -> which of its tokens stand there

A file holds the tokens by how they begin: first SLOTS + 2 places in the file, four bytes each, lowest first, then from
each place to the next a marshalled dict of tokens and their ranks, or nothing. The last slot holds the single bytes,
which any encoding needs. scripts/pack_encodings.py writes them.
"""

import marshal
from collections.abc import Iterable

SLOTS = 65_521
"""A prime: the remainder of three bytes depends on each of them. Tokens that share a slot by chance do no harm."""

BEGINNING_BYTES = 3
_PLACE_BYTES = 4


def read_ranks(packed: bytes) -> dict[bytes, int]:
    """Return all tokens of a *packed* file with their ranks; in many short calls."""
    ranks: dict[bytes, int] = {}
    for slot in range(SLOTS + 1):
        ranks.update(_read(packed, slot))
    return ranks


def select_ranks(packed: bytes, texts: Iterable[str]) -> dict[bytes, int]:
    """Return the tokens that occur in *texts*, from a *packed* file, and all single bytes, with their ranks."""
    content = "\n".join(texts).encode(errors="surrogatepass")
    ranks = dict(_read(packed, SLOTS))
    opened: dict[int, tuple[dict[bytes, int], list[int]]] = {}
    for size in (2, BEGINNING_BYTES):
        for at in range(len(content) - size + 1):
            slot = int.from_bytes(content[at : at + size]) % SLOTS
            if slot not in opened:
                tokens = _read(packed, slot)
                opened[slot] = tokens, list(set(map(len, tokens)))
            tokens, lengths = opened[slot]
            for length in lengths:
                token = content[at : at + length]
                if token in tokens:
                    ranks[token] = tokens[token]
    return ranks


def pack_ranks(tokens: Iterable[bytes], marshal_version: int) -> bytes:
    """Return the file of *tokens*, which come in the order of their ranks."""
    filled: list[dict[bytes, int]] = [{} for _ in range(SLOTS + 1)]
    for rank, token in enumerate(tokens):
        slot = SLOTS if len(token) == 1 else int.from_bytes(token[:BEGINNING_BYTES]) % SLOTS
        filled[slot][token] = rank
    parts = [marshal.dumps(slot, marshal_version) if slot else b"" for slot in filled]
    places = [_PLACE_BYTES * (SLOTS + 2)]
    for part in parts:
        places.append(places[-1] + len(part))
    return b"".join([*(place.to_bytes(_PLACE_BYTES, "little") for place in places), *parts])


def _read(packed: bytes, slot: int) -> dict[bytes, int]:
    at = _PLACE_BYTES * slot
    start = int.from_bytes(packed[at : at + _PLACE_BYTES], "little")
    end = int.from_bytes(packed[at + _PLACE_BYTES : at + 2 * _PLACE_BYTES], "little")
    return marshal.loads(packed[start:end]) if start < end else {}  # noqa: S302 - its hash is known.
