"""
Which store a running scripts/dev serves, for scripts/keys to find: a file that the first of them holds.

    with claimed(path, environ) as is_first:     False: another holds it, and goes on doing so
    running(path)                                what the holder wrote; None where nobody holds it

A lock on the file says that its holder lives: one that was killed leaves the file and no lock. A second scripts/dev
never takes the file over, so keys go where they went before. The token is in it: only its user may read it.
"""

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TextIO

STORE_FILE = Path(".warmthread", "dev-store.json")
TRIES, PAUSE_S = 10, 0.02
"""A look at the file holds its lock for a moment."""


@contextlib.contextmanager
def claimed(path: Path, environ: Mapping[str, str]) -> Iterator[bool]:
    """Hold *path* with *environ* in it until the block ends; yield whether it could be had."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    file = _locked(path)
    if file is None:
        yield False
        return
    with file:
        file.truncate()
        file.write(json.dumps(dict(environ)))
        file.flush()
        try:
            yield True
        finally:
            path.unlink(missing_ok=True)


def running(path: Path) -> dict[str, str] | None:
    """Return what the holder of *path* wrote into it, None when there is none."""
    try:
        with path.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                environ: dict[str, str] = json.load(file)
                return environ
    except (OSError, ValueError):
        return None
    return None


def _locked(path: Path) -> TextIO | None:
    for _ in range(TRIES):
        file = open(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+")  # noqa: SIM115 - the caller closes it.
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Its last holder may have taken it away between the two steps: then nobody would find it.
            if path.exists() and path.stat().st_ino == os.fstat(file.fileno()).st_ino:
                return file
        file.close()
        time.sleep(PAUSE_S)  # Nothing tells when a lock is free but trying again.
    return None
