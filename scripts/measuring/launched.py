"""
A function under Vercel's own launcher, from a folder of sources, as the platform starts it and hears of it.
"""

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from scripts.local.launching import LAUNCH, Messages, ended_invocation, launcher_variables

START_TIMEOUT_S = 60.0


class Launched:
    """One that runs; *ended* says when the launcher told of the end of each invocation, by the id that it came with."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.url = ""
        self.ended: dict[str, float] = {}
        self._started = threading.Event()

    def listen(self, channel: socket.socket) -> None:
        """Take in what the launcher says, until it says nothing more. Raises OSError: the function did not start."""
        threading.Thread(target=self._read, args=(channel,), daemon=True).start()
        if not self._started.wait(START_TIMEOUT_S) or not self.url:
            raise OSError("a function did not start")

    def _read(self, channel: socket.socket) -> None:
        messages = Messages()
        with contextlib.suppress(OSError):  # The socket is closed under the reader when the block ends.
            while chunk := channel.recv(65_536):
                for message in messages.feed(chunk):
                    if message["type"] == "server-started":
                        self.url = f"http://127.0.0.1:{message['payload']['httpPort']}"
                        self._started.set()
                    elif message["type"] == "end":
                        self.ended[ended_invocation(message)] = time.monotonic()
        self._started.set()


@contextlib.contextmanager
def launched(project: Path, function: str, variables: Mapping[str, str]) -> Iterator[Launched]:
    """Run *function*, `api/health.py` of *project* for instance; killed when the block ends. Raises OSError."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        address = f"{folder}/s"
        listener.bind(address)
        listener.listen(1)
        listener.settimeout(START_TIMEOUT_S)
        environ = {**os.environ, **variables, **launcher_variables(project, function, address)}
        command = [sys.executable, "-c", LAUNCH]
        process = subprocess.Popen(command, cwd=project, env=environ, stdout=subprocess.DEVNULL)
        try:
            channel, _ = listener.accept()
            with channel:
                instance = Launched(process)
                instance.listen(channel)
                yield instance
        finally:
            process.kill()
            process.wait()
