"""
What the store holds, by its own file: every byte of it, whatever key it belongs to; and by its structure: which names
there are, and which fields and members they have.
"""

import socket
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

Run = Callable[..., Any]

PAGE = 1_000
SAVE_S = 60.0
SHOWN_BYTES = 60
READS = {"hash": ("HKEYS",), "zset": ("ZRANGE", 0, -1), "set": ("SMEMBERS",)}


def dump_of(redis_url: str) -> bytes:
    """
    Return the file that a local server writes of all its data, uncompressed: what is text there is the same text in it.

    Raises:   RuntimeError: the server refuses.
    """
    path = Path(redis_url.removeprefix("unix://"))
    with socket.socket(socket.AF_UNIX) as server:
        server.settimeout(SAVE_S)
        server.connect(str(path))
        for command in ("CONFIG SET rdbcompression no", "SAVE"):
            server.sendall(f"{command}\r\n".encode())
            if (reply := server.recv(1_024)) != b"+OK\r\n":
                raise RuntimeError(f"the store refused {command}: {reply!r}")
    return (path.parent / "dump.rdb").read_bytes()


def found_in(raw: bytes, canaries: Iterable[str]) -> list[str]:
    """Return where one of *canaries* stands in *raw*, with what is around it."""
    lines = []
    for canary in canaries:
        at = raw.find(canary.encode())
        if at >= 0:
            around = raw[max(0, at - SHOWN_BYTES) : at + len(canary) + SHOWN_BYTES]
            lines.append(f"{canary} at byte {at:,}: …{around!r}…")
    return lines


def structure_of(run: Run) -> set[str]:
    """Return every name, and every field or member of each, as `name` and `name > field`."""
    found: set[str] = set()
    cursor = "0"
    while True:
        cursor, names = run("SCAN", cursor, "COUNT", PAGE)
        for name in names:
            found.add(name)
            read = READS.get(run("TYPE", name))
            if read is not None:
                command, *rest = read
                found |= {f"{name} > {each}" for each in run(command, name, *rest)}
        if str(cursor) == "0":
            return found
