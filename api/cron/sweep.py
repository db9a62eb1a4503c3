"""
GET POST /api/cron/sweep   compare what is kept of documents with the object store's listing; what it did
"""

from starlette.responses import Response
from starlette.routing import Route

from shared.app import Request, create_app, json_response
from shared.documents.sweep import Sweep
from shared.secrets import check_bearer


async def sweep(request: Request) -> Response:
    state = request.state
    check_bearer(request.headers.get("authorization"), state["settings"].cron_secret)
    swept = await Sweep(state["store"], state["documents"].source, state["settings"]).run()
    return json_response(swept.as_json())


app = create_app([Route("/api/cron/sweep", sweep, methods=["GET", "POST"])])
