"""
The functions of a project, served as Vercel serves them: what answers which path, and what the app then sees.
"""

import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from scripts.local.functions import Project
from scripts.local.header_rules import HeaderRule
from scripts.local.rewrites import Rewrite
from scripts.local.routing import FunctionError, app_name, find_functions

ECHO = """
import contextlib
from starlette.applications import Starlette
from starlette.responses import JSONResponse

requests = 0
starts = []

@contextlib.asynccontextmanager
async def lifespan(app):
    starts.append(1)
    yield {"name": __name__, "seen": []}
    starts.append(-1)

async def app(scope, receive, send):
    await inner(scope, receive, send)

async def echo(request):
    global requests
    requests += 1
    request.state.seen.append(1)
    return JSONResponse({
        "module": request.state.name, "path": request.url.path, "query": request.url.query,
        "requests": requests, "seen": len(request.state.seen), "starts": len(starts),
    })

inner = Starlette(lifespan=lifespan)
inner.add_route("/{path:path}", echo, methods=["GET", "POST"])
"""

VERCEL = {
    "rewrites": [
        {"source": "/v1/one", "destination": "/api/one"},
        {"source": "/v1/one/(.*)", "destination": "/api/one"},
        {"source": "/v1/two/:id/:rest*", "destination": "/api/two"},
        {"source": "/ext/(.*)", "destination": "/api/two?captured=$1"},
        {"source": "/page", "destination": "/index.html"},
        {"source": "/static.txt", "destination": "/api/one"},
        {"source": "/gone", "destination": "/api/gone"},
    ],
    "headers": [
        {"source": "/pages(.*)", "headers": [{"key": "X-Rule", "value": "first"}, {"key": "X-Kept", "value": "1"}]},
        {"source": "/pages/deep/(.*)", "headers": [{"key": "X-Rule", "value": "second"}]},
        {
            "source": "/v1/one",
            "headers": [{"key": "Content-Type", "value": "text/css"}, {"key": "X-Rule", "value": "f"}],
        },
    ],
}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "path", sys.path[:])
    files = {
        "api/one.py": ECHO, "api/two.py": ECHO, "api/cron/warm.py": ECHO, "api/sub/index.py": ECHO,
        "api/_private.py": ECHO, "api/helper.py": "value = 1\n", "vercel.json": json.dumps(VERCEL),
        "public/static.txt": "static", "public/index.html": "<p>index", "secret.txt": "secret",
        "public/pages/index.html": "<p>pages", "public/pages/deep/a.txt": "a",
    }  # fmt: skip
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.fixture
async def client(root: Path) -> AsyncIterator[httpx.AsyncClient]:
    project = Project(root)
    transport = httpx.ASGITransport(project)
    async with project.running(), httpx.AsyncClient(transport=transport, base_url="http://dev") as client:
        yield client


@pytest.mark.parametrize(
    ("asked", "function", "query"),
    [
        ("/api/one", "one", ""),
        ("/api/cron/warm?x=1", "cron.warm", "x=1"),
        ("/api/sub", "sub.index", ""),
        ("/v1/one", "one", ""),
        ("/v1/one/a/b?limit=2&limit=3", "one", "limit=2&limit=3"),
        ("/v1/two/42/x/y?a=1", "two", "a=1&id=42&rest=x%2Fy"),
        ("/v1/two/42", "two", "id=42&rest="),
        ("/ext/zz/y?q=1", "two", "q=1&captured=zz%2Fy"),
    ],
)
async def test_a_function_sees_the_path_as_it_was_asked_for(
    client: httpx.AsyncClient, asked: str, function: str, query: str
) -> None:
    seen = (await client.get(asked)).json()

    assert seen["module"] == f"functions.api.{function}"
    assert seen["path"] == asked.partition("?")[0]
    assert seen["query"] == query


async def test_every_function_has_its_own_module_state_and_lifespan(client: httpx.AsyncClient) -> None:
    for count in (1, 2):
        for route in ("/api/one", "/api/two"):
            seen = (await client.post(route)).json()
            assert (seen["requests"], seen["seen"], seen["starts"]) == (count, count, 1)


async def test_static_files_come_before_rewrites(client: httpx.AsyncClient) -> None:
    assert (await client.get("/static.txt")).text == "static"
    assert (await client.get("/")).text == "<p>index"
    assert (await client.get("/page")).text == "<p>index"
    assert (await client.head("/static.txt")).headers["content-length"] == "6"
    assert (await client.post("/static.txt")).status_code == 405


