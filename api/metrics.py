"""
GET /api/metrics   what all instances counted, for Prometheus
"""

from starlette.responses import Response
from starlette.routing import Route

from shared.app import create_app
from shared.http.state import Request
from shared.request.bearer import check_bearer
from shared.request.parameters import refuse_unknown_parameters
from shared.telemetry.fleet import MEDIA_TYPE, exposition, read_fleet


async def metrics(request: Request) -> Response:
    state = request.state
    check_bearer(request.headers.get("authorization"), state["settings"].metrics_secret)
    refuse_unknown_parameters(request.query_params, frozenset())
    text = exposition(await read_fleet(state["store"]))
    return Response(text, headers={"cache-control": "no-store"}, media_type=MEDIA_TYPE)


app = create_app([Route("/api/metrics", metrics, methods=["GET"])])
