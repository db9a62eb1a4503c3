"""
Upstash's REST protocol as pure functions: an HTTP request becomes commands, replies become a body.

    POST /               ["SET", "k", "v"]                     one command
    GET|POST /set/k      path segments, the body, the query    one command
    POST /pipeline       [[…], […]]                            commands in order
    POST /multi-exec     [[…], […]]                            commands in a transaction

Arguments reach the store byte for byte: a JSON number as it was written, a body and a path segment as they
came. What Upstash does not offer over REST is refused by name before anything is sent.
"""

import base64
import json
import re
from enum import Enum
from typing import NamedTuple, NoReturn
from urllib.parse import unquote_to_bytes

from scripts.local.resp import Failure, Reply, Status

REQUEST_BYTES_MAX = 10 * 1024 * 1024
LONE_SURROGATE = re.compile("[\ud800-\udfff]")

# They would hold a request open, or bind state to a connection that no caller owns.
CONNECTION_COMMANDS = (
    "BLPOP BRPOP BRPOPLPUSH BLMOVE BLMPOP BZPOPMIN BZPOPMAX BZMPOP WAITAOF MONITOR "
    "SUBSCRIBE UNSUBSCRIBE PSUBSCRIBE PUNSUBSCRIBE SSUBSCRIBE SUNSUBSCRIBE "
    "WATCH UNWATCH MULTI EXEC DISCARD AUTH HELLO SELECT QUIT RESET ASKING READONLY READWRITE"
)
# They would change the server itself.
SERVER_COMMANDS = (
    "SHUTDOWN REPLICAOF SLAVEOF PSYNC SYNC REPLCONF FAILOVER CLUSTER MODULE DEBUG SAVE BGSAVE BGREWRITEAOF "
    "SWAPDB MOVE MIGRATE"
)
REFUSED = frozenset(f"{CONNECTION_COMMANDS} {SERVER_COMMANDS}".split())


class RequestError(Exception):
    """The request is not carried out; the text is the answer's error."""


class Form(Enum):
    """How the commands of a request belong together."""

    SINGLE = "single"
    PIPELINE = "pipeline"
    TRANSACTION = "transaction"


class Call(NamedTuple):
    """What one HTTP request asks for."""

    form: Form
    commands: list[list[bytes]]


def read_call(method: str, raw_path: bytes, query: bytes, body: bytes) -> Call:
    """Return the commands of a request. Raises RequestError with the error text."""
    if raw_path in (b"", b"/"):
        return Call(Form.SINGLE, [_command(_json(body, "command"))])
    if raw_path in (b"/pipeline", b"/multi-exec"):
        form = Form.PIPELINE if raw_path == b"/pipeline" else Form.TRANSACTION
        commands = _json(body, f"{form.value} request")
        if not isinstance(commands, list):
            raise RequestError(f"ERR failed to parse {form.value} request")
        if not commands:
            raise RequestError(f"ERR empty {form.value} request")
        return Call(form, [_command(command) for command in commands])
    command = [unquote_to_bytes(segment) for segment in raw_path[1:].split(b"/")]
    if body and method in ("POST", "PUT"):
        command.append(body)
    return Call(Form.SINGLE, [command + _query_arguments(query)])


def _json(body: bytes, what: str) -> object:
    try:
        # Numbers stay text: 1.50 and 2**63 must reach the store as they were written.
        return json.loads(body, parse_int=str, parse_float=str, parse_constant=_not_json)
    except (ValueError, RecursionError):
        raise RequestError(f"ERR failed to parse {what}") from None


