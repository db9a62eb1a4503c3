"""
Documents written by tenants: into the object store, and from the acknowledgement on seen by every instance.

    document_write     the key; a new fence, so that no load that has begun is kept; what is kept has to be asked for
                       again; the lease, so that who comes waits for what is written
    the object store   one write, with its condition
    document_written   the new text under its mark, or, where somebody else wrote or reported a change meanwhile, word
                       that what is kept is outdated; the record of an Idempotency-Key; the lease given back
    answer

Each write is its own change notice. One that ends half-way was not acknowledged, and shows, if it came as far as the
object store, when its lease has run out, as no copy is shown then without asking.
"""

import secrets
import time
from collections.abc import Awaitable
from contextlib import suppress
from typing import NamedTuple

from shared.cache.l1 import L1
from shared.cache.tiered import ABSENT, UNKNOWN
from shared.config import Settings
from shared.documents.condition import Condition, moved
from shared.documents.document import Document
from shared.documents.objects import Objects, OutcomeUnknown, Page
from shared.documents.shelf import COUNT_PREFIX, Shelf
from shared.documents.source import NO_STORE, ObjectMoved, Source, SourceDown, SourceRefused
from shared.errors import NotFound, SourceUnavailable, StoreUnavailable
from shared.items.document_paths import Place
from shared.request.caller import Caller
from shared.request.tracing import Kind, part
from shared.store import keys
from shared.store.attempts import Attempt
from shared.store.refusals import raise_refusal
from shared.store.upstash import Store

FORBIDDEN_RETRY_AFTER_S = 60
"""Somebody has to allow it first."""

LEASE_MARGIN_S = 1.0
"""For how long behind the object store's own timeout nobody else loads the document."""


class Begun(NamedTuple):
    """A write that may go on: its *fence*, "0" where the store takes no more marks, and who it is by."""

    fence: str
    owner: str


class Done(NamedTuple):
    """What a write left: the tag of the document, "" for none. *is_replay*: it was done before, now nothing was."""

    etag: str
    is_replay: bool = False


