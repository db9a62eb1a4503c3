"""
Serves every function of a project the way Vercel does, in one process.

    a file in public/    ->  as it is, before any rewrite
    /api/x               ->  the `app` of api/x.py
    a rewrite's source   ->  the function or file of its destination; the app sees the path as the caller wrote it
    anything else        ->  404

Answers have the headers that vercel.json adds. Each function has its own module object, its lifespan run once, and its
own state, as if it were alone in its instance. Dynamic names (`[id].py`) are not served.
"""

import ast
import asyncio
import contextlib
import importlib.util
import json
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from starlette.responses import FileResponse, JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from scripts.local.header_rules import HeaderRule, headers_of, sending_with
from scripts.local.rewrites import Rewrite, destination

APP_NAMES = ("app", "application")


class FunctionError(RuntimeError):
    """A function could not be loaded or did not start; the text names it."""


def app_name(source: str) -> str | None:
    """Return the name that Vercel's static check finds in a module: the first top-level app, in source order."""
    for statement in ast.parse(source).body:
        for name in _bound_names(statement):
            is_handler = isinstance(statement, ast.ClassDef) and name.lower() == "handler"
            if is_handler or (name in APP_NAMES and not isinstance(statement, ast.ClassDef)):
                return name
    return None


def _bound_names(statement: ast.stmt) -> list[str]:
    match statement:
        case ast.Assign(targets=targets):
            return [target.id for target in targets if isinstance(target, ast.Name)]
        case ast.AnnAssign(target=ast.Name(id=name), value=value) if value is not None:
            return [name]
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.ImportFrom(names=names):
            return [alias.asname or alias.name for alias in names]
        case _:
            return []


def find_functions(root: Path) -> dict[str, tuple[Path, str]]:
    """Return route -> (file, name of the app) for every function under *root*/api."""
    found = {}
    for path in sorted((root / "api").rglob("*.py")):
        relative = path.relative_to(root).with_suffix("")
        if any(part.startswith(("_", ".")) for part in relative.parts):
            continue
        name = app_name(path.read_text())
        if name is None:
            continue
        if name not in APP_NAMES:
            raise FunctionError(f"could not serve {path.relative_to(root)}: `class {name}` comes before any app")
        route = relative.parent if relative.name == "index" else relative
        found[f"/{route.as_posix()}"] = (path, name)
    return found


