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
from typing import Any, TextIO

import orjson

LEVELS = {"info": 0, "warning": 1, "error": 2, "off": 3}

LINE_BYTES_MAX = 4_096
"""Linux' PIPE_BUF: a pipe that poll calls writable takes so many bytes without making the writer wait."""

CUT_CHARS = (1_500, 300, 80)
"""To how many characters texts are cut, one bound after the other, until the line is short enough."""

MARK_DIGITS, MARKS_KEPT = 16, 512

NOTHING_ELSE: Mapping[str, Any] = {}

IDS: ContextVar[Mapping[str, str]] = ContextVar("ids", default={})  # noqa: B039  # Nobody changes it.
"""What every line says of the request that it is written for."""


class _Output:
    """Where lines go, and from which level on."""

    def __init__(self) -> None:
        self.level = LEVELS["warning"]
        self.key = b""
        self.is_begun = False
        self.dropped = 0
        self._stream: TextIO | None = None
        self._poll: select.poll | None = None
        self._second = 0
        self._second_text = ""

    def write(self, level: str, message: str, members: Mapping[str, Any]) -> None:
        stream = sys.stdout if self.is_begun else sys.stderr
        if not self._has_room(stream):
            self.dropped += 1
            return
        said = {"time": self._time(), "level": level, "message": message, **IDS.get(), **members}
        if self.dropped:
            said["lines_dropped"], self.dropped = self.dropped, 0
        try:
            # In one piece: Vercel's launcher makes a line of each piece.
            stream.write(_line(said) + "\n")
            stream.flush()
        except (OSError, ValueError):  # Nobody is there any more.
            self.dropped += 1

    def _has_room(self, stream: TextIO) -> bool:
        """Tell whether *stream* takes a line at once; of what is no file of this process nobody can."""
        if stream is not self._stream:
            self._stream, self._poll = stream, _poll_of(stream)
        return self._poll is None or any(event & select.POLLOUT for _, event in self._poll.poll(0))

    def _time(self) -> str:
        """Return the time as RFC 3339 has it, in UTC, with milliseconds."""
        now_unix_s = time.time()
        second = int(now_unix_s)
        if second != self._second:
            self._second, self._second_text = second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._second_text}.{int(1_000 * (now_unix_s - second)):03}Z"


_output = _Output()


def begin(level: str, key: str) -> None:
    """Write lines of *level* and above to stdout from now on; *key*: what marks are made with, the same everywhere."""
    _output.level, _output.is_begun = LEVELS[level], True
    _output.key = hmac.digest(key.encode(), b"warmthread log", "sha256")


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


def mark(*names: str) -> str:
    """Return what stands for *names* in the log: of a tenant's name alone, what lines call `tenant`."""
    return _mark(_output.key, "\n".join(names))


@lru_cache(MARKS_KEPT)
def _mark(key: bytes, text: str) -> str:
    return hmac.digest(key, text.encode(errors="surrogatepass"), "sha256").hex()[:MARK_DIGITS]


def _line(said: Mapping[str, Any]) -> str:
    """Return *said* as a line of ASCII, its texts cut where it would be too long."""
    line = _encoded(said)
    for chars in CUT_CHARS:
        if len(line) < LINE_BYTES_MAX:
            break
        line = _encoded({name: _cut(value, chars) for name, value in said.items()})
    return line


def _encoded(said: Mapping[str, Any]) -> str:
    try:
        line = orjson.dumps(said).decode()
        if line.isascii():
            return line
    except TypeError:  # Half of a surrogate pair, in what somebody else says.
        pass
    import json  # Seldom: what is written here is ASCII, but for some errors of libraries.

    whole = {
        name: value.encode(errors="replace").decode() if isinstance(value, str) else value
        for name, value in said.items()
    }
    return json.dumps(whole, separators=(",", ":"))


def _cut(value: Any, chars: int) -> Any:
    """Return a text with its middle left out, if it is long: a traceback says at its end where it happened."""
    if not isinstance(value, str) or len(value) <= chars:
        return value
    return f"{value[: chars // 2]}...{value[-chars // 2 :]}"


def _poll_of(stream: TextIO) -> "select.poll | None":
    """Return what tells whether *stream* is ready, None where it always is, or nothing can tell."""
    if not isinstance(stream, io.TextIOWrapper):
        return None
    try:
        number = stream.fileno()
        mode = os.fstat(number).st_mode
    except (OSError, ValueError):
        return None
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        return None
    poll = select.poll()
    poll.register(number, select.POLLOUT)
    return poll
