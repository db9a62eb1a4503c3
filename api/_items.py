"""
GET    /v1/conversations/{id}/items               a page of its items
POST   /v1/conversations/{id}/items               append a batch; the items as they are now stored
GET    /v1/conversations/{id}/items/{item_id}     one item
DELETE /v1/conversations/{id}/items/{item_id}     blank it; the conversation
"""

from typing import Any

import orjson
from starlette.responses import Response

from api._contexts import contexts_of
from api._conversation import (
    AFTER,
    CONVERSATION,
    INCLUDE,
    ITEM,
    LIMIT,
    ONE,
    answer_items,
    answer_written,
    editing,
    shows_times,
    write_page,
)
from shared.context.wanted import read_context_member
from shared.conversations.conversation import Conversation
from shared.conversations.info import dated
from shared.conversations.model_calls import read_settlement
from shared.conversations.reading import Reader
from shared.errors import AlreadySettled, DuplicateItem, ServiceError, TextNotCountable
from shared.http.closed import refuse_when_closed
from shared.http.headers import tier_headers
from shared.http.problems import error_member
from shared.http.serving import Asked
from shared.items.given import FIELDS, given_forms, read_given
from shared.request import roles
from shared.request.parameters import choice, json
from shared.request.tracing import RECORDS, note
from shared.routes import READ, WRITE, Body, Route


def reader(asked: Asked) -> Reader:
    state = asked.state
    return Reader(state["store"], state["history"], state["settings"])


async def items(asked: Asked, conversation_id: str, after: str, limit: int, order: str) -> Response:
    page, provenance = await reader(asked).items(
        Conversation(asked.caller, conversation_id), after, limit, order, asked.freshness, asked.later
    )
    return answer_items(asked, write_page(page, with_times=shows_times(asked)), provenance)


async def append(asked: Asked, conversation_id: str, context: Any, **values: Any) -> Response:
    # What only writes need is imported by the first of them: 10 ms of every cold read.
    from shared.conversations.append import Appending
    from shared.conversations.append_context import Call, append_with_context

    state, conversation = asked.state, Conversation(asked.caller, conversation_id)
    appending = Appending(state["store"], state["counter"], state["pool"], state["settings"])
    given = read_given(values)
    settlement = read_settlement(values, asked.caller, state["settings"])
    if context is None:
        page, etag, is_replay = await appending.append(conversation, asked.attempt, given, settlement)
        note({RECORDS: len(page.data)})
        return answer_written(asked, write_page(page, with_times=shows_times(asked)), etag, is_replay=is_replay)
    refuse_when_closed(CONTEXT_NEEDS, state["wrong"])
    wanted = read_context_member(context, CONTEXT.name)
    call = Call(conversation, asked.attempt, given, settlement)
    (page, etag, is_replay), made = await append_with_context(appending, contexts_of(asked), call, wanted, asked.later)
    if isinstance(made, ServiceError):
        body = [orjson.dumps({"error": error_member(made)})]
    else:
        assert made.body is not None
        body = made.body
    note({RECORDS: len(page.data)})
    members = write_page(page, with_times=shows_times(asked), context=body)
    answer = answer_written(asked, members, etag, is_replay=is_replay)
    if not isinstance(made, ServiceError):
        answer.headers.update(tier_headers(made.provenance))
    return answer


async def item(asked: Asked, conversation_id: str, item_id: str) -> Response:
    info, provenance = await reader(asked).item(Conversation(asked.caller, conversation_id), item_id, asked.freshness)
    return answer_items(asked, dated(*info) if shows_times(asked) else info.body, provenance)


async def delete_item(asked: Asked, conversation_id: str, item_id: str) -> Response:
    (info, etag, is_replay), is_summarised = await editing(asked).delete_item(
        Conversation(asked.caller, conversation_id), asked.attempt, item_id, asked.later
    )
    answer = answer_written(asked, info.as_json(), etag, is_replay=is_replay)
    if is_summarised:
        answer.headers[SUMMARY_COVERS] = "true"
    return answer


SUMMARY_COVERS = "Warmthread-Summary-Covers"
ORDER = choice("order", ("asc", "desc"), "oldest or newest first", default="desc")
SETTLED = ("reservation", "usage")
CONTEXT = json(
    "context",
    "beside_items",
    "the parameters of `POST …/context` but for `reserve`: the answer has a member `context` as well, that of the "
    "conversation with these items",
)
CONTEXT_NEEDS = ("documents",)
BATCH = Body(
    (
        json("items", "items", "1 to 100 of them; all are stored or none", nullable=False),
        *FIELDS,
        CONTEXT,
        json("reservation", "reservation_id", "the reservation that `usage` settles in the same step"),
        json("usage", "usage", "what the model call used, as the Responses or the Chat Completions API report it"),
    ),
    tuple(
        settled
        for form in given_forms("items")
        for settled in (
            form._replace(null=SETTLED),
            form._replace(required=(*form.required, *SETTLED)),
        )
    ),
)

ROUTES = (
    Route(
        "GET",
        CONVERSATION + "/items",
        items,
        "A page of items",
        "a page of items",
        "page",
        ids=ONE,
        query=(LIMIT, AFTER, ORDER, INCLUDE),
        headers=READ,
        role=roles.READ,
        billed="4; 3 when there is no news",
    ),
    Route(
        "POST",
        CONVERSATION + "/items",
        append,
        "Append a batch",
        "`{items: [1..100], context?, reservation?, usage?}`: appends all or nothing; the items as stored. With "
        "`context` also the [context](contexts.md#one-call-a-turn) right after it, or `{error}` in its place. "
        "`{messages, format?, system?}` in place of items: [messages of other APIs](dialects.md), at most 100 items "
        "made of them",
        "appended",
        ids=ONE,
        query=(INCLUDE,),
        body=BATCH,
        headers=WRITE,
        answered=("Cache-Status",),
        refuses=(DuplicateItem, AlreadySettled, TextNotCountable),
        role=roles.APPEND,
        billed="6; 13 with `reservation`; 7 with `context`; 6 where the instance has what came before",
        is_prepared=True,
        memory="create_memory",
    ),
    Route(
        "GET",
        CONVERSATION + "/items/{item_id}",
        item,
        "One item",
        "one item",
        "item",
        ids=ITEM,
        query=(INCLUDE,),
        headers=READ,
        role=roles.READ,
        billed="4; 3 when there is no news",
    ),
    Route(
        "DELETE",
        CONVERSATION + "/items/{item_id}",
        delete_item,
        "Blank an item",
        "blanks the content at once; answers the conversation. `Warmthread-Summary-Covers: true`: the summary stands "
        "for the item as well, and its text may still tell of it",
        "conversation",
        ids=ITEM,
        headers=WRITE,
        answered=(SUMMARY_COVERS,),
        role=roles.FULL,
        billed="7; 8 with a summary",
        memory="delete_memory",
    ),
)
