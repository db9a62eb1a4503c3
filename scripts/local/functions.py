"""
Serves every function of a project the way Vercel does, in one process.

Where a path leads is what routing.py says; what leads nowhere is a 404. An app sees the path as the caller wrote it,
and answers have the headers that vercel.json adds. Each function has its own module object, its lifespan run once, and
its own state, as if it were alone in its instance.
"""

import asyncio
import contextlib
import importlib.util
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from starlette.responses import FileResponse, JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from scripts.local.header_rules import sending_with
from scripts.local.routing import FunctionError, Routing


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

    async def start(self) -> Callable[[], Awaitable[None]]:
        """Return what ends it. Raises FunctionError when the app's startup fails. An app without lifespan is fine."""
        inbox: asyncio.Queue[Message] = asyncio.Queue()
        outbox: asyncio.Queue[Message] = asyncio.Queue()
        scope: Scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": self._state}
        lifespan = asyncio.ensure_future(_as_coroutine(self._app, scope, inbox.get, outbox.put))
        inbox.put_nowait({"type": "lifespan.startup"})
        started = await _next_message(outbox, lifespan)
        if started is not None and started["type"] == "lifespan.startup.failed":
            await asyncio.gather(lifespan, return_exceptions=True)
            raise FunctionError(f"could not start {self.route}: {started.get('message', '').strip()}")

        async def end() -> None:
            if started is not None:
                inbox.put_nowait({"type": "lifespan.shutdown"})
                await _next_message(outbox, lifespan)
            lifespan.cancel()
            await asyncio.gather(lifespan, return_exceptions=True)

        return end

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
        self._routing = Routing(root)
        found = self._routing.functions
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
        ends: list[Callable[[], Awaitable[None]]] = []
        try:
            for function in self.functions.values():
                end = await function.start()
                ends.append(end)
            yield
        finally:
            # All at once: each waits a moment behind its last answer.
            await asyncio.gather(*(end() for end in ends))

    def tell_end(self) -> None:
        """Have every function do now what it puts off: its server is about to end."""
        for function in self.functions.values():
            function.tell_end()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer an HTTP request, within `running` or under a server that knows lifespan."""
        if scope["type"] == "lifespan":
            await self._run_lifespan(receive, send)
            return
        if added := self._routing.headers(scope["path"]):
            send = sending_with(added, send)
        found, query = self._routing.place(scope["path"])
        if query:
            joined = b"&".join(part for part in (scope["query_string"], query.encode()) if part)
            scope = {**scope, "query_string": joined}
        await self._app(found)(scope, receive, send)

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

    def _app(self, found: str | Path | None) -> ASGIApp:
        if isinstance(found, Path):
            return _static(found)
        return self.functions.get(found, _not_found) if found is not None else _not_found


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
