"""
Packs the published encodings for the bundle, and unpacks them again.

    python -m scripts.pack_encodings o200k_base.tiktoken …   write <name>.tokens in shared/tokens/data
    python -m scripts.pack_encodings --unpack o200k_base     print the published file

A published file has a line for each token, its base64 and its rank, which is the line's number. The packed form is read
in half the time, and can be looked up without reading all of it (shared/tokens/vocabulary.py).
"""

import argparse
import hashlib
import sys
from base64 import b64decode, b64encode
from collections.abc import Sequence
from operator import itemgetter
from pathlib import Path

from shared.tokens.encodings import DATA, DEFINITIONS
from shared.tokens.vocabulary import pack_ranks, read_ranks

MARSHAL_VERSION = 2
"""Without references between objects: the same tokens make the same bytes in every version of Python."""


class NotPublished(ValueError):
    """A file is not the one that its encoding's definition names."""


def pack(name: str, published: bytes) -> bytes:
    """Return the packed form of a *published* file. Raises NotPublished."""
    if hashlib.sha256(published).hexdigest() != DEFINITIONS[name].published_sha256:
        raise NotPublished(f"this is not the published {name}")
    return pack_ranks([b64decode(line.split()[0]) for line in published.splitlines()], MARSHAL_VERSION)


def unpack(packed: bytes) -> bytes:
    """Return the published file that *packed* was made of."""
    ranks = sorted(read_ranks(packed).items(), key=itemgetter(1))
    return b"".join(b"%b %d\n" % (b64encode(token), rank) for token, rank in ranks)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m scripts.pack_encodings", description=__doc__.split("\n\n")[0])
    parser.add_argument("files", nargs="*", type=Path, help="published files, named <encoding>.tiktoken")
    parser.add_argument("--unpack", choices=tuple(DEFINITIONS), help="print this encoding as it was published")
    chosen = parser.parse_args(arguments)
    for path in chosen.files:
        packed = pack(path.stem, path.read_bytes())
        (DATA / f"{path.stem}.tokens").write_bytes(packed)
        print(f"{path.stem}: {len(packed)} bytes, sha256 {hashlib.sha256(packed).hexdigest()}")
    if chosen.unpack:
        sys.stdout.buffer.write(unpack((DATA / f"{chosen.unpack}.tokens").read_bytes()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
