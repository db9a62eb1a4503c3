"""
GET /api/metrics   what all instances counted, for Prometheus
"""

from starlette.responses import Response

from shared.app import create_app
from shared.http.serving import Asked
from shared.routes import Route
from shared.telemetry.fleet import MEDIA_TYPE, exposition, read_fleet


async def metrics(asked: Asked) -> Response:
    fleet = await read_fleet(asked.state["store"])
    text = await asked.state["pool"].run(exposition, fleet)  # Up to 4 MB of text.
    return Response(text, headers={"cache-control": "no-store"}, media_type=MEDIA_TYPE)


ROUTES = (
    Route(
        "GET",
        "/api/metrics",
        metrics,
        "What all instances counted, for Prometheus",
        "what all instances counted, in Prometheus' text format",
        "metrics",
        key="metrics",
        billed="1, and 1 per deployment",
    ),
)
app = create_app(ROUTES)
