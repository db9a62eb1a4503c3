"""
The platform's front: takes requests, finds their function, and passes them to an instance that has room.

    path          vercel.json's rewrites; files of public/ are answered here
    headers in    the client's, but x-vercel-internal-… and what names the client; added: x-vercel-id, x-forwarded-…,
                  x-real-ip, the id and the deadline of the invocation
    headers out   the function's, those of vercel.json, x-vercel-id, and for whoever measures: x-fleet-instance,
                  x-fleet-wait-ms, x-fleet-cold: 1 where the instance had answered nothing yet

What the platform answers by itself has its code in x-vercel-error: 404, 413 (over 4.5 MB), 500 (an instance did not
start), 502 (one ended under the request), 503 (none had room), 504 (the function's time is over).
"""

import asyncio
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from scripts.deploy.bundle import read_functions
from scripts.deploy.vercel_json import duration_s, read_config
from scripts.local.messages import BadMessage, Head, read_head
from scripts.local.routing import FunctionError, Routing
from scripts.platform.answers import BODY_BYTES_MAX, Refusal, refuse, send_file
from scripts.platform.exchange import WHOLE_BYTES, Call, Client, Exchange, InstanceGone
from scripts.platform.instance import Instance, InstanceFailed, Source
from scripts.platform.layout import Layout
from scripts.platform.rollout import Choice, Rollout, UnknownDeployment
from scripts.platform.scaling import Scaling, Tally, Throttled
from scripts.platform.settings import Deployment, FleetSettings

REGION = "iad1"
LINGER_S = 2.0


class _Target(NamedTuple):
    """One deployment: its paths, and the instances of each function."""

    routing: Routing
    functions: dict[str, Scaling]
    sources: dict[str, Source]


