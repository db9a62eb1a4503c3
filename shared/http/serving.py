"""
Serves declared routes: reads a request as its route says, refuses what the route does not know, calls the handler.

Order: key -> headers of reads -> ids -> query -> body, at most as large as declared -> headers of writes -> its
members. Nothing is read of a body before the rest is right.
"""

from starlette.responses import Response

from shared.http.guard import admit, confirm, parse_json, read_body
from shared.http.headers import read_etags
from shared.http.state import Request, State
from shared.request.after_response import Later
from shared.request.bearer import check_bearer
from shared.request.caller import Caller
from shared.request.freshness import Freshness, read_freshness
from shared.request.parameters import read_members, read_path, read_query
from shared.routes import TENANT, Route
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
        asked.caller = admit(request)
    elif route.key:
        check_bearer(headers.get("authorization"), getattr(settings, f"{route.key}_secret"))
    if "Cache-Control" in route.headers:
        asked.freshness = read_freshness(headers)
    if "If-None-Match" in route.headers:
        asked.known = read_etags(headers.get("if-none-match"))
    values = read_path(route.ids, request.path_params)
    values |= read_query(route.query, request.query_params)
    if route.is_confirmed_first:
        await confirm(request)
    raw, pool = b"", request.state["pool"]
    if route.body is not None:
        raw = await read_body(request, route.body.bytes_max or settings.body_bytes_max)
    if "Idempotency-Key" in route.headers:
        asked.attempt = await read_attempt(request.method, request.url.path, headers, raw, pool)
    if route.body is not None:
        body = await parse_json(raw, settings, pool)
        values |= {"body": body} if route.body.schema else read_members(route.body.fields, body)
    response: Response = await route.handler(asked, **values)
    return response
