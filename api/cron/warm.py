"""
GET POST /api/cron/warm   the hottest documents into the store, then an instance of the conversations' function
"""

from starlette.responses import Response

from shared.app import create_app
from shared.documents.warm import Warm
from shared.http.answers import json_response
from shared.http.serving import Asked
from shared.routes import Route


async def warm(asked: Asked) -> Response:
    state = asked.state
    work = Warm(state["store"], state["documents"], state["counter"], state["settings"])
    return json_response((await work.store_then_instance()).as_json())


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
