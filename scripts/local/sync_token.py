"""
The token that stands for what has been written: a client sends the last one back, to read its own writes.

At Upstash a replica waits until it is as far as the token says. Here one server holds everything, so each token is
reached already, and is not looked at when it comes back; but it changes with every write, as a client expects. Writes
that reach the store by another way than this server are not counted. The form of Upstash's is not public: clients
may only compare it.
"""

import secrets
from collections.abc import Iterable

from scripts.local.resp import Command, Failure, Pool

ALL_WRITES: Command = (b"COMMAND", b"LIST", b"FILTERBY", b"ACLCAT", b"write")
# A script may write or not: its text would have to be run to know.
SCRIPTED = frozenset((b"EVAL", b"EVALSHA", b"FCALL"))


class SyncToken:
    """Counts the writes of one server; no two servers share a token."""

    def __init__(self) -> None:
        self._server = secrets.token_hex(4)
        self._written = 0
        self._writes: frozenset[bytes] | None = None

    async def learn(self, pool: Pool) -> None:
        """Ask which commands write. A store that cannot be reached answers no request either: all count as writes."""
        try:
            (names,) = await pool.call([ALL_WRITES])
        except OSError:
            return
        if not isinstance(names, list):
            return  # Redis before 7 does not know the question.
        words = [bytes(name) for name in names if isinstance(name, bytes) and not isinstance(name, Failure)]
        self._writes = SCRIPTED | {word.partition(b"|")[0].upper() for word in words}

    def note(self, commands: Iterable[Command]) -> None:
        """Count those of *commands* that write."""
        self._written += sum(self._writes is None or command[0].upper() in self._writes for command in commands)

    def value(self) -> bytes:
        return f"{self._server}-{self._written}".encode()
