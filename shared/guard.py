"""
The guard: what every invocation passes before any work is done for it.

Order: target and headers -> syntax of the key -> size of the body -> its structure -> its JSON. The script of the
operation then confirms the key before it does anything else.
"""

from typing import Any

import orjson
from starlette.requests import Request

from shared.auth import Caller, read_authorization
from shared.config import Settings
from shared.errors import InvalidValue, Malformed, TooLarge
from shared.offload import Pool
from shared.pieces import WHOLE_BYTES, is_crowded

TARGET_BYTES_MAX = 8_192
"""Path and query together; Vercel's own limit on a URL is 14 kB."""


def admit(request: Request[Any]) -> Caller:
    """Return who claims to send *request*. Raises Unauthorized, TooLarge."""
    if len(request.scope["raw_path"] or b"") + len(request.scope["query_string"]) > TARGET_BYTES_MAX:
        raise TooLarge(f"Path and query exceed {TARGET_BYTES_MAX} bytes.", limit_bytes=TARGET_BYTES_MAX)
    return read_authorization(request.headers.get("authorization"))


async def read_body(request: Request[Any], body_bytes_max: int) -> bytes:
    """Return the body of *request*. Raises TooLarge: it has more than *body_bytes_max*; the rest was not read."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > body_bytes_max:
        raise _body_too_large(body_bytes_max)
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > body_bytes_max:
            raise _body_too_large(body_bytes_max)
        chunks.append(chunk)
    return b"".join(chunks)


async def read_json(request: Request[Any]) -> dict[str, Any]:
    """Return the body of *request*, a JSON object. Raises as `read_body` and `parse_json`."""
    state = request.state
    return await parse_json(
        await read_body(request, state["settings"].body_bytes_max), state["settings"], state["pool"]
    )


async def parse_json(raw: bytes, settings: Settings, pool: Pool) -> dict[str, Any]:
    """
    Return *raw* as a JSON object, {} when it is empty.

    Parsing is one call that holds the loop, so it is refused when there is too much to parse; what the limits admit
    takes 8 ms at the most.

    Raises:   TooLarge: too many values. Malformed: no JSON. InvalidValue: no object.
    """
    if not raw:
        return {}
    limit = settings.body_structure_max
    if await pool.run_when(len(raw) > WHOLE_BYTES, is_crowded, raw, limit):
        raise TooLarge(
            f"The body has more than {limit} commas, colons and brackets outside its strings.", limit_structure=limit
        )
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise Malformed(f"The body is not JSON: {error}.") from None
    if not isinstance(value, dict):
        raise InvalidValue("The body is not a JSON object.", param="body")
    return value


def refuse_unknown(body: dict[str, Any], known: frozenset[str]) -> None:
    """Raise InvalidValue for the first member of *body* that is not *known*: a misspelt option must not be lost."""
    for name in body:
        if name not in known:
            raise InvalidValue(
                f"There is no field {name[:64]!r} here; known are {', '.join(sorted(known))}.",
                param=name[:64],
            )


def _body_too_large(limit_bytes: int) -> TooLarge:
    return TooLarge(f"The body exceeds {limit_bytes} bytes.", limit_bytes=limit_bytes)
