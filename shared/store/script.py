"""
The Lua sources beside this file, ready to send.

Each script starts with the prelude, which checks the caller's key, so that no operation can forget it; those that
change something go on with once.lua, which keeps them from doing it twice. They travel as source with every EVAL: on
Upstash that costs what EVALSHA costs, and never needs a second request after the store lost its script cache.
"""

from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "scripts"

READS = frozenset({"document_read", "head", "item", "key", "list", "page", "read"})
"""Scripts that write nothing and say so, or else they would wait for, and hold, an exclusive lock."""


@cache
def script(name: str) -> str:
    """
    Return the source of the script *name*, comments removed.

    `allow-key-locking` is Upstash's own flag: the script locks the keys it names instead of the database.
    """
    flags = "no-writes,allow-key-locking" if name in READS else "allow-key-locking"
    parts = ("prelude", name) if name in READS else ("prelude", "once", name)
    lines = [line for part in parts for line in (FOLDER / f"{part}.lua").read_text().splitlines()]
    code = [line for line in lines if line.strip() and not line.lstrip().startswith("--")]
    return "\n".join([f"#!lua flags={flags}", *code])
