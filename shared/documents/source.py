"""
The source: the object store that documents come from, by obstore.

    s3://bucket/prefix     AWS, R2, MinIO, with the usual AWS_* variables
    file:///folder         or a folder's name
    memory:///             for tests

`load` asks once, with the entity tag that is held, and reads no more than the beginning that is kept; `slices` brings
the rest of a large object in pieces of one version. Whatever goes wrong is SourceDown: a refusal, a timeout, an answer
that ends too early. While the source is away a breaker lets calls fail at once. What writes is in objects.py.
"""

import asyncio
import os.path
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote, urlsplit

from anyio import to_thread

from shared.config import SETTINGS, Settings
from shared.errors import NotFound
from shared.store.breaker import Breaker
from shared.store.failure import Sign

if TYPE_CHECKING:
    from obstore import ListStream, ObjectMeta
    from obstore.store import ObjectStore

CHUNK_BYTES = 256 * 1024
SLICE_BYTES = 1_048_576
PAGE_OBJECTS = 1_000
CONNECT_TIMEOUT_S = 1.0


NO_STORE = (
    f"There is no object store; setting {SETTINGS['documents_url'].names('documents_url')[0]} on the deployment says "
    "where documents come from."
)


class SourceDown(Exception):
    """The object store did not answer as it should."""


class SourceAway(SourceDown):
    """It was not asked: it is taken for away."""


class SourceRefused(Exception):
    """The object store forbids it, and did nothing: what may only read must not keep others from reading."""


class ObjectMoved(Exception):
    """The object is another version than the one that was asked for."""


class Loaded(NamedTuple):
    """The beginning of an object, and how large all of it is."""

    etag: str
    body: bytes
    size_bytes: int


class NotModified(NamedTuple):
    """The object still has the tag that was named."""


class Missing(NamedTuple):
    """There is no such object."""


class Listed(NamedTuple):
    """An object of a listing."""

    path: str
    etag: str
    size_bytes: int = 0
    modified_at_unix_s: int = 0


