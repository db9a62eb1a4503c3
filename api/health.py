"""
GET /api/health   200 when this deployment can reach its store, 503 when it cannot; needs no key
"""

from starlette.responses import Response
from starlette.routing import Route

from shared.app import create_app
from shared.http.answers import json_response
from shared.http.state import Request


async def health(request: Request) -> Response:
    state = request.state
    await state["store"].command("PING")  # StoreUnavailable answers 503.
    return json_response({"status": "ok", "deployment": state["settings"].deployment})


app = create_app([Route("/api/health", health, methods=["GET"])])
