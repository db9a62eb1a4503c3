"""
Builds the zip that AWS Lambda runs, for each processor: the service, and the wheels of requirements-aws.lock for it,
whatever machine this is.

    install    wheels for Lambda's Linux into a folder; a package without one is an error, nothing is ever compiled
    add        what git tracks of aws/, api/, shared/ and public/, and vercel.json
    compile    bytecode, which Lambda cannot write; where this is the Python that Lambda will run
    check      every import leads into the folder or the standard library, every library is for the processor
    pack       sorted, with fixed times and modes: the same sources and pins give the same bytes
    start      from the zip, on an interpreter without packages, one request; where this machine can
"""

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from scripts.aws.contents import check_contents
from scripts.local.install import without_logins
from scripts.local.steps import StepFailed, Steps
from scripts.local.uv_settings import list_of_environ, uv_environ, uv_options

ROOT = Path(__file__).parents[2]
OUT = ROOT / ".warmthread" / "aws"
LOCK = "requirements-aws.lock"
SOURCES = ("aws", "api", "shared", "public", "vercel.json", "LICENSE", "NOTICE")
TASK = "/var/task"
"""Where Lambda puts it; bytecode names its sources by that."""

ZIP_BYTES_MAX = 40_000_000
UNZIPPED_BYTES_MAX = 250 * 1_048_576
"""Ours, below the 50 MB that may be uploaded as they are; and Lambda's."""

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip can name."""

DROPPED = frozenset({"RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json"})
"""Of a package's description: what tells how it was installed, which differs from one machine to another."""

STARTING = """
import json, sys
sys.path.insert(0, sys.argv[1])
from aws.handler import handler
class Context:
    aws_request_id = "start"
    def get_remaining_time_in_millis(self): return 30_000
answer = handler(json.loads(sys.argv[2]), Context())
assert answer["statusCode"] == 200, answer
foreign = sorted(name for name, module in sys.modules.items()
    if (file := getattr(module, "__file__", None)) and "site-packages" in file)
assert not foreign, foreign
"""
HEALTH = (
    '{"version":"2.0","rawPath":"/v1/openapi.json","rawQueryString":"","headers":{},"requestContext":{"domainName":"x",'
    '"http":{"method":"GET","path":"/v1/openapi.json","sourceIp":"127.0.0.1"}}}'
)
START_S_MAX = 120.0


class Target(NamedTuple):
    """A processor as Lambda calls it, as uv does, and as files of libraries and this machine may."""

    architecture: str
    uv_platform: str
    machine: str


TARGETS = {
    target.architecture: target
    for target in (
        # The glibc of Lambda's Amazon Linux 2023 is 2.34.
        Target("x86_64", "x86_64-manylinux_2_28", "x86_64"),
        Target("arm64", "aarch64-manylinux_2_28", "aarch64"),
    )
}


class Packed(NamedTuple):
    """A zip: where it is, its size, and that of what it holds."""

    path: Path
    zip_bytes: int
    unzipped_bytes: int


def build(target: Target, out: Path, steps: Steps) -> Packed:
    """Return the zip for *target*, made in the folder *out*. Raises StepFailed, or ValueError: a check failed."""
    version = (ROOT / ".python-version").read_text().strip()
    is_own = version == f"{sys.version_info[0]}.{sys.version_info[1]}"
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="wt-aws-", dir=out) as scratch:
        folder = Path(scratch) / "task"
        environ = uv_environ(_pip_settings(), os.environ)
        environ.pop("UV_CONSTRAINT", None)  # A lock leaves no choice, and takes no constraints without hashes.
        installing = _installing(target, version, folder, environ)
        steps.run(f"installing wheels for {target.architecture}", installing, environ)
        _prune(folder)
        _add_sources(folder)
        if is_own:
            steps.run("compiling", _compiling(folder), os.environ)
        else:
            steps.skip()
            print(f"    without bytecode: Lambda runs Python {version}, this is another; cold starts take longer")
        check_contents(folder, target.machine, version)
        made = Path(scratch) / "made.zip"
        unzipped_bytes = pack(folder, made)
        if is_own and (platform.system(), platform.machine()) == ("Linux", target.machine):
            with zipfile.ZipFile(made) as archive:
                archive.extractall(started := Path(scratch) / "started")
            steps.run("starting it, and one request", _starting(started), _bare_environ())
        else:
            steps.skip()
            print(f"    not started: that takes Linux on {target.machine} with Python {version}")
        zip_bytes = made.stat().st_size
        if zip_bytes > ZIP_BYTES_MAX or unzipped_bytes > UNZIPPED_BYTES_MAX:
            raise ValueError(f"the zip has {zip_bytes:,} bytes, unzipped {unzipped_bytes:,}: too many")
        path = out / f"warmthread-{target.architecture}.zip"
        made.replace(path)
    return Packed(path, zip_bytes, unzipped_bytes)


