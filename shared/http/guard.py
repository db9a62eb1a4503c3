"""
The guard: what every invocation passes before any work is done for it.

Order: target and headers -> syntax of the key -> callers known to be refused -> size of the body -> its structure ->
its JSON. The script of the operation then confirms the key and takes a permit of the tenant's rate before it does
anything else. A key that was not confirmed lately is confirmed before more than CONFIRM_BYTES of its body are read.
"""

from typing import Any

import orjson
from starlette.requests import Request

from shared.config import Settings
from shared.errors import InvalidValue, Malformed, MemoryPressed, StoreUnavailable, TooLarge
from shared.jsonbytes.read import WHOLE_BYTES, is_crowded, loads_elements
from shared.process.memory import Step
from shared.process.pool import Pool
from shared.request.caller import Caller, read_authorization
from shared.request.invocation import CURRENT
from shared.store.keys import tenant_key

TARGET_BYTES_MAX = 8_192
"""Path and query together; Vercel's own limit on a URL is 14 kB."""

HEADERS_BYTES_MAX = 32_768
"""All names and values; Vercel's own limit."""

CONFIRM_BYTES = 16 * 1_024
"""A stranger may send this much for nothing."""

PRESSED_BODY_BYTES_MAX = 256 * 1_024
"""What a body may have while memory is critical."""


def admit(request: Request[Any]) -> Caller:
    """Return who claims to send *request*. Raises Unauthorized, TooLarge, RateExceeded."""
    if len(request.scope["raw_path"] or b"") + len(request.scope["query_string"]) > TARGET_BYTES_MAX:
        raise TooLarge(
            f"Path and query must have at most {TARGET_BYTES_MAX} bytes together.", limit_bytes=TARGET_BYTES_MAX
        )
    if sum(len(name) + len(value) for name, value in request.headers.raw) > HEADERS_BYTES_MAX:
        raise TooLarge(
            f"The headers must have at most {HEADERS_BYTES_MAX} bytes together.", limit_bytes=HEADERS_BYTES_MAX
        )
    caller = read_authorization(request.headers.get("authorization"))
    invocation = CURRENT.get()
    if invocation is not None:
        invocation.begin(caller)
    return caller


async def complete(request: Request[Any]) -> None:
    """
    Take a permit for an answer that needed no script of its own: one from memory, or one that calls shared.

    Raises:   RateExceeded. StoreUnavailable: the store cannot be asked, and Settings.rate_outage says closed.
    """
    invocation = CURRENT.get()
    if invocation is None or invocation.is_admitted:
        return
    try:
        await confirm(request)
    except StoreUnavailable:
        if request.state["settings"].rate_outage == "closed" and not invocation.is_admitted_in_outage():
            raise


async def confirm(request: Request[Any]) -> None:
    """Have the store confirm the caller's key, and take a permit. Raises Unauthorized, RateExceeded."""
    invocation = CURRENT.get()
    if invocation is None or invocation.caller is None:
        return
    caller = invocation.caller
    await request.state["store"].eval("key", [tenant_key(caller.tenant)], [caller.key_hash])


def refuse_when_pressed(request: Request[Any]) -> None:
    """Raise MemoryPressed when memory is critical and *request* declares a large body: it need not wait to hear so."""
    declared = request.headers.get("content-length", "")
    is_large = declared.isdigit() and int(declared) > PRESSED_BODY_BYTES_MAX
    if is_large and request.state["pressure"].step is Step.CRITICAL:
        raise _too_little_memory()


async def read_body(request: Request[Any], body_bytes_max: int) -> bytes:
    """
    Return the body of *request*.

    Raises:   TooLarge: it has more than *body_bytes_max*; the rest was not read. MemoryPressed. As `admit`, for a key
              that has to be confirmed first.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > body_bytes_max:
        raise _body_too_large(body_bytes_max)
    refuse_when_pressed(request)
    is_pressed = request.state["pressure"].step is Step.CRITICAL
    chunks, size = [], 0
    invocation = CURRENT.get()
    is_stranger = invocation is not None and not invocation.is_confirmed
    if is_stranger and declared.isdigit() and int(declared) > CONFIRM_BYTES:
        await confirm(request)
        is_stranger = False
    async for chunk in request.stream():
        size += len(chunk)
        if size > body_bytes_max:
            raise _body_too_large(body_bytes_max)
        if is_pressed and size > PRESSED_BODY_BYTES_MAX:
            raise _too_little_memory()
        if is_stranger and size > CONFIRM_BYTES:
            await confirm(request)
            is_stranger = False
        chunks.append(chunk)
    return b"".join(chunks)


async def parse_json(raw: bytes, settings: Settings, pool: Pool) -> dict[str, Any]:
    """
    Return *raw* as a JSON object, {} when it is empty.

    What holds too many values is refused before it is parsed, and what is large is parsed some elements at a time: a
    call holds the interpreter, in whatever thread. What the limits admit takes 8 ms in one call at the most, and that
    only where one element is all of the body.

    Raises:   TooLarge: too many values. Malformed: no JSON. InvalidValue: no object.
    """
    if not raw:
        return {}
    limit = settings.body_structure_max
    is_large = len(raw) > WHOLE_BYTES
    if await pool.run_when(is_large, is_crowded, raw, limit):
        raise TooLarge(
            f"The body must have at most {limit} commas, colons and brackets outside its strings.",
            limit_structure=limit,
        )
    try:
        value = await pool.run_when(is_large, loads_elements, raw)
    except orjson.JSONDecodeError as error:
        raise Malformed(f"The body must be JSON: {error}.") from None
    if not isinstance(value, dict):
        raise InvalidValue("The body must be a JSON object.", param="body")
    return value


def _body_too_large(limit_bytes: int) -> TooLarge:
    return TooLarge(f"The body must have at most {limit_bytes} bytes.", limit_bytes=limit_bytes)


def _too_little_memory() -> MemoryPressed:
    return MemoryPressed(
        f"This instance takes no body over {PRESSED_BODY_BYTES_MAX} bytes at the moment; nothing was stored.",
        retry_after_s=1,
    )
