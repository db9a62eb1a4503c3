"""
Writes to the object store, each in one step with its condition, and its listings in pages.

    S3       PutObject with If-Match or If-None-Match by obstore, DeleteObject with If-Match by a signed address
    folder   compared and written under a lock that all writers of this machine take
    memory   the same, for tests

What may be done and what was found is for the object store to say. A write is sent once.
"""

import asyncio
import fcntl
import os
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from contextlib import aclosing, contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from anyio import to_thread

from shared.config import Settings
from shared.documents.condition import Condition
from shared.documents.document import media_type
from shared.documents.source import Listed, ObjectMoved, Source, SourceAway, SourceDown, SourceRefused, etag_of
from shared.errors import InvalidValue, NotFound
from shared.items.document_paths import PATH_BYTES_MAX, SHARED, check_path

if TYPE_CHECKING:
    from obstore import PutMode
    from obstore.store import ObjectStore
    from pyreqwest.client import Client

SEGMENT_BYTES_MAX = 255
"""What file systems take as one name."""

HIGHEST = "\U0010ffff"
"""No path holds it: it is no printable character."""

CONTROLS = 0x20, 0x7F, 0xA0
FORBIDDEN, REFUSED, GONE, CONFLICT, FAILED_CONDITION = 403, 401, 404, 409, 412


class OutcomeUnknown(SourceDown):
    """The object store did not say what became of a write."""


class Page(NamedTuple):
    """Some objects, their paths within their scope, and whether there are more behind them."""

    objects: list[Listed]
    has_more: bool


