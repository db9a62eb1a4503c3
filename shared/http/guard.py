"""
The guard: what every invocation passes before any work is done for it.

Order: target and headers -> syntax of the key -> callers known to be refused -> the beginning of the body -> a slot ->
all of the body -> its structure -> its JSON. The script of the operation then confirms the key and its role, and takes
permits of the tenant's rate, before it does anything else. A key that was not confirmed lately is confirmed before more
than CONFIRM_BYTES of its body are read.
"""

import asyncio
import time
from contextlib import suppress
from typing import Any

import orjson
from starlette.requests import ClientDisconnect, Request

from shared.config import Settings
from shared.errors import (
    BodyLate,
    InsufficientRole,
    InvalidValue,
    Malformed,
    MemoryPressed,
    OutOfTime,
    QuotaExceeded,
    ServiceError,
    StoreUnavailable,
    TooLarge,
    Unauthorized,
)
from shared.jsonbytes.read import WHOLE_BYTES, is_crowded, is_slow, loads_elements
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

BODY_BYTES_PER_S = 1_000_000
"""How much longer a body may take to come than Settings.body_s, for what has come."""

FREE = (Unauthorized, InsufficientRole, QuotaExceeded, BodyLate, StoreUnavailable, OutOfTime)
"""Refusals that the store gave itself, or would have to be asked for in vain."""


def admit(request: Request[Any], role: str, weight: int = 1) -> Caller:
    """
    Return who claims to send *request*, which takes a key of *role* at least, and *weight* permits.

    Raises:   Unauthorized, InsufficientRole, TooLarge, RateExceeded.
    """
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
        invocation.begin(caller, role, weight)
    return caller


async def complete(request: Request[Any]) -> None:
    """
    Take a permit for an answer that needed no script of its own: one from memory, or one that calls shared.

    Raises:   Unauthorized, InsufficientRole, RateExceeded. StoreUnavailable: the store cannot be asked, and
              Settings.rate_outage says closed.
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
    """Have the store confirm the caller's key and its role, and take a permit. Raises as Store.eval."""
    invocation = CURRENT.get()
    if invocation is None or invocation.caller is None:
        return
    caller = invocation.caller
    await request.state["store"].eval("key", [tenant_key(caller.tenant)], [caller.key_hash])


async def charge(request: Request[Any], error: ServiceError) -> None:
    """
    Take a permit for a request that *error* refuses though its body was read: that was work, and more than the body
    may cost to refuse. While the store cannot be asked, the refusal is free.

    Raises:   Unauthorized, RateExceeded: instead of *error*.
    """
    invocation = CURRENT.get()
    if invocation is None or not invocation.has_read or isinstance(error, FREE):
        return
    with suppress(StoreUnavailable):
        await complete(request)


async def take_slot(request: Request[Any], *, is_known: bool = False) -> None:
    """
    Let *request* work, in its turn; *is_known*: another secret than a tenant's key was right.

    Raises:   MemoryPressed.
    """
    invocation = CURRENT.get()
    if invocation is not None:
        invocation.slot = await request.state["slots"].take(lambda: is_known or invocation.is_confirmed)


class Body:
    """
    The body of a request, as it comes: its beginning by `begin`, which needs no slot, all of it by `rest`.

    Raises:   TooLarge: it has more than *bytes_max*; the rest was not read. MemoryPressed. BodyLate.
    """

    def __init__(self, request: Request[Any], bytes_max: int) -> None:
        self._request = request
        self._bytes_max = bytes_max
        self._chunks: list[bytes] = []
        self._size_bytes = 0
        self._stream = request.stream()
        self._ends_at_s = time.monotonic() + request.state["settings"].body_s
        declared = request.headers.get("content-length", "")
        self._declared_bytes = int(declared) if declared.isdigit() else 0
        self.is_whole = False

    async def begin(self) -> None:
        """Read as much as a stranger may send for nothing."""
        self._check(self._declared_bytes)
        await self._read(CONFIRM_BYTES)

    async def rest(self) -> bytes:
        """Return the body."""
        self._check(self._declared_bytes)  # What memory there is may have changed since.
        await self._read(self._bytes_max)
        return b"".join(self._chunks)

    async def _read(self, bytes_max: int) -> None:
        """Read on until there are more than *bytes_max*, or all."""
        while not self.is_whole and self._size_bytes <= bytes_max:
            try:
                async with asyncio.timeout_at(self._ends_at_s + self._size_bytes / BODY_BYTES_PER_S):
                    chunk = await anext(self._stream, b"")
            except (TimeoutError, ClientDisconnect):
                # Who has gone away is not there to be answered, and no bug.
                raise BodyLate(f"{self._size_bytes} bytes of the body came in time; nothing was done.") from None
            self.is_whole = not chunk
            self._chunks.append(chunk)
            self._size_bytes += len(chunk)
            if chunk and (invocation := CURRENT.get()) is not None:
                invocation.has_read = True
            self._check(self._size_bytes)

    def _check(self, size_bytes: int) -> None:
        if size_bytes > self._bytes_max:
            raise _body_too_large(self._bytes_max)
        if size_bytes > PRESSED_BODY_BYTES_MAX and self._request.state["pressure"].step is Step.CRITICAL:
            raise _too_little_memory()


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
        value = await pool.run_when(is_slow(raw), loads_elements, raw)
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
