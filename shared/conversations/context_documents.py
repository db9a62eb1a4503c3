"""
Documents in a context: each once, at its newest mention, within the documents' share of the budget.

    choose without documents -> who is mentioned there, newest first -> resolve (shared/documents) -> whole, or cut, or
    omitted -> items with the text behind the mention, counted -> choose again

The second choice keeps the promises of contexts by construction: it knows nothing of documents, only of longer items.
It may leave out a turn that the first one kept; what such a turn mentions is reported as omitted. What cannot be shown
is reported, and never takes the context with it.
"""

import asyncio
from collections.abc import Sequence
from hashlib import sha256
from typing import Any, NamedTuple

import orjson

from shared.context.fit import Selection, needed_tokens
from shared.context.units import Folded
from shared.context.wanted import ContextRequest
from shared.documents.documents import Answer, Documents
from shared.documents.embedded import CUT_TOKENS_MIN, cut_document, shown
from shared.documents.shelf import read_mark
from shared.errors import SourceUnavailable, TextNotCountable
from shared.items.document_paths import place_for
from shared.items.item import Item
from shared.items.mentions import embed
from shared.jsonbytes.read import loads_elements
from shared.jsonbytes.write import dumps
from shared.request.after_response import Later
from shared.request.caller import Caller
from shared.tokens.counter import Counter

TOGETHER = 4
"""Documents that are loaded at the same time: their texts, at most, are in memory beside L1."""


class Shown(NamedTuple):
    """
    What became of a document: *status* is `whole`, `cut`, `omitted` (no room), `missing`, `unsupported` (no text, or
    none that can be counted) or `unavailable` (the source is away, and no copy will do). *tokens* is what the context
    pays for it.
    """

    path: str
    item_id: str
    status: str
    etag: str | None = None
    tokens: int = 0
    total_tokens: int | None = None
    stale: bool = False


class Embedded(NamedTuple):
    """*items*: those that mention documents changed, all others the same."""

    items: list[Item]
    documents: list[Shown]

    def kept(self, selection: Selection) -> list[Shown]:
        """Return what the context reports: a document whose mention was left out after all is not shown."""
        ids = {item.id for item in selection.items}
        return [each if each.item_id in ids else each._replace(status="omitted", tokens=0) for each in self.documents]


def digest_of(documents: Sequence[Shown]) -> str:
    """Return what the documents add to a context's entity tag: nothing if there are none."""
    return sha256(orjson.dumps([tuple(each) for each in documents])).hexdigest()[:8] if documents else ""


class Embedding:
    """Puts the documents of one request into its items."""

    def __init__(
        self, documents: Documents, counter: Counter, caller: Caller, wanted: ContextRequest, later: Later
    ) -> None:
        self._documents = documents
        self._counter = counter
        self._caller = caller
        self._wanted = wanted
        self._later = later

    async def embed(
        self, items: Sequence[Item], folded: Folded, first: Selection, marks: dict[str, str], *, may_ask: bool
    ) -> Embedded:
        """Return *items* with the documents that *first*, the choice without them, mentions. Raises nothing."""
        newest: dict[str, str] = {}
        for item in reversed(first.items):
            for path in item.documents:
                newest.setdefault(path, item.id)
        available = self._wanted.available_tokens
        room = min(available * self._wanted.document_budget_percent // 100, available - needed_tokens(folded))
        report: list[Shown] = []
        texts: dict[str, tuple[str, int]] = {}
        paths = list(newest)
        for start in range(0, len(paths), TOGETHER):
            some = paths[start : start + TOGETHER]
            answers = await asyncio.gather(
                *(self._resolve(path, marks, may_ask=may_ask and room >= CUT_TOKENS_MIN) for path in some)
            )
            for path, answer in zip(some, answers, strict=True):
                shown_now, text = await self._show(path, newest[path], answer, room)
                report.append(shown_now)
                if text:
                    texts[path] = (text, shown_now.tokens)
                    room -= shown_now.tokens
        embedded = [_embedded(item, newest, texts) if item.documents else item for item in items]
        return Embedded(embedded, report[::-1])

    async def _resolve(self, path: str, marks: dict[str, str], *, may_ask: bool) -> Answer | None:
        place, mark = place_for(self._caller.tenant, path), read_mark(marks.get(path))
        if not may_ask:
            return self._documents.held(place, mark)
        try:
            return await self._documents.resolve(place, mark, self._later)
        except SourceUnavailable:
            return None

    async def _show(self, path: str, item_id: str, answer: Answer | None, room: int) -> tuple[Shown, str]:
        """Return what becomes of a document, and its text if it is shown."""
        if answer is None:
            return Shown(path, item_id, "omitted" if room < CUT_TOKENS_MIN else "unavailable"), ""
        document = answer.value
        if document is None:
            return Shown(path, item_id, "missing"), ""
        bare = Shown(path, item_id, "omitted", document.etag, stale=answer.is_stale)
        if not document.is_text:
            return bare._replace(status="unsupported"), ""
        encoding = self._wanted.encoding
        place = place_for(self._caller.tenant, path)
        try:
            total = await self._documents.count(place, path, answer, encoding, self._later)
        except TextNotCountable:
            return bare._replace(status="unsupported"), ""
        if total <= room:
            status = "whole" if document.is_whole else "cut"
            return bare._replace(status=status, tokens=total, total_tokens=total), shown(path, document)
        cut = await cut_document(self._counter, encoding, path, document, room)
        if cut is None:
            return bare._replace(total_tokens=total), ""
        return bare._replace(status="cut", tokens=cut[1], total_tokens=total), cut[0]


def _embedded(item: Item, newest: dict[str, str], texts: dict[str, tuple[str, int]]) -> Item:
    here = {path: texts[path] for path in item.documents if path in texts and newest[path] == item.id}
    body: dict[str, Any] = loads_elements(item.body)
    tokens = sum(tokens for _, tokens in here.values())
    return item._replace(
        body=dumps(embed(body, {path: text for path, (text, _) in here.items()})),
        content_tokens=item.content_tokens + tokens,
        is_text=item.is_text and not here,
        differences={name: (overhead, content + tokens) for name, (overhead, content) in item.differences.items()},
    )
