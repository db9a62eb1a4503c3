"""
Makes the virtual environment, installs into it what standard input lists, and says meanwhile what it does.

    python -m scripts.local.install .venv <requirements-dev.lock     1 when it could not

Where the list has hashes, as a lock has, every package must have one, and a file with another is refused. uv installs,
several times as fast as pip; where it cannot be had, or fails, pip does. Standard library only: nothing is installed
yet.
"""

import argparse
import contextlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from functools import cached_property
from pathlib import Path

from scripts.local.steps import StepFailed, Steps
from scripts.local.uv_settings import list_of_environ, uv_environ, uv_options

UV_REQUIREMENT = re.compile(r"^uv==\S+(?: *\\\n +--hash=\S+)*$", re.MULTILINE)
"""With its hashes, on lines of their own, where it has some."""
REQUIREMENT = re.compile(r"^[\w.-]+", re.MULTILINE)
UV_SAYS = re.compile(r"(Resolved|Prepared|Installed|Uninstalled) \d+ packages?")
PIP_SAYS = re.compile(r"Collecting \S+|Installing collected packages")
LOGIN = re.compile(r"(?<=://)[^/@\s]+@")
STEPS = 3


class Installer:
    """What makes and fills the virtual environment in *folder*."""

    def __init__(self, folder: Path, requirements: Path) -> None:
        self._folder = folder
        self._python = folder / "bin" / "python"
        self._requirements = requirements
        self._text = requirements.read_text()
        self._hashed = ["--require-hashes"] if "--hash=" in self._text else []
        self._base = str(getattr(sys, "_base_executable", sys.executable))  # Ours, where a .venv runs this.
        self._steps = Steps(STEPS)

    def run(self) -> None:
        """Raises StepFailed."""
        version = ".".join(map(str, sys.version_info[:3]))
        print(f"Setting up {self._folder.name} with Python {version}; later runs skip this.", file=sys.stderr)
        if Path(sys.prefix).resolve() == self._folder.resolve():
            self._steps.skip()
        else:
            self._steps.run(f"making {self._folder.name}", self._making(), os.environ)
        try:
            uv = self._get_uv()
            title = f"installing {self._named}"
            environ = uv_environ(self._pip_settings(), os.environ)
            if self._hashed:
                # A lock leaves no choice, and where constraints have no hashes uv takes none at all.
                environ.pop("UV_CONSTRAINT", None)
            command = [uv, "pip", "install", *uv_options(environ), *self._hashed, "--python", str(self._python)]
            # A lock names pip itself, or it is not wanted.
            also = [] if self._hashed else ["pip"]
            self._steps.run(title, [*command, "-r", str(self._requirements), *also], environ, UV_SAYS)
        except StepFailed as exc:
            print(f"uv could not do it; pip is slower, and tried now:\n{without_logins(exc)}", file=sys.stderr)
            command = [*self._pip, "install", *self._hashed, "-r", str(self._requirements)]
            self._steps.run(f"installing {self._named} with pip", command, os.environ, PIP_SAYS)

    @property
    def _named(self) -> str:
        count = len(REQUIREMENT.findall(self._text))
        return f"{count} locked packages" if self._hashed else f"what {count} requirements need"

    def _making(self) -> list[str]:
        if importlib.util.find_spec("venv") is None and (uv := shutil.which("uv")):
            return [uv, "venv", "--clear", "--python", self._base, str(self._folder)]
        # Without pip: copying it takes longer than all that uv does, and Debian's Python may have none to copy.
        return [self._base, "-m", "venv", "--clear", "--without-pip", str(self._folder)]

    def _get_uv(self) -> str:
        """Return the path of uv; that of the requirements goes into the environment where there is none."""
        own = self._folder / "bin" / "uv"
        if found := own if own.exists() else shutil.which("uv"):
            self._steps.skip()
            return str(found)
        requirement = UV_REQUIREMENT.search(self._text)
        wanted = "uv" if requirement is None else requirement[0]
        listed = self._requirements.with_name("uv.txt")
        listed.write_text(f"{wanted}\n")
        name = wanted.partition(" ")[0].rstrip("\\\n")
        hashed = ["--require-hashes"] if "--hash=" in wanted else []
        self._steps.run(f"getting {name}", [*self._pip, "install", *hashed, "-r", str(listed)], os.environ)
        return str(own)

    @cached_property
    def _pip(self) -> list[str]:
        """The command of a pip that installs into the environment. Raises StepFailed: there is none."""
        ways = [[str(self._python), "-m", "pip"], [self._base, "-m", "pip", "--python", str(self._python)]]
        for way in ways:
            if subprocess.run([*way, "--version"], capture_output=True, check=False).returncode == 0:
                return way
        if subprocess.run([str(self._python), "-m", "ensurepip"], capture_output=True, check=False).returncode == 0:
            return ways[0]
        raise StepFailed("there is neither pip nor ensurepip, which brings it")

    def _pip_settings(self) -> str:
        with contextlib.suppress(StepFailed):
            listed = subprocess.run([*self._pip, "config", "list"], capture_output=True, text=True, check=False)
            if listed.returncode == 0:
                return listed.stdout
        return list_of_environ(os.environ)


def without_logins(text: object) -> str:
    """Return *text* without the logins of the addresses in it."""
    return LOGIN.sub("***@", str(text))


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.local.install",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path, help="the virtual environment; made unless it runs this")
    folder = parser.parse_args().folder.absolute()
    begun_at_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="wt-install-") as temporary:
        requirements = Path(temporary, "requirements.txt")
        requirements.write_text(sys.stdin.read())
        try:
            Installer(folder, requirements).run()
        except StepFailed as exc:
            print(f"could not install:\n{without_logins(exc)}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("\nstopped; the next run installs again.", file=sys.stderr)
            return 130
    print(f"Set up in {time.monotonic() - begun_at_s:.0f} s.", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