def _not_json(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _command(value: object) -> list[bytes]:
    if not isinstance(value, list):
        raise RequestError("ERR failed to parse command")
    if not value:
        raise RequestError("ERR empty command")
    return [_argument(element) for element in value]


def _argument(element: object) -> bytes:
    if isinstance(element, str):
        try:
            return element.encode()
        except UnicodeEncodeError:
            return LONE_SURROGATE.sub("\ufffd", element).encode()
    if element is None:
        return b"null"
    if isinstance(element, bool):
        return b"true" if element else b"false"
    raise RequestError("ERR failed to parse command")


def _query_arguments(query: bytes) -> list[bytes]:
    """`EX=100&NX` as EX, 100, NX; the token is not an argument."""
    arguments = []
    for pair in query.replace(b"+", b"%20").split(b"&"):
        name, _, value = pair.partition(b"=")
        if name != b"_token":
            arguments += [unquote_to_bytes(part) for part in (name, value) if part]
    return arguments


def query_token(query: bytes) -> bytes:
    """Return the value of `_token`, empty when there is none."""
    for pair in query.split(b"&"):
        name, _, value = pair.partition(b"=")
        if name == b"_token":
            return unquote_to_bytes(value.replace(b"+", b"%20"))
    return b""


def refusal(command: list[bytes]) -> Failure | None:
    """Return the error for a command that Upstash does not offer over REST, None when it does."""
    name = command[0].upper().decode(errors="replace")
    options = [argument.upper() for argument in command[1:]]
    refused = name in REFUSED
    if name in ("XREAD", "XREADGROUP"):
        keys_at = options.index(b"STREAMS") if b"STREAMS" in options else len(options)
        refused = b"BLOCK" in options[:keys_at]
    elif name == "CLIENT":
        refused = options[:1] != [b"SETINFO"]  # Client libraries introduce themselves with it.
    elif name == "SCRIPT":
        refused = options[:1] == [b"DEBUG"]
    if refused:
        return Failure(f"ERR Command is not available: '{name}'".encode())
    return None


def json_body(form: Form, replies: list[Reply], *, is_base64: bool) -> bytes:
    parts: list[bytes] = []  # Joined once: a value of megabytes is not copied again at every level.
    for reply in replies:
        parts.append(b"[" if not parts else b",")
        if isinstance(reply, Failure):
            parts.append(error_body(reply))
        else:
            parts.append(b'{"result":')
            _append_json(parts, reply, is_base64)
            parts.append(b"}")
    return b"".join(parts[1:]) if form is Form.SINGLE else b"".join([*parts, b"]"])


def error_body(text: bytes | str) -> bytes:
    text = text if isinstance(text, str) else text.decode(errors="replace")
    return b'{"error":%b}' % json.dumps(text).encode()


def _append_json(parts: list[bytes], reply: Reply, is_base64: bool) -> None:
    if isinstance(reply, bytes):
        # A stored "OK" is a value and is encoded; only the status passes through. Errors are never encoded.
        is_plain = isinstance(reply, Failure) or (isinstance(reply, Status) and reply == b"OK")
        parts += (b'"', base64.b64encode(reply), b'"') if is_base64 and not is_plain else (_json_text(reply),)
    elif reply is None:
        parts.append(b"null")
    elif isinstance(reply, int):
        parts.append(b"%d" % reply)
    else:
        for index, item in enumerate(reply):
            parts.append(b"," if index else b"[")
            _append_json(parts, item, is_base64)
        parts.append(b"]" if reply else b"[]")


def _json_text(text: bytes) -> bytes:
    return json.dumps(text.decode(errors="replace"), ensure_ascii=False).encode()


def resp2_body(replies: list[Reply]) -> bytes:
    return b"".join(map(_resp2, replies))


def _resp2(reply: Reply) -> bytes:
    if isinstance(reply, Status | Failure):
        return b"%b%b\r\n" % (b"+" if isinstance(reply, Status) else b"-", reply)
    if isinstance(reply, bytes):
        return b"$%d\r\n%b\r\n" % (len(reply), reply)
    if reply is None:
        return b"$-1\r\n"
    if isinstance(reply, int):
        return b":%d\r\n" % reply
    return b"*%d\r\n" % len(reply) + b"".join(map(_resp2, reply))
