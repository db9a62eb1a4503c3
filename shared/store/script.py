"""
The Lua sources in the folders beside this file, ready to send.

Each script starts with the prelude and a check of the caller's key and rate, so that no operation can forget it; those
that change something go on with once.lua, which keeps them from doing it twice. They travel as source with every EVAL:
on Upstash that costs what EVALSHA costs, and never needs a second request after the store lost its script cache.
"""

from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "scripts"

READS = frozenset(
    {"document_marks", "document_read", "head", "item", "key", "list", "page", "read", "sweep_page", "usage"}
)
"""Scripts that write nothing and say so, or else they would wait for, and hold, an exclusive lock."""

BUDGETED = frozenset({"reserve", "settle", "release", "usage", "append_settle", "read_reserve"})
"""Scripts that need budget.lua."""

KEYLESS = ("document_", "heat", "lease", "metrics", "sweep_")
"""How the names of scripts begin that no key has to allow: who runs them was confirmed before, or is a cron."""


def asks_for_key(name: str) -> bool:
    """Tell whether the first argument of the script *name* is the hash of a caller's key."""
    return not name.startswith(KEYLESS)


@cache
def script(name: str, *, takes_permits: bool = False) -> str:
    """
    Return the source of the script *name*, comments removed; with *takes_permits* it replies as admit.lua says.

    `allow-key-locking` is Upstash's own flag: the script locks the keys it names instead of the database.
    """
    is_read = name in READS
    flags = "no-writes,allow-key-locking" if is_read and not takes_permits else "allow-key-locking"
    own = [*([] if is_read else _code("once")), *(_code("budget") if name in BUDGETED else []), *_code(name)]
    if takes_permits:
        code = [*_code("admit"), "local function operate()", *own, "end", "return {operate(), rate}"]
    else:
        code = [*(_code("authorise") if asks_for_key(name) else []), *own]
    return "\n".join([f"#!lua flags={flags}", *_code("prelude"), *code])


def _code(part: str) -> list[str]:
    """Return the lines of one file; a line `--@name` stands for those of another."""
    code = []
    for line in _paths()[part].read_text().splitlines():
        text = line.strip()
        if text.startswith("--@"):
            code += _code(text.removeprefix("--@"))
        elif text and not text.startswith("--"):
            code.append(line)
    return code


@cache
def _paths() -> dict[str, Path]:
    """Return where each file is, by its name without `.lua`; a name is used once, whatever the folder."""
    return {path.stem: path for path in FOLDER.glob("*/*.lua")}
