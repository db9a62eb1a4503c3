"""
GET    /v1/usage                        what the tenant used and reserved in this day and month
POST   /v1/reservations                 set tokens and money aside before a model call
POST   /v1/reservations/{id}/settle     write down what it used; the same again changes nothing
DELETE /v1/reservations/{id}            give it back
"""

from starlette.responses import Response
from starlette.routing import Route

from shared.app import create_app
from shared.budgets.amounts import RESERVE_FIELDS, SETTLE_FIELDS, read_amount
from shared.budgets.reservations import Budgets
from shared.http.answers import json_response
from shared.http.guard import admit, parse_json, read_body, read_json, refuse_unknown
from shared.http.state import Request
from shared.request.parameters import refuse_unknown_parameters
from shared.store.attempts import read_attempt

NO_PARAMETERS: frozenset[str] = frozenset()
BODY_BYTES_MAX = 16_384


async def usage(request: Request) -> Response:
    caller = admit(request)
    refuse_unknown_parameters(request.query_params, NO_PARAMETERS)
    return json_response(await _budgets(request).usage(caller))


async def reserve(request: Request) -> Response:
    caller = admit(request)
    refuse_unknown_parameters(request.query_params, NO_PARAMETERS)
    raw = await read_body(request, BODY_BYTES_MAX)
    state = request.state
    attempt = await read_attempt(request.method, request.url.path, request.headers, raw, state["pool"])
    body = await parse_json(raw, state["settings"], state["pool"])
    refuse_unknown(body, RESERVE_FIELDS)
    reservation = await _budgets(request).reserve(caller, attempt, read_amount(body, "max_output_tokens"))
    return json_response(reservation.as_json())


async def settle(request: Request) -> Response:
    caller = admit(request)
    refuse_unknown_parameters(request.query_params, NO_PARAMETERS)
    body = await read_json(request, BODY_BYTES_MAX)
    refuse_unknown(body, SETTLE_FIELDS)
    used = read_amount(body, "output_tokens")
    settlement = await _budgets(request).settle(caller, request.path_params["reservation_id"], used)
    return json_response(settlement.as_json())


async def release(request: Request) -> Response:
    caller = admit(request)
    refuse_unknown_parameters(request.query_params, NO_PARAMETERS)
    reservation_id = request.path_params["reservation_id"]
    status = await _budgets(request).release(caller, reservation_id)
    return json_response({"id": reservation_id, "object": "reservation", "status": status})


def _budgets(request: Request) -> Budgets:
    return Budgets(request.state["store"], request.state["settings"])


PREFIX = "/v1/reservations"

app = create_app(
    [
        Route("/v1/usage", usage, methods=["GET"]),
        Route(PREFIX, reserve, methods=["POST"]),
        Route(PREFIX + "/{reservation_id}/settle", settle, methods=["POST"]),
        Route(PREFIX + "/{reservation_id}", release, methods=["DELETE"]),
    ]
)
