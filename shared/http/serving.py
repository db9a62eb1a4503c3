"""
Serves declared routes: reads a request as its route says, refuses what the route does not know, calls the handler.

Order: key -> headers of reads -> ids -> query -> the beginning of the body -> a slot -> the rest of the body, at most
as large as declared -> headers of writes -> its members. Nothing is read of a body before the rest is right.

Whom the store did not confirm here holds no slot while its body comes, and has it neither read beyond its beginning nor
worked on.
"""

from typing import Any

from starlette.responses import Response

from shared.config import SETTINGS, Settings
from shared.http.guard import Body, admit, confirm, parse_json, take_slot
from shared.http.headers import read_etags
from shared.http.state import Request, State
from shared.process.pool import Pool
from shared.request.after_response import Later
from shared.request.bearer import check_bearer
from shared.request.caller import Caller
from shared.request.freshness import Freshness, read_freshness
from shared.request.invocation import CURRENT, is_confirmed, was_confirmed
from shared.request.parameters import read_members, read_path, read_query
from shared.request.tracing import NOTHING, OPERATION, Kind, part
from shared.routes import TENANT, Route
from shared.routes import Body as Declared
from shared.store.attempts import Attempt, read_attempt


class Asked:
    """
    A request as its handler gets it, besides its parameters. What the route does not declare is not there.

    *later*: what to do once the answer is sent. *known*: the entity tags that the caller has.
    """

    __slots__ = ("attempt", "caller", "freshness", "known", "later", "request", "state")

    attempt: Attempt
    caller: Caller
    freshness: Freshness
    known: frozenset[str]

    def __init__(self, request: Request) -> None:
        self.request = request
        self.state: State = request.state
        self.later = Later()


async def serve(route: Route, request: Request) -> Response:
    """Return the answer of *route*. Raises ServiceError."""
    asked, headers, settings = Asked(request), request.headers, request.state["settings"]
    if route.key == TENANT:
        asked.caller = admit(request, route.role, route.weight(request.query_params))
    elif route.key:
        field = f"{route.key}_secret"
        check_bearer(headers.get("authorization"), getattr(settings, field), SETTINGS[field].names(field)[0])
    if "Cache-Control" in route.headers:
        asked.freshness = read_freshness(headers)
    if "If-None-Match" in route.headers:
        asked.known = read_etags(headers.get("if-none-match"))
    values = read_path(route.ids, request.path_params)
    values |= read_query(route.query, request.query_params)
    body = Body(request, _bytes_max(route.body, settings)) if route.body is not None else None
    if body is not None:
        await body.begin()
    await take_slot(request, is_known=route.key not in (TENANT, ""))
    if route.key == TENANT and _is_confirmed_first(route, body):
        await confirm(request)
    raw, pool = b"", request.state["pool"]
    if body is not None:
        raw = await body.rest()
    if "Idempotency-Key" in route.headers:
        asked.attempt = await read_attempt(request.method, request.url.path, headers, raw, pool)
    if route.body is not None:
        values |= {"body": raw} if route.body.is_raw else await _read_json(route.body, raw, settings, pool)
    if route.role_with and (invocation := CURRENT.get()) is not None:
        invocation.require(route.role_for(values))
    with part(route.memory, Kind.INTERNAL, {OPERATION: route.memory}) if route.memory else NOTHING:
        response: Response = await route.handler(asked, **values)
    return response


def _bytes_max(body: Declared, settings: Settings) -> int:
    return settings.document_bytes_max if body.is_document else body.bytes_max or settings.body_bytes_max


async def _read_json(body: Declared, raw: bytes, settings: Settings, pool: Pool) -> dict[str, Any]:
    parsed = await parse_json(raw, settings, pool)
    return {"body": parsed} if body.schema else read_members(body.fields, parsed)


def _is_confirmed_first(route: Route, body: Body | None) -> bool:
    """Tell whether the store has to confirm the key before any work is done that no script does."""
    if route.is_confirmed_first:
        return True
    if body is not None and not body.is_whole and not is_confirmed():
        return True
    # That it was confirmed within the hour will do for work that shows nothing: a key that ended costs it once.
    return route.is_prepared and not was_confirmed()
