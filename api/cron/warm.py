"""
GET POST /api/cron/warm   the hottest documents into the store, then an instance of the conversations' function
"""

from starlette.responses import Response
from starlette.routing import Route

from shared.app import create_app
from shared.documents.warm import Warm
from shared.http.answers import json_response
from shared.http.state import Request
from shared.request.bearer import check_bearer


async def warm(request: Request) -> Response:
    state = request.state
    check_bearer(request.headers.get("authorization"), state["settings"].cron_secret)
    work = Warm(state["store"], state["documents"], state["counter"], state["settings"])
    return json_response((await work.store_then_instance()).as_json())


app = create_app([Route("/api/cron/warm", warm, methods=["GET", "POST"])])