class Objects:
    """What is written to, deleted from and listed in one object store."""

    def __init__(self, source: Source, settings: Settings) -> None:
        self._source = source
        self._timeout = timedelta(seconds=settings.document_timeout_s)
        self._lock = threading.Lock()
        self._opening = asyncio.Lock()
        self._http: Client | None = None

    async def put(self, path: str, body: bytes, condition: Condition) -> str:
        """
        Store *body* at *path* if *condition* allows it; return its entity tag.

        Raises:   ObjectMoved, SourceRefused, NotFound (nothing can be called so): nothing was stored. SourceDown: nor
                  then, unless it is OutcomeUnknown.
        """
        await self._source.ensure_opened()
        if condition.is_impossible:
            raise ObjectMoved
        if not self._source.is_s3:
            return await self._in_folder(lambda store: self._put_file(store, path, body, condition))
        mode: PutMode = "create" if condition.is_new else "overwrite"
        if condition.tags is not None:
            mode = {"e_tag": condition.one_tag or await self._tag_allowed(path, condition)}

        async def put() -> str | None:
            import obstore
            from obstore.exceptions import AlreadyExistsError, PreconditionError

            store = await self._source.opened()
            kind = {"Content-Type": media_type(path)}
            with _refusals():
                try:
                    result = await obstore.put_async(store, path, body, mode=mode, attributes=kind, use_multipart=False)
                except (AlreadyExistsError, PreconditionError, FileNotFoundError):
                    raise ObjectMoved from None
            return result["e_tag"]

        etag = await self._sent(put())
        if etag is None:
            raise OutcomeUnknown("it names no entity tag")
        return etag

    async def close(self) -> None:
        """Close every connection."""
        if self._http is not None:
            await self._http.close()

    async def delete(self, path: str, condition: Condition) -> bool:
        """Delete what stands at *path* if *condition* allows it; return whether there was anything. Raises as `put`."""
        await self._source.ensure_opened()
        if not self._source.is_s3:
            return await self._in_folder(lambda store: self._delete_file(store, path, condition))
        # Object stores that heed no condition here are held to it by this look, but for who writes right after it.
        etag = await self.find(path)
        if not condition.allows(etag):
            raise ObjectMoved
        if etag is None:
            return False
        await self._sent(self._delete_signed(path, etag if condition.tags is not None else ""))
        return True

    async def find(self, path: str) -> str | None:
        """Return the entity tag of what stands at *path*, None for nothing. Raises SourceDown, SourceRefused."""

        async def look() -> str | None:
            import obstore

            with _refusals():
                try:
                    return etag_of(await obstore.head_async(await self._source.opened(), path))
                except FileNotFoundError:
                    return None

        return await self._source.guard(look())

    async def page(self, scope: str, prefix: str, after: str, count: int) -> Page:
        """
        Return the first *count* objects of *scope* whose paths begin with *prefix* and come behind *after*, in the
        order of their UTF-8. Raises SourceDown. Objects that no path can name are passed over.
        """
        if not _has_name(f"{prefix}x"):
            return Page([], has_more=False)
        folder = prefix.rpartition("/")[0]
        found: list[Listed] = []
        start = max(_nameable(after), _before(prefix))
        async with aclosing(self._behind(scope, folder, start)) as objects:
            async for each in objects:
                path = each.path
                if path > prefix and not path.startswith(prefix):
                    break
                if path > after and path.startswith(prefix) and _has_name(path):
                    if len(found) == count:
                        return Page(found, has_more=True)
                    found.append(each)
        return Page(found, has_more=False)

    async def _behind(self, scope: str, folder: str, start: str) -> AsyncGenerator[Listed]:
        """Yield what is in *folder* of *scope*, by their paths in the scope, behind *start*; "" for all."""
        at, place = start, f"{scope}/{folder}".rstrip("/")
        async with aclosing(self._source.list(place, f"{scope}/{at}" if at else "")) as pages:
            async for page in pages:
                for each in page:
                    path = each.path.removeprefix(f"{scope}/")
                    if scope == SHARED or not path.startswith(f"{SHARED}/"):
                        yield each._replace(path=path)
                        continue
                    # These words mean the documents for all, so what a tenant has there has no name: past it, at once.
                    at = f"{SHARED}/{HIGHEST}"
                    break
                if at != start:
                    break
        if at != start:
            async for each in self._behind(scope, folder, at):
                yield each

    async def _tag_allowed(self, path: str, condition: Condition) -> str:
        """Return the tag of what stands at *path*. Raises ObjectMoved: *condition* does not allow that."""
        etag = await self.find(path)
        if etag is None or not condition.allows(etag):
            raise ObjectMoved
        return etag

    async def _delete_signed(self, path: str, etag: str) -> None:
        """Delete what has *etag*, "" for whatever it is: obstore knows no condition for that, but it signs."""
        import obstore
        from obstore.store import S3Store
        from pyreqwest.exceptions import PyreqwestError

        store = await self._source.opened()
        assert isinstance(store, S3Store)
        address = await obstore.sign_async(store, "DELETE", path, self._timeout)
        try:
            client = await self._client()
            answer = await client.delete(address).headers({"if-match": etag} if etag else {}).build().send()
        except PyreqwestError as error:
            raise SourceDown(type(error).__name__) from error
        if answer.status in (CONFLICT, FAILED_CONDITION) or (etag and answer.status == GONE):
            raise ObjectMoved
        if answer.status in (FORBIDDEN, REFUSED):
            raise SourceRefused
        if not (answer.status < 300 or answer.status == GONE):
            raise SourceDown(f"status {answer.status}")

    async def _client(self) -> "Client":
        """Return what sends signed requests; made in a thread, as it reads the certificates."""
        from pyreqwest.client import ClientBuilder

        async with self._opening:
            if self._http is None:
                self._http = await to_thread.run_sync(
                    lambda: ClientBuilder().timeout(self._timeout).follow_redirects(False).build()
                )
            return self._http

    async def _in_folder[T](self, work: "Callable[[ObjectStore], T]") -> T:
        async def run() -> T:
            return await to_thread.run_sync(work, await self._source.opened())

        return await self._sent(run())

    async def _sent[T](self, write: Coroutine[Any, Any, T]) -> T:
        """Return what came of a *write*. Raises OutcomeUnknown in the place of SourceDown, once it may be under way."""
        try:
            return await self._source.guard(write)
        except SourceAway:
            raise
        except SourceDown as error:
            raise OutcomeUnknown(str(error)) from error

    def _put_file(self, store: "ObjectStore", path: str, body: bytes, condition: Condition) -> str:
        import obstore

        with self._alone():
            if self._source.folder:
                _check_file(self._source.folder, path)
            if not condition.allows(self._tag_of(store, path)):
                raise ObjectMoved
            etag = obstore.put(store, path, body, use_multipart=False)["e_tag"]
            assert etag is not None
            return etag

    def _delete_file(self, store: "ObjectStore", path: str, condition: Condition) -> bool:
        import obstore

        with self._alone():
            etag = self._tag_of(store, path)
            if not condition.allows(etag):
                raise ObjectMoved
            if etag is not None:
                obstore.delete(store, path)
            return etag is not None

    def _tag_of(self, store: "ObjectStore", path: str) -> str | None:
        import obstore

        if self._source.folder and not os.path.isfile(os.path.join(self._source.folder, path)):
            return None
        try:
            return etag_of(obstore.head(store, path))
        except FileNotFoundError:
            return None

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep all other writers of this machine waiting."""
        if not self._source.folder:
            with self._lock:
                yield
            return
        place = os.open(self._source.folder, os.O_RDONLY)
        try:
            fcntl.flock(place, fcntl.LOCK_EX)
            yield
        finally:
            os.close(place)


@contextmanager
def _refusals() -> Iterator[None]:
    """Have what the object store forbids, or is set to do without, say so: it is there."""
    from obstore.exceptions import PermissionDeniedError, UnauthenticatedError

    try:
        yield
    except (PermissionDeniedError, UnauthenticatedError, NotImplementedError) as error:
        raise SourceRefused from error


def _check_file(folder: str, path: str) -> None:
    """Raise NotFound: no file can be called *path* in *folder*, so none can be there."""
    *above, name = path.split("/")
    _, mark, digits = name.rpartition("#")
    if any(len(segment.encode()) > SEGMENT_BYTES_MAX for segment in (*above, name)) or (mark and digits.isdigit()):
        raise NotFound("There is no such document: no file can be called so.", param="path")
    places = ["/".join(above[: at + 1]) for at in range(len(above))]
    is_taken = any(os.path.isfile(os.path.join(folder, each)) for each in places)
    if is_taken or os.path.isdir(os.path.join(folder, path)):
        raise NotFound("There is no such document: a folder is called so, or a document like one of it.", param="path")


def _has_name(path: str) -> bool:
    with suppress(InvalidValue):
        return bool(check_path(path, "path"))
    return False


def _nameable(after: str) -> str:
    """Return as much of the beginning of *after* as an object can be called: it comes before what is behind that."""
    start = after.encode()[:PATH_BYTES_MAX].decode(errors="ignore")
    while start and not _has_name(start):
        start = start[:-1]
    return start


def _before(prefix: str) -> str:
    """Return what comes before all paths that begin with *prefix*, with nothing that has a name in between."""
    if not prefix or prefix.endswith("/"):
        return ""
    low, delete, high = CONTROLS
    last = ord(prefix[-1]) - 1
    while low <= last and (chr(last) == "\\" or delete <= last < high or 0xD800 <= last < 0xE000):
        last -= 1
    return prefix[:-1] + chr(last) + HIGHEST if last >= low else prefix[:-1]
