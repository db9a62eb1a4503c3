"""
The log: one JSON object a line, on stdout, written at once.

    begin(level, key)              once for an instance, in lifespan; before, warnings go to stderr
    info, warning, error           a message and members; the ids of the request that is being served stand beside them
    mark(name, …)                  what stands for names that must not be in the log: a keyed hash, alike everywhere

A line has at most LINE_BYTES_MAX bytes, so that a pipe which is ready takes it whole: where nobody takes lines they are
dropped, and counted in the next one, instead of holding the event loop. Nothing here is the standard library's logging:
Vercel's launcher takes that line by line too, but as text with a level of its own, and it costs ten times as much.
"""

import hmac
import io
import os
import select
import stat
import sys
import time
from collections.abc import Mapping
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, Protocol, TextIO

import orjson

LEVELS = {"info": 0, "warning": 1, "error": 2, "off": 3}

LINE_BYTES_MAX = 4_096
"""Linux' PIPE_BUF: a pipe that poll calls writable takes so many bytes without making the writer wait."""

CUT_CHARS = (1_500, 300, 80)
"""To how many characters texts are cut, one bound after the other, until the line is short enough."""

MARK_DIGITS, MARKS_KEPT = 16, 512

NOTHING_ELSE: Mapping[str, Any] = {}


class Served(Protocol):
    """A request, as lines know it."""

    ids: dict[str, str]


SERVED: ContextVar[Served | None] = ContextVar("served", default=None)
"""The request that is being served: every line that is written for it says its ids."""


class _Output:
    """Where lines go, and from which level on."""

    def __init__(self) -> None:
        self.level = LEVELS["warning"]
        self.key = b""
        self.is_begun = False
        self.dropped = 0
        self._stream: TextIO | None = None
        self._number: int | None = None
        self._poll: select.poll | None = None
        self._second = 0
        self._second_text = ""

    def write(self, level: str, message: str, members: Mapping[str, Any]) -> None:
        stream = sys.stdout if self.is_begun else sys.stderr
        if stream is not self._stream:
            self._stream, self._number = stream, _number_of(stream)
            self._poll = _poll_of(self._number)
        if self._poll is not None and not self._is_ready(self._poll):
            self.dropped += 1
            return
        served = SERVED.get()
        ids = served.ids if served is not None else NOTHING_ELSE
        said = {"time": self._time(), "level": level, "message": message, **ids, **members}
        if self.dropped:
            said["lines_dropped"], self.dropped = self.dropped, 0
        line = _line(said)
        try:
            # In one piece: Vercel's launcher makes a line of each piece.
            if self._number is None or stream.closed:
                stream.write(line.decode())
                stream.flush()
            else:
                # Past the layers of text and buffer: they take four times as long.
                os.write(self._number, line)
        except (OSError, ValueError):  # Nobody is there any more.
            self.dropped += 1

    @staticmethod
    def _is_ready(poll: select.poll) -> bool:
        """Tell whether what is polled takes a line at once."""
        found = poll.poll(0)
        return bool(found and found[0][1] & select.POLLOUT)

    def _time(self) -> str:
        """Return the time as RFC 3339 has it, in UTC, with milliseconds."""
        now_unix_ms = time.time_ns() // 1_000_000
        second = now_unix_ms // 1_000
        if second != self._second:
            self._second, self._second_text = second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._second_text}.{now_unix_ms % 1_000:03}Z"


_output = _Output()


def begin(level: str, key: str) -> None:
    """Write lines of *level* and above to stdout from now on; *key*: what marks are made with, the same everywhere."""
    _output.level, _output.is_begun = LEVELS[level], True
    _output.key = hmac.digest(key.encode(), b"warmthread log", "sha256")
    mark.cache_clear()


def limit(level: str) -> None:
    """Write lines of *level* and above only."""
    _output.level = LEVELS[level]


def is_on(level: str) -> bool:
    """Tell whether lines of *level* are written."""
    return LEVELS[level] >= _output.level


def write(level: str, message: str, members: Mapping[str, Any] = NOTHING_ELSE) -> None:
    if LEVELS[level] >= _output.level:
        _output.write(level, message, members)


def info(message: str, **members: Any) -> None:
    write("info", message, members)


def warning(message: str, **members: Any) -> None:
    write("warning", message, members)


def error(message: str, **members: Any) -> None:
    write("error", message, members)


@lru_cache(MARKS_KEPT)
def mark(*names: str) -> str:
    """Return what stands for *names* in the log: of a tenant's name alone, what lines call `tenant`."""
    text = "\n".join(names).encode(errors="surrogatepass")
    return hmac.digest(_output.key, text, "sha256").hex()[:MARK_DIGITS]


def _line(said: Mapping[str, Any]) -> bytes:
    """Return *said* as a line of ASCII, its texts cut where it would be too long."""
    line = _encoded(said)
    for chars in CUT_CHARS:
        if len(line) <= LINE_BYTES_MAX:
            break
        line = _encoded({name: _cut(value, chars) for name, value in said.items()})
    return line


def _encoded(said: Mapping[str, Any]) -> bytes:
    try:
        line = orjson.dumps(said, option=orjson.OPT_APPEND_NEWLINE)
        if line.isascii():
            return line
    except TypeError:  # Half of a surrogate pair, in what somebody else says.
        pass
    import json  # Seldom: what is written here is ASCII, but for some errors of libraries.

    whole = {
        name: value.encode(errors="replace").decode() if isinstance(value, str) else value
        for name, value in said.items()
    }
    return json.dumps(whole, separators=(",", ":")).encode() + b"\n"


def _cut(value: Any, chars: int) -> Any:
    """Return a text with its middle left out, if it is long: a traceback says at its end where it happened."""
    if not isinstance(value, str) or len(value) <= chars:
        return value
    return f"{value[: chars // 2]}...{value[-chars // 2 :]}"


def _number_of(stream: TextIO) -> int | None:
    """Return the descriptor of the file that *stream* writes to, None where it is no file of this process."""
    try:
        return stream.fileno() if isinstance(stream, io.TextIOWrapper) else None
    except (OSError, ValueError):
        return None


def _poll_of(number: int | None) -> "select.poll | None":
    """Return what tells whether a file is ready, None where it always is, or nothing can tell."""
    if number is None:
        return None
    mode = os.fstat(number).st_mode
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        return None
    poll = select.poll()
    poll.register(number, select.POLLOUT)
    return poll
