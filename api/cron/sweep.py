"""
GET POST /api/cron/sweep   what is kept of documents against the object store's listing, then conversations; what it did
"""

import time

from starlette.responses import Response
from starlette.routing import Route

from shared.app import create_app
from shared.conversations.sweep import ConversationSweep
from shared.documents.sweep import Sweep
from shared.http.answers import json_response
from shared.http.state import Request
from shared.request.bearer import check_bearer
from shared.request.cron_time import cron_end_at_s

DOCUMENTS_SHARE = 0.7
"""Of the cron's time, at most; what documents leave is the conversations'."""


async def sweep(request: Request) -> Response:
    state, settings = request.state, request.state["settings"]
    check_bearer(request.headers.get("authorization"), settings.cron_secret)
    end_at_s = cron_end_at_s(settings)
    now_s = time.monotonic()
    documents_end_at_s = now_s + (end_at_s - now_s) * DOCUMENTS_SHARE
    documents = await Sweep(state["store"], state["documents"].source, settings, documents_end_at_s).run()
    conversations = await ConversationSweep(state["store"], settings, end_at_s).run()
    return json_response({"object": "sweep", **documents._asdict(), "conversations": conversations._asdict()})


app = create_app([Route("/api/cron/sweep", sweep, methods=["GET", "POST"])])
