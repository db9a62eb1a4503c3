"""
The events that AWS makes of HTTP requests, and the requests' answers out of what the function returns.

Four senders, as their documentation and captures of live events have them:

    rest-api         payload 1.0; the path as it came, the query decoded, headers as they came and as lists
    http-api         payload 2.0; the path decoded, the query as it came, headers in lower case and joined
    function-url     payload 2.0; the path as it came
    load-balancer    path and query as they came, the query as pairs; headers in lower case

Sources: API Gateway Developer Guide, "Lambda proxy integrations"; Lambda Developer Guide, "Invoking Lambda function
URLs"; Elastic Load Balancing, "Lambda functions as targets"; that HTTP APIs alone decode paths: hotsock/voker, pull
request 8.
"""

import base64
import time
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, quote_plus, unquote
from uuid import uuid4


class Sender(StrEnum):
    """What turns requests into events."""

    REST_API = "rest-api"
    HTTP_API = "http-api"
    FUNCTION_URL = "function-url"
    LOAD_BALANCER = "load-balancer"


class Asked(NamedTuple):
    """A request as it came: *path* and *query* are encoded, *headers* are pairs."""

    method: str
    path: str
    query: str
    headers: list[tuple[str, str]]
    body: bytes


class Answered(NamedTuple):
    """What the caller gets; *headers* are pairs."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


ACCOUNT = "123456789012"
DOMAINS = {
    Sender.REST_API: "abcdef1234.execute-api.us-east-1.amazonaws.com",
    Sender.HTTP_API: "abcdef1234.execute-api.us-east-1.amazonaws.com",
    Sender.FUNCTION_URL: "abcdefghijklmnopqrstuvwxyz123456.lambda-url.us-east-1.on.aws",
}
TARGET_GROUP = f"arn:aws:elasticloadbalancing:us-east-1:{ACCOUNT}:targetgroup/warmthread/0123456789abcdef"
SOURCE_IP = "192.0.2.1"
UNSENT = frozenset({"connection", "content-length", "transfer-encoding", "expect"})
"""Headers of a connection, which ends at the sender; what is left of a body's length the sender writes itself."""


def event_of(sender: Sender, asked: Asked) -> dict[str, Any]:
    """Return the event that *sender* makes of *asked*."""
    headers = [(name, value) for name, value in asked.headers if name.lower() not in UNSENT]
    headers += [("x-forwarded-for", SOURCE_IP), ("x-forwarded-port", "443"), ("x-forwarded-proto", "https")]
    if asked.body:
        headers.append(("content-length", str(len(asked.body))))
    if sender in (Sender.HTTP_API, Sender.FUNCTION_URL):
        event = _payload_2(sender, asked, headers)
    elif sender is Sender.REST_API:
        event = _payload_1(asked, headers)
    else:
        event = _balancers(asked, headers)
    return event | _body(asked.body)


def _body(body: bytes) -> dict[str, Any]:
    """Text goes as it is; what is none, in base64."""
    try:
        return {"body": body.decode() if body else None, "isBase64Encoded": False}
    except UnicodeDecodeError:
        return {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}


def _payload_1(asked: Asked, headers: list[tuple[str, str]]) -> dict[str, Any]:
    query = parse_qsl(asked.query, keep_blank_values=True)
    return {
        "resource": "/{proxy+}",
        "path": asked.path,
        "httpMethod": asked.method,
        "headers": dict(headers) or None,
        "multiValueHeaders": _lists(headers) or None,
        "queryStringParameters": dict(query) or None,
        "multiValueQueryStringParameters": _lists(query) or None,
        "pathParameters": {"proxy": asked.path.lstrip("/")},
        "stageVariables": None,
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": "abcdef1234",
            "domainName": DOMAINS[Sender.REST_API],
            "httpMethod": asked.method,
            "identity": {"sourceIp": SOURCE_IP, "userAgent": dict(headers).get("user-agent")},
            "path": f"/prod{asked.path}",
            "protocol": "HTTP/1.1",
            "requestId": str(uuid4()),
            "requestTimeEpoch": int(time.time() * 1_000),
            "resourcePath": "/{proxy+}",
            "stage": "prod",
        },
    }


