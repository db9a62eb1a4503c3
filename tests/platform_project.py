"""A project of a few functions that do as they are told, and a router over it: what the platform's tests need."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from scripts.platform.instance import Instance
from scripts.platform.router import Router
from scripts.platform.scaling import Tally
from scripts.platform.settings import Deployment, FleetSettings

TOLD = """
import asyncio, hashlib, json, os, sys
from urllib.parse import parse_qsl

from vercel_runtime import get_deadline

ANSWERED = 0

async def app(scope, receive, send):
    global ANSWERED
    asked = dict(parse_qsl(scope["query_string"].decode()))
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body, more = body + message.get("body", b""), message.get("more_body", False)
    await asyncio.sleep(float(asked.get("sleep", 0)))
    ANSWERED += 1
    print("answered", ANSWERED)
    deadline = get_deadline()
    said = {
        "pid": os.getpid(), "answered": ANSWERED, "path": scope["path"], "query": scope["query_string"].decode(),
        "headers": {name.decode(): value.decode() for name, value in scope["headers"]},
        "deployment": os.environ["VERCEL_DEPLOYMENT_ID"], "told": os.environ.get("TOLD"),
        "body": [len(body), hashlib.sha256(body).hexdigest()], "deadline": deadline and deadline.timestamp(),
        "prelude": "prelude_of_tests" in sys.modules, "folder": os.getcwd(), "padding": "x" * int(asked.get("size", 0)),
    }
    status = int(asked.get("status", 200))
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]})
    pieces = [] if status == 304 else [json.dumps(said).encode()]
    if asked.get("die"):
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        await asyncio.sleep(60)
    for piece in pieces:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
    await asyncio.sleep(float(asked.get("after", 0)))
"""
COUNTED = ("cold_starts", "ended", "killed", "crashed", "bad_gateways", "timed_out", "throttled")
CONFIG = {
    "framework": None,
    "functions": {"api/*.py": {"maxDuration": 2}},
    "rewrites": [
        {"source": "/v1/told/:name", "destination": "/api/told"},
        {"source": "/v1/other", "destination": "/api/other"},
        {"source": "/v1/page", "destination": "/page.txt"},
        {"source": "/v1/broken", "destination": "/api/broken"},
    ],
    "headers": [{"source": "/v1/(.*)", "headers": [{"key": "X-Added", "value": "yes"}]}],
}


TRAMPOLINE = """
import os
os.environ.update({
    "__VC_HANDLER_MODULE_NAME": "api.told", "__VC_HANDLER_ENTRYPOINT": "api/told.py",
    "__VC_HANDLER_VENDOR_DIR": "_vendor",
    "__VC_HANDLER_ENTRYPOINT_ABS": os.path.join(os.path.dirname(__file__), "api/told.py"),
    "__VC_HANDLER_VARIABLE_NAME": "app",
})
import vercel_runtime.vc_init
"""


def write_build(project: Path, folder: Path) -> Path:
    """Write what a build of *project* makes of its functions, as far as it is read here: each is `api/told.py`."""
    for name in ("told", "other", "broken"):
        function = folder / f"functions/api/{name}.func"
        function.mkdir(parents=True)
        config = {
            "handler": "vc__handler__python.vc_handler",
            "environment": {"TOLD": "by its build"},
            "filePathMap": {"api/told.py": "api/told.py"},
        }
        (function / ".vc-config.json").write_text(json.dumps(config))
        (function / "vc__handler__python.py").write_text(TRAMPOLINE)
    return folder


def write_project(folder: Path) -> Path:
    (folder / "api").mkdir(parents=True)
    (folder / "public").mkdir()
    (folder / "vercel.json").write_text(json.dumps(CONFIG))
    (folder / "api/told.py").write_text(TOLD)
    (folder / "api/other.py").write_text(TOLD)
    (folder / "api/broken.py").write_text("raise RuntimeError('broken')\n\napp = None\n")
    (folder / "public/page.txt").write_text("a page")
    (folder / "prelude_of_tests.py").write_text("")
    return folder


@dataclass
class Rig:
    """A router that runs, and a client of it."""

    router: Router
    client: httpx.AsyncClient
    tally: Tally
    events: list[tuple[str, str]] = field(default_factory=list)
    logs: list[str] = field(default_factory=list)

    async def ask(self, path: str = "/v1/told/a", **headers: str) -> httpx.Response:
        return await self.client.get(path, headers=headers)

    async def told(self, path: str = "/v1/told/a", **headers: str) -> Any:
        """Return what the function said."""
        return (await self.ask(path, **headers)).raise_for_status().json()

    async def at_once(self, count: int, path: str) -> list[httpx.Response]:
        return list(await asyncio.gather(*(self.ask(path) for _ in range(count))))

    def instance(self, pid: int) -> Instance:
        [found] = [each for each in self.router.instances if each.pid == pid]
        return found

    def busy(self) -> list[Instance]:
        """Return the instances that have a request."""
        return [each for each in self.router.instances if each.in_flight]

    def forget(self) -> None:
        """Count from now on."""
        for name in COUNTED:
            setattr(self.tally, name, 0)
        self.events.clear()
        self.client.cookies.clear()

    async def until(self, holds: Callable[[], object]) -> None:
        async with asyncio.timeout(20):
            while not holds():  # noqa: ASYNC110  # what it waits for is another process's.
                await asyncio.sleep(0.005)


@asynccontextmanager
async def running(project: Path, settings: FleetSettings, **of_deployment: Any) -> AsyncIterator[Rig]:
    """Run a router over *project*."""
    events: list[tuple[str, str]] = []
    logs: list[str] = []
    tally = Tally(note=lambda kind, what: events.append((kind, what)))
    first = Deployment("dpl_first", project, **of_deployment)
    router = Router(first, settings, tally, {"TOLD": "by the fleet"}, logs.append)
    await router.listen()
    try:
        async with httpx.AsyncClient(base_url=router.url, timeout=30) as client:
            yield Rig(router, client, tally, events, logs)
    finally:
        await router.close()


def state_of(pid: int) -> str:
    """Return the letter by which /proc knows the state of a process: T of one that is stopped."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
