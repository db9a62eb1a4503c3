"""
GET    /v1/conversations                          the tenant's conversations, newest activity first
POST   /v1/conversations                          a new conversation
GET    /v1/conversations/{id}                     the conversation
POST   /v1/conversations/{id}                     new metadata; the conversation
DELETE /v1/conversations/{id}                     gone, with its items
GET    /v1/conversations/{id}/items               a page of its items
POST   /v1/conversations/{id}/items               append a batch; the items as they are now stored
GET    /v1/conversations/{id}/items/{item_id}     one item
DELETE /v1/conversations/{id}/items/{item_id}     blank it; the conversation
GET    /v1/conversations/{id}/context             all that matters of it, in at most N tokens
"""

import re
from typing import Any

import orjson
from starlette.responses import Response
from starlette.routing import Route

from shared.app import Request, create_app, json_response
from shared.conversations.contexts import PARAMETERS, Contexts, read_context_request
from shared.conversations.service import Conversations, Page
from shared.errors import InvalidValue, NotFound
from shared.guard import admit, read_json, refuse_unknown
from shared.later import Later
from shared.parameters import choice, integer, refuse_unknown_parameters

ID_PATTERN = re.compile(r"[A-Za-z0-9_-]{1,64}")
EXPIRY_S_MAX = 3_650 * 86_400
PAGE_LIMIT, PAGE_LIMIT_MAX = 20, 100

CREATE_FIELDS = frozenset({"items", "metadata", "expires_after_s"})
UPDATE_FIELDS = frozenset({"metadata"})
APPEND_FIELDS = frozenset({"items"})
NO_PARAMETERS: frozenset[str] = frozenset()
INCLUDE = frozenset({"include"})
PAGE_PARAMETERS = frozenset({"after", "limit", "order", "include"})
LIST_PARAMETERS = frozenset({"after", "limit", "metadata[…]"})


async def create(request: Request) -> Response:
    caller = admit(request)
    refuse_unknown_parameters(request.query_params, NO_PARAMETERS)
    body = await read_json(request, request.state["settings"].body_bytes_max)
    refuse_unknown(body, CREATE_FIELDS)
    expires_after_s = integer(body, "expires_after_s", low=0, high=EXPIRY_S_MAX)
    info = await _service(request).create(caller, body.get("items"), body.get("metadata"), expires_after_s)
    return json_response(info.as_json())


async def list_(request: Request) -> Response:
    caller = admit(request)
    query = request.query_params
    refuse_unknown_parameters(query, LIST_PARAMETERS)
    metadata = {
        name.removeprefix("metadata[").removesuffix("]"): value
        for name, value in query.items()
        if name.startswith("metadata[")
    }
    limit = integer(query, "limit", low=1, high=PAGE_LIMIT_MAX) or PAGE_LIMIT
    page = await _service(request).find(caller, _after(request), limit, metadata)
    return json_response(_write_list(page))


async def retrieve(request: Request) -> Response:
    caller, later = admit(request), Later()
    refuse_unknown_parameters(request.query_params, NO_PARAMETERS)
    info = await _service(request).retrieve(caller, _conversation_id(request), later)
    return json_response(info.as_json(), later)


async def update(request: Request) -> Response:
    caller = admit(request)
    conversation_id = _conversation_id(request)
    refuse_unknown_parameters(request.query_params, NO_PARAMETERS)
    body = await read_json(request, request.state["settings"].body_bytes_max)
    refuse_unknown(body, UPDATE_FIELDS)
    if "metadata" not in body:
        raise InvalidValue("metadata is missing.", param="metadata")
    info = await _service(request).update(caller, conversation_id, body["metadata"])
    return json_response(info.as_json())


async def delete(request: Request) -> Response:
    caller = admit(request)
    conversation_id = _conversation_id(request)
    refuse_unknown_parameters(request.query_params, NO_PARAMETERS)
    await _service(request).delete(caller, conversation_id)
    return json_response({"id": conversation_id, "object": "conversation.deleted", "deleted": True})


