"""
Starts a built function the way the platform does, on this machine.

    materialise    its files, at the paths they would have, in a folder of their own
    start          import its entry module there, with a socket on which it reports its port and its log
    stop           SIGTERM, as when an instance retires

The interpreter is a new environment without packages, so a function sees the packages of its bundle and no
others. HTTPS goes to a closed port: a function that downloads while it starts or answers fails here.
"""

import contextlib
import queue
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.deploy.bundle import Function
from scripts.deploy.report import CheckFailed
from scripts.local.launching import Message, Messages, logged_lines

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 5.0
CLOSED_PORT = "http://127.0.0.1:9"

type Listing = dict[str, tuple[int, int]]


@dataclass(slots=True)
class Instance:
    """A function that runs; `log` grows while it does."""

    name: str
    process: subprocess.Popen[bytes]
    port: int
    init_ms: int
    bundle: Path
    before: Listing
    output: Path
    log: list[str] = field(default_factory=list)

    def log_tail(self) -> str:
        """The last lines that the function logged or printed."""
        printed = self.output.read_text(errors="replace").splitlines()
        return "\n".join(f"      | {line}" for line in (printed + self.log)[-25:])


def make_interpreter(folder: Path) -> Path:
    """An interpreter of the running version that has no packages."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    return folder / "bin/python"


@contextlib.contextmanager
def running(function: Function, interpreter: Path, folder: Path, variables: Mapping[str, str]) -> Iterator[Instance]:
    """
    Start *function* in *folder* with the environment *variables*; it is gone when the block ends.

    Raises:  CheckFailed: it did not start; the text holds its log.
    """
    bundle, home = folder / "task", folder / "home"
    home.mkdir(parents=True)
    materialise(function, bundle)
    before = _list(bundle)
    environment = (
        dict(variables)
        | function.environment
        | {
            "PATH": "/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "HOME": str(home),
            "TMPDIR": str(home),
            "HTTPS_PROXY": CLOSED_PORT,
            "VERCEL": "1",
            "VERCEL_ENV": "preview",
            "VERCEL_REGION": "iad1",
            "VERCEL_DEPLOYMENT_ID": "dpl_check",
            "VERCEL_IPC_PATH": str(folder / "s"),  # Short: a socket's path may have 104 bytes.
        }
    )
    output = folder / "output.log"
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        listener.bind(str(folder / "s"))
        listener.listen(1)
        sink = stack.enter_context(output.open("wb"))
        process = subprocess.Popen(
            [str(interpreter), "-c", f"import {function.module}"],
            cwd=bundle, env=environment, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT,
        )  # fmt: skip
        stack.callback(_kill, process)
        instance = Instance(function.name, process, 0, 0, bundle, before, output)
        channel = stack.enter_context(_accept(listener, instance))
        started = _await_start(channel, instance)
        instance.port, instance.init_ms = started["httpPort"], started["initDuration"]
        yield instance


def stop(instance: Instance) -> float:
    """
    Ask *instance* to end, and return the seconds it took.

    Raises:  CheckFailed: it went on, it had died before, or it changed files of its bundle.
    """
    if instance.process.poll() is not None:
        raise CheckFailed(f"{instance.name} died (status {instance.process.returncode})\n{instance.log_tail()}")
    asked_at_s = time.monotonic()
    instance.process.terminate()
    try:
        instance.process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise CheckFailed(f"{instance.name} still ran {STOP_TIMEOUT_S:.0f} s after SIGTERM") from None
    took_s = time.monotonic() - asked_at_s
    after = _list(instance.bundle)
    changed = sorted(
        name for name in after.keys() | instance.before.keys() if after.get(name) != instance.before.get(name)
    )
    if changed:
        raise CheckFailed(f"{instance.name} wrote into its bundle, which is read-only: {changed[:10]}")
    return took_s


def materialise(function: Function, bundle: Path) -> None:
    """Copy the files of *function* to where they would be in *bundle*, which is its root."""
    for name, source in function.files.items():
        target = bundle / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)


def _list(bundle: Path) -> Listing:
    """Size and modification time of every file and folder: a write changes one of them."""
    stats = ((path.relative_to(bundle).as_posix(), path.stat()) for path in bundle.rglob("*"))
    return {name: (stat.st_size, stat.st_mtime_ns) for name, stat in stats}


def _accept(listener: socket.socket, instance: Instance) -> socket.socket:
    listener.settimeout(0.1)
    give_up_at_s = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < give_up_at_s and instance.process.poll() is None:
        with contextlib.suppress(TimeoutError):
            channel, _ = listener.accept()
            channel.settimeout(None)
            return channel
    raise CheckFailed(f"{instance.name} did not start\n{instance.log_tail()}")


def _await_start(channel: socket.socket, instance: Instance) -> dict[str, Any]:
    arrived: queue.Queue[Message] = queue.Queue()
    # The reader goes on after the start: a function whose log nobody takes would block in its next line.
    threading.Thread(target=_read_messages, args=(channel, instance, arrived), daemon=True).start()
    try:
        message: Message = arrived.get(timeout=START_TIMEOUT_S)
    except queue.Empty:
        message = {"type": f"no word in {START_TIMEOUT_S:.0f} s"}
    payload: dict[str, Any] = message.get("payload", {})
    if message["type"] == "server-started":
        return payload
    raise CheckFailed(f"{instance.name} did not start: {message['type']}\n{instance.log_tail()}")


def _read_messages(channel: socket.socket, instance: Instance, arrived: queue.Queue[Message]) -> None:
    messages = Messages()
    with contextlib.suppress(OSError):  # The socket is closed under the reader when the block ends.
        while chunk := channel.recv(65536):
            for message in messages.feed(chunk):
                if message["type"] == "log":
                    instance.log.extend(logged_lines(message))
                elif message["type"] in ("server-started", "unrecoverable-error"):
                    arrived.put(message)
    arrived.put({"type": "channel closed"})


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
        process.wait()
