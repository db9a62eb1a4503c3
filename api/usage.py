"""
GET    /v1/usage                        what the tenant, or one user or agent, used and reserved in this day and month
POST   /v1/reservations                 set tokens and money aside before a model call
POST   /v1/reservations/{id}/settle     write down what it used; the same again changes nothing
DELETE /v1/reservations/{id}            give it back
"""

from typing import Any

from starlette.responses import Response

from shared.app import create_app
from shared.budgets.amounts import OF, RESERVE_FIELDS, SETTLE_FIELDS, read_amount, read_owners
from shared.budgets.reservations import Budgets
from shared.errors import AlreadySettled, InvalidValue, ReservationEnded
from shared.http.answers import json_response
from shared.http.headers import replay_headers
from shared.http.serving import Asked
from shared.request import roles
from shared.request.parameters import string
from shared.routes import Body, Form, Route

BODY_BYTES_MAX = 16_384


async def usage(asked: Asked, **values: Any) -> Response:
    named = [(kind, name) for kind, name in read_owners(values)._asdict().items() if name]
    if len(named) > 1:
        raise InvalidValue("agent must be alone, not beside user.", param="agent")
    return json_response(await _budgets(asked).usage(asked.caller, *(named[0] if named else ())))


async def reserve(asked: Asked, **values: Any) -> Response:
    amount = read_amount(values, "max_output_tokens")
    reservation = await _budgets(asked).reserve(asked.caller, asked.attempt, amount, read_owners(values))
    return json_response(reservation.as_json(), headers=replay_headers(is_replay=reservation.is_replay))


async def settle(asked: Asked, reservation_id: str, **values: Any) -> Response:
    settlement = await _budgets(asked).settle(asked.caller, reservation_id, read_amount(values, "output_tokens"))
    return json_response(settlement.as_json())


async def release(asked: Asked, reservation_id: str) -> Response:
    return json_response((await _budgets(asked).release(asked.caller, reservation_id)).as_json())


def _budgets(asked: Asked) -> Budgets:
    return Budgets(asked.state["store"], asked.state["settings"])


def _forms(output: str) -> tuple[Form, ...]:
    halves = ("input_tokens", output)
    return Form(("tokens",), null=halves), Form(halves, null=("tokens",))


PREFIX = "/v1/reservations"
ID = string("reservation_id", "as `POST /v1/reservations` answered it", schema="reservation_id", required=True)

ROUTES = (
    Route(
        "GET",
        "/v1/usage",
        usage,
        "What is used, reserved and stored",
        "what the tenant used and reserved in this day and month, and by model; what its conversations take and may "
        "take, and how many there are, about; of one `user` or `agent` by itself",
        "usage",
        query=OF,
        role=roles.READ,
        billed="6; two more for a `user` or `agent` of whom something ran out",
    ),
    Route(
        "POST",
        PREFIX,
        reserve,
        "Set tokens and money aside",
        "`{tokens, usd?}` or `{model, input_tokens, max_output_tokens}`: sets them aside, for `user` and `agent` where "
        "it names them",
        "reservation",
        body=Body(RESERVE_FIELDS, _forms("max_output_tokens"), BODY_BYTES_MAX),
        headers=("Idempotency-Key",),
        answered=("Idempotency-Replayed",),
        refuses=(ReservationEnded,),
        role=roles.APPEND,
        billed="10; two more for each of `user` and `agent`",
        needs=("budgets",),
    ),
    Route(
        "POST",
        PREFIX + "/{reservation_id}/settle",
        settle,
        "Write down what was used",
        "`{tokens, usd?}` or `{model?, input_tokens, output_tokens}`: what was used",
        "settlement",
        ids=(ID,),
        body=Body(SETTLE_FIELDS, _forms("output_tokens"), BODY_BYTES_MAX),
        refuses=(AlreadySettled,),
        role=roles.APPEND,
        billed="9; three more for each of user and agent",
        needs=("budgets",),
    ),
    Route(
        "DELETE",
        PREFIX + "/{reservation_id}",
        release,
        "Give it back",
        "gives it back",
        "release",
        ids=(ID,),
        role=roles.APPEND,
        billed="9; three more for each of user and agent",
    ),
)
app = create_app(ROUTES)
