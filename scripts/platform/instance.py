"""
One function of one deployment as a process of its own under Vercel's launcher, from its start to its end.

    start       a process; `ready` once the launcher says where it listens
    connect     a connection to it, kept ones first; `give_back` keeps one
    suspend     SIGSTOP, while no invocation is under way: between an answer and the launcher's `end` of it one is
    end         SIGTERM, and SIGKILL half a second later, as the platform does
    kill        SIGKILL

Its standard input is a pipe that nothing is ever written to: when the process that started it dies, it ends. A stopped
one cannot see that; it is in a process group of its own within the session, which the kernel wakes and hangs up then.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from scripts.local.launching import LAUNCH, Message, Messages, ended_invocation, launcher_variables, logged_lines
from scripts.platform.layout import Layout
from scripts.platform.settings import KEEP_ALIVE_S, NUMBER_VARIABLE, ROOT, Deployment

GRACE_S = 0.5
GUARD = """\
import os, threading
threading.Thread(target=lambda: (os.read(0, 1), os._exit(0)), daemon=True).start()
"""

type Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Source(NamedTuple):
    """
    Which function: its route, its file below the project, the name of its app, how long a request may take, and where
    it was built, if its instances start from that.
    """

    route: str
    file: str
    app: str
    duration_s: float
    layout: Layout | None = None


class InstanceFailed(RuntimeError):
    """An instance did not start; the text says which."""


class Instance:
    """
    One instance. *number* counts those of its function and deployment from 1; *common* is in the environment under the
    deployment's own; *told* gets each line that it logs.

    `in_flight` are the requests that it was given, `invocations` those of which the launcher did not tell the end.
    """

    def __init__(
        self,
        deployment: Deployment,
        source: Source,
        number: int,
        common: Mapping[str, str],
        told: Callable[[str], None] | None = None,
        keep_alive_s: float = KEEP_ALIVE_S,
    ) -> None:
        self.deployment = deployment
        self.source = source
        self.number = number
        self.name = f"{deployment.name}{source.route}#{number}"
        self.began_at_s = time.monotonic()
        self.in_flight = 0
        self.requests = 0
        self.answered = 0
        self.invocations: set[str] = set()
        self.is_draining = False
        self.is_suspended = False
        self.is_ending = False
        self.was_killed = False
        self.failure: InstanceFailed | None = None
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.gone = asyncio.Event()
        self.cpu_s = 0.0
        self.on_end: Callable[[], None] = lambda: None
        self._quiet = asyncio.Event()
        self._common = common
        self._told = told
        self._keep_alive_s = keep_alive_s
        self._port = 0
        self._process: asyncio.subprocess.Process | None = None
        self._kept: list[tuple[float, Streams]] = []

    @property
    def pid(self) -> int:
        return self._process.pid if self._process is not None else 0

    @property
    def is_ready(self) -> bool:
        return self._port != 0 and not self.gone.is_set()

    @property
    def phase(self) -> str:
        return "draining" if self.is_draining else "ready" if self.is_ready else "starting"

    @property
    def is_idle(self) -> bool:
        """Whether it has no request, and the launcher told the end of all that it had."""
        return not self.in_flight and not self.invocations

    def tell_quiet(self) -> None:
        """Wake who waits in `quiet`."""
        self._quiet.set()

    async def quiet(self) -> None:
        """Return once it is idle, or gone."""
        while not self.is_idle and not self.gone.is_set():
            self._quiet.clear()
            await self._quiet.wait()

    async def run(self, timeout_s: float) -> None:
        """Start it, and return when it is gone. `ready` is an InstanceFailed where it does not start in time."""
        folder = Path(tempfile.mkdtemp(prefix="wt-", dir="/tmp"))  # Short: a path may have 104 bytes.
        listener = await asyncio.start_unix_server(self._listen, str(folder / "s"))
        try:
            self._process = await self._spawn(str(folder / "s"))
            if self.was_killed:  # Before there was a process to kill.
                self._signal(signal.SIGKILL)
            timer = asyncio.get_running_loop().call_later(timeout_s, self._give_up)
            await self._process.wait()
            timer.cancel()
        except OSError as error:
            self._gone(f": {error}")
        finally:
            self._gone()
            listener.close()
            shutil.rmtree(folder, ignore_errors=True)

    async def _spawn(self, address: str) -> asyncio.subprocess.Process:
        deployment, layout, program = self.deployment, self.source.layout, GUARD
        folder, variables = deployment.project, dict(self._common) | deployment.variables()
        variables[NUMBER_VARIABLE] = str(self.number)
        if deployment.prelude:
            # From the folder of the function where it has one of that name.
            variables["PYTHONPATH"] = str(ROOT)
            program += f"import {deployment.prelude}\n"
        if layout is None:
            variables |= launcher_variables(folder, self.source.file, address, self.source.app)
            program += LAUNCH
        else:
            folder, variables = await layout.folder(), variables | layout.environment
            # The platform's folder cannot be written to; this one is shared.
            variables |= {"VERCEL_IPC_PATH": address, "PYTHONDONTWRITEBYTECODE": "1"}
            program += layout.program
        return await asyncio.create_subprocess_exec(
            deployment.python, "-c", program, cwd=folder, env=variables,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL, process_group=0,
        )  # fmt: skip

    async def _listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        messages = Messages()
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65_536):
                for message in messages.feed(data):
                    self._hear(message)
        writer.close()

    def _hear(self, message: Message) -> None:
        match message["type"]:
            case "server-started":
                self._port = message["payload"]["httpPort"]
                if not self.ready.done():
                    self.ready.set_result(None)
            case "end":
                self.invocations.discard(ended_invocation(message))
                if self.is_idle:
                    self.tell_quiet()
                    self.on_end()
            case "log" if self._told is not None:
                for line in logged_lines(message):
                    self._told(line)

    def _give_up(self) -> None:
        if not self.ready.done():
            self._signal(signal.SIGKILL)

    def _gone(self, why: str = "") -> None:
        self.gone.set()
        self.is_draining = True
        self.invocations.clear()
        for _, (_, writer) in self._kept:
            writer.transport.abort()
        self._kept.clear()
        if not self.ready.done():
            self.failure = InstanceFailed(f"{self.name} did not start{why}")
            self.ready.set_exception(self.failure)
            self.ready.exception()  # Where nobody waits for it, nobody has to be told.
        self._quiet.set()

    async def connect(self) -> Streams:
        """Return a connection for one exchange, the instance awake. Raises OSError: it has gone."""
        self.resume()
        now_s = time.monotonic()
        while self._kept:
            used_at_s, streams = self._kept.pop()
            if now_s - used_at_s < self._keep_alive_s and not streams[0].at_eof():
                return streams
            streams[1].transport.abort()
        return await asyncio.open_connection("127.0.0.1", self._port)

    def give_back(self, streams: Streams) -> None:
        """Keep a connection whose exchange is whole."""
        if self.gone.is_set():
            streams[1].transport.abort()
        else:
            self._kept.append((time.monotonic(), streams))

    def suspend(self) -> None:
        if not self.is_suspended:
            self.is_suspended = True
            self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        if self.is_suspended:
            self.is_suspended = False
            self._signal(signal.SIGCONT)

    def kill(self) -> None:
        self.was_killed = self.is_draining = True
        self._note_cpu()
        self._signal(signal.SIGKILL)

    async def end(self) -> None:
        """End it as the platform does, and return when it is gone."""
        self.is_draining = self.is_ending = True
        self._note_cpu()
        self.resume()
        self._signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self.gone.wait(), GRACE_S)
        except TimeoutError:
            self._signal(signal.SIGKILL)
            await self.gone.wait()

    def usage(self) -> tuple[float, int]:
        """Return its CPU seconds and the bytes that it holds, zeros where /proc tells nothing."""
        try:
            fields = Path(f"/proc/{self.pid}/stat").read_bytes().rpartition(b")")[2].split()
            resident = int(Path(f"/proc/{self.pid}/statm").read_bytes().split()[1])
        except (OSError, IndexError):
            return self.cpu_s, 0
        ticks = int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK"), resident * os.sysconf("SC_PAGE_SIZE")

    def _note_cpu(self) -> None:
        self.cpu_s, _ = self.usage()

    def _signal(self, number: int) -> None:
        if self._process is not None and not self.gone.is_set():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, number)
