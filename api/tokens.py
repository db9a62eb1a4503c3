"""
POST /v1/tokens/count   how many tokens a text, items or chat messages take, with their tools
"""

from typing import Any

from starlette.responses import Response

from shared.app import create_app
from shared.conversations.token_counts import FIELDS, count_tokens
from shared.errors import TextNotCountable
from shared.http.answers import json_response
from shared.http.serving import Asked
from shared.items.given import given_forms
from shared.request import roles
from shared.routes import Body, Route
from shared.tokens.requests import OTHERS


async def count(asked: Asked, **values: Any) -> Response:
    counted = await count_tokens(asked.state["counter"], values)
    return json_response({"object": "tokens.count", **counted._asdict()})


_ITEMS, _CHAT, *_OTHERS = given_forms("input", listed="messages_to_count")
_FORMS = (
    _ITEMS,
    _CHAT._replace(without=(*_CHAT.without, "input")),
    *(form._replace(without=(*form.without, "input", *(field.name for field in OTHERS))) for form in _OTHERS),
)
ROUTES = (
    Route(
        "POST",
        "/v1/tokens/count",
        count,
        "Count tokens",
        "`{model or encoding, input: text, items or messages, tools?}`: `{tokens, encoding, exact}`. The body of a "
        "Chat Completions or of a Responses request counts as it stands; messages count as a context in their `format` "
        "sends them",
        "count",
        body=Body(
            FIELDS,
            tuple(
                form._replace(required=(coding, *form.required), null=(other,))
                for coding, other in (("model", "encoding"), ("encoding", "model"))
                for form in _FORMS
            ),
        ),
        refuses=(TextNotCountable,),
        role=roles.READ,
        billed="2",
        is_confirmed_first=True,
    ),
)
app = create_app(ROUTES)