class Router:
    """
    The front of the deployments in `rollout`; `url` after `listen`. `common`: what each has in its environment where
    that says nothing else; what is added to it reaches instances that start afterwards.
    """

    def __init__(
        self,
        first: Deployment,
        settings: FleetSettings,
        tally: Tally,
        common: Mapping[str, str],
        told: Callable[[str], None] | None = None,
    ) -> None:
        """Raises FunctionError, ValueError, OSError: what is deployed cannot be read."""
        self.url = ""
        self.common = dict(common)
        self.rollout = Rollout(first, settings.bucketing, settings.seed)
        self._settings = settings
        self._tally = tally
        self._told = told
        self._targets: dict[str, _Target] = {first.name: self._read(first)}
        self._served: set[asyncio.Task[None]] = set()
        self._invocations = 0
        self._id = secrets.token_hex(3)
        self._server: asyncio.Server | None = None
        self._is_closed = False

    @property
    def instances(self) -> list[Instance]:
        """Those of all deployments and functions, in the order of their names."""
        scalings = [each for target in self._targets.values() for each in target.functions.values()]
        return sorted((each for scaling in scalings for each in scaling.instances), key=lambda each: each.name)

    def scaling_of(self, instance: Instance) -> Scaling:
        return self._targets[instance.deployment.name].functions[instance.source.route]

    def deploy(self, deployment: Deployment) -> None:
        """Have *deployment* answer under its own name alone. Raises ValueError, FunctionError, OSError: it is not."""
        if deployment.name not in self._targets:
            self._targets[deployment.name] = self._read(deployment)
        self.rollout.add(deployment)
        self._tally.note("deploy", deployment.name)

    def roll(self, deployment: Deployment, share: float) -> None:
        """Give *deployment* this share of requests. Raises ValueError, FunctionError, OSError: nothing is changed."""
        known = self._targets.get(deployment.name)
        target = known if known is not None else self._read(deployment)
        over = self.rollout.give(deployment, share)
        self._targets[deployment.name] = target
        for name in over:
            for scaling in self._targets[name].functions.values():
                scaling.drain()
        self._tally.note("roll", f"{deployment.name} {share:g}")

    async def listen(self) -> None:
        port = self._settings.port
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", port, limit=WHOLE_BYTES, backlog=1024)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def close(self) -> None:
        """End everything, at once."""
        self._is_closed = True
        if self._server is not None:
            self._server.close()
        for task in self._served:
            task.cancel()
        scalings = [each for target in self._targets.values() for each in target.functions.values()]
        await asyncio.gather(*self._served, *(each.close() for each in scalings), return_exceptions=True)
        for target in self._targets.values():
            for source in target.sources.values():
                if source.layout is not None:
                    source.layout.remove()

    def _read(self, deployment: Deployment) -> _Target:
        project, config = deployment.project, read_config(deployment.project)
        routing = Routing(project)
        built = read_functions(project, deployment.built) if deployment.built is not None else None
        sources = {}
        for route, (path, app) in routing.functions.items():
            name = route[1:]
            if built is not None and name not in built:
                raise FunctionError(f"{deployment.built} holds no {name}")
            layout = Layout(built[name]) if built is not None else None
            file, seconds = path.relative_to(project).as_posix(), duration_s(project, config, name)
            sources[route] = Source(route, file, app, seconds, layout)
        functions = {
            route: Scaling(deployment, source, self._settings, self._tally, self.common, self._told)
            for route, source in sources.items()
        }
        return _Target(routing, functions, sources)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_closed:  # It was accepted before, and nobody would end what it starts now.
            writer.transport.abort()
            return
        task = asyncio.current_task()
        assert task is not None
        self._served.add(task)
        try:
            while await self._serve(Client(reader, writer)):
                pass
            await _linger(reader, writer)
        except (EOFError, BadMessage, OSError, asyncio.CancelledError):
            pass  # The client has gone, said what is no HTTP, or the fleet ends.
        finally:
            self._served.discard(task)
            writer.transport.abort()

    async def _serve(self, client: "Client") -> bool:
        """Answer one request; return whether the connection can take another."""
        request = await read_head(client.reader)
        self._tally.requests += 1
        self._invocations += 1
        number = f"{REGION}::{self._id}-{self._invocations}"
        path, _, query = request.first.split(b" ", 2)[1].decode("latin-1").partition("?")
        path = unquote(path)
        try:
            if (size_bytes := request.size_bytes) is not None and size_bytes > BODY_BYTES_MAX:
                raise Refusal(413, "FUNCTION_PAYLOAD_TOO_LARGE", f"A body may have {BODY_BYTES_MAX:,} bytes.")
            choice = self._choose(request, query, client.address)
            target = self._targets[choice.deployment.name]
            found, added = target.routing.place(path)
            if isinstance(found, Path):
                return await send_file(client.writer, request, found, target.routing.headers(path))
            if found is None:
                raise Refusal(404, "NOT_FOUND", f"There is nothing at {path}.")
            call = Call(request, number, added, target.sources[found], target.routing.headers(path), choice)
            return await self._invoke(client, call, target.functions[found])
        except Refusal as refusal:
            return await refuse(client.writer, request, number, refusal)

    def _choose(self, request: Head, query: str, client: str) -> Choice:
        try:
            return self.rollout.choose(dict(request.headers), query, client)
        except UnknownDeployment as unknown:
            raise Refusal(404, "DEPLOYMENT_NOT_FOUND", str(unknown)) from None

    async def _invoke(self, client: "Client", call: "Call", scaling: Scaling) -> bool:
        try:
            lease = await scaling.take()
        except Throttled as throttled:
            self._tally.throttled += 1
            raise Refusal(503, "FUNCTION_THROTTLED", f"Not answered: {throttled}.") from None
        except InstanceFailed as failed:
            raise Refusal(500, "FUNCTION_INVOCATION_FAILED", f"Not answered: {failed}.") from None
        exchange = Exchange(client, call, lease)
        try:
            async with asyncio.timeout(call.source.duration_s):
                return await exchange.run()
        except TimeoutError:
            self._tally.timed_out += 1
            # What it goes on doing is nobody's any more: the platform takes the instance away.
            scaling.end_life(lease.instance)
            if exchange.has_begun:
                raise ConnectionAbortedError from None
            raise Refusal(504, "FUNCTION_INVOCATION_TIMEOUT", "The time of this function is over.") from None
        except InstanceGone:
            self._tally.bad_gateways += 1
            if exchange.has_begun:
                raise ConnectionAbortedError from None
            raise Refusal(502, "NO_RESPONSE_FROM_FUNCTION", "The instance ended before it answered.") from None
        finally:
            scaling.release(lease.instance)


async def _linger(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take in what the client still sends: a connection that is closed before would take the answer with it."""
    writer.write_eof()
    async with asyncio.timeout(LINGER_S):
        while await reader.read(WHOLE_BYTES):
            pass