def _pip_settings() -> str:
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False)
    return listed.stdout if listed.returncode == 0 else list_of_environ(os.environ)


def _installing(target: Target, version: str, folder: Path, environ: dict[str, str]) -> list[str]:
    uv = str(Path(sys.executable).with_name("uv"))
    wheels = ["--only-binary", ":all:", "--python-platform", target.uv_platform, "--python-version", version]
    where = ["--target", str(folder), "--link-mode", "copy", "--no-compile-bytecode", "--python", sys.executable]
    locked = ["--require-hashes", "-r", str(ROOT / LOCK)]
    return [uv, "pip", "install", *uv_options(environ), *wheels, *where, *locked]


def _prune(folder: Path) -> None:
    """Take away what no function reads: programs, stubs, and what tells of this machine."""
    shutil.rmtree(folder / "bin", ignore_errors=True)
    for path in list(folder.rglob("*")):
        is_described = path.parent.suffix == ".dist-info" and path.name in DROPPED
        if path.is_file() and (path.name.startswith(".") or path.suffix == ".pyi" or is_described):
            path.unlink()


def _add_sources(folder: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *SOURCES],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if listed.returncode != 0:
        raise StepFailed(f"could not list the sources: {listed.stderr.strip()}")
    for name in sorted(set(listed.stdout.split("\0")) - {""}):
        if (ROOT / name).is_file():  # A deleted file is listed until its deletion is committed.
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, target)


def _compiling(folder: Path) -> list[str]:
    # Valid whatever the times of the sources: those in a zip are fixed.
    valid = ["--invalidation-mode", "unchecked-hash"]
    return [sys.executable, "-I", "-m", "compileall", "-q", *valid, "-s", str(folder), "-p", TASK, str(folder)]


def _starting(folder: Path) -> list[str]:
    # -S: without the packages of this interpreter.
    return ["timeout", str(START_S_MAX), sys.executable, "-I", "-S", "-c", STARTING, str(folder), HEALTH]


def _bare_environ() -> dict[str, str]:
    """Return what a function has that is set up for nothing: it answers what needs no store."""
    return {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "WARMTHREAD_LOG_LEVEL": "off"}


def pack(folder: Path, path: Path) -> int:
    """Write *folder* as the zip *path*: sorted, every time and mode the same. Return the bytes of all that is in it."""
    total = 0
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, file in sorted(_files(folder)):
            info = zipfile.ZipInfo(name, EPOCH)
            info.compress_type, info.create_system, info.external_attr = zipfile.ZIP_DEFLATED, 3, 0o100644 << 16
            content = file.read_bytes()
            total += len(content)
            archive.writestr(info, content, compresslevel=9)
    return total


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in folder.rglob("*"):
        if path.is_file():
            yield path.relative_to(folder).as_posix(), path


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/package-aws", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--arch", choices=TARGETS, action="append", help="for this processor only; may be repeated")
    parser.add_argument("--out", type=Path, default=OUT, metavar="DIR", help="where to (.warmthread/aws)")
    chosen = parser.parse_args(arguments)
    targets = [TARGETS[name] for name in dict.fromkeys(chosen.arch or TARGETS)]
    steps = Steps(3 * len(targets))
    try:
        for target in targets:
            packed = build(target, chosen.out.absolute(), steps)
            digest = sha256(packed.path.read_bytes()).hexdigest()
            sizes = f"{packed.zip_bytes / 1e6:.1f} MB, unzipped {packed.unzipped_bytes / 1e6:.1f} MB"
            print(f"{packed.path}  {sizes}  sha256 {digest}")
    except (StepFailed, ValueError, OSError) as error:
        print(f"could not build the zip: {without_logins(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped; nothing was left behind.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
