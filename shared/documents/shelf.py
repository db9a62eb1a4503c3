"""
The second tier of documents: marks, documents and leases in the store, each step one script.
"""

import asyncio
import secrets
import time
from collections.abc import Awaitable
from contextlib import suppress
from typing import Any

from shared.cache.tiered import ABSENT, UNKNOWN, Grant, Mark, Refusal
from shared.config import Settings
from shared.documents.document import Document
from shared.errors import StoreUnavailable
from shared.items.document_paths import Place
from shared.store import keys
from shared.store.upstash import Store

COUNT_PREFIX = "n:"


class Shelf:
    """What shared.cache.tiered.L2 asks for, and the notices of changes."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._settings = settings
        self.noticed = {"outdated": 0, "unknown": 0}
        """Documents that notices named, since the start, by whether something was kept of them."""

    async def read(self, key: Place, held_etag: str) -> tuple[Mark | None, Document | None]:
        names = [keys.document_marks_key(key.scope), keys.document_key(*key)]
        largest = self._settings.document_bytes_max
        reply = await self._store.eval("document_read", names, [key.path, held_etag], reply_bytes_max=largest)
        mark, document = read_mark(reply[1]), _read_fields(reply[2]) if len(reply) > 2 else None
        if document is not None and mark is not None and mark.etag not in (UNKNOWN, document.etag):
            # The store ended half-way, before the mark of this one: it is not there.
            document = None
        return mark, document

    async def begin(self, key: Place, seen: Mark | None) -> Grant | Refusal:
        owner = secrets.token_hex(8)
        begin = self._store.eval(
            "document_begin",
            [keys.document_marks_key(key.scope), keys.document_lease_key(*key)],
            [
                *(key.path, write_mark(seen), owner, int(self._settings.document_lease_s * 1_000), _now_ms()),
                self._settings.documents_max,
            ],
        )
        reply = await self.with_scope(key.scope, begin)
        return Grant(int(reply[1]), owner) if reply[0] == "ok" else Refusal(reply[0])

    async def store(self, key: Place, grant: Grant, value: Document | None, checked_at_unix_s: int) -> bool:
        if value is None:
            return await self._finish(key, grant, "absent", checked_at_unix_s, ABSENT)
        fields: list[str | int] = ["etag", value.etag, "size", value.total_bytes, "held", value.held_bytes]
        fields += ["why", value.why] if value.why else ["text", value.text]
        return await self._finish(key, grant, "value", checked_at_unix_s, value.etag, *fields)

    async def renew(self, key: Place, grant: Grant, value: Document, checked_at_unix_s: int) -> bool:
        return await self._finish(key, grant, "same", checked_at_unix_s, value.etag)

    async def release(self, key: Place, grant: Grant) -> None:
        await self._finish(key, grant, "none", 0, UNKNOWN)

    async def keep_count(self, key: Place, document: Document, encoding: str) -> None:
        """Keep a count with the document, if it still is this one."""
        arguments: list[str | int] = [document.etag, encoding, document.counts[encoding]]
        await self._store.eval("document_count", [keys.document_key(*key)], arguments, is_idempotent=True)

    async def notice(self, scope: str, paths: list[str]) -> int:
        """Declare what is kept of *paths* outdated; return of how many something is. Raises StoreUnavailable."""
        arguments: list[str | int] = [_now_ms(), *paths]
        reply = await self._store.eval(
            "document_notice", [keys.document_marks_key(scope)], arguments, is_idempotent=True
        )
        outdated = int(reply[1])
        self.noticed["outdated"] += outdated
        self.noticed["unknown"] += len(paths) - outdated
        return outdated

    async def with_scope[T](self, scope: str, begin: Awaitable[T]) -> T:
        """
        Return what *begin* does, which makes a mark, and have the sweep look at *scope*: each load and each write says
        so anew, so what the sweep forgets too early comes back.
        """
        # They travel together, in this order.
        _, reply = await asyncio.gather(self._note_scope(scope), begin)
        return reply

    async def _note_scope(self, scope: str) -> None:
        with suppress(StoreUnavailable):
            await self._store.command("SADD", keys.SCOPES_KEY, scope, is_idempotent=True)

    async def _finish(
        self, key: Place, grant: Grant, mode: str, checked_at_unix_s: int, etag: str, *fields: str | int
    ) -> bool:
        reply = await self._store.eval(
            "document_store",
            [keys.document_marks_key(key.scope), keys.document_lease_key(*key), keys.document_key(*key)],
            [
                *(key.path, grant.owner, grant.fence, mode, checked_at_unix_s, self._settings.document_expiry_s),
                *(etag, *fields),
            ],
            # A second time finds its fence or not, and does the same.
            is_idempotent=True,
        )
        return bool(reply[0] == "ok")


def read_mark(raw: str | None) -> Mark | None:
    """Return the mark that the store keeps as *raw*, None for none."""
    if not raw:
        return None
    fence, checked_at, etag = raw.split(" ", 2)
    return Mark(int(fence), int(checked_at), etag)


def write_mark(mark: Mark | None) -> str:
    return f"{mark.fence} {mark.checked_at_unix_s} {mark.etag}" if mark else ""


def _read_fields(flat: list[Any]) -> Document:
    fields = dict(zip(flat[::2], flat[1::2], strict=True))
    counts = {name.removeprefix(COUNT_PREFIX): int(fields[name]) for name in fields if name.startswith(COUNT_PREFIX)}
    return Document(
        fields["etag"], fields.get("text", ""), fields.get("why", ""), int(fields["size"]), int(fields["held"]), counts
    )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
