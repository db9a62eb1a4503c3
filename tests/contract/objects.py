"""
The implementations of the object store port, and how each of them can fail.

A row of OBJECT_STORES is all that another one needs. What is broken fails at once, what is silent never answers.
"""

import os
import stat
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import obstore
import pytest

from scripts.faults.server import Fault, FaultyServer
from scripts.local.object_store import BUCKET, ObjectStore
from shared.documents.source import Source
from shared.environment import read_settings

STORE = {"UPSTASH_REDIS_REST_URL": "http://127.0.0.1:1", "UPSTASH_REDIS_REST_TOKEN": "none"}
Put = Callable[[str, bytes], Awaitable[None]]


class ObjectRig(NamedTuple):
    """
    One object store.

    *open*: make a source of it, with settings. *spoil*: let an object suffer a fault of its kind. *mend*: end that; the
    object may be gone.
    """

    open: Callable[..., Source]
    spoil: Callable[[Any, str], None]
    mend: Callable[[str], None]


class ObjectKind(NamedTuple):
    """One implementation, and its faults by what they do."""

    start: Callable[[pytest.FixtureRequest], AbstractContextManager[ObjectRig]]
    broken: tuple[Any, ...] = ()
    silent: tuple[Any, ...] = ()


def make_source(url: str, **changes: Any) -> Source:
    return Source(read_settings(STORE)._replace(documents_url=url, **changes))


async def put(source: Source, path: str, body: bytes) -> None:
    await obstore.put_async(await source.opened(), path, body)


@contextmanager
def s3(request: pytest.FixtureRequest) -> Iterator[ObjectRig]:
    """Moto's server, behind a wire that misbehaves."""
    store: ObjectStore = request.getfixturevalue("s3")
    tmp_path: Path = request.getfixturevalue("tmp_path")
    with FaultyServer(store.url) as wire, pytest.MonkeyPatch.context() as patch:
        store.use(patch, wire.url)

        def spoil(fault: Fault, path: str) -> None:
            wire.fault = fault

        def mend(path: str) -> None:
            wire.fault = Fault.NONE

        url = f"s3://{BUCKET}/some/prefix/{tmp_path.name}"
        yield ObjectRig(lambda **settings: make_source(url, **settings), spoil, mend)


LOOP, PIPE = "symbolic link to itself", "pipe that nobody writes"


@contextmanager
def _folder(url: str, root: Path) -> Iterator[ObjectRig]:
    def spoil(fault: str, path: str) -> None:
        place = root / path
        place.unlink(missing_ok=True)
        place.symlink_to(place.name) if fault == LOOP else os.mkfifo(place)

    def mend(path: str) -> None:
        place = root / path
        if stat.S_ISFIFO(place.lstat().st_mode):
            # Who still reads must come to an end, or the process would not.
            os.close(os.open(place, os.O_RDWR | os.O_NONBLOCK))
        place.unlink()

    yield ObjectRig(lambda **settings: make_source(url, **settings), spoil, mend)


def folder(request: pytest.FixtureRequest) -> AbstractContextManager[ObjectRig]:
    root = request.getfixturevalue("tmp_path") / "not made yet"
    return _folder(str(root), root)


def file(request: pytest.FixtureRequest) -> AbstractContextManager[ObjectRig]:
    root = request.getfixturevalue("tmp_path")
    return _folder(f"file://{root}", root)


@contextmanager
def memory(request: pytest.FixtureRequest) -> Iterator[ObjectRig]:
    """What cannot fail."""

    def never(*arguments: Any) -> None:
        raise AssertionError("memory has no faults")

    yield ObjectRig(lambda **settings: make_source("memory:///", **settings), never, never)


BROKEN = (Fault.ERROR_500, Fault.REFUSE_403, Fault.CLOSE, Fault.TRUNCATE, Fault.NOT_HTTP)

OBJECT_STORES = [
    pytest.param(ObjectKind(s3, BROKEN, (Fault.SILENT, Fault.DRIP)), id="s3"),
    pytest.param(ObjectKind(folder, (LOOP,), (PIPE,)), id="folder"),
    pytest.param(ObjectKind(file, (LOOP,), (PIPE,)), id="file"),
    pytest.param(ObjectKind(memory), id="memory"),
]
