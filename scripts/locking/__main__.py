"""
Write the lock files: every package that is installed, by version and hashes, from the requirements files.

    scripts/lock                        what the requirements need, and versions as they were where they still do
    scripts/lock --upgrade              the newest versions that the requirements allow
    scripts/lock --check                write nothing and ask nobody; say where locks and requirements differ

uv resolves for every platform and for Python 3.12 and newer. It asks PyPI, or the index that pip's settings, or
UV_DEFAULT_INDEX, name in its place; what there is beside it, further indexes, folders, constraints, is left out: what
one machine has would go into everybody's lock. A lock names no registry.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from scripts.local.install import without_logins
from scripts.local.steps import StepFailed, Steps
from scripts.local.uv_settings import uv_environ
from scripts.locking.locks import LOCKS, WrongLock, disagreements, read_lock

ROOT = Path(__file__).parents[2]
OLDEST = "3.12"
HEAD = "# Made by scripts/lock from {}.\n"
ONE_MACHINES = ("UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_NO_INDEX", "UV_CONSTRAINT", "UV_OVERRIDE")


def main(argv: list[str] | None = None, root: Path = ROOT) -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/lock", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions that are allowed")
    parser.add_argument("--check", action="store_true", help="write nothing; say what differs, and exit with 1 if any")
    arguments = parser.parse_args(argv)
    if arguments.check:
        found = disagreements(root)
        print("\n".join(found) or "the locks agree with the requirements")
        return 1 if found else 0
    try:
        made = _locks(root, is_upgrade=arguments.upgrade)
    except (StepFailed, WrongLock) as error:
        print(f"could not lock; nothing was written:\n{without_logins(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped; nothing was written.", file=sys.stderr)
        return 130
    for path, text in made.items():
        is_new = not (root / path).exists() or (root / path).read_text() != text
        (root / path).write_text(text)
        print(f"{path} {'written' if is_new else 'is as it was'}")
    return 0


def _locks(root: Path, *, is_upgrade: bool) -> dict[str, str]:
    """Return lock -> its text. Raises StepFailed: uv found no solution; WrongLock: it wrote what may not be there."""
    settings = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    )
    environ = {name: value for name, value in _environ(settings.stdout).items() if name not in ONE_MACHINES}
    steps = Steps(len(LOCKS))
    made: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="wt-lock-") as folder:
        for lock, files in LOCKS.items():
            out = Path(folder, "made.lock")
            # uv keeps the versions of the file that it writes.
            out.write_text((root / lock).read_text() if (root / lock).exists() and not is_upgrade else "")
            shared = ["--constraint", str(Path(folder, "shipped.txt"))] if made else []
            command = [str(Path(sys.executable).with_name("uv")), "pip", "compile", "--universal", "--generate-hashes"]
            command += ["--python-version", OLDEST, "--no-header", "--no-annotate", "--quiet", *shared]
            command += ["--output-file", str(out), *(str(root / file) for file in files)]
            steps.run(f"resolving {lock}", command, environ)
            made[lock] = HEAD.format(" and ".join(files)) + out.read_text()
            entries = read_lock(made[lock])
            if len(made) == 1:  # What is tested has to be what is shipped.
                Path(folder, "shipped.txt").write_text("".join(f"{each.name}=={each.version}\n" for each in entries))
    return made


def _environ(settings: str) -> Mapping[str, str]:
    return uv_environ(settings, os.environ) | {"UV_NO_CONFIG": "1"}


if __name__ == "__main__":
    sys.exit(main())
