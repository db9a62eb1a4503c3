"""
GET /api/health   200 when this deployment can reach its store, 503 when it cannot; needs no key
"""

from starlette.responses import Response

from shared.app import create_app
from shared.http.answers import json_response
from shared.http.serving import Asked
from shared.routes import Route


async def health(asked: Asked) -> Response:
    state = asked.state
    await state["store"].command("PING")  # StoreUnavailable answers 503.
    return json_response({"status": "ok", "deployment": state["settings"].deployment})


ROUTES = (
    Route(
        "GET",
        "/api/health",
        health,
        "Whether the store answers",
        "200 when the store answers; needs no key",
        "health",
        key="",
        billed="1",
    ),
)
app = create_app(ROUTES)
