"""
The marks of the documents that a conversation mentions, as they come with each read of it.

    read script -> marks of the tenant's own documents, and which shared ones there are
    HMGET       -> marks of the shared ones, which are no tenant's

No script takes names of two tenants' tags, which a cluster may have in two places. So the marks of shared documents are
a command of their own: beside the script, in the same request, for those that this instance knows to be mentioned, and
behind it for others, which is once for each instance and shared document.
"""

import asyncio
from collections.abc import Awaitable, Iterable, Sequence
from typing import Any

from shared.items.document_paths import SHARED
from shared.store import keys
from shared.store.command import SMALL_REPLY_BYTES
from shared.store.upstash import Store

MARK_BYTES = 256
"""What a mark may take in a reply: an entity tag of S3 has 36 characters."""

DOCUMENTS_AT = 7
"""Where the documents stand in the reply of a read script."""

PREFIX = f"{SHARED}/"


async def with_shared_marks(store: Store, read: Awaitable[list[Any]], known: Iterable[str]) -> list[Any]:
    """
    Return the reply of *read*, a read script that is being sent, with the marks of shared documents in it. *known*:
    paths that the conversation is known to mention, shared or not.

    Raises:   what *read* raises; StoreUnavailable.
    """
    guessed = [path for path in known if path.startswith(PREFIX)]
    reply: list[Any]
    marks: dict[str, str] = {}
    if guessed:
        # Both to their end: what becomes of a read that also writes has to be known.
        both = await asyncio.gather(read, _shared_marks(store, guessed), return_exceptions=True)
        for each in both:
            if isinstance(each, BaseException):
                raise each
        reply, marks = both
    else:
        reply = await read
    documents = reply[DOCUMENTS_AT] if reply[0] == "ok" and len(reply) > DOCUMENTS_AT else []
    lacking = [path for path in documents[::2] if path.startswith(PREFIX) and path not in marks]
    if lacking:
        marks |= await _shared_marks(store, lacking)
    for at in range(0, len(documents), 2):
        documents[at + 1] = marks.get(documents[at], documents[at + 1])
    return reply


async def _shared_marks(store: Store, paths: Sequence[str]) -> dict[str, str]:
    names = [path.removeprefix(PREFIX) for path in paths]
    found = await store.command(
        "HMGET",
        keys.document_marks_key(SHARED),
        *names,
        is_idempotent=True,
        reply_bytes_max=max(SMALL_REPLY_BYTES, MARK_BYTES * len(names)),
    )
    return {path: mark or "" for path, mark in zip(paths, found, strict=True)}
