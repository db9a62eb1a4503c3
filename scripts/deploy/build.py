"""
Runs `vercel build` on a clean copy of the tree, without an account and without touching the tree.

    install_cli    the CLI pinned in package.json, kept in `.vercel-cli/` until that file changes
    copy_tree      what git would deploy, plus decoys: files of a working folder that must stay out
    build          `vercel build`; everything it makes is below the copy's `.vercel/`

The copy matters: a build writes pyproject.toml and uv.lock beside requirements.txt, and the next build would
read those instead.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from scripts.deploy.report import CheckFailed, detail

NODE_MAJOR_MIN = 20
INSTALL_TIMEOUT_S = 600
BUILD_TIMEOUT_S = 600

# A working folder holds such files; a bundle or the static output that holds one of them leaks it.
DECOYS = (
    ".env",
    ".env.local",
    ".hypothesis/decoy",
    ".venv-decoy/decoy.py",
    ".warmthread/decoy",
    "node_modules/decoy.py",
)

# The caller's account, store and Python setup are none of the build's business.
_FOREIGN_PREFIXES = ("VERCEL_", "NOW_", "UPSTASH_", "KV_", "REDIS_", "PYTHON", "VIRTUAL_ENV")


def require_node() -> None:
    """Raises CheckFailed: Node or npm is missing, or Node is too old for the CLI."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        missing = "node" if node is None else "npm"
        raise CheckFailed(
            f"could not find {missing}: `vercel build` needs Node.js {NODE_MAJOR_MIN} or newer with npm "
            "(https://nodejs.org/en/download)"
        )
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(version.removeprefix("v").split(".")[0]) < NODE_MAJOR_MIN:
        raise CheckFailed(f"Node.js {version} is too old: `vercel build` needs {NODE_MAJOR_MIN} or newer")


def install_cli(root: Path) -> Path:
    """The path of the `vercel` command; installs it unless the pinned one is there."""
    pins = (root / "scripts/deploy/package.json").read_bytes()
    folder = root / ".vercel-cli"
    command, stamp = folder / "node_modules/.bin/vercel", folder / "installed.json"
    if command.exists() and stamp.exists() and stamp.read_bytes() == pins:
        detail("already installed")
        return command
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "package.json").write_bytes(pins)
    # The CLI works without its packages' install scripts, so none of them gets to run.
    npm = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock"]
    run_logged(npm, folder, os.environ, folder / "npm.log", INSTALL_TIMEOUT_S)
    stamp.write_bytes(pins)
    return command


def copy_tree(root: Path, copy: Path) -> None:
    """Copy what git tracks or would track into *copy*, then add the decoys and a stand-in project."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    found = subprocess.run(listing, cwd=root, capture_output=True, check=False)
    if found.returncode != 0:
        raise CheckFailed(f"could not list the files to deploy: {found.stderr.decode().strip()}")
    for name in set(found.stdout.decode().split("\0")) - {""}:
        source, target = root / name, copy / name
        if source.is_file():  # A deleted file is still listed until its deletion is committed.
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    for name in DECOYS:
        decoy = copy / name
        decoy.parent.mkdir(parents=True, exist_ok=True)
        decoy.write_text("decoy = 1\n")
    # Without a linked project the CLI asks the network for one.
    (copy / ".vercel").mkdir()
    project = {"projectId": "prj_check", "orgId": "team_check", "settings": {}}
    (copy / ".vercel/project.json").write_text(json.dumps(project))


def build(command: Path, copy: Path, scratch: Path) -> Path:
    """Build *copy* and return its `.vercel/output`."""
    wanted = (copy / ".python-version").read_text().strip()
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    if running != wanted:
        # Vercel offers both; a bundle for this interpreter can be started here.
        detail(f"building for Python {running}, which .venv has; deployments use {wanted}")
        (copy / ".python-version").write_text(f"{running}\n")
    arguments = [str(command), "build", "--yes", "--global-config", str(scratch / "account")]
    run_logged(arguments, copy, _build_environment(), scratch / "build.log", BUILD_TIMEOUT_S)
    return copy / ".vercel/output"


def _build_environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN_PREFIXES)}
    interpreter = Path(sys.base_prefix) / "bin"
    path = [str(Path(sys.executable).parent), str(interpreter), os.environ.get("PATH", os.defpath)]
    if "PIP_INDEX_URL" in kept:  # uv does not read pip's settings, and a mirror for one is meant for both.
        kept.setdefault("UV_DEFAULT_INDEX", kept["PIP_INDEX_URL"])
    return kept | {
        "PATH": os.pathsep.join(path),
        "VERCEL_TELEMETRY_DISABLED": "1",
        "NO_UPDATE_NOTIFIER": "1",
        "UV_PYTHON_DOWNLOADS": "never",
        "CI": "1",
    }


def run_logged(command: list[str], folder: Path, environment: Mapping[str, str], log: Path, timeout_s: float) -> None:
    """
    Run *command* to its end, output into *log*; nothing it started outlives the call.

    Raises:  CheckFailed: it failed or took too long; the text ends with the last lines of its output.
    """
    with log.open("wb") as sink:
        # Its own session, so that its children can be stopped with it.
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL,
            stdout=sink, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        try:
            returncode = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            returncode = None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    if returncode != 0:
        how = f"took over {timeout_s:.0f} s" if returncode is None else f"ended with status {returncode}"
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-25:])
        raise CheckFailed(f"`{Path(command[0]).name} {command[1]}` {how}:\n{tail}")
