"""
The benchmarks' own virtual environment: what is compared must run in one process, and stays out of `.venv`.
"""

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".venv-bench"
PYTHON = FOLDER / "bin" / "python"
PRODUCT, PEERS = ROOT / "requirements.txt", ROOT / "scripts" / "requirements-bench.txt"


def enter() -> None:
    """
    Go on in `.venv-bench`, made or brought up to date first: replaces this process unless it runs there already.

    A peer that cannot be installed is left out; the tables say so.
    """
    if Path(sys.prefix) == FOLDER:
        return
    wanted = hashlib.sha256(PRODUCT.read_bytes() + PEERS.read_bytes()).hexdigest()
    installed = FOLDER / "installed.txt"
    if not installed.exists() or installed.read_text() != wanted:
        print("Installing what is compared into .venv-bench …", file=sys.stderr)
        venv.create(FOLDER, with_pip=True, clear=True)
        pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "-r", str(PRODUCT)], check=True)
        if subprocess.run([*pip, "-r", str(PEERS), "-r", str(PRODUCT)], check=False).returncode == 0:
            installed.write_text(wanted)
    sys.stderr.flush()
    command = [str(PYTHON), "-m", "scripts.benchmarks", *sys.argv[1:]]
    os.execv(PYTHON, command)  # noqa: S606 - no shell is wanted.
