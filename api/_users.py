"""
DELETE /v1/users/{user}     erase whatever is a user's, call by call; at the end a receipt
"""

import math
from typing import Any

from starlette.responses import Response

from shared.errors import BeingErased
from shared.http.answers import json_response
from shared.http.serving import Asked
from shared.request import roles
from shared.request.parameters import owner
from shared.routes import Route

USER = owner("user", "as conversations name their user, percent-encoded")._replace(is_required=True, is_nullable=False)


async def erase_user(asked: Asked, user: str) -> Response:
    from shared.erasing.erasure import UserErasure
    from shared.erasing.receipts import signed

    state = asked.state
    erased = await UserErasure(state["store"], state["settings"], asked.caller, user).go_on()
    body: dict[str, Any] = {
        "object": "user.erasure",
        "done": erased.receipt is not None,
        "conversations": erased.conversations,
        "items": erased.items,
        "bytes": erased.bytes,
        "receipt": signed(erased.receipt, state["settings"].receipt_secret) if erased.receipt is not None else None,
    }
    headers = {"retry-after": str(math.ceil(erased.wait_s))} if erased.wait_s > 0 else {}
    return json_response(body, headers=headers)


ROUTES = (
    Route(
        "DELETE",
        "/v1/users/{user:path}",
        erase_user,
        "Erase a user",
        "erases all conversations of a user, forks too, and what was made of them: up to 1,000 with each call. Repeat "
        "it, after `Retry-After` where there is one, until `done`: then `receipt` says what was erased. From the first "
        "call on nothing of the user is shown, and until the last one nothing is written for the user",
        "user_erasure",
        ids=(USER,),
        answered=("Retry-After",),
        refuses=(BeingErased,),
        role=roles.ADMIN,
        billed="8 where there is nothing; else 34, 4 for each conversation, and 15 for each 200 after the first",
        permits=20,
        needs=("receipts", "conversations"),
    ),
)