@pytest.mark.parametrize(
    ("path", "rule", "kept"),
    [
        ("/pages", "first", "1"), ("/pages/", "first", "1"), ("/pages/index.html", "first", "1"),
        ("/pages/nothing", "first", "1"), ("/pages/deep/a.txt", "second", "1"), ("/v1/one", "f", None),
        ("/", None, None), ("/static.txt", None, None),
    ],
)  # fmt: skip
async def test_answers_have_the_headers_of_the_rules_that_match_the_path(
    client: httpx.AsyncClient, path: str, rule: str | None, kept: str | None
) -> None:
    headers = (await client.get(path)).headers

    assert (headers.get("x-rule"), headers.get("x-kept")) == (rule, kept)


async def test_what_a_function_says_of_its_answer_stands_over_a_rule(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/one")).headers.get_list("content-type") == ["application/json"]


@pytest.mark.parametrize(
    "rule",
    [
        {"source": "/a"}, {"source": "/a", "headers": [], "has": []},
        {"source": "/a", "headers": [{"key": "X"}]}, {"source": "/((a)|b)", "headers": []},
    ],
)  # fmt: skip
def test_a_rule_of_headers_that_is_not_understood_is_an_error(rule: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="could not read"):
        HeaderRule.of(rule)


@pytest.mark.parametrize(
    "path",
    [
        "/api/_private", "/api/helper", "/api/one/", "/api/one/more", "/api/one.py", "/api", "/V1/one", "/gone",
        "/v1/two", "/secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt", "/vercel.json", "/nothing",
    ],
)  # fmt: skip
async def test_anything_else_is_a_404_problem_that_openai_clients_can_read(
    client: httpx.AsyncClient, path: str
) -> None:
    response = await client.get(path)

    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["status"] == 404
    assert response.json()["error"].keys() == {"message", "type", "param", "code"}


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("app = 1", "app"), ("app: object = 1", "app"), ("async def app(scope, receive, send): ...", "app"),
        ("from shared.app import app", "app"), ("from shared.app import made as application", "application"),
        ("def handler(event, context): ...\nhandler = 1", None), ("if True:\n    app = 1", None),
        ("app: object", None), ("class app: ...", None), ("app_ = 1\napplication = app = 2", "application"),
        ("class Handler: ...\napp = 1", "Handler"), ("app = 1\nclass handler: ...", "app"),
    ],
)  # fmt: skip
def test_an_app_is_found_where_vercel_finds_it(source: str, name: str | None) -> None:
    assert app_name(source) == name


def test_a_handler_class_before_the_app_is_refused_for_vercel_would_serve_it(root: Path) -> None:
    (root / "api/two.py").write_text("class handler: ...\napp = 1\n")

    with pytest.raises(FunctionError, match=r"api/two\.py"):
        find_functions(root)


async def test_a_function_that_does_not_start_is_named_and_the_others_are_ended(root: Path) -> None:
    (root / "api/two.py").write_text(ECHO.replace("    starts.append(1)", "    raise OSError('no disk')"))
    project = Project(root)

    with pytest.raises(FunctionError, match=r"could not start /api/two(.|\n)*no disk"):
        async with project.running():
            pass
    assert sys.modules["functions.api.one"].starts == [1, -1]


PLAIN = """
async def app(scope, receive, send):
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"plain"})
"""


async def test_an_app_without_lifespan_is_served(root: Path) -> None:
    (root / "api/two.py").write_text(PLAIN)
    project = Project(root)
    transport = httpx.ASGITransport(project)
    async with project.running(), httpx.AsyncClient(transport=transport, base_url="http://dev") as client:
        answer = await client.get("/api/two")

    assert (answer.status_code, answer.text) == (200, "plain")


@pytest.mark.parametrize(
    "rule",
    [
        {"source": "/a", "destination": "https://example.com"}, {"source": "/a"},
        {"source": "/a", "destination": "/b", "has": []}, {"source": "/((a)|b)", "destination": "/b"},
    ],
)  # fmt: skip
def test_a_rewrite_that_is_not_understood_is_an_error(rule: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="could not read"):
        Rewrite.of(rule)
