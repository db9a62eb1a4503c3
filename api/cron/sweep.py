"""
GET POST /api/cron/sweep   what is kept of documents against the object store's listing, then conversations; what it did
"""

import time

from starlette.responses import Response

from shared.app import create_app
from shared.conversations.sweep import ConversationSweep, SweptConversations
from shared.documents.sweep import NAME, Sweep, Swept
from shared.http.answers import json_response
from shared.http.serving import Asked
from shared.process.background import Contained
from shared.request.cron_time import BUSY, FAILED, SOURCE_AWAY, cron_end_at_s
from shared.routes import Route

FAILURES = frozenset({FAILED, SOURCE_AWAY})
"""Outcomes that are counted as failures."""

DOCUMENTS_SHARE = 0.7
"""Of the cron's time, at most; what documents leave is the conversations'."""


async def sweep(asked: Asked) -> Response:
    state, settings = asked.state, asked.state["settings"]
    end_at_s = cron_end_at_s(settings)
    now_s = time.monotonic()
    documents_end_at_s = now_s + (end_at_s - now_s) * DOCUMENTS_SHARE
    documents, conversations = Swept(FAILED), SweptConversations(FAILED)
    # What goes wrong with the one is nothing to the other.
    with Contained("the sweep of documents") as first:
        documents = await Sweep(state["store"], state["documents"].source, settings, documents_end_at_s).run()
    with Contained("the sweep of conversations") as second:
        conversations = await ConversationSweep(state["store"], state["pool"], settings, end_at_s).run()
    telemetry = state["telemetry"]
    telemetry.note_sweep(documents.same, documents.changed, documents.removed)
    if documents.outcome != BUSY or conversations.outcome != BUSY:
        has_failed = not FAILURES.isdisjoint((documents.outcome, conversations.outcome))
        telemetry.note_cron(NAME, time.monotonic() - now_s, has_failed=has_failed)
    if first.error is not None and second.error is not None:
        raise first.error
    return json_response({"object": "sweep", **documents._asdict(), "conversations": conversations._asdict()})


SWEEP = Route(
    "GET",
    "/api/cron/sweep",
    sweep,
    "Compare what is kept of documents with their source, compact conversations",
    "compares what is kept of documents with the object store's listing: what changed without a notice is outdated "
    "from then on. Then compacts conversations that were left sparse, indexes what lacks the words of recall, and "
    "forgets expired ones",
    "sweep",
    key="cron",
    billed="3 per 500 changes, and the marks; 10 per tenant and 500 conversations, 1 per conversation written since, "
    "10 per 256 items that are indexed",
    needs=("documents",),
)
ROUTES = (SWEEP, SWEEP._replace(method="POST", name="sweep_by_post", text="the same as GET", billed=""))
app = create_app(ROUTES)
