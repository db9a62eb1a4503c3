"""
A release of the past, made to run beside this one: the sources of a commit, and a Python that has what they need.

    with checked_out("v1.0.0") as release:      a tag, a branch or a commit
        release.deployment(name, environment)   what a fleet runs (scripts/platform/settings.py)

Nothing of it is imported here. It goes with the block.
"""

import contextlib
import re
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from scripts.platform.settings import ROOT, Deployment
from shared.store.keys import SCHEMA

OLDEST = "0970586"
"""What this release is held against while none is tagged: the oldest commit whose entries it can share a store with."""

NEEDED = ("api", "shared", "public", "vercel.json", "requirements.txt", "requirements-dev.txt")
LAUNCHER = ("vercel-runtime", "uvicorn", "httptools")
"""What runs a function here, and on the platform is the platform's; a release pins it for its own tests."""

SCHEMA_LINE = re.compile(r'^SCHEMA = "([^"]+)"', re.MULTILINE)
GIT_TIMEOUT_S, INSTALL_TIMEOUT_S, LOOK_S = 60.0, 300.0, 0.2


class ReleaseError(RuntimeError):
    """A release cannot be run beside this one; the text says why and what to do."""


class Release(NamedTuple):
    """*ref* as it was given, the *commit* that it names, its sources in *folder*, and the *python* that runs them."""

    ref: str
    commit: str
    folder: Path
    python: str

    def deployment(self, name: str, environment: Mapping[str, str]) -> Deployment:
        return Deployment(name, self.folder, environment, python=self.python)


def default_ref() -> str:
    """Return the newest tag that is an ancestor of what is checked out, OLDEST where there is none."""
    found = _git("describe", "--tags", "--abbrev=0", accepts_failure=True)
    return found.strip() or OLDEST


@contextlib.contextmanager
def checked_out(ref: str, look_up: Callable[[], object] = lambda: None) -> Iterator[Release]:
    """
    Take out *ref* for this block. *look_up* is called while something is waited for, and may raise.

    Raises:   ReleaseError: there is no such commit here, it has another schema, or what it needs cannot be installed.
    """
    commit = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}", accepts_failure=True)
    if not (commit := commit.strip()):
        raise ReleaseError(
            f"there is no commit {ref} in this clone; `git fetch --tags --unshallow` brings what a shallow one lacks"
        )
    with tempfile.TemporaryDirectory(prefix="wt-release-") as temporary:
        folder = Path(temporary) / "project"
        folder.mkdir()
        _take_out(commit, folder)
        look_up()
        schema = read_schema((folder / "shared/store/keys.py").read_text())
        if schema != SCHEMA:
            raise ReleaseError(
                f"{ref} keeps its data under {schema or 'names without a schema'}, this release under {SCHEMA}: "
                "neither sees what the other writes, and a roll from one to the other needs a migration"
            )
        wanted = requirements_of(folder)
        python = sys.executable
        if wanted != requirements_of(ROOT):
            python = _installed(wanted, Path(temporary) / "venv", look_up)
        yield Release(ref, commit, folder, python)


def read_schema(source: str) -> str:
    """Return the schema that the *source* of a release's keys.py names, "" for none."""
    found = SCHEMA_LINE.search(source)
    return found[1] if found else ""


def requirements_of(project: Path) -> list[str]:
    """Return what has to be installed to run the functions of *project* here: its own pins, and the launcher's."""
    pins = _lines(project / "requirements.txt")
    launcher = [
        line for line in _lines(project / "requirements-dev.txt") if re.split(r"[=<>~\[ ]", line)[0] in LAUNCHER
    ]
    return sorted(pins + launcher)


def _lines(path: Path) -> list[str]:
    lines = path.read_text().splitlines() if path.exists() else []
    return [line.strip() for line in lines if line.strip() and not line.startswith(("-", "#"))]


def _take_out(commit: str, folder: Path) -> None:
    there = _git("ls-tree", "--name-only", commit).split()
    archive = folder.with_suffix(".tar")
    _git("archive", "--format=tar", f"--output={archive}", commit, *(name for name in NEEDED if name in there))
    with tarfile.open(archive) as opened:
        opened.extractall(folder, filter="data")
    archive.unlink()


def _installed(wanted: list[str], folder: Path, look_up: Callable[[], object]) -> str:
    """Install *wanted* into an environment in *folder*, which takes 15 s about, and return its Python."""
    listed = folder.with_suffix(".txt")
    listed.write_text("\n".join(wanted) + "\n")
    with listed.open() as requirements:
        process = subprocess.Popen(
            [sys.executable, "-m", "scripts.local.install", str(folder)],
            cwd=ROOT, stdin=requirements, start_new_session=True,
        )  # fmt: skip
    give_up_at_s = time.monotonic() + INSTALL_TIMEOUT_S
    try:
        while process.poll() is None:
            look_up()
            if time.monotonic() > give_up_at_s:
                raise ReleaseError(f"what the old release needs was not installed within {INSTALL_TIMEOUT_S:g} s")
            time.sleep(LOOK_S)  # Its end is looked for, so that a wish to end is heard meanwhile.
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()
    if process.returncode != 0:
        raise ReleaseError("what the old release needs could not be installed; the lines above say why")
    return str(folder / "bin" / "python")


def _git(*arguments: str, accepts_failure: bool = False) -> str:
    """Return what git says; "" where it fails and *accepts_failure*. Raises ReleaseError."""
    try:
        done = subprocess.run(
            ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, timeout=GIT_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ReleaseError(f"could not ask git for the old release: {error}") from error
    if done.returncode != 0 and not accepts_failure:
        raise ReleaseError(f"git {arguments[0]} failed: {done.stderr.strip() or 'it says nothing'}")
    return done.stdout if done.returncode == 0 else ""
