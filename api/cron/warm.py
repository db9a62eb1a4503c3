"""
GET POST /api/cron/warm   the hottest documents into the store, then an instance of the conversations' function
"""

import time

from starlette.responses import Response

from shared.app import create_app
from shared.documents.warm import NAME, Warm, Warmed
from shared.http.answers import json_response
from shared.http.serving import Asked
from shared.request.cron_time import BUSY, FAILED
from shared.routes import Route


async def warm(asked: Asked) -> Response:
    state, begun_at_s = asked.state, time.monotonic()
    work = Warm(state["store"], state["documents"], state["counter"], state["settings"])
    warmed = Warmed(FAILED)
    try:
        warmed = await work.store_then_instance()
    finally:
        if warmed.outcome != BUSY:
            has_failed = warmed.outcome == FAILED
            state["telemetry"].note_cron(NAME, time.monotonic() - begun_at_s, has_failed=has_failed)
    return json_response(warmed.as_json())


WARM = Route(
    "GET",
    "/api/cron/warm",
    warm,
    "Load the hottest documents, then warm an instance",
    "loads the hottest documents into the store, then calls `POST /api/conversations` of the deployment",
    "warm",
    key="cron",
    billed="3 to 18 per document",
    needs=("documents", "warm"),
)
ROUTES = (WARM, WARM._replace(method="POST", name="warm_by_post", text="the same as GET", billed=""))
app = create_app(ROUTES)
