"""
GET    /v1/conversations/{id}/context     all that matters of it, in at most N tokens
POST   /v1/conversations/{id}/context     the same; with `reserve`, its tokens are set aside
"""

from typing import Any

from starlette.responses import Response

from api._conversation import CONVERSATION, ONE
from shared.budgets.reservations import Budgets
from shared.context.wanted import PARAMETERS, answer_tokens, read_context_request
from shared.conversations.contexts import Contexts
from shared.conversations.conversation import Conversation
from shared.conversations.model_calls import ModelCalls
from shared.errors import ContextDoesNotFit, ReservationEnded, TextNotCountable
from shared.http.answers import json_response, unchanged_response
from shared.http.headers import provenance_headers, replay_headers
from shared.http.serving import Asked
from shared.request import roles
from shared.request.parameters import boolean
from shared.routes import FRESHNESS, READ, Body, Route


async def context(asked: Asked, conversation_id: str, **values: Any) -> Response:
    conversation, wanted = Conversation(asked.caller, conversation_id), read_context_request(values)
    answer = await contexts_of(asked).context(conversation, wanted, asked.freshness, asked.known, asked.later)
    headers = provenance_headers(answer.provenance, answer.etag)
    if answer.body is None:
        return unchanged_response(asked.later, headers)
    return json_response(answer.body, asked.later, headers)


async def context_for_call(asked: Asked, conversation_id: str, reserve: bool, **values: Any) -> Response:
    conversation, wanted = Conversation(asked.caller, conversation_id), read_context_request(values)
    contexts, store, settings = contexts_of(asked), asked.state["store"], asked.state["settings"]
    is_replay = False
    if reserve:
        calls = ModelCalls(store, contexts, Budgets(store, settings), settings)
        output_tokens = answer_tokens(wanted.model, values["reserve_output"])
        answer, _, is_replay = await calls.context(
            conversation, asked.attempt, wanted, output_tokens, asked.freshness, asked.later
        )
    else:
        answer = await contexts.context(conversation, wanted, asked.freshness, frozenset(), asked.later)
    assert answer.body is not None
    headers = provenance_headers(answer.provenance, answer.etag) | replay_headers(is_replay=is_replay)
    return json_response(answer.body, asked.later, headers)


def contexts_of(asked: Asked) -> Contexts:
    state = asked.state
    return Contexts(state["store"], state["counter"], state["history"], state["documents"], state["pool"])


RESERVE = boolean("reserve", "`true`: `budget` and `reserve_output` are set aside for the model call, as a reservation")

ROUTES = (
    Route(
        "GET",
        CONVERSATION + "/context",
        context,
        "What matters, in a budget",
        "what matters, in at most `budget` tokens",
        "context",
        ids=ONE,
        query=PARAMETERS,
        headers=READ,
        refuses=(ContextDoesNotFit, TextNotCountable),
        role=roles.READ,
        billed="4; 3 when there is no news",
        memory="search_memory",
        needs=("documents",),
    ),
    Route(
        "POST",
        CONVERSATION + "/context",
        context_for_call,
        "The same; with reserve its tokens are set aside",
        "the same with its parameters as JSON; with `reserve: true` it also sets aside what the model call may use",
        "context",
        ids=ONE,
        body=Body((*PARAMETERS, RESERVE)),
        headers=(*FRESHNESS, "Idempotency-Key"),
        answered=("Idempotency-Replayed",),
        refuses=(ContextDoesNotFit, ReservationEnded, TextNotCountable),
        role=roles.READ,
        role_with=((RESERVE.name, roles.APPEND),),
        billed="4; 17 with `reserve`, giving back included",
        memory="search_memory",
        needs=("documents", "budgets"),
    ),
)
