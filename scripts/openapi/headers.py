"""
Headers in the OpenAPI document: what requests may say, and what answers do say.
"""

from scripts.openapi.shapes import Schema

ENTITY_TAGS = r'^(\*|(W/)?"[!#-~]*"( *, *(W/)?"[!#-~]*")*)$'
POSITION = r"^(0|[1-9][0-9]{0,8})(\.([0-9a-f]{16}|0))?$"
KEY = r'^("([!#-\[\]-~]|\\["\\]){1,255}"|[!#-~][!-~]{0,254})$'


def _header(name: str, description: str, **schema: object) -> Schema:
    return {"name": name, "in": "header", "description": description, "schema": {"type": "string", **schema}}


REQUESTS: dict[str, Schema] = {
    made["name"]: made
    for made in (
        _header(
            "Cache-Control", "max-age=N, stale-if-error=N, only-if-cached, no-cache: how fresh the answer has to be"
        ),
        _header(
            "Warmthread-Min-Version",
            "Any copy of at least this version will do; as `V.h`, if it also came after the state whose tag says so",
            pattern=POSITION,
        ),
        _header(
            "If-None-Match", "Entity tags that the caller has: 304 for one of them; of a write `*`: there is none yet"
        ),
        _header("Idempotency-Key", "The same key and request within 24 h are answered, not done", pattern=KEY),
        _header("x-stainless-retry-count", "OpenAI's clients count here how often they sent this before"),
        _header("If-Match", "The versions at which this may happen, as entity tags", pattern=ENTITY_TAGS),
    )
}
"""What declared routes may heed."""

IS_NEW = _header("If-None-Match", "`*`: write it only if there is none yet", enum=["*"])


def request(name: str, method: str) -> Schema:
    """Return what a request of *method* may say by the header *name*."""
    return IS_NEW if method == "PUT" and name == "If-None-Match" else REQUESTS[name]


def _answered(description: str, schema: Schema | None = None, *, required: bool = False) -> Schema:
    made: Schema = {"description": description, "schema": schema or {"type": "string"}}
    return made | ({"required": True} if required else {})


ANSWERS: Schema = {
    "Server-Timing": _answered("Milliseconds in all, and waiting for the store", required=True),
    "Warmthread-Deployment": _answered("Which deployment answered", required=True),
    "X-Request-Id": _answered(
        "The request's own, where it is well-formed, else a new one; what the log calls it",
        {"type": "string", "pattern": "^[A-Za-z0-9._:@/+=-]{1,128}$"},
        required=True,
    ),
    "RateLimit-Policy": _answered("The tenant's rate, if it has one (draft-ietf-httpapi-ratelimit-headers)"),
    "RateLimit": _answered("What is left of it"),
    "ETag": _answered(
        "Generation, version and chain hash, and for contexts the parameters", {"type": "string", "pattern": '^".+"$'}
    ),
    "Age": _answered("Seconds since this was validated", {"type": "integer", "minimum": 0}),
    "Cache-Status": _answered("What answered (RFC 9211); `detail` is L0, L1, L2, source or STALE"),
    "Idempotency-Replayed": _answered("`true`: this was done before, and nothing was done now", {"enum": ["true"]}),
    "Warmthread-Summary-Covers": _answered(
        "`true`: the summary stands for the deleted item too, and its text may still tell of it", {"enum": ["true"]}
    ),
    "Retry-After": _answered("Seconds", {"type": "integer", "minimum": 1}),
    "Retry-After-Ms": _answered("The same in milliseconds", {"type": "integer", "minimum": 1}),
    "X-Should-Retry": _answered("What OpenAI's clients obey", {"enum": ["false"]}),
    "WWW-Authenticate": _answered("Bearer", required=True),
    "Warmthread-Encoding": _answered("Whose tokens were counted"),
    "Warmthread-Tokens": _answered("Of the whole document", {"type": "integer", "minimum": 0}),
    "X-Content-Type-Options": _answered("nosniff"),
    "Content-Length": _answered("Bytes of the whole document", {"type": "integer", "minimum": 0}),
}
ALWAYS = ("Server-Timing", "Warmthread-Deployment", "X-Request-Id")
RATE = ("RateLimit-Policy", "RateLimit")
SOURCE = ("ETag", "Age", "Cache-Status")
"""Of an answer that an instance may hold."""

WRITTEN = ("ETag", "Idempotency-Replayed")
"""Of what was written."""

ERROR_HEADERS: dict[int, tuple[str, ...]] = {
    401: ("WWW-Authenticate",),
    409: ("X-Should-Retry",),
    412: ("ETag",),
    429: ("Retry-After", "Retry-After-Ms", "X-Should-Retry"),
    503: ("Retry-After", "Retry-After-Ms", "X-Should-Retry"),
}


def headers(*names: str) -> Schema:
    """Return the headers of an answer: *names*, and those that each has."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in (*ALWAYS, *names)}
