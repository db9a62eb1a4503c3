"""
Checks clients/typescript as its users get it: with the real AI SDK, against the real service.

    npm pack -> for each version of the AI SDK: a folder with that version and the tarball -> types -> tests

    python -m scripts.clients.typescript              both versions
    python -m scripts.clients.typescript --only ai6   one of them
    python -m scripts.clients.typescript --write      writes the types of the API anew, from public/openapi.json

`ai` 6 runs on the Node.js that is installed, `ai` 7 on the one that npm's package `node` brings. Where there is no
Node.js it says so, and checks nothing. All that it makes is in a temporary folder, which is gone at its end.
"""

import argparse
import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from scripts.deploy.report import step
from scripts.local.mint import mint
from scripts.local.upstash import LocalUpstash
from shared.config import STORE_VARIABLES
from shared.request.roles import APPEND, READ

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "clients/typescript"
RECIPES = ROOT / "docs/typescript.md"
DOCUMENT = ROOT / "public/openapi.json"
TYPES = "src/openapi.d.ts"
VERSIONS = ("ai6", "ai7")
NODE_MAJOR_MIN = 20
STOP_S = 10
NPM = ("npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error")
SOURCES = Path("node_modules/warmthread/src")
STRICT = ("--strict", "--noEmit", "--skipLibCheck", "--target", "es2022", "--types", "node")
OF_SOURCES = (
    "--allowJs",
    "--checkJs",
    "--maxNodeModuleJsDepth",
    "2",
    "--module",
    "esnext",
    "--moduleResolution",
    "bundler",
)
OF_PROGRAMS = ("--noUncheckedIndexedAccess",)


class ClientCheckFailed(Exception):
    """The package does not do what it promises; the text says which command failed."""


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.clients.typescript", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("--only", choices=VERSIONS, help="check with one version of the AI SDK")
    parser.add_argument("--write", action="store_true", help="write the types of the API anew, and check nothing")
    arguments = parser.parse_args()
    if (missing := _missing()) is not None:
        print(f"clients/typescript was not checked: {missing}. Install Node.js {NODE_MAJOR_MIN} or newer with npm.")
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # Unwinds: what was started is stopped.
    try:
        with tempfile.TemporaryDirectory(prefix="warmthread-ts-") as folder:
            if arguments.write:
                write_types(Path(folder))
            else:
                check(Path(folder), [arguments.only] if arguments.only else list(VERSIONS))
    except ClientCheckFailed as failure:
        print(f"clients/typescript failed: {failure}", file=sys.stderr)
        return 1
    return 0


def _missing() -> str | None:
    """Return why nothing can be checked on this machine, None when it can."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return f"there is no {'node' if node is None else 'npm'}"
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    is_old = int(version.removeprefix("v").split(".")[0]) < NODE_MAJOR_MIN
    return f"Node.js {version} is too old" if is_old else None


def write_types(folder: Path) -> None:
    """Write the types of the API into the package."""
    _install(folder, VERSIONS[0])
    _run([_bin(folder, "openapi-typescript"), str(DOCUMENT), "-o", str(PACKAGE / TYPES)], folder)


def check(folder: Path, versions: list[str]) -> None:
    """Every step. Raises ClientCheckFailed at the first that does not hold."""
    with step("npm pack"):
        packed = _run(["npm", "pack", "--silent", "--pack-destination", str(folder)], PACKAGE)
    tarball = folder / packed.split()[-1]
    with _service() as environment:
        for version in versions:
            home = folder / version
            home.mkdir()
            with step(f"{version}: installing it and the package"):
                _install(home, version, str(tarball))
                for file in (*sorted((PACKAGE / "test").glob("*.*")), RECIPES):
                    shutil.copy(file, home)
            if version == VERSIONS[0]:
                with step("the types of the API are those of public/openapi.json"):
                    _check_types_are_current(home)
            with step(f"{version}: types"):
                sources = [str(path) for path in sorted((home / SOURCES).glob("*.js"))]
                _run([_bin(home, "tsc"), *STRICT, *OF_SOURCES, *sources], home)
                for resolution in ("bundler", "nodenext"):
                    module = "esnext" if resolution == "bundler" else "nodenext"
                    how = [*STRICT, *OF_PROGRAMS, "--module", module, "--moduleResolution", resolution]
                    _run([_bin(home, "tsc"), *how, "types.mts"], home)
            with step(f"{version}: tests"):
                node = _bin(home, "node") if version == "ai7" else "node"
                tests = sorted(path.name for path in home.glob("*.test.mjs"))
                # One file after the other: they count what the store is asked.
                _run([node, "--test", "--test-concurrency=1", *tests], home, environment)


def _install(folder: Path, version: str, *packages: str) -> None:
    shutil.copy(PACKAGE / "test" / version / "package.json", folder)
    # Only npm's `node` has to run a script of its own, to bring the binary of this platform.
    scripts = [] if version == "ai7" else ["--ignore-scripts"]
    _run([*NPM, *scripts, *packages], folder)


def _check_types_are_current(folder: Path) -> None:
    made = folder / "made.d.ts"
    _run([_bin(folder, "openapi-typescript"), str(DOCUMENT), "-o", str(made)], folder)
    if made.read_bytes() != (PACKAGE / TYPES).read_bytes():
        raise ClientCheckFailed(
            f"clients/typescript/{TYPES} is stale: python -m scripts.clients.typescript --write writes it anew"
        )


def _bin(folder: Path, name: str) -> str:
    return str(folder / "node_modules/.bin" / name)


def _run(command: list[str], folder: Path, environment: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(command, cwd=folder, env=environment, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise ClientCheckFailed(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout


@contextlib.contextmanager
def _service() -> Iterator[dict[str, str]]:
    """Run the service with a store of its own; yield the environment in which tests find both."""
    key = f"wt_clients_{secrets.token_urlsafe(18)}"
    foreign = {"REDIS_URL", *(name for pair in STORE_VARIABLES for name in pair)}
    environment = {name: value for name, value in os.environ.items() if name not in foreign}
    with LocalUpstash() as store:
        mint(store.url, store.token, key)
        lesser = {role: f"wt_clients_{secrets.token_urlsafe(18)}" for role in (READ, APPEND)}
        for role, each in lesser.items():
            mint(store.url, store.token, each, role=role)
        named = dict(zip(STORE_VARIABLES[0], (store.url, store.token), strict=True))
        instance = subprocess.Popen(
            [sys.executable, "-m", "scripts.local.instance"],
            cwd=ROOT,
            # Handing over metrics is a request to the store as well, at times of its own.
            env=environment | named | {"WARMTHREAD_METRICS_FLUSH_S": "0"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert instance.stdout is not None
            url = instance.stdout.readline().strip()
            yield environment | {
                "WARMTHREAD_URL": url,
                "WARMTHREAD_KEY": key,
                "WARMTHREAD_READ_KEY": lesser[READ],
                "WARMTHREAD_APPEND_KEY": lesser[APPEND],
                "STORE_STATS_URL": f"{store.url}/-/stats",
                "STORE_TOKEN": store.token,
            }
        finally:
            instance.terminate()
            instance.communicate(timeout=STOP_S)


if __name__ == "__main__":
    sys.exit(main())