def load_app(root: Path, path: Path, name: str) -> ASGIApp:
    """Execute *path* as a new module and return its app."""
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    module_name = ".".join(("functions", *path.relative_to(root).with_suffix("").parts))
    spec = importlib.util.spec_from_file_location(module_name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module  # Dataclasses and pydantic look their own module up.
    spec.loader.exec_module(module)
    app: ASGIApp = getattr(module, name)
    return app


class Function:
    """One app between the start and the end of its lifespan."""

    def __init__(self, route: str, app: ASGIApp) -> None:
        self.route = route
        self._app = app
        self._state: dict[str, Any] = {}

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Raises FunctionError when the app's startup fails. An app without lifespan is fine."""
        inbox: asyncio.Queue[Message] = asyncio.Queue()
        outbox: asyncio.Queue[Message] = asyncio.Queue()
        scope: Scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": self._state}
        lifespan = asyncio.ensure_future(_as_coroutine(self._app, scope, inbox.get, outbox.put))
        inbox.put_nowait({"type": "lifespan.startup"})
        started = await _next_message(outbox, lifespan)
        if started is not None and started["type"] == "lifespan.startup.failed":
            await asyncio.gather(lifespan, return_exceptions=True)
            raise FunctionError(f"could not start {self.route}: {started.get('message', '').strip()}")
        try:
            yield
        finally:
            if started is not None:
                inbox.put_nowait({"type": "lifespan.shutdown"})
                await _next_message(outbox, lifespan)
            lifespan.cancel()
            await asyncio.gather(lifespan, return_exceptions=True)

    def tell_end(self) -> None:
        """Have the app do now what it puts off, if it is one of ours."""
        if (ending := self._state.get("ending")) is not None:
            ending.tell()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app({**scope, "state": self._state.copy()}, receive, send)


async def _as_coroutine(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    await app(scope, receive, send)


async def _next_message(outbox: asyncio.Queue[Message], lifespan: asyncio.Future[None]) -> Message | None:
    """Return what the app says next, None when its lifespan ends without a word."""
    message = asyncio.ensure_future(outbox.get())
    either: list[asyncio.Future[Any]] = [message, lifespan]
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    if message.done():
        return message.result()
    message.cancel()
    return None


class Project:
    """The ASGI application: static files, functions, rewrites, 404."""

    def __init__(self, root: Path, only: str | None = None) -> None:
        """Raises FunctionError: there is no function *only*, or one cannot be loaded."""
        config: Mapping[str, Any] = {}
        if (root / "vercel.json").exists():
            config = json.loads((root / "vercel.json").read_text())
        self._rewrites = [Rewrite.of(rule) for rule in config.get("rewrites", [])]
        self._headers = [HeaderRule.of(rule) for rule in config.get("headers", [])]
        self._public = (root / "public").resolve()
        found = find_functions(root)
        if only is not None and only not in found:
            raise FunctionError(f"could not serve {only}: there is no such function")
        self.functions = {
            route: Function(route, load_app(root, path, name))
            for route, (path, name) in found.items()
            if only in (None, route)
        }

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the lifespan of every function. Raises FunctionError for the first that does not start."""
        async with contextlib.AsyncExitStack() as stack:
            for function in self.functions.values():
                await stack.enter_async_context(function.running())
            yield

    def tell_end(self) -> None:
        """Have every function do now what it puts off: its server is about to end."""
        for function in self.functions.values():
            function.tell_end()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer an HTTP request, within `running` or under a server that knows lifespan."""
        if scope["type"] == "lifespan":
            await self._run_lifespan(receive, send)
            return
        if added := headers_of(self._headers, scope["path"]):
            send = sending_with(added, send)
        app = self._find(scope["path"])
        if app is None and (rewritten := destination(self._rewrites, scope["path"])) is not None:
            path, query = rewritten
            app = self._find(path)
            joined = b"&".join(part for part in (scope["query_string"], query.encode()) if part)
            scope = {**scope, "query_string": joined}
        await (app or _not_found)(scope, receive, send)

    async def _run_lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            async with self.running():
                await send({"type": "lifespan.startup.complete"})
                await receive()
        except FunctionError as exc:
            await send({"type": "lifespan.startup.failed", "message": str(exc)})
        else:
            await send({"type": "lifespan.shutdown.complete"})

    def _find(self, path: str) -> ASGIApp | None:
        """Return what answers *path* without a rewrite."""
        if "\0" in path:
            return None  # No file can be called so, and asking for one is an error.
        file = (self._public / path.lstrip("/")).resolve()
        for candidate in (file, file / "index.html"):
            if candidate.is_relative_to(self._public) and candidate.is_file():
                return _static(candidate)
        return self.functions.get(path)


def _static(file: Path) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] in ("GET", "HEAD"):
            await FileResponse(file)(scope, receive, send)
        else:
            answer = _problem(405, "Method not allowed", f"{scope['path']} can only be read.")
            await answer(scope, receive, send)

    return app


async def _not_found(scope: Scope, receive: Receive, send: Send) -> None:
    answer = _problem(404, "Not found", f"There is nothing at {scope['path']}.")
    await answer(scope, receive, send)


def _problem(status: int, title: str, detail: str) -> JSONResponse:
    error = {
        "message": detail,
        "type": "invalid_request_error",
        "param": None,
        "code": title.lower().replace(" ", "_"),
    }
    document = {"type": "about:blank", "title": title, "status": status, "detail": detail, "error": error}
    return JSONResponse(document, status, media_type="application/problem+json")