def _payload_2(sender: Sender, asked: Asked, headers: list[tuple[str, str]]) -> dict[str, Any]:
    path = unquote(asked.path) if sender is Sender.HTTP_API else asked.path
    cookies = [value for name, value in headers if name.lower() == "cookie"]
    joined = {name: ",".join(values) for name, values in _lists(headers, lower=True).items() if name != "cookie"}
    query = _lists(parse_qsl(asked.query, keep_blank_values=True))
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": asked.query,
        "headers": joined,
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": "abcdef1234",
            "domainName": DOMAINS[sender],
            "domainPrefix": DOMAINS[sender].partition(".")[0],
            "http": {
                "method": asked.method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": SOURCE_IP,
                "userAgent": joined.get("user-agent", ""),
            },
            "requestId": str(uuid4()),
            "routeKey": "$default",
            "stage": "$default",
            "timeEpoch": int(time.time() * 1_000),
        },
    }
    if cookies:
        event["cookies"] = cookies
    if query:
        event["queryStringParameters"] = {name: ",".join(values) for name, values in query.items()}
    return event


def _balancers(asked: Asked, headers: list[tuple[str, str]]) -> dict[str, Any]:
    # As they came: without decoding.
    pairs = [part.partition("=")[::2] for part in asked.query.split("&") if part]
    return {
        "requestContext": {"elb": {"targetGroupArn": TARGET_GROUP}},
        "httpMethod": asked.method,
        "path": asked.path,
        "multiValueQueryStringParameters": _lists(pairs),
        "multiValueHeaders": _lists(headers, lower=True),
    }


def _lists(pairs: list[tuple[str, str]], *, lower: bool = False) -> dict[str, list[str]]:
    lists: dict[str, list[str]] = {}
    for name, value in pairs:
        lists.setdefault(name.lower() if lower else name, []).append(value)
    return lists


def answered_of(returned: Mapping[str, Any]) -> Answered:
    """Return what a caller gets of what the function *returned*."""
    headers = [(name, str(value)) for name, value in (returned.get("headers") or {}).items()]
    for name, values in (returned.get("multiValueHeaders") or {}).items():
        headers += [(name, value) for value in values]
    headers += [("set-cookie", cookie) for cookie in returned.get("cookies") or ()]
    body = returned.get("body") or ""
    content = base64.b64decode(body) if returned.get("isBase64Encoded") else body.encode()
    return Answered(returned["statusCode"], headers, content)


def s3_notification(bucket: str, key: str, name: str = "ObjectCreated:Put") -> dict[str, Any]:
    """Return the event of an S3 notification; *key* is as in the bucket. Source: Amazon S3 User Guide."""
    s3_object = {
        "key": quote_plus(key, safe="/"),
        "size": 5,
        "eTag": "d41d8cd98f00b204e9800998ecf8427e",
        "sequencer": "00",
    }
    record = {
        "eventVersion": "2.4",
        "eventSource": "aws:s3",
        "awsRegion": "us-east-1",
        "eventTime": "2026-11-29T12:00:00.000Z",
        "eventName": name,
        "userIdentity": {"principalId": "AWS:EXAMPLE"},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "documents",
            "bucket": {"name": bucket, "ownerIdentity": {"principalId": "EXAMPLE"}, "arn": f"arn:aws:s3:::{bucket}"},
            "object": s3_object,
        },
    }
    return {"Records": [record]}


def s3_event(bucket: str, key: str, kind: str = "Object Created") -> dict[str, Any]:
    """Return the same as EventBridge delivers it. Source: the same, "EventBridge event message structure"."""
    return {
        "version": "0",
        "id": str(uuid4()),
        "detail-type": kind,
        "source": "aws.s3",
        "account": ACCOUNT,
        "time": "2026-11-29T12:00:00Z",
        "region": "us-east-1",
        "resources": [f"arn:aws:s3:::{bucket}"],
        "detail": {
            "version": "0",
            "bucket": {"name": bucket},
            "object": {"key": key, "size": 5, "etag": "d41d8cd98f00b204e9800998ecf8427e", "sequencer": "00"},
            "request-id": "EXAMPLE",
            "requester": ACCOUNT,
            "reason": "PutObject",
        },
    }