class Writer:
    """Writes, deletes and lists the documents of tenants."""

    def __init__(self, store: Store, source: Source, shelf: Shelf, l1: L1[Document], settings: Settings) -> None:
        self._store = store
        self._source = source
        self._objects = Objects(source, settings)
        self._shelf = shelf
        self._l1 = l1
        self._settings = settings
        due_s = max(settings.document_fresh_s, settings.document_missing_s)
        self._due_s = due_s + 1  # Marks hold whole seconds.
        self._lease_s = max(settings.document_lease_s, settings.document_timeout_s + LEASE_MARGIN_S)

    async def put(
        self, caller: Caller, place: Place, document: Document, condition: Condition, attempt: Attempt
    ) -> Done:
        """
        Store *document*, whose tag is not known yet, at *place* of the caller's own folder.

        Raises:   VersionMoved, KeyReused, Unauthorized, NotFound: nothing was stored. SourceUnavailable,
                  StoreUnavailable: `outcome_unknown` says whether it may have been.
        """
        begun = await self._begin(caller, place, attempt)
        if isinstance(begun, Done):
            return begun
        asked_at_unix_s = int(time.time())
        body = document.text.encode()
        with part("store document", Kind.CLIENT):
            etag = await self._write(place, begun, condition, self._objects.put(place.object_path, body, condition))
        written = document.with_etag(etag)
        await self._end(place, begun, attempt, etag, asked_at_unix_s, *_fields(written))
        self._l1.put(place, written)
        return Done(etag)

    async def delete(self, caller: Caller, place: Place, condition: Condition, attempt: Attempt) -> Done:
        """Delete what stands at *place*. Raises as `put`; NotFound: there is nothing."""
        begun = await self._begin(caller, place, attempt)
        if isinstance(begun, Done):
            return begun
        asked_at_unix_s = int(time.time())
        with part("delete document", Kind.CLIENT):
            was_there = await self._write(place, begun, condition, self._objects.delete(place.object_path, condition))
        if not was_there:
            await self._give_back(place, begun)
            raise NotFound(f"There is no document {place.path[:64]!r}; nothing was deleted.", param="path")
        await self._end(place, begun, attempt, ABSENT, asked_at_unix_s)
        self._l1.forget(place)
        return Done(UNKNOWN)

    async def close(self) -> None:
        """Close every connection."""
        await self._objects.close()

    async def page(self, scope: str, prefix: str, after: str, count: int) -> Page:
        """Return documents of *scope*; the object store is asked each time. Raises SourceUnavailable."""
        try:
            with part("list documents", Kind.CLIENT):
                return await self._objects.page(scope, prefix, after, count)
        except (SourceDown, SourceRefused) as error:
            raise self._unavailable("The object store did not list the documents.") from error

    async def _begin(self, caller: Caller, place: Place, attempt: Attempt) -> Begun | Done:
        owner, settings = secrets.token_hex(8), self._settings
        names = [
            *(keys.tenant_key(caller.tenant), keys.document_marks_key(place.scope), keys.document_lease_key(*place)),
            *attempt.record_keys(caller.tenant),
        ]
        arguments: list[str | int] = [
            *(caller.key_hash, attempt.fingerprint, place.path, owner, int(self._lease_s * 1_000), _now_ms()),
            *(settings.documents_max, int(time.time()) - self._due_s),
        ]
        try:
            # A second time it takes what the first one took.
            reply = await self._shelf.with_scope(
                place.scope, self._store.eval("document_write", names, arguments, is_idempotent=True)
            )
        except StoreUnavailable as error:
            text = "The store did not answer as it should. Nothing was stored."
            raise _same(error, text, is_open=False) from error.__cause__
        if reply[0] not in ("ok", "done"):
            raise_refusal(reply, place.path, settings)
        is_new = reply[0] == "ok"
        return Begun(reply[1], owner) if is_new else Done(reply[1].removeprefix(ABSENT), is_replay=True)

    async def _write[T](self, place: Place, begun: Begun, condition: Condition, work: Awaitable[T]) -> T:
        """Return what the object store says to *work*. Where nothing was written, the lease is given back."""
        try:
            return await work
        except ObjectMoved:
            await self._give_back(place, begun)
            etag = None
            with suppress(SourceDown, SourceRefused):
                etag = await self._objects.find(place.object_path)
            raise moved(condition, etag) from None
        except NotFound:
            await self._give_back(place, begun)
            raise
        except SourceRefused as error:
            await self._give_back(place, begun)
            raise self._unavailable(
                "The object store does not let this deployment write. Nothing was stored.",
                retry_after_s=FORBIDDEN_RETRY_AFTER_S,
                outcome_unknown=False,
            ) from error
        except OutcomeUnknown as error:
            # It may still come: until the lease has run out nobody takes what is there for the newest.
            raise self._unavailable(
                "The object store did not answer as it should. It is not known whether anything was stored.",
                outcome_unknown=True,
            ) from error
        except SourceDown as error:
            await self._give_back(place, begun)
            raise self._unavailable(
                "The object store did not answer as it should. Nothing was stored.", outcome_unknown=False
            ) from error

    def _unavailable(
        self, text: str, *, retry_after_s: float = 1, outcome_unknown: bool | None = None
    ) -> SourceUnavailable:
        if not self._source.is_there:
            text = NO_STORE
        if outcome_unknown is None:
            return SourceUnavailable(text, retry_after_s=retry_after_s)
        return SourceUnavailable(text, retry_after_s=retry_after_s, outcome_unknown=outcome_unknown)

    async def _end(
        self, place: Place, begun: Begun, attempt: Attempt, etag: str, asked_at_unix_s: int, *fields: str | int
    ) -> None:
        """Have every instance know of what was written. Raises StoreUnavailable: it was, and not all of them do."""
        names = _names(place) + attempt.record_keys(place.scope)
        arguments: list[str | int] = [
            *(place.path, begun.owner, begun.fence, "absent" if etag == ABSENT else "value", asked_at_unix_s),
            *(self._settings.document_expiry_s, etag, _now_ms()),
            *(attempt.fingerprint, self._settings.idempotency_s, *fields),
        ]
        try:
            # A second time it finds its own fence or not, and what it then calls outdated is asked for again.
            await self._store.eval("document_written", names, arguments, is_idempotent=True)
        except StoreUnavailable as error:
            seconds = round(self._lease_s)
            text = f"It was written, and may not be seen for {seconds} s: the store did not answer as it should."
            raise _same(error, text, is_open=True) from error.__cause__

    async def _give_back(self, place: Place, begun: Begun) -> None:
        """Nothing was written: let others load the document."""
        arguments: list[str | int] = [place.path, begun.owner, begun.fence, "none", 0, 0, UNKNOWN, 0, "", 0]
        with suppress(StoreUnavailable):
            await self._store.eval("document_written", _names(place), arguments, is_idempotent=True)


def _names(place: Place) -> list[str]:
    return [keys.document_marks_key(place.scope), keys.document_lease_key(*place), keys.document_key(*place)]


def _fields(document: Document) -> list[str | int]:
    fields: list[str | int] = ["etag", document.etag, "size", document.total_bytes, "held", document.held_bytes]
    for encoding, tokens in document.counts.items():
        fields += [f"{COUNT_PREFIX}{encoding}", tokens]
    return [*fields, "text", document.text]


def _same(error: StoreUnavailable, text: str, *, is_open: bool) -> StoreUnavailable:
    """Return what *error* says of the store, and *text* of the write; *is_open*: whether something was stored."""
    return type(error)(text, retry_after_s=error.retry_after_s, outcome_unknown=is_open)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
