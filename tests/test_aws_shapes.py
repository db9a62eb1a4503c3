"""What events are, told by their shape alone, and that a request is the same whoever makes an event of it."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mangum import Mangum

from aws.instance import readable
from aws.shapes import EventError, Kind, kind_of
from scripts.aws.events import Asked, Sender, event_of
from scripts.aws.front import Context
from tests.examples import examples

KINDS = {
    Sender.REST_API: Kind.REST,
    Sender.HTTP_API: Kind.HTTP,
    Sender.FUNCTION_URL: Kind.URL,
    Sender.LOAD_BALANCER: Kind.ALB,
}
PLAIN = Asked("POST", "/v1/conversations", "a=b", [("host", "service.example")], b"{}")
REQUESTS = [event_of(sender, PLAIN) for sender in Sender]

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
PATH = st.lists(TEXT.map(lambda text: quote(text, safe="")), min_size=1, max_size=4).map(
    lambda parts: f"/{'/'.join(parts)}"
)
QUERY = st.lists(st.tuples(TEXT, TEXT), max_size=4).map(
    lambda pairs: "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs)
)
HEADERS = st.dictionaries(
    st.from_regex(r"x-[a-z]{1,8}", fullmatch=True), st.from_regex(r"[!-~]{1,8}", fullmatch=True), max_size=3
)
ASKED = st.builds(
    lambda method, path, query, headers, body: Asked(method, path, query, list(headers.items()), body),
    st.sampled_from(["GET", "POST", "DELETE", "HEAD"]),
    PATH,
    QUERY,
    HEADERS,
    st.binary(max_size=40),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@pytest.fixture(autouse=True, scope="module")
def loop() -> Iterator[None]:
    """What mangum looks for when it is made."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()


async def _app(scope: Any, receive: Any, send: Any) -> None:
    raise NotImplementedError


def read(event: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """Return the scope and the body of a request that has become *event*, as mangum reads them."""
    found = Mangum(_app, "off").infer(readable(kind_of(event), event), Context())  # type: ignore[arg-type]
    return dict(found.scope), found.body


@pytest.mark.parametrize("sender", Sender)
def test_who_sent_a_request_is_told_by_its_shape(sender: Sender) -> None:
    assert kind_of(event_of(sender, PLAIN)) is KINDS[sender]


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ({"cron": "sweep"}, Kind.CRON),
        ({"Records": []}, Kind.NOTICE),
        ({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "documents"}, Kind.NOTICE),
        ({"version": "0", "source": "aws.s3", "detail-type": "Object Created", "detail": {}}, Kind.EVENT),
    ],
)
def test_what_is_no_request_is_told_as_well(event: object, kind: Kind) -> None:
    assert kind_of(event) is kind


@pytest.mark.parametrize(
    ("event", "named"),
    [
        (None, "NoneType"),
        ([], "list"),
        ({}, "no kind"),
        ({"requestContext": {}}, "requestContext"),
        ({"source": "aws.events", "detail-type": "Scheduled Event"}, "no kind"),
        (REQUESTS[0] | {"path": None}, "path"),
        (REQUESTS[0] | {"headers": {"host": 1}}, "headers"),
        (REQUESTS[0] | {"multiValueHeaders": {"host": "x"}}, "multiValueHeaders"),
        (REQUESTS[1] | {"rawQueryString": None}, "rawQueryString"),
        (REQUESTS[1] | {"body": {}}, "body"),
        (REQUESTS[1] | {"body": "a", "isBase64Encoded": True}, "base64"),
        (REQUESTS[1] | {"body": "\ud800"}, "Unicode"),
        (REQUESTS[2] | {"cookies": "a=b"}, "cookies"),
        (REQUESTS[3] | {"multiValueHeaders": None}, "headers"),
    ],
)
def test_an_event_of_another_shape_is_refused_by_what_is_wrong_with_it(event: object, named: str) -> None:
    with pytest.raises(EventError, match=named) as refused:
        kind_of(event)

    assert str(refused.value).endswith("Nothing was done.")


@pytest.mark.parametrize("sender", Sender)
@given(ASKED)
@settings(max_examples=examples(200))
def test_a_request_is_the_same_whoever_makes_an_event_of_it(sender: Sender, asked: Asked) -> None:
    scope, body = read(json.loads(json.dumps(event_of(sender, asked))))

    assert (scope["method"], scope["path"], body) == (asked.method, unquote(asked.path), asked.body)
    got, sent = (
        sorted(parse_qsl(query, keep_blank_values=True)) for query in (scope["query_string"].decode(), asked.query)
    )
    assert got == sent
    assert dict(asked.headers).items() <= {name.decode(): value.decode() for name, value in scope["headers"]}.items()


@given(st.sampled_from(REQUESTS), st.data())
@settings(max_examples=examples(400))
def test_an_event_is_read_or_refused_whatever_stands_in_it(event: dict[str, Any], data: st.DataObject) -> None:
    broken = json.loads(json.dumps(event))
    holders = [broken, broken["requestContext"]]
    if isinstance(broken["requestContext"].get("http"), dict):
        holders.append(broken["requestContext"]["http"])
    holder = data.draw(st.sampled_from(holders))
    holder[data.draw(st.sampled_from(sorted(holder)))] = data.draw(JSON)

    try:
        read(broken)
    except ValueError:  # Of which EventError is one; what else mangum raises becomes one.
        return


@pytest.mark.parametrize("sender", Sender)
@pytest.mark.parametrize("host", ["a:b:c", "[::1]:3000", "service.example:port", "x" * 300, "a/b", ""])
def test_what_callers_write_into_headers_of_hosts_harms_nobody(sender: Sender, host: str) -> None:
    headers = [("host", host), ("x-forwarded-host", host), ("x-forwarded-port", host)]
    scope, _ = read(event_of(sender, PLAIN._replace(headers=headers)))

    assert scope["server"] == ("mangum", 80)


def test_the_older_payload_of_an_http_api_has_its_path_decoded_and_is_read_so() -> None:
    event = event_of(Sender.REST_API, PLAIN) | {"version": "1.0", "path": "/v1/documents/a%41/b c"}

    assert read(event)[0]["path"] == "/v1/documents/a%41/b c"
