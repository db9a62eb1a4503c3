"""
What events ask for that are no requests, as requests to the functions that do it, which then need no other way in.

    {"cron": "sweep"}    GET /api/cron/sweep
    {"cron": "warm"}     GET /api/cron/warm, then POST /api/conversations: this instance is the one that gets warm
    S3                   POST /v1/changes with each of its records, in the form in which EventBridge would have sent it

Each shows the secret of its route: who may invoke the function is taken for who knows it, and a route whose secret is
not set stays closed.
"""

import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote_plus

import orjson

from aws.shapes import EventError, Kind
from shared.config import Settings
from shared.items.document_paths import INSTANCE_PATH
from shared.setting import Secret

RECORDS_MAX = 100
"""Records of one notification; S3 sends one."""

CHANGES_PATH = "/v1/changes"


class Ask(NamedTuple):
    """One request."""

    method: str
    path: str
    secret: Secret
    body: bytes = b""


def asks_of(kind: Kind, event: Mapping[str, Any], settings: Settings) -> list[Ask]:
    """Return the requests, in order, that do what *event* asks for. Raises EventError: it is not understood."""
    if kind is Kind.CRON:
        return _cron_asks(event, settings.cron_secret)
    bodies = [event] if kind is Kind.EVENT else list(_changes(event))
    return [Ask("POST", CHANGES_PATH, settings.changes_secret, orjson.dumps(body)) for body in bodies]


def _cron_asks(event: Mapping[str, Any], secret: Secret) -> list[Ask]:
    crons = {
        "sweep": [Ask("GET", "/api/cron/sweep", secret)],
        "warm": [Ask("GET", "/api/cron/warm", secret), Ask("POST", INSTANCE_PATH, secret)],
    }
    name = event["cron"]
    if len(event) > 1 or not isinstance(name, str) or name not in crons:
        raise EventError("The event of a schedule is {'cron': 'sweep'} or {'cron': 'warm'}. Nothing was done.")
    return crons[name]


KINDS = (
    ("ObjectCreated:", "Object Created"),
    ("ObjectRemoved:", "Object Deleted"),
    ("LifecycleExpiration:", "Object Deleted"),
    ("ObjectRestore:Completed", "Object Restore Completed"),
    ("ObjectRestore:Delete", "Object Restore Expired"),
)
"""How names of events begin in a notification -> what EventBridge calls it. Others change no object's content. Source:
Amazon S3 User Guide, "Event notification types and destinations" and "Using EventBridge"."""


def _changes(event: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield what a notification reports, as EventBridge would. Raises EventError, which names the member."""
    records = event.get("Records", [])  # The test that S3 sends when notifications are set up has none.
    if not isinstance(records, list) or len(records) > RECORDS_MAX:
        raise EventError(f"Records must be a list of at most {RECORDS_MAX}. Nothing was done.")
    for number, record in enumerate(records):
        where = f"Records[{number}]"
        if not isinstance(record, dict) or record.get("eventSource") != "aws:s3":
            raise EventError(f"{where} must be an object whose eventSource is aws:s3. Nothing was done.")
        name = record.get("eventName")
        if not isinstance(name, str):
            raise EventError(f"{where}.eventName must be a string. Nothing was done.")
        bucket, key = (_text(record, where, *path) for path in (("s3", "bucket", "name"), ("s3", "object", "key")))
        # Queues have s3: before the name.
        kind = next((kind for start, kind in KINDS if name.removeprefix("s3:").startswith(start)), None)
        if kind is not None:
            # In a notification a key is encoded as in a form.
            detail = {"bucket": {"name": bucket}, "object": {"key": unquote_plus(key)}}
            yield {"source": "aws.s3", "detail-type": kind, "detail": detail}


def _text(record: Any, where: str, *path: str) -> str:
    for name in path:
        record = record.get(name) if isinstance(record, dict) else None
    if not isinstance(record, str):
        raise EventError(f"{where}.{'.'.join(path)} must be a string. Nothing was done.")
    return record


def as_event(ask: Ask) -> dict[str, Any]:
    """Return *ask* as a Function URL would send it."""
    headers = {"authorization": f"Bearer {ask.secret}", "content-type": "application/json", "host": "localhost"}
    return {
        "version": "2.0",
        "rawPath": ask.path,
        "rawQueryString": "",
        "headers": headers,
        "requestContext": {
            "domainName": "localhost",
            "http": {"method": ask.method, "path": ask.path, "sourceIp": "127.0.0.1"},
            "timeEpoch": int(time.time() * 1_000),
        },
        "body": ask.body.decode(),
        "isBase64Encoded": False,
    }
