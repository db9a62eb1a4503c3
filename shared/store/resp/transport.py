"""
The way to a store that speaks Redis' own protocol: one server, or a cluster of them.

Connections belong to an event loop. One that ends closes them; the next one opens its own.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from shared.config import Settings
from shared.store.command import UNBROKEN_CHARS, UNFAIR_SHARE, Command, Parts
from shared.store.failure import Failure, Sign
from shared.store.resp.carrying import Carrying
from shared.store.resp.server import Access, Address, Server, packed
from shared.store.resp.slots import OneServer, Slots, key_of


class _Opened:
    """What belongs to one event loop: it goes with it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, slots: Slots | OneServer) -> None:
        self.loop = loop
        self.slots = slots
        self.until_end = _close_at_end(slots)


async def _close_at_end(slots: Slots | OneServer) -> AsyncGenerator[None]:
    """A loop that ends closes its generators; this one closes the connections, which would else be left to it."""
    try:
        yield
    finally:
        slots.close()


class RespTransport:
    """One store, as a Transport."""

    locks_keys = False

    def __init__(self, settings: Settings) -> None:
        self._timeout_s = settings.store_timeout_s
        self._replicas = settings.replicas_acknowledge
        self._access, self._address, self._is_cluster = Access.of(settings)
        self._opened: _Opened | None = None

    def place(self, command: Command) -> str:
        opened = self._opened
        if not self._is_cluster or opened is None or opened.loop is not command.result.get_loop():
            return ""
        owner = opened.slots.owner(key_of(command.parts))
        return owner.place if owner is not None else ""

    async def encode(self, parts: Parts) -> bytes:
        """Return *parts* as RESP has them."""
        if sum(len(part) for part in parts if isinstance(part, str)) <= UNBROKEN_CHARS:
            return packed(parts)
        pieces = [b"*%d\r\n" % len(parts)]
        unbroken_chars = 0
        for part in parts:
            text = part if isinstance(part, str) else str(part)
            encoded: list[bytes] = []
            for start in range(0, len(text) or 1, UNBROKEN_CHARS):
                encoded.append(text[start : start + UNBROKEN_CHARS].encode())
                unbroken_chars += min(len(text) - start, UNBROKEN_CHARS)
                if unbroken_chars >= UNBROKEN_CHARS:
                    unbroken_chars = 0
                    await asyncio.sleep(0)
            pieces += [b"$%d\r\n" % sum(map(len, encoded)), *encoded, b"\r\n"]
        return b"".join(pieces)

    async def carry(self, commands: Sequence[Command], left_s: float) -> list[Any | Failure]:
        timeout_s = min(left_s, self._timeout_s)
        if timeout_s <= 0:
            raise Failure("no time left", outcome_unknown=False, sign=Sign.NONE)
        slots = await self._slots()
        end_at_s = asyncio.get_running_loop().time() + timeout_s
        is_unfair = timeout_s < UNFAIR_SHARE * self._timeout_s
        return await Carrying(slots, end_at_s, self._replicas, is_unfair=is_unfair).all_of(commands)

    async def close(self) -> None:
        if self._opened is not None:
            opened, self._opened = self._opened, None
            opened.slots.close()
            if opened.loop is asyncio.get_running_loop():
                await opened.until_end.aclose()

    async def _slots(self) -> Slots | OneServer:
        loop = asyncio.get_running_loop()
        if self._opened is None or self._opened.loop is not loop:
            make = Slots if self._is_cluster else OneServer
            self._opened = _Opened(loop, make(self._address, self._open_server))
            await anext(self._opened.until_end)
        return self._opened.slots

    def _open_server(self, address: Address) -> Server:
        return Server(address, self._access)
