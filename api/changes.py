"""
POST /v1/changes   documents have changed: from the answer on, no instance takes what it holds of them for current
"""

from starlette.responses import Response
from starlette.routing import Route

from shared.app import create_app
from shared.documents.changes import read_changes, report
from shared.http.answers import json_response
from shared.http.guard import read_json
from shared.http.state import Request
from shared.request.bearer import check_bearer
from shared.request.parameters import refuse_unknown_parameters


async def changes(request: Request) -> Response:
    state, settings = request.state, request.state["settings"]
    check_bearer(request.headers.get("authorization"), settings.changes_secret)
    refuse_unknown_parameters(request.query_params, frozenset())
    documents = state["documents"]
    places = read_changes(
        await read_json(request, settings.body_bytes_max), documents.source.bucket, settings.changes_max
    )
    kept = await report(documents.shelf, places)
    return json_response({"object": "changes", "reported": len(places), "kept": kept})


app = create_app([Route("/v1/changes", changes, methods=["POST"])])
