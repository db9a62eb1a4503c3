"""
POST /v1/tokens/count   how many tokens a text, items or chat messages take, with their tools
"""

from starlette.responses import Response
from starlette.routing import Route

from shared.app import create_app
from shared.http.answers import json_response
from shared.http.guard import admit, confirm, read_json, refuse_unknown
from shared.http.state import Request
from shared.items.token_counts import FIELDS, count_tokens
from shared.request.parameters import refuse_unknown_parameters


async def count(request: Request) -> Response:
    admit(request)
    refuse_unknown_parameters(request.query_params, frozenset())
    # No script does the work here, so the key is confirmed first: strangers get nothing counted.
    await confirm(request)
    body = await read_json(request)
    refuse_unknown(body, FIELDS)
    counted = await count_tokens(request.state["counter"], body)
    return json_response({"object": "tokens.count", **counted._asdict()})


app = create_app([Route("/v1/tokens/count", count, methods=["POST"])])
