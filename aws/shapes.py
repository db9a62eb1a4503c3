"""
What an event is that Lambda hands over, told by its shape alone; and what whoever sends it can carry.

    REST      a REST API, or an HTTP API of payload 1.0       HTTP, URL    an HTTP API, a Function URL: payload 2.0
    ALB       a load balancer                                 CRON         {"cron": "sweep"}, as schedules send it
    NOTICE    an S3 notification                              EVENT        an S3 event, as EventBridge sends it

What has no such shape is refused before anything is done for it. That it came at all means that its sender may invoke
the function: who asks by HTTP shows a key besides.
"""

import math
from base64 import b64decode
from collections.abc import Mapping
from enum import Enum, auto
from typing import Any, NamedTuple


class EventError(ValueError):
    """An event has no shape that is known, or could not be done; the text says which and why. Lambda reports it."""


class Kind(Enum):
    """Who sent an event."""

    REST = auto()
    HTTP = auto()
    URL = auto()
    ALB = auto()
    CRON = auto()
    NOTICE = auto()
    EVENT = auto()


class Carrier(NamedTuple):
    """
    Bounds of what brings an answer to its caller: after how many *seconds* it gives up, and the *bytes* that an answer
    may have as the JSON in which Lambda returns it.
    """

    seconds: float
    answer_bytes: int


LAMBDA_ANSWER_BYTES = 6_000_000
"""Lambda refuses more than 6,291,556, headers and all."""

CARRIERS = {
    Kind.REST: Carrier(29.0, LAMBDA_ANSWER_BYTES),
    Kind.HTTP: Carrier(30.0, LAMBDA_ANSWER_BYTES),
    Kind.URL: Carrier(math.inf, LAMBDA_ANSWER_BYTES),
    Kind.ALB: Carrier(60.0, 950_000),  # Its idle timeout, unless that is set; at most 1 MB, headers and all.
}
"""The carriers of HTTP. Sources: the quotas of API Gateway and of Lambda; Elastic Load Balancing, "Lambda functions as
targets"."""

URL_DOMAIN = ".lambda-url."
KNOWN = "a REST API, an HTTP API, a Function URL, a load balancer, a schedule ({'cron': 'sweep'}), S3 or EventBridge"


def kind_of(event: object) -> Kind:
    """Return who sent *event*. Raises EventError: nobody that is known, or not in the form that they have."""
    if not isinstance(event, dict):
        raise EventError(f"An event is an object, not {type(event).__name__}. Nothing was done.")
    context = event.get("requestContext")
    if isinstance(context, dict):
        kind = _http_kind(event, context)
        _check_http(event, kind)
        return kind
    if "cron" in event:
        return Kind.CRON
    if "Records" in event or event.get("Event") == "s3:TestEvent":
        return Kind.NOTICE
    if event.get("source") == "aws.s3":
        return Kind.EVENT
    raise EventError(f"The event is of no kind that is known: {KNOWN}. Nothing was done.")


def _http_kind(event: Mapping[str, Any], context: Mapping[str, Any]) -> Kind:
    if "elb" in context:
        return Kind.ALB
    if event.get("version") == "2.0" and isinstance(context.get("http"), dict):
        return Kind.URL if URL_DOMAIN in str(context.get("domainName")) else Kind.HTTP
    if "httpMethod" in event and ("resource" in event or event.get("version") == "1.0"):
        return Kind.REST
    raise EventError(f"The event has a requestContext, but is of no kind that is known: {KNOWN}. Nothing was done.")


def _check_http(event: Mapping[str, Any], kind: Kind) -> None:
    """Raise EventError where *event* has not what it is read for."""
    if kind in (Kind.HTTP, Kind.URL):
        request = event["requestContext"]["http"]
        texts = {f"requestContext.http.{name}": request.get(name) for name in ("method", "path", "sourceIp")}
        texts["rawQueryString"] = event.get("rawQueryString")
    else:
        texts = {name: event.get(name) for name in ("httpMethod", "path")}
    for name, text in texts.items():
        if not isinstance(text, str):
            raise EventError(f"The event's {name} must be a string. Nothing was done.")
    if not isinstance(event["requestContext"].get("identity", {}), dict):
        raise EventError("The event's requestContext.identity must be an object. Nothing was done.")
    if not _is_mapping({"cookies": event.get("cookies") or []}, has_lists=True):
        raise EventError("The event's cookies must be a list of strings, or null. Nothing was done.")
    for name, has_lists in MAPPINGS.items():
        if not _is_mapping(event.get(name), has_lists=has_lists):
            values = "lists of strings" if has_lists else "strings"
            raise EventError(f"The event's {name} must be an object of {values}, or null. Nothing was done.")
    if kind is Kind.ALB and event.get("headers") is None and event.get("multiValueHeaders") is None:
        raise EventError("The event must have headers. Nothing was done.")
    _check_body(event)


MAPPINGS = {
    "headers": False,
    "multiValueHeaders": True,
    "queryStringParameters": False,
    "multiValueQueryStringParameters": True,
}
"""Members of events -> whether their values are lists."""


def _is_mapping(value: object, *, has_lists: bool) -> bool:
    if value is None:
        return True
    if not isinstance(value, dict):
        return False
    lists = value.values() if has_lists else [list(value.values())]
    return all(isinstance(each, list) and all(isinstance(text, str) for text in each) for each in lists)


def _check_body(event: Mapping[str, Any]) -> None:
    body, is_base64 = event.get("body"), event.get("isBase64Encoded", False)
    if not (body is None or isinstance(body, str)) or not isinstance(is_base64, bool):
        raise EventError("The event's body must be a string, isBase64Encoded true or false. Nothing was done.")
    try:
        if body is not None:
            (b64decode if is_base64 else str.encode)(body)
    except ValueError:
        kind = "base64" if is_base64 else "Unicode"
        raise EventError(f"The event's body is not valid {kind}. Nothing was done.") from None
