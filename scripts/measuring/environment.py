"""
The benchmarks' own virtual environments: what is compared stays out of `.venv`.
"""

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PRODUCT = ROOT / "requirements.txt"


class Environment(NamedTuple):
    """A virtual environment and the files that say what is in it."""

    folder: Path
    own: Path | None
    peers: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"


PEERS = Environment(ROOT / ".venv-bench", PRODUCT, ROOT / "scripts" / "requirements-bench.txt")
# Inside the other one, so that there is one folder to ignore and to delete.
RECALL = Environment(PEERS.folder / "recall", PRODUCT, ROOT / "scripts" / "requirements-bench-recall.txt")
AGENTS = Environment(PEERS.folder / "agents", None, ROOT / "scripts" / "requirements-bench-agents.txt")


def prepare(environment: Environment) -> Path:
    """
    Make *environment*, or bring it up to date, and return its Python.

    A peer that cannot be installed is left out; the tables say so.
    """
    files = [path for path in (environment.own, environment.peers) if path]
    wanted = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
    installed = environment.folder / "installed.txt"
    if not installed.exists() or installed.read_text() != wanted:
        print(f"Installing what is compared into {environment.folder.relative_to(ROOT)} …", file=sys.stderr)
        venv.create(environment.folder, with_pip=True, clear=True)
        pip = [str(environment.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        if environment.own:
            subprocess.run([*pip, "-r", str(environment.own)], check=True)
        everything = [argument for path in files for argument in ("-r", str(path))]
        if subprocess.run([*pip, *everything], check=False).returncode == 0:
            installed.write_text(wanted)
    return environment.python


def enter() -> None:
    """Go on in `.venv-bench`, prepared first: replaces this process unless it runs there already."""
    if Path(sys.prefix) == PEERS.folder:
        return
    python = prepare(PEERS)
    sys.stderr.flush()
    command = [str(python), "-m", "scripts.benchmarks", *sys.argv[1:]]
    os.execv(python, command)  # noqa: S606 - no shell is wanted.
