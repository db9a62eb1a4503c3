"""
Reading a Redis or Valkey that others use: by SCAN and in pages, never KEYS, never a whole list, and nothing is written.

    with Reading(url) as redis:
        redis.names("agents:session:", ":messages", "list")     the names of keys of that type
        redis.oldest_first(name)                                a list, 100 elements a request

Types are the server's: a key of the same name and another type is none of ours.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any, cast

import valkey
from valkey.backoff import ExponentialBackoff
from valkey.exceptions import ValkeyError
from valkey.retry import Retry

from scripts.importing.source import SourceError

SCHEMES = {"redis": "valkey", "rediss": "valkeys", "valkey": "valkey", "valkeys": "valkeys", "unix": "unix"}
CONNECT_S, ANSWER_S = 10.0, 30.0
ATTEMPTS = 3
SCANNED, PAGE = 1_000, 100
JSON_TYPE = "ReJSON-RL"
"""What TYPE answers for a key of the JSON module, in Redis Stack and in Redis 8."""


class Reading:
    """A server at *url*, of redis://, rediss://, valkey://, valkeys:// or unix://. Raises SourceError."""

    def __init__(self, url: str) -> None:
        scheme, separator, rest = url.partition("://")
        if not separator or scheme not in SCHEMES:
            raise SourceError(f"the source has to be one of {', '.join(f'{each}://…' for each in SCHEMES)}")
        try:
            self._client: Any = valkey.Valkey.from_url(
                f"{SCHEMES[scheme]}://{rest}",
                socket_connect_timeout=CONNECT_S,
                socket_timeout=ANSWER_S,
                retry=Retry(ExponentialBackoff(cap=2, base=0.1), ATTEMPTS),
                retry_on_timeout=True,
            )
        except ValueError as error:
            raise SourceError(f"the address of the source cannot be read: {error}") from None

    def close(self) -> None:
        self._client.close()

    def call(self, *command: Any) -> Any:
        """Return the server's reply, texts as bytes. Raises SourceError."""
        try:
            return self._client.execute_command(*command)
        except (ValkeyError, OSError) as error:
            raise SourceError(f"the source did not answer {command[0]}: {error}") from None

    def together(self, commands: Sequence[Sequence[Any]]) -> list[Any]:
        """Return the replies to *commands*, which travel in one write. Raises SourceError."""
        try:
            with self._client.pipeline(transaction=False) as pipe:
                for command in commands:
                    pipe.execute_command(*command)
                return cast("list[Any]", pipe.execute())
        except (ValkeyError, OSError) as error:
            raise SourceError(f"the source did not answer {commands[0][0]}: {error}") from None

    def type_of(self, name: str) -> str:
        """Return the type of a key, `none` where there is none."""
        reply = self.call("TYPE", name)
        return reply.decode() if isinstance(reply, bytes) else str(reply)

    def pages(self, prefix: str, suffix: str, kind: str) -> Iterator[list[str]]:
        """Yield names of the type *kind* between *prefix* and *suffix*, as SCAN finds them: one may come twice."""
        cursor: Any = b"0"
        while True:
            pattern = f"{escaped(prefix)}*{escaped(suffix)}"
            cursor, names = self.call("SCAN", cursor, "MATCH", pattern, "COUNT", SCANNED, "TYPE", kind)
            if readable := [name for each in names if (name := _text(each)) is not None]:
                yield readable
            if int(cursor) == 0:
                return

    def names(self, prefix: str, suffix: str, kind: str) -> Iterator[str]:
        """Yield the names of `pages`, one by one."""
        for page in self.pages(prefix, suffix, kind):
            yield from page

    def in_order(self, name: str) -> Iterator[bytes]:
        """Yield the elements of a list whose oldest is the first: RPUSH made it."""
        start = 0
        while page := self.call("LRANGE", name, start, start + PAGE - 1):
            yield from page
            start += len(page)

    def oldest_first(self, name: str) -> Iterator[bytes]:
        """Yield the elements of a list whose oldest is the last: LPUSH made it, and what it adds moves no page."""
        end = -1
        while page := self.call("LRANGE", name, end - PAGE + 1, end):
            yield from reversed(page)
            end -= len(page)


def escaped(text: str) -> str:
    """Return the pattern of SCAN that *text* alone fits."""
    return re.sub(r"([*?\[\]\\])", r"\\\1", text)


def _text(name: bytes) -> str | None:
    """A name that is not UTF-8 is none that these libraries make."""
    try:
        return name.decode()
    except UnicodeDecodeError:
        return None
