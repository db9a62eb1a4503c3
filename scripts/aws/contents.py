"""
What the zip for Lambda has to hold: that each import of the service leads somewhere, and libraries are for the
processor and the Python that will load them. Read from files alone, so for any processor.
"""

import ast
import re
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

OWN = ("aws", "api", "shared")
LIBRARY = re.compile(r"\.(?:abi3|cpython-(?P<version>\d+)-[\w-]+)\.so$")
"""An extension's name says for which Python it is; any of version 3 where it says abi3, or nothing."""

MACHINES = {62: "x86_64", 183: "aarch64"}
"""What the header of an ELF file calls a processor."""


def check_contents(folder: Path, machine: str, version: str) -> None:
    """Raise ValueError unless what is in *folder* works with Python *version* on *machine*; the text says what not."""
    missing = sorted(set(missing_imports(folder)))
    if missing:
        raise ValueError(f"imports lead nowhere: {', '.join(missing[:10])}")
    for path in sorted(folder.rglob("*.so*")):
        name, found = path.relative_to(folder).as_posix(), machine_of(path)
        if found != machine:
            raise ValueError(f"{name} is for {found}, not {machine}")
        match = LIBRARY.search(path.name)
        if match and match["version"] and match["version"] != version.replace(".", ""):
            raise ValueError(f"{name} is for another Python than {version}")


def machine_of(path: Path) -> str:
    """Return the processor that a library is for, as an ELF file names it; "none" for what is no such file."""
    head = path.read_bytes()[:20]
    if head[:4] != b"\x7fELF":
        return "none"
    (number,) = struct.unpack("<H" if head[5] == 1 else ">H", head[18:20])
    return MACHINES.get(number, f"machine {number}")


def missing_imports(folder: Path) -> Iterator[str]:
    """Yield the modules that sources of the service in *folder* import, at any time, and that are nowhere."""
    for room in OWN:
        for path in sorted((folder / room).rglob("*.py")):
            for module in imported(ast.parse(path.read_bytes())):
                if not is_there(folder, module):
                    yield f"{module} in {path.relative_to(folder).as_posix()}"


def imported(tree: ast.AST) -> Iterator[str]:
    """Yield the modules that *tree* imports; not those that are for the type checker alone."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        else:
            yield from imported(node)


def is_there(folder: Path, module: str) -> bool:
    """Tell whether *module* is of the standard library, or in *folder*: its first part, and all of ours."""
    first, *_ = parts = module.split(".")
    if first in sys.stdlib_module_names:
        return True
    wanted = folder.joinpath(*(parts if first in OWN else parts[:1]))
    is_module = wanted.is_dir() or wanted.with_suffix(".py").is_file()
    return is_module or any(wanted.parent.glob(f"{wanted.name}.*.so"))
