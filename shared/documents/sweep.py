"""
The sweep: what the object store lists, compared with the marks of what is kept.

    each scope -> its marks -> the source's listing, page by page -> changed, or gone: outdated
                                                                  -> marks that nothing needs: removed
               -> no marks                                        -> the scope is forgotten

It is what notices a change that nobody reported. One instance does it at a time, and notes after each page how far it
got, so that one that ran out of time is continued by the next. Doing it twice, or at the same time, does no harm: each
verdict is carried out only where the mark still is the one that was compared. A scope that fails does not stop the
others.
"""

import time
from bisect import bisect_right
from collections.abc import AsyncIterator, Mapping
from typing import NamedTuple

from shared.cache.tiered import ABSENT, UNKNOWN, Mark
from shared.config import Settings
from shared.documents.shelf import read_mark, write_mark
from shared.documents.source import Source, SourceDown
from shared.process.background import Contained
from shared.request.cron_time import BUSY, FAILED, SOURCE_AWAY
from shared.store import keys
from shared.store.lease import Lease, taken
from shared.store.upstash import Store

NAME = "sweep"
LEASE_S = 30.0
PAGE_MARKS = 500
VERDICTS_MAX = 500
"""Of one script: three arguments each, and Lua unpacks fewer than 8,000."""


class Swept(NamedTuple):
    """
    What a sweep did. *outcome*: `done`, `unfinished` (the next goes on), `busy` (another is at it), `lost` (another
    took over), `source-unavailable`, `failed`. *scopes* were swept whole, *failed* ones were not; *same*, *changed*,
    *removed* count marks.
    """

    outcome: str
    scopes: int = 0
    failed: int = 0
    listed: int = 0
    same: int = 0
    changed: int = 0
    removed: int = 0


class Page(NamedTuple):
    """A page of a listing: the kept paths in its stretch, the tags that it names, and its last path."""

    kept: list[str]
    tags: dict[str, str]
    last: str


class Sweep:
    """One run."""

    def __init__(self, store: Store, source: Source, settings: Settings, end_at_s: float) -> None:
        self._store = store
        self._source = source
        self._settings = settings
        self._end_at_s = end_at_s
        self._swept = Swept("done")

    async def run(self) -> Swept:
        """Sweep until done or out of time. Raises StoreUnavailable."""
        async with taken(self._store, keys.cron_key(NAME), LEASE_S) as lease:
            if lease is None:
                return Swept(BUSY)
            done_scope, _, after = lease.progress.partition("/")
            scopes = sorted(await self._store.command("SMEMBERS", keys.SCOPES_KEY, is_idempotent=True))
            for number, scope in enumerate(scopes):
                if scope < done_scope:
                    continue
                outcome = ""
                with Contained("the sweep of a folder", scope) as work:
                    outcome = await self._scope(lease, scope, after if scope == done_scope else "")
                if work.error is not None:
                    self._add(failed=1)
                    is_away = isinstance(work.error, SourceDown)
                    self._swept = self._swept._replace(outcome=SOURCE_AWAY if is_away else FAILED)
                    # The next run begins behind it, so that it never keeps the others waiting.
                    outcome = await self._note(lease, f"{scopes[number + 1]}/" if number + 1 < len(scopes) else "")
                if outcome:
                    return self._swept._replace(outcome=outcome)
            lease.progress = ""
        return self._swept

    async def _scope(self, lease: Lease, scope: str, after: str) -> str:
        """Sweep what *scope* has behind *after*; return how the run ends with it, "" if it goes on."""
        marks = await self._marks(scope)
        if not marks:
            # A load that begins at this moment is noted by the next one of its scope.
            await self._store.command("SREM", keys.SCOPES_KEY, scope, is_idempotent=True)
            return ""
        async for page in self._pages(scope, after, sorted(marks)):
            await self._compare(scope, {path: marks[path] for path in page.kept}, page)
            if outcome := await self._note(lease, f"{scope}/{page.last}"):
                return outcome
        self._add(scopes=1)
        return ""

    async def _note(self, lease: Lease, progress: str) -> str:
        if not await lease.keep(progress):
            return "lost"
        return "unfinished" if time.monotonic() >= self._end_at_s else ""

    def _add(self, **counts: int) -> None:
        self._swept = self._swept._replace(
            **{name: getattr(self._swept, name) + count for name, count in counts.items()}
        )

    async def _pages(self, scope: str, after: str, paths: list[str]) -> AsyncIterator[Page]:
        """Yield the listing behind *after*, and with each page the kept *paths* that lie in its stretch."""
        at = bisect_right(paths, after)
        async for listed in self._source.list(scope, f"{scope}/{after}" if after else ""):
            tags = {each.path.removeprefix(f"{scope}/"): each.etag for each in listed}
            last = max(tags)
            end = bisect_right(paths, last)
            yield Page(paths[at:end], tags, last)
            at = end
        if paths[at:]:
            yield Page(paths[at:], {}, paths[-1])

    async def _compare(self, scope: str, marks: Mapping[str, Mark], page: Page) -> None:
        now_unix_s = int(time.time())
        verdicts = {path: self._verdict(mark, page.tags.get(path), now_unix_s) for path, mark in marks.items()}
        due = [(path, verdict) for path, verdict in verdicts.items() if verdict]
        for start in range(0, len(due), VERDICTS_MAX):
            arguments: list[str | int] = [time.time_ns() // 1_000_000]
            for path, verdict in due[start : start + VERDICTS_MAX]:
                arguments += [path, write_mark(marks[path]), verdict]
            await self._store.eval("document_sweep", [keys.document_marks_key(scope)], arguments, is_idempotent=True)
        found = list(verdicts.values())
        self._add(
            listed=len(page.tags),
            same=found.count(""),
            changed=found.count("changed"),
            removed=found.count("gone"),
        )

    def _verdict(self, mark: Mark, etag: str | None, now_unix_s: int) -> str:
        age_s = now_unix_s - mark.checked_at_unix_s
        is_old = age_s > self._settings.document_expiry_s
        if mark.etag == UNKNOWN:
            # Outdated already. It goes when nobody has wanted it for long, which its fence tells.
            idle_ms = now_unix_s * 1_000 - mark.fence
            return "gone" if idle_ms > self._settings.document_expiry_s * 1_000 else ""
        if etag is None:
            if mark.etag == ABSENT:
                return "gone" if age_s > self._settings.document_missing_s else ""
            return "changed"
        if mark.etag != etag:
            return "changed"
        return "gone" if is_old else ""

    async def _marks(self, scope: str) -> dict[str, Mark]:
        marks: dict[str, Mark] = {}
        cursor = "0"
        while True:
            _, cursor, flat = await self._store.eval(
                "document_marks", [keys.document_marks_key(scope)], [cursor, PAGE_MARKS]
            )
            marks |= {path: mark for path, raw in zip(flat[::2], flat[1::2], strict=True) if (mark := read_mark(raw))}
            if cursor == "0":
                return marks
