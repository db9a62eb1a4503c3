"""Documents in tests: how many ask for them, what reached the source, and how old a copy is taken to be."""

from typing import Any

from scripts.faults.server import FaultyServer
from scripts.local.object_store import BUCKET
from shared.documents.shelf import read_mark
from shared.store import keys

INSTANCES, REQUESTS = 4, 100


def gets(front: FaultyServer, path: str) -> int:
    return front.paths.count(f"/{BUCKET}/{path}")


def age(run: Any, tenant: str, path: str, seconds: int) -> None:
    """Make the store believe that the source was last asked *seconds* ago."""
    name = keys.document_marks_key(tenant)
    mark = read_mark(run("HGET", name, path))
    assert mark is not None
    run("HSET", name, path, f"{mark.fence} {mark.checked_at_unix_s - seconds} {mark.etag}")
