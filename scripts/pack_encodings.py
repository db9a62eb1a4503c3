"""
Packs the published encodings for the bundle, and unpacks them again.

    python -m scripts.pack_encodings o200k_base.tiktoken …   write <name>.tokens and <name>.slots in shared/tokens/data
    python -m scripts.pack_encodings --unpack o200k_base     print the published file

A published file has a line for each token, its base64 and its rank, which is the line's number; reading it takes three
times as long as reading the packed form: a marshalled list of the tokens in their order. The slots hold them once more,
to be looked up without reading all of them (shared/tokens/partial.py).
"""

import argparse
import hashlib
import marshal
import sys
from base64 import b64decode, b64encode
from collections.abc import Sequence
from pathlib import Path

from shared.tokens.encodings import DATA, DEFINITIONS
from shared.tokens.partial import pack_slots

MARSHAL_VERSION = 2
"""Without references between objects: the same tokens make the same bytes in every version of Python."""


class NotPublished(ValueError):
    """A file is not the one that its encoding's definition names."""


def pack(name: str, published: bytes) -> bytes:
    """Return the packed form of a *published* file. Raises NotPublished."""
    if hashlib.sha256(published).hexdigest() != DEFINITIONS[name].published_sha256:
        raise NotPublished(f"this is not the published {name}")
    return marshal.dumps([b64decode(line.split()[0]) for line in published.splitlines()], MARSHAL_VERSION)


def slots(packed: bytes) -> bytes:
    """Return the tokens of a *packed* form in slots."""
    return pack_slots(marshal.loads(packed), MARSHAL_VERSION)  # noqa: S302


def unpack(packed: bytes) -> bytes:
    """Return the published file that *packed* was made of."""
    return b"".join(b"%b %d\n" % (b64encode(token), rank) for rank, token in enumerate(marshal.loads(packed)))  # noqa: S302


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m scripts.pack_encodings", description=__doc__.split("\n\n")[0])
    parser.add_argument("files", nargs="*", type=Path, help="published files, named <encoding>.tiktoken")
    parser.add_argument("--unpack", choices=tuple(DEFINITIONS), help="print this encoding as it was published")
    chosen = parser.parse_args(arguments)
    for path in chosen.files:
        packed = pack(path.stem, path.read_bytes())
        for kind, content in (("tokens", packed), ("slots", slots(packed))):
            (DATA / f"{path.stem}.{kind}").write_bytes(content)
            print(f"{path.stem}.{kind}: {len(content)} bytes, sha256 {hashlib.sha256(content).hexdigest()}")
    if chosen.unpack:
        sys.stdout.buffer.write(unpack((DATA / f"{chosen.unpack}.tokens").read_bytes()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
