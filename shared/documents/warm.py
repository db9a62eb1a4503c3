"""
Warming: the hottest documents into the store, and then into the function that answers conversations.

    cron      hottest -> L2, a few at a time, until most of its time is gone -> POST /api/conversations, here
    there     the encoding, a connection, hottest -> L1, as far as half of its memory goes

Warming an instance warms that instance: the platform may send the next caller to another one.
"""

import asyncio
import time
from datetime import timedelta
from typing import NamedTuple

from shared.cache.tiered import Origin
from shared.config import Settings
from shared.documents.documents import Documents
from shared.items.counts import PRIMARY_ENCODING
from shared.items.document_paths import INSTANCE_PATH, Place
from shared.process.background import Contained
from shared.request.cron_time import BUSY, FAILED, cron_end_at_s
from shared.request.observation import OBSERVED
from shared.request.tracing import Kind, note, outgoing_headers, part
from shared.store import keys
from shared.store.lease import taken
from shared.store.upstash import Store
from shared.tokens.counter import Counter

NAME = "warm"
LEASE_S = 60.0
TOGETHER = 4
LOADING_SHARE = 0.6
"""Of a cron's time; the rest is the instance's."""

L1_SHARE = 0.5
"""Of an instance's memory for documents: its own callers have a claim too."""


class Warmed(NamedTuple):
    """
    *outcome*: `done`, `unfinished` (out of time, or full), `busy`, `failed`. *failed* counts documents. *instance*:
    what the function answered.
    """

    outcome: str
    documents: int = 0
    from_source: int = 0
    failed: int = 0
    instance: int | None = None

    def as_json(self) -> dict[str, object]:
        return {"object": "warm", **self._asdict()}


class Warm:
    """The two halves of it."""

    def __init__(self, store: Store, documents: Documents, counter: Counter, settings: Settings) -> None:
        self._store = store
        self._documents = documents
        self._counter = counter
        self._settings = settings

    async def store_then_instance(self) -> Warmed:
        """Warm the store, and an instance of the conversations' function. Raises StoreUnavailable."""
        async with taken(self._store, keys.cron_key(NAME), LEASE_S) as lease:
            if lease is None:
                return Warmed(BUSY)
            end_at_s = cron_end_at_s(self._settings)
            remaining_s = end_at_s - time.monotonic()
            warmed = Warmed(FAILED)
            with Contained("warming the store"):
                warmed = await self._load(end_at_s - remaining_s * (1 - LOADING_SHARE), None)
            return warmed._replace(instance=await self._call_instance(end_at_s - time.monotonic()))

    async def this_instance(self) -> Warmed:
        """Warm the instance that runs this. Raises StoreUnavailable."""
        with Contained(f"loading {PRIMARY_ENCODING}"):
            await self._counter.load(PRIMARY_ENCODING)
        bytes_max = int(self._settings.document_l1_bytes_max * L1_SHARE)
        now_s = time.monotonic()
        # Who calls waits no longer than for its own share.
        return await self._load(now_s + (cron_end_at_s(self._settings) - now_s) * (1 - LOADING_SHARE) / 2, bytes_max)

    async def _load(self, end_at_s: float, bytes_max: int | None) -> Warmed:
        warmed = Warmed("done")
        places = await self._documents.heat.hottest(self._settings.warm_documents_max)
        for start in range(0, len(places), TOGETHER):
            is_full = bytes_max is not None and self._documents.l1.size_bytes >= bytes_max
            if is_full or time.monotonic() >= end_at_s:
                return warmed._replace(outcome="unfinished")
            some = places[start : start + TOGETHER]
            origins = await asyncio.gather(*map(self._get, some))
            warmed = warmed._replace(
                documents=warmed.documents + len(some),
                from_source=warmed.from_source + origins.count(Origin.SOURCE),
                failed=warmed.failed + origins.count(None),
            )
        return warmed

    async def _get(self, place: Place) -> Origin | None:
        with Contained("warming a document", place.object_path):
            return (await self._documents.tiers.get(place, None)).origin
        return None

    async def _call_instance(self, timeout_s: float) -> int | None:
        """Return the status that the conversations' function of this deployment answered, None without an answer."""
        settings = self._settings
        if not settings.own_url or timeout_s <= 0:
            return None
        from pyreqwest.client import ClientBuilder

        headers = {"authorization": f"Bearer {settings.cron_secret}"}
        if (observed := OBSERVED.get()) is not None:
            headers["x-request-id"] = observed.request_id
        if settings.bypass_secret:
            headers["x-vercel-protection-bypass"] = str(settings.bypass_secret)
        with Contained("warming an instance"), part("POST", Kind.CLIENT, {"http.request.method": "POST"}):
            headers |= outgoing_headers()
            async with ClientBuilder().timeout(timedelta(seconds=timeout_s)).follow_redirects(False).build() as client:
                answer = await client.post(settings.own_url + INSTANCE_PATH).headers(headers).build().send()
                note({"http.response.status_code": answer.status})
                return int(answer.status)
        return None
