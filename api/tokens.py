"""
POST /v1/tokens/count   how many tokens a text, items or chat messages take, with their tools
"""

from typing import Any

from starlette.responses import Response

from shared.app import create_app
from shared.errors import TextNotCountable
from shared.http.answers import json_response
from shared.http.serving import Asked
from shared.items.token_counts import FIELDS, count_tokens
from shared.routes import Body, Form, Route


async def count(asked: Asked, **values: Any) -> Response:
    counted = await count_tokens(asked.state["counter"], values)
    return json_response({"object": "tokens.count", **counted._asdict()})


ROUTES = (
    Route(
        "POST",
        "/v1/tokens/count",
        count,
        "Count tokens",
        "`{model or encoding, input: text, items or messages, tools?}`: `{tokens, encoding, exact}`. The body of a "
        "Chat Completions or of a Responses request counts as it stands",
        "count",
        body=Body(
            FIELDS,
            tuple(
                Form((coding, given), null=(other,), without=(left,))
                for coding, other in (("model", "encoding"), ("encoding", "model"))
                for given, left in (("input", "messages"), ("messages", "input"))
            ),
        ),
        refuses=(TextNotCountable,),
        billed="2",
        is_confirmed_first=True,
    ),
)
app = create_app(ROUTES)
