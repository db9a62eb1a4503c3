"""
Makes built functions start on a machine that is not x86-64 Linux, which is what a build takes wheels for.

Each package of the bundle is replaced by the same version for this machine; everything else stays as built.
On x86-64 Linux nothing is replaced, and what starts is what would be uploaded.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath

from scripts.deploy.build import run_logged
from scripts.deploy.bundle import Function
from scripts.deploy.report import detail

INSTALL_TIMEOUT_S = 600


def startable(functions: Mapping[str, Function], scratch: Path) -> dict[str, Function]:
    """*functions*, with packages that this machine can run."""
    machine = os.uname()
    if (machine.sysname, machine.machine) == ("Linux", "x86_64"):
        return dict(functions)
    detail(f"packages replaced by those for {machine.sysname} {machine.machine}")
    vendor = scratch / "native"
    pins = {_pin(path) for function in functions.values() for path in map(PurePosixPath, function.files)} - {""}
    uv = str(Path(sys.executable).with_name("uv"))
    install = [uv, "pip", "install", "--python", sys.executable, "--no-deps", "--target", str(vendor)]
    run_logged(install + sorted(pins), scratch, os.environ, scratch / "native.log", INSTALL_TIMEOUT_S)
    packages = {f"_vendor/{path.relative_to(vendor)}": path for path in vendor.rglob("*") if path.is_file()}
    return {name: _with_packages(function, packages) for name, function in functions.items()}


def _with_packages(function: Function, packages: Mapping[str, Path]) -> Function:
    kept = {name: path for name, path in function.files.items() if not name.startswith("_vendor/")}
    return replace(function, files={**kept, **packages})


def _pin(path: PurePosixPath) -> str:
    """`_vendor/starlette-1.0.dist-info/METADATA` -> `starlette==1.0`; other paths -> empty."""
    folder = path.parent.name
    return "==".join(folder.removesuffix(".dist-info").split("-", 1)) if path.name == "METADATA" else ""
