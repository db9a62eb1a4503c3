"""
Reading what the REST API answers: `{"result": …}` or `{"error": "…"}`, and for a pipeline a list of those.

A refusal is an answer, but not always word that nothing was carried out: Redis rolls nothing back, and a script that is
refused one of its commands has done what came before. So of a script only the refusals that are known to come before
its first command are taken for that; a command that is no script does all or nothing. An answer that cannot be read,
or comes from a failing server, leaves open what happened.
"""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from shared.jsonbytes.read import loads
from shared.store.failure import Failure, Sign

if TYPE_CHECKING:
    from pyreqwest.bytes import Bytes

REASON_CHARS_MAX = 200
"""Enough for the store's own sentences; a page that a proxy sends instead does not belong into a log."""

REFUSED_STATUSES = frozenset({401, 403, 404, 405, 411, 413, 414, 415, 429, 431})
"""What is said of a request before it is looked into: who sends it, where to, how large it is, how many there were."""

BEFORE = (
    r"(?:WRONGPASS|NOAUTH|NOSCRIPT|OOM command not allowed)\b"
    r"|(?:ASK|BUSY|CLUSTERDOWN|CROSSSLOT|LOADING|MASTERDOWN|MISCONF|MOVED|NOPERM|NOREPLICAS|READONLY|TRYAGAIN) "
    r"|ERR (?:max request size|max requests limit|max daily request limit|max concurrent connections) exceeded"
    r"|ERR (?:failed to parse|empty|unknown command|wrong number of arguments|Command is not available)\b"
    r"|ERR (?:Error compiling script|Unexpected flag in script shebang)\b"
)
"""
How refusals begin that come before a script's first command. A script that names its flags meets a full memory before
it starts; one that met it later says where: see WITHIN.

Those of the second line are a server's that is not, or not now, the one to ask: it looks at the command's names and
its own state before it runs anything. Sources: upstash.com/docs/redis/troubleshooting;
redis.io/docs/latest/develop/reference/errors/common/oom; src/server.c and src/cluster.c of Valkey, where each is said.
"""

WITHIN = r" script: .*\bon @user_script:\d+"
"""What Redis and Valkey add to an error that came up inside a script."""

FULL = r"OOM command not allowed|ERR DB capacity quota exceeded|ERR max single record size exceeded"
"""No room: in memory, in the database as it was paid for, in the one record."""


def read_replies(status: int, raw: "Bytes", are_scripts: Sequence[bool], *, is_pipeline: bool) -> list[Any | Failure]:
    """
    Return the result of each command, or the Failure of those that were refused, in order. *are_scripts* tells for
    each whether it is a script.

    Large answers are read string by string, never in one call; that is for a thread.

    Raises:   Failure: the answer as a whole is a refusal, or none that can be read.
    """
    try:
        reply = loads(memoryview(raw))
    except ValueError:
        reply = None
    if status != 200:
        raise _refused_whole(status, _reason(reply), any(are_scripts))
    replies = reply if is_pipeline else [reply]
    if not isinstance(replies, list) or len(replies) != len(are_scripts) or not all(map(_is_reply, replies)):
        raise Failure("status 200 with an unreadable body", outcome_unknown=True, sign=Sign.AWAY)
    return [
        each["result"] if "result" in each else refused(_reason(each), _reason(each), is_script)
        for each, is_script in zip(replies, are_scripts, strict=True)
    ]


def _refused_whole(status: int, reason: str, has_script: bool) -> Failure:
    shown = f"status {status}: {reason}"
    if status in REFUSED_STATUSES:
        return Failure(shown, outcome_unknown=False, sign=Sign.THERE)
    if status == 400:  # Also what one command is answered with that was refused.
        return refused(shown, reason, has_script)
    # Another refusal may be that of somebody in between, who gave up waiting; a service that fails may have begun.
    return Failure(shown, outcome_unknown=True, sign=Sign.THERE if status < 500 else Sign.AWAY)


def refused(shown: str, reason: str, is_script: bool) -> Failure:
    """Return what is known of a command that the store refused by *reason*; *shown* is what is said of it."""
    is_before = re.match(BEFORE, reason) is not None and re.search(WITHIN, reason) is None
    is_full = re.match(FULL, reason) is not None
    return Failure(shown, outcome_unknown=is_script and not is_before, sign=Sign.THERE, is_full=is_full)


def _is_reply(value: Any) -> bool:
    return isinstance(value, dict) and ("result" in value or "error" in value)


def _reason(reply: Any) -> str:
    reason = reply.get("error") if isinstance(reply, dict) else None
    return str(reason or "no reason given")[:REASON_CHARS_MAX]