async def append(request: Request) -> Response:
    caller = admit(request)
    conversation_id = _conversation_id(request)
    refuse_unknown_parameters(request.query_params, INCLUDE)
    body = await read_json(request, request.state["settings"].body_bytes_max)
    refuse_unknown(body, APPEND_FIELDS)
    page = await _service(request).append(caller, conversation_id, body.get("items"))
    return json_response(_write_list(page))


async def items(request: Request) -> Response:
    caller, later = admit(request), Later()
    conversation_id, query = _conversation_id(request), request.query_params
    refuse_unknown_parameters(query, PAGE_PARAMETERS)
    limit = integer(query, "limit", low=1, high=PAGE_LIMIT_MAX) or PAGE_LIMIT
    order = choice(query, "order", ("asc", "desc"), "desc")
    page = await _service(request).items(caller, conversation_id, _after(request), limit, order, later)
    return json_response(_write_list(page), later)


async def item(request: Request) -> Response:
    caller = admit(request)
    conversation_id, item_id = _conversation_id(request), _item_id(request)
    refuse_unknown_parameters(request.query_params, INCLUDE)
    return json_response(await _service(request).item(caller, conversation_id, item_id))


async def delete_item(request: Request) -> Response:
    caller = admit(request)
    conversation_id, item_id = _conversation_id(request), _item_id(request)
    refuse_unknown_parameters(request.query_params, NO_PARAMETERS)
    info = await _service(request).delete_item(caller, conversation_id, item_id)
    return json_response(info.as_json())


async def context(request: Request) -> Response:
    caller, later = admit(request), Later()
    conversation_id = _conversation_id(request)
    refuse_unknown_parameters(request.query_params, PARAMETERS)
    wanted = read_context_request(request.query_params)
    state = request.state
    contexts = Contexts(state["store"], state["counter"], state["settings"], _service(request))
    return json_response(await contexts.context(caller, conversation_id, wanted, later), later)


def _service(request: Request) -> Conversations:
    state = request.state
    return Conversations(state["store"], state["counter"], state["settings"])


def _conversation_id(request: Request) -> str:
    name: str = request.path_params["conversation_id"]
    if ID_PATTERN.fullmatch(name) is None:
        raise NotFound(f"There is no conversation {name[:64]!r}.", param="conversation_id")
    return name


def _item_id(request: Request) -> str:
    name: str = request.path_params["item_id"]
    if ID_PATTERN.fullmatch(name) is None:
        raise NotFound(f"There is no item {name[:64]!r} in this conversation.", param="item_id")
    return name


def _after(request: Request) -> str:
    name = request.query_params.get("after", "")
    if name and ID_PATTERN.fullmatch(name) is None:
        raise NotFound(f"There is nothing with the id {name[:64]!r} to start after.", param="after")
    return name


def _write_list(page: Page) -> bytes:
    members: dict[str, Any] = {
        "object": "list",
        "data": [orjson.Fragment(each) for each in page.data],
        "first_id": page.first_id,
        "last_id": page.last_id,
        "has_more": page.has_more,
    }
    return orjson.dumps(members)


PREFIX = "/v1/conversations"

app = create_app(
    [
        Route(PREFIX, create, methods=["POST"]),
        Route(PREFIX, list_, methods=["GET"]),
        Route(PREFIX + "/{conversation_id}", retrieve, methods=["GET"]),
        Route(PREFIX + "/{conversation_id}", update, methods=["POST"]),
        Route(PREFIX + "/{conversation_id}", delete, methods=["DELETE"]),
        Route(PREFIX + "/{conversation_id}/items", items, methods=["GET"]),
        Route(PREFIX + "/{conversation_id}/items", append, methods=["POST"]),
        Route(PREFIX + "/{conversation_id}/items/{item_id}", item, methods=["GET"]),
        Route(PREFIX + "/{conversation_id}/items/{item_id}", delete_item, methods=["DELETE"]),
        Route(PREFIX + "/{conversation_id}/context", context, methods=["GET"]),
    ]
)
