"""
A small repository with all that scripts/release looks at, and a `git` that ends whoever calls it half-way.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
VERSION = "1.0.0"
PASSED = "passed"
"""What its `.ci/run` leaves beside it: a line for each run."""

CHANGELOG = """\
# Changelog

All notable changes.

## Unreleased

### Added

- A thing.
  It has two lines.

### Fixed

- Another thing.

## 1.0.0 - 2026-01-02

### Added

- All of it.
"""

FILES = {
    "CHANGELOG.md": CHANGELOG,
    "shared/version.py": f'"""The version."""\n\nVERSION = "{VERSION}"\n',
    "clients/python/pyproject.toml": f'[project]\nname = "warmthread"\nversion = "{VERSION}"\n',
    "clients/typescript/package.json": f'{{\n  "name": "warmthread",\n  "version": "{VERSION}",\n  "type": "x"\n}}\n',
    "docs/typescript.md": f"npm install ./warmthread-{VERSION}.tgz ai@7\n",
    ".gitignore": ".warmthread/\n",
    ".ci/run": f"#!/bin/sh\necho run >>../{PASSED}\n. ../ci\n",
}

IDENTITY = {
    **{
        f"GIT_{who}_{what}": value
        for who in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", "T"), ("EMAIL", "t@t"))
    },
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}

# Whoever calls `git AT` is sent SIGNAL, before or after git did it.
ENDS = """\
#!/bin/sh
here=$(dirname "$0")
end() { kill -s "$SIGNAL" "$PPID"; }
case "$*" in "$AT"*) now=$WHEN ;; *) now='' ;; esac
if [ "$now" = before ]; then end; [ "$SIGNAL" != KILL ] || exit 1; fi
"$GIT" "$@"
status=$?
if [ "$now" = after ]; then end; fi
exit $status
"""


class State(NamedTuple):
    """What anybody sees of a repository: where branch and tag are, what differs from HEAD, what the files hold."""

    main: str
    tags: tuple[str, ...]
    changes: str
    files: tuple[str, ...]


class Small:
    """The repository, in *folder*/repository."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "repository"

    def make(self) -> None:
        for path, text in FILES.items():
            self.write(path, text)
        (self.root / ".ci/run").chmod(0o755)
        (self.folder / "ci").write_text("exit 0\n")
        self.git("init", "-q", "-b", "main")
        self.commit()

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def replace(self, path: str, old: str, new: str) -> None:
        text = (self.root / path).read_text()
        assert old in text
        self.write(path, text.replace(old, new))

    def commit(self) -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "All of it")

    def git(self, *arguments: str) -> str:
        command = ["git", *arguments]
        done = subprocess.run(
            command, cwd=self.root, env=os.environ | IDENTITY, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def runs(self) -> int:
        """Return how often its `.ci/run` was called."""
        passed = self.folder / PASSED
        return len(passed.read_text().splitlines()) if passed.exists() else 0

    def state(self) -> State:
        tags = tuple(self.git("for-each-ref", "--format=%(refname) %(objectname)", "refs/tags").splitlines())
        files = tuple((self.root / path).read_text() for path in FILES)
        return State(self.git("rev-parse", "main"), tags, self.git("status", "--porcelain"), files)

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "scripts.versioning", *arguments]

    def environ(self) -> dict[str, str]:
        return os.environ | IDENTITY | {"PYTHONPATH": str(ROOT)}

    def release(self, *arguments: str, status: int = 0, environ: Mapping[str, str] | None = None) -> str:
        """Run scripts/release in it, which has to end with *status*; return what it printed."""
        variables = self.environ() | dict(environ or {})
        done = subprocess.run(
            self.command(*arguments), cwd=self.root, env=variables, capture_output=True, text=True, check=False
        )
        assert done.returncode == status, done.stderr + done.stdout
        return done.stdout + done.stderr

    def ending_git(self, at: str, when: str, signal: str, git: str) -> dict[str, str]:
        """Return variables by which whoever calls `git AT` is sent *signal* then."""
        folder = self.folder / "bin"
        folder.mkdir(exist_ok=True)
        (folder / "git").write_text(ENDS)
        (folder / "git").chmod(0o755)
        # What is killed leaves what it has of temporary files: here, where they go with the test.
        variables = {"PATH": f"{folder}:{os.environ['PATH']}", "TMPDIR": str(self.folder)}
        return variables | {"AT": at, "WHEN": when, "SIGNAL": signal, "GIT": git}
