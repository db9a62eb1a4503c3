"""
Reading what the REST API answers: `{"result": …}` or `{"error": "…"}`, and for a pipeline a list of those.

A refusal, of one command or of a request, is an answer: nothing was carried out. An answer that cannot be read,
or comes from a failing server, leaves open what happened.
"""

from typing import Any

from pyreqwest.bytes import Bytes

from shared.jsonbytes.read import loads
from shared.store.failure import Failure, Sign

REASON_CHARS_MAX = 200
"""Enough for the store's own sentences; a page that a proxy sends instead does not belong into a log."""


def read_replies(status: int, raw: Bytes, count: int, *, is_pipeline: bool) -> list[Any | Failure]:
    """
    Return the result of each of *count* commands, or the Failure of those that were refused, in order.

    Large answers are read string by string, never in one call; that is for a thread.

    Raises:   Failure: the answer as a whole is a refusal, or none that can be read.
    """
    try:
        reply = loads(memoryview(raw))
    except ValueError:
        reply = None
    if status != 200:
        # A refusal (401, 400, quota) was not carried out; a failure of the service may have been.
        is_refusal = 400 <= status < 500
        sign = Sign.THERE if is_refusal else Sign.AWAY
        raise Failure(f"status {status}: {_reason(reply)}", outcome_unknown=not is_refusal, sign=sign)
    replies = reply if is_pipeline else [reply]
    if not isinstance(replies, list) or len(replies) != count or not all(map(_is_reply, replies)):
        raise Failure("status 200 with an unreadable body", outcome_unknown=True, sign=Sign.AWAY)
    return [
        each["result"] if "result" in each else Failure(_reason(each), outcome_unknown=False, sign=Sign.THERE)
        for each in replies
    ]


def _is_reply(value: Any) -> bool:
    return isinstance(value, dict) and ("result" in value or "error" in value)


def _reason(reply: Any) -> str:
    reason = reply.get("error") if isinstance(reply, dict) else None
    return str(reason or "no reason given")[:REASON_CHARS_MAX]