class Source:
    """One bucket or folder; opened at the first use, in a thread: reading the certificates takes 90 ms."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.documents_url
        self._timeout_s = settings.document_timeout_s
        self._bytes_max = settings.document_bytes_max
        self._breaker = Breaker(name="documents")
        self._opened: ObjectStore | None = None
        self._opening = asyncio.Lock()

    @property
    def taken_for_away(self) -> int:
        """How often it was, since the start."""
        return self._breaker.opened

    def was_away(self) -> bool:
        """Tell whether it was taken for away at any time since this was asked last."""
        return self._breaker.was_open()

    @property
    def is_there(self) -> bool:
        """Whether it could be opened, or somebody chose it: a deployment has no folder that it may write to."""
        return self._opened is not None or self._url != SETTINGS["documents_url"].default

    @property
    def is_s3(self) -> bool:
        return urlsplit(self._url).scheme == "s3"

    @property
    def folder(self) -> str:
        """The folder that it is, "" for what is none."""
        parts = urlsplit(self._url)
        if parts.scheme in ("s3", "memory"):
            return ""
        return os.path.abspath(unquote(parts.path) if parts.scheme == "file" else self._url)

    @property
    def bucket(self) -> tuple[str, str]:
        """The bucket and the prefix in it; "" where there is none."""
        parts = urlsplit(self._url)
        return (parts.netloc, parts.path.strip("/")) if parts.scheme == "s3" else ("", "")

    async def load(self, path: str, held_etag: str) -> Loaded | NotModified | Missing:
        """Return what stands at *path*, unless it has *held_etag* ("" for none). Raises SourceDown."""
        import obstore
        from obstore.exceptions import NotModifiedError

        async def get() -> Loaded | NotModified | Missing:
            store = await self.opened()
            try:
                result = await obstore.get_async(
                    store, path, options={"if_none_match": held_etag} if held_etag else None
                )
            except NotModifiedError:
                return NotModified()
            except FileNotFoundError:
                return Missing()
            size_bytes, wanted = result.meta["size"], min(self._bytes_max, result.meta["size"])
            body = bytearray()
            async for chunk in result.stream(min_chunk_size=CHUNK_BYTES):
                body += chunk
                if len(body) >= wanted:
                    break
            if len(body) < wanted:
                raise SourceDown(f"{len(body)} bytes of {wanted}")
            return Loaded(etag_of(result.meta), bytes(body[:wanted]), size_bytes)

        return await self.guard(get())

    async def slices(self, path: str, etag: str, start: int, end: int) -> AsyncIterator[bytes]:
        """Yield the bytes *start* to *end* of the version *etag*. Raises ObjectMoved, SourceDown."""
        import obstore
        from obstore.exceptions import PreconditionError

        async def get(at: int, stop: int) -> bytes:
            store = await self.opened()
            try:
                result = await obstore.get_async(store, path, options={"if_match": etag, "range": (at, stop)})
            except (PreconditionError, FileNotFoundError):
                raise ObjectMoved from None
            return bytes(await result.bytes_async())

        for at in range(start, end, SLICE_BYTES):
            yield await self.guard(get(at, min(at + SLICE_BYTES, end)))

    async def list(self, prefix: str, after: str) -> AsyncGenerator[list[Listed]]:
        """Yield pages of what stands below *prefix*, by path, behind the path *after*. Raises SourceDown."""
        import obstore

        store = await self.opened()
        stream = obstore.list(store, prefix, offset=after or None, chunk_size=PAGE_OBJECTS)
        if not self.is_s3:
            # Folders come in no order.
            objects = await self.guard(_all(stream))
            ordered = sorted((_listed(each) for each in objects), key=lambda each: each.path.encode())
            for at in range(0, len(ordered), PAGE_OBJECTS):
                yield ordered[at : at + PAGE_OBJECTS]
            return
        while page := await self.guard(_next(stream)):
            yield [_listed(each) for each in page]

    async def guard[T](self, work: Coroutine[Any, Any, T]) -> T:
        """
        Return what *work* does in time. Raises SourceDown for all that goes wrong with the source itself; SourceAway:
        nothing was sent.
        """
        from obstore.exceptions import BaseError

        ticket = self._breaker.enter()
        if ticket is None:
            work.close()
            raise SourceAway("away")
        sign = Sign.NONE
        try:
            async with asyncio.timeout(self._timeout_s):
                value = await work
            sign = Sign.THERE
        except (BaseError, OSError, ValueError, TimeoutError, SourceDown) as error:
            sign = Sign.AWAY
            raise SourceDown(f"{type(error).__name__}") from error
        except (ObjectMoved, SourceRefused, NotFound):
            sign = Sign.THERE
            raise
        finally:
            self._breaker.record(ticket, sign)
        return value

    async def ensure_opened(self) -> None:
        """Open it, so that what fails behind this failed on its way or there. Raises SourceDown."""
        if self._opened is None:
            await self.guard(self.opened())

    async def opened(self) -> "ObjectStore":
        """Return what obstore asks."""
        async with self._opening:
            if self._opened is None:
                self._opened = await to_thread.run_sync(self._open)
            return self._opened

    def _open(self) -> "ObjectStore":
        from obstore.store import LocalStore, MemoryStore, from_url

        parts = urlsplit(self._url)
        if parts.scheme == "s3":
            return from_url(
                self._url,
                client_options={
                    "allow_http": True,
                    "timeout": timedelta(seconds=self._timeout_s),
                    "connect_timeout": timedelta(seconds=min(CONNECT_TIMEOUT_S, self._timeout_s)),
                },
                # One more try is the tiers' business: there are other copies to answer with.
                retry_config={"max_retries": 0, "retry_timeout": timedelta(seconds=self._timeout_s)},
            )
        if parts.scheme == "memory":
            return MemoryStore()
        return LocalStore(self.folder, mkdir=True)


async def _all(stream: "ListStream[Sequence[ObjectMeta]]") -> "list[ObjectMeta]":
    return [each async for page in stream for each in page]


async def _next(stream: "ListStream[Sequence[ObjectMeta]]") -> "Sequence[ObjectMeta]":
    return await anext(stream, [])


def _listed(meta: "ObjectMeta") -> Listed:
    return Listed(meta["path"], etag_of(meta), meta["size"], int(meta["last_modified"].timestamp()))


def etag_of(meta: "ObjectMeta") -> str:
    """Return the entity tag; an object store without any is told apart by time and size."""
    return meta["e_tag"] or f'"{meta["last_modified"].timestamp():.6f}-{meta["size"]}"'
