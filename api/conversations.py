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
POST   /v1/conversations/{id}/fork                a copy up to one of its items, as a new conversation
POST   /v1/conversations/{id}/summary             a text in the place of the items up to one of them
POST   /v1/conversations/{id}/compact             take out what deletions left behind; the conversation
POST   /v1/conversations/{id}/context             the same; with `reserve`, its tokens are set aside
POST   /api/conversations                         warm this instance; for the cron
"""

import re
from typing import TYPE_CHECKING, Any

from starlette.responses import Response
from starlette.routing import Route

from shared.app import create_app
from shared.budgets.reservations import Budgets
from shared.context.wanted import PARAMETERS, read_context_request
from shared.conversations.contexts import Contexts
from shared.conversations.conversation import Conversation
from shared.conversations.editing import Conversations
from shared.conversations.info import Page
from shared.conversations.model_calls import ModelCalls, read_output_tokens, read_settlement
from shared.conversations.provenance import Provenance
from shared.conversations.reading import Reader
from shared.errors import InvalidValue, NotFound
from shared.http.answers import json_response, unchanged_response
from shared.http.guard import admit, parse_json, read_body, read_json, refuse_unknown
from shared.http.headers import read_etags, source_headers
from shared.http.state import Request
from shared.items.document_paths import INSTANCE_PATH
from shared.jsonbytes.write import Pieces, array, splice
from shared.request.after_response import Later
from shared.request.bearer import check_bearer
from shared.request.freshness import read_freshness
from shared.request.parameters import boolean, choice, integer, refuse_unknown_parameters, string
from shared.store.attempts import Attempt, read_attempt

if TYPE_CHECKING:
    from shared.conversations.append import Appending

# What only writes need is imported by the first of them: 10 ms of every cold read.

ID_PATTERN = re.compile(r"[A-Za-z0-9_-]{1,64}")
EXPIRY_S_MAX = 3_650 * 86_400
PAGE_LIMIT, PAGE_LIMIT_MAX = 20, 100

CREATE_FIELDS = frozenset({"items", "metadata", "expires_after_s"})
UPDATE_FIELDS = frozenset({"metadata"})
APPEND_FIELDS = frozenset({"items", "reservation", "usage"})
FORK_FIELDS = frozenset({"after", "metadata"})
SUMMARY_FIELDS = frozenset({"through", "text"})
NO_PARAMETERS: frozenset[str] = frozenset()
INCLUDE = frozenset({"include"})
PAGE_PARAMETERS = frozenset({"after", "limit", "order", "include"})
LIST_PARAMETERS = frozenset({"after", "limit", "metadata[…]"})


async def create(request: Request) -> Response:
    caller = admit(request)
    refuse_unknown_parameters(request.query_params, NO_PARAMETERS)
    body, attempt = await _read_write(request, CREATE_FIELDS)
    expires_after_s = integer(body, "expires_after_s", low=0, high=EXPIRY_S_MAX)
    info, etag, is_replay = await _appending(request).create(
        caller, attempt, body.get("items"), body.get("metadata"), expires_after_s
    )
    return json_response(info.as_json(), headers=_write_headers(etag, is_replay=is_replay))


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
    conversation, later, freshness = _conversation(request), Later(), read_freshness(request.headers)
    refuse_unknown_parameters(request.query_params, NO_PARAMETERS)
    info, source = await _reader(request).retrieve(conversation, freshness, later)
    return _answer(request, info.as_json(), source, later)


async def update(request: Request) -> Response:
    conversation, later = _conversation(request), Later()
    refuse_unknown_parameters(request.query_params, NO_PARAMETERS)
    body, attempt = await _read_write(request, UPDATE_FIELDS)
    if "metadata" not in body:
        raise InvalidValue("metadata is missing.", param="metadata")
    info, etag, is_replay = await _service(request).update(conversation, attempt, body["metadata"], later)
    return json_response(info.as_json(), later, _write_headers(etag, is_replay=is_replay))


async def delete(request: Request) -> Response:
    conversation = _conversation(request)
    refuse_unknown_parameters(request.query_params, NO_PARAMETERS)
    attempt = await read_attempt(request.method, request.url.path, request.headers, b"", request.state["pool"])
    is_replay = await _service(request).delete(conversation, attempt)
    body = {"id": conversation.id, "object": "conversation.deleted", "deleted": True}
    return json_response(body, headers=_write_headers(None, is_replay=is_replay))


async def append(request: Request) -> Response:
    conversation = _conversation(request)
    refuse_unknown_parameters(request.query_params, INCLUDE)
    body, attempt = await _read_write(request, APPEND_FIELDS)
    settlement = read_settlement(body, conversation.caller)
    page, etag, is_replay = await _appending(request).append(conversation, attempt, body.get("items"), settlement)
    return json_response(_write_list(page), headers=_write_headers(etag, is_replay=is_replay))


async def items(request: Request) -> Response:
    conversation, later, freshness = _conversation(request), Later(), read_freshness(request.headers)
    query = request.query_params
    refuse_unknown_parameters(query, PAGE_PARAMETERS)
    limit = integer(query, "limit", low=1, high=PAGE_LIMIT_MAX) or PAGE_LIMIT
    order = choice(query, "order", ("asc", "desc"), "desc")
    page, source = await _reader(request).items(conversation, _after(request), limit, order, freshness, later)
    return _answer(request, _write_list(page), source, later)


async def item(request: Request) -> Response:
    conversation, freshness = _conversation(request), read_freshness(request.headers)
    item_id = _item_id(request)
    refuse_unknown_parameters(request.query_params, INCLUDE)
    body, source = await _reader(request).item(conversation, item_id, freshness)
    return _answer(request, body, source, Later())


async def delete_item(request: Request) -> Response:
    conversation, later = _conversation(request), Later()
    item_id = _item_id(request)
    refuse_unknown_parameters(request.query_params, NO_PARAMETERS)
    attempt = await read_attempt(request.method, request.url.path, request.headers, b"", request.state["pool"])
    info, etag, is_replay = await _service(request).delete_item(conversation, attempt, item_id, later)
    return json_response(info.as_json(), later, _write_headers(etag, is_replay=is_replay))


async def context(request: Request) -> Response:
    conversation, later, freshness = _conversation(request), Later(), read_freshness(request.headers)
    refuse_unknown_parameters(request.query_params, PARAMETERS)
    wanted = read_context_request(request.query_params)
    known = read_etags(request.headers.get("if-none-match"))
    answer = await _contexts(request).context(conversation, wanted, freshness, known, later)
    headers = source_headers(answer.source, answer.etag)
    if answer.body is None:
        return unchanged_response(later, headers)
    return json_response(answer.body, later, headers)


async def context_for_call(request: Request) -> Response:
    conversation, later, settings = _conversation(request), Later(), request.state["settings"]
    refuse_unknown_parameters(request.query_params, NO_PARAMETERS)
    body = await read_json(request)
    refuse_unknown(body, PARAMETERS | {"reserve"})
    wanted, contexts = read_context_request(body), _contexts(request)
    if boolean(body, "reserve"):
        calls = ModelCalls(contexts, Budgets(request.state["store"], settings), settings)
        output_tokens = read_output_tokens(body, wanted)
        answer = await calls.context(conversation, wanted, output_tokens, read_freshness(request.headers), later)
    else:
        freshness = read_freshness(request.headers)
        answer = await contexts.context(conversation, wanted, freshness, frozenset(), later)
    assert answer.body is not None
    return json_response(answer.body, later, source_headers(answer.source, answer.etag))


async def fork(request: Request) -> Response:
    conversation, later = _conversation(request), Later()
    state = request.state
    refuse_unknown_parameters(request.query_params, NO_PARAMETERS)
    body, attempt = await _read_write(request, FORK_FIELDS)
    after = string(body, "after")
    _check_id(after, "item", "after")
    from shared.conversations.forks import Forks

    forks = Forks(state["store"], state["settings"])
    info, etag, is_replay = await forks.fork(conversation, attempt, after, body.get("metadata"), later)
    return json_response(info.as_json(), later, _write_headers(etag, is_replay=is_replay))


async def summarise(request: Request) -> Response:
    conversation = _conversation(request)
    state = request.state
    refuse_unknown_parameters(request.query_params, NO_PARAMETERS)
    body, attempt = await _read_write(request, SUMMARY_FIELDS)
    through, text = string(body, "through", required=True), string(body, "text", required=True)
    _check_id(through, "item", "through")
    from shared.conversations.summaries import Summaries

    summaries = Summaries(state["store"], state["counter"], state["settings"])
    info, etag, is_replay = await summaries.summarise(conversation, attempt, through, text)
    return json_response(info.as_json(), headers=_write_headers(etag, is_replay=is_replay))


async def compact(request: Request) -> Response:
    conversation = _conversation(request)
    state = request.state
    refuse_unknown_parameters(request.query_params, NO_PARAMETERS)
    refuse_unknown(await read_json(request), frozenset())
    from shared.conversations.compaction import Compaction

    compaction = Compaction(state["store"], state["settings"])
    info, etag, is_replay = await compaction.compact(conversation, is_forced=True)
    return json_response(info.as_json(), headers=_write_headers(etag, is_replay=is_replay))


def _conversation(request: Request) -> Conversation:
    return Conversation(admit(request), _conversation_id(request))


def _service(request: Request) -> Conversations:
    state = request.state
    return Conversations(state["store"], state["settings"])


def _contexts(request: Request) -> Contexts:
    state = request.state
    return Contexts(state["store"], state["counter"], state["history"], state["documents"], state["pool"])


def _appending(request: Request) -> "Appending":
    from shared.conversations.append import Appending

    state = request.state
    return Appending(state["store"], state["counter"], state["pool"], state["settings"])


def _reader(request: Request) -> Reader:
    state = request.state
    return Reader(state["store"], state["history"], state["settings"], state["pool"])


def _answer(request: Request, body: bytes | Pieces, source: Provenance, later: Later) -> Response:
    headers = source_headers(source, source.etag)
    if source.etag in read_etags(request.headers.get("if-none-match")):
        return unchanged_response(later, headers)
    return json_response(body, later, headers)


async def _read_write(request: Request, fields: frozenset[str]) -> tuple[dict[str, Any], Attempt]:
    """Return the body of a request that changes something, and what the request is known by when it comes again."""
    raw = await read_body(request, request.state["settings"].body_bytes_max)
    attempt = await read_attempt(request.method, request.url.path, request.headers, raw, request.state["pool"])
    body = await parse_json(raw, request.state["settings"], request.state["pool"])
    refuse_unknown(body, fields)
    return body, attempt


def _write_headers(etag: str | None, *, is_replay: bool) -> dict[str, str]:
    headers = {} if etag is None else {"etag": etag}
    return {**headers, "idempotency-replayed": "true"} if is_replay else headers


def _conversation_id(request: Request) -> str:
    return _check_id(request.path_params["conversation_id"], "conversation", "conversation_id")


def _item_id(request: Request) -> str:
    return _check_id(request.path_params["item_id"], "item", "item_id")


def _after(request: Request) -> str:
    return _check_id(request.query_params.get("after", ""), "element", "after")


def _check_id(name: str, kind: str, param: str) -> str:
    """Return *name*, "" as well where nothing was given. Raises NotFound: nothing can have it as its id."""
    if name and ID_PATTERN.fullmatch(name) is None:
        raise NotFound(f"There is no {kind} {name[:64]!r}.", param=param)
    return name


def _write_list(page: Page) -> Pieces:
    rest = {"first_id": page.first_id, "last_id": page.last_id, "has_more": page.has_more}
    return splice({"object": "list"}, {"data": array(page.data)}, rest)


async def warm(request: Request) -> Response:
    """What the warming cron calls, so that it is this function's instance that gets warm."""
    state = request.state
    check_bearer(request.headers.get("authorization"), state["settings"].cron_secret)
    from shared.documents.warm import Warm

    work = Warm(state["store"], state["documents"], state["counter"], state["settings"])
    return json_response((await work.this_instance()).as_json())


PREFIX = "/v1/conversations"

app = create_app(
    [
        Route(INSTANCE_PATH, warm, methods=["POST"]),
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
        Route(PREFIX + "/{conversation_id}/fork", fork, methods=["POST"]),
        Route(PREFIX + "/{conversation_id}/summary", summarise, methods=["POST"]),
        Route(PREFIX + "/{conversation_id}/compact", compact, methods=["POST"]),
        Route(PREFIX + "/{conversation_id}/context", context_for_call, methods=["POST"]),
    ]
)
