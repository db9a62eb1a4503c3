"""
Builds the deployment as Vercel does and proves that it would work: without an account, and without a network
beyond the package registries.

    clean copy -> `vercel build` -> what each function holds and weighs -> each started under the platform's
    launcher, against a local store -> called over HTTP -> ended by SIGTERM

What only the platform does (its proxy and limits, crons, regions) is not covered.
"""

import argparse
import contextlib
import secrets
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from scripts.deploy import build, bundle, calls, launcher, native, packages
from scripts.deploy.report import MB, CheckFailed, detail, step
from scripts.local.mint import mint
from scripts.local.upstash import LocalUpstash

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/check-deploy",
        description="Build the deployment as Vercel does, look into its functions, start each and call it. "
        "Needs Node.js and the package registries; no account.",
    )
    parser.add_argument("--keep", action="store_true", help="keep the build and the logs, and print where they are")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # Unwinds: what was started is stopped.
    began_at_s = time.monotonic()
    try:
        with _scratch(keep=arguments.keep) as scratch:
            check(ROOT, scratch)
    except CheckFailed as failure:
        print(f"check-deploy failed: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(f"check-deploy passed in {time.monotonic() - began_at_s:.0f} s")
    return 0


def check(root: Path, scratch: Path) -> None:
    """Every step on the project in *root*. Raises CheckFailed at the first that does not hold."""
    build.require_node()
    with step("installing the Vercel CLI"):
        command = build.install_cli(root)
    copy = scratch / "project"
    with step("vercel build, in a clean copy"):
        build.copy_tree(root, copy)
        output = build.build(command, copy, scratch)
    functions = bundle.read_functions(copy, output)
    with step("functions, and how long they may run"):
        bundle.check_functions(copy, functions)
    with step("static files"):
        bundle.check_static(copy, output)
        bundle.check_headers(copy, output)
    with step("files in the functions"):
        bundle.check_files(copy, functions.values())
    with step("licences and versions of packages"):
        packages.check_licences(functions.values())
        packages.check_versions(copy, functions.values())
    with step(f"sizes, at most {bundle.FUNCTION_BYTES_MAX / MB:.0f} MB each"):
        bundle.check_sizes(functions.values())
    run(functions, output, scratch)


def run(functions: dict[str, bundle.Function], output: Path, scratch: Path) -> None:
    """Start *functions* against a local store, call them, end them."""
    key, wrong_key = _new_key(), _new_key()
    with contextlib.ExitStack() as stack:
        with step("starting a local store"):
            store = stack.enter_context(LocalUpstash())
            mint(store.url, store.token, key)
        variables = {"UPSTASH_REDIS_REST_URL": store.url, "UPSTASH_REDIS_REST_TOKEN": store.token}
        instances: dict[str, launcher.Instance] = {}
        with step("starting the functions under Vercel's launcher"):
            interpreter = launcher.make_interpreter(scratch / "python")
            for number, (name, function) in enumerate(native.startable(functions, scratch).items()):
                folder = scratch / f"f{number}"
                started = launcher.running(function, interpreter, folder, variables)
                instances[name] = stack.enter_context(started)
                detail(f"{name}: ready after {instances[name].init_ms} ms")
        with step("calling them"):
            calls.call_everything(calls.Deployment(output, instances, key), wrong_key)
        with step("ending them"):
            for instance in instances.values():
                detail(f"{instance.name}: ended {launcher.stop(instance):.2f} s after SIGTERM")


def _new_key() -> str:
    return f"wt_check_{secrets.token_hex(16)}"


@contextlib.contextmanager
def _scratch(*, keep: bool) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="wt-check-")).resolve()
    try:
        yield folder
    finally:
        if keep:
            print(f"kept {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
