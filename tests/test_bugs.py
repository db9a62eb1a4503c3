"""A bug of ours: an opaque 500, one line in the log that says where, and nothing of what callers sent."""

from collections.abc import AsyncIterator, Iterator

import pytest
from starlette.responses import Response, StreamingResponse
from starlette.testclient import TestClient

from scripts.local.upstash import LocalUpstash
from shared.app import create_app
from shared.http.answers import json_response
from shared.http.problems import CutShort
from shared.http.serving import Asked
from shared.request.parameters import string
from shared.routes import Route
from tests.log_lines import Line, LogLines

MARK = "xyzzy-4711"


async def wrong(asked: Asked, text: str) -> Response:
    raise KeyError(MARK)


async def wrong_later(asked: Asked) -> Response:
    async def fail() -> None:
        raise ValueError(MARK)

    asked.later.add(fail, "failing")
    return json_response({"status": "ok"}, asked.later)


async def torn(asked: Asked) -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"a"
        raise ValueError(MARK)

    return StreamingResponse(pieces())


@pytest.fixture
def client(upstash: LocalUpstash) -> Iterator[TestClient]:
    app = create_app(
        [
            Route("GET", "/wrong", wrong, "", "", "", query=(string("text", ""),), key=""),
            *(Route("GET", f"/{each.__name__}", each, "", "", "", key="") for each in (wrong_later, torn)),
        ]
    )
    with TestClient(app) as client:
        yield client


def errors(logged: LogLines) -> list[Line]:
    return logged.lines(lambda line: line["level"] == "error" and "duration_ms" not in line)


def test_it_is_answered_opaquely_and_logged_once(client: TestClient, logged: LogLines) -> None:
    answer = client.get(f"/wrong?text={MARK}")
    [request] = logged.requests(1)
    [line] = errors(logged)

    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal_error")
    assert "server-timing" in answer.headers
    assert line["message"] == "unhandled KeyError"
    assert "test_bugs.py" in line["traceback"]
    assert {name: request[name] for name in ("level", "status", "cause")} == {
        "level": "error",
        "status": 500,
        "cause": "KeyError",
    }
    assert line["request_id"] == request["request_id"] == answer.headers["x-request-id"] == answer.json()["request_id"]
    assert MARK not in answer.text + logged.text


def test_after_the_answer_it_is_logged_and_hurts_nobody(client: TestClient, logged: LogLines) -> None:
    answer = client.get("/wrong_later")

    assert answer.json() == {"status": "ok"}
    assert len(errors(logged)) == 1
    assert MARK not in logged.text


def test_an_answer_that_it_tears_is_not_taken_for_whole(client: TestClient, logged: LogLines) -> None:
    with pytest.raises(CutShort):
        client.get("/torn")

    assert len(errors(logged)) == 1
    assert MARK not in logged.text
