"""
One command to the store with the future of its result, and what a way to the store has to be.

A Transport carries commands to one store: over HTTP (transport.py) or in Redis' own protocol (resp/).
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from shared.request.observation import OBSERVED, Observation
from shared.store.failure import Failure

REPLIES_BYTES_MAX = 1_250_000
"""What the replies of one request may hold together; they take 12 ms at a gigabit, and a reply comes whole or not."""

SMALL_REPLY_BYTES = 32 * 1024
"""What a reply may hold when nobody says: a conversation's metadata, or what a tenant has used, at their largest."""

UNBROKEN_CHARS = 256 * 1024
"""Encoded between two ticks of the loop: as many quotes, the worst there is in JSON, take 1.6 ms."""

UNFAIR_SHARE = 0.5
"""A timeout counts against the store only when the request had this share of the usual time."""

type Parts = Sequence[str | int | float]


def _result() -> asyncio.Future[Any]:
    return asyncio.get_running_loop().create_future()


@dataclass(slots=True, eq=False)
class Command:
    """
    A command and the future of its result. Made once, by whoever asks for it.

    `is_idempotent`: sending it twice does what sending it once does. `is_read`: it stores nothing in any case. *name*:
    its script's, or its own. *reply_bytes_max*: what its reply may hold, about; *owner*: whose it is. *body* is *parts*
    as they travel, from when it is sent on, *reply_bytes* how large the answer to its request was.
    """

    parts: Parts
    deadline_at_s: float
    is_idempotent: bool
    is_read: bool
    reply_bytes_max: int = SMALL_REPLY_BYTES
    owner: str = ""
    name: str = ""
    reply_bytes: int | None = None
    body: bytes = b""
    result: asyncio.Future[Any] = field(default_factory=_result)
    observed: Observation | None = field(default_factory=OBSERVED.get)
    """What is seen of the request that asks."""

    @property
    def is_large(self) -> bool:
        return self.reply_bytes_max > REPLIES_BYTES_MAX

    @property
    def is_script(self) -> bool:
        return self.parts[0] == "EVAL"


class Transport(Protocol):
    """The way to one store. May be used from one event loop after another."""

    @property
    def locks_keys(self) -> bool:
        """Whether the store knows Upstash's own flag of scripts, `allow-key-locking`; others refuse it."""

    def place(self, command: Command) -> str:
        """Return where *command* is carried out, as far as is known: what is away at one place is at no other."""

    async def encode(self, parts: Parts) -> bytes:
        """Return *parts* as they travel; a long command is encoded piece by piece, and others run between them."""

    async def carry(self, commands: Sequence[Command], left_s: float) -> list[Any | Failure]:
        """
        Send *commands*, of one place, together, and return the result of each, or why it has none, within *left_s* and
        the setting. Nothing that may have been carried out is sent twice.

        Raises:   Failure: why none of them has one.
        """

    async def close(self) -> None:
        """Close every connection."""
