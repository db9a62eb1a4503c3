"""
Check a deployment as its users and operators meet it: health, settings, eviction, static files, who is refused, a
conversation from its making to its end, a budget, documents, metrics, change notices and crons.

    scripts/check-deployment https://memory.example.com
    scripts/check-deployment https://memory-git-next-acme.vercel.app --bypass --document notes/a.md

Credentials come from the environment, and are never printed: the key of a tenant (WARMTHREAD_KEY), and those of the
operators' secrets that are set (WARMTHREAD_METRICS_SECRET, CRON_SECRET, WARMTHREAD_CHANGES_SECRET). What needs one that
is not set is skipped. A line for each check; what is made is deleted. Exits with 0 where no check failed, with 1 where
one did, with 2 where it was called wrongly.
"""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator

from scripts.smoke.access import WrongUse, read_access, read_url
from scripts.smoke.deployment import CALL_TIMEOUT_S, NAMES, check_deployment
from scripts.smoke.result import Check, State

TIMEOUT_S_MAX = 300.0
WIDTH = max(map(len, NAMES))
INTERRUPTED = 130


def main(argv: list[str] | None = None) -> int:
    parser = _parser()
    arguments = parser.parse_args(argv)
    try:
        url = read_url(arguments.url)
        access = read_access(os.environ, with_bypass=arguments.bypass)
    except WrongUse as error:
        parser.error(str(error))
    shown = None if arguments.json else _print
    work = check_deployment(
        url,
        access,
        document=arguments.document,
        deployment=arguments.deployment,
        without=arguments.without,
        timeout_s=arguments.timeout,
        tell=shown,
        begin=_announce if sys.stderr.isatty() else None,
    )
    try:
        with _ending_as_by_ctrl_c():
            checks = asyncio.run(work)
    except KeyboardInterrupt:
        print("interrupted; what was made is deleted, or expires within the hour", file=sys.stderr)
        return INTERRUPTED
    if arguments.json:
        print(json.dumps([each._asdict() for each in checks], indent=1))
    else:
        found = Counter(each.state for each in checks)
        print(", ".join(f"{found[state]} {state}" for state in State))
    return int(any(each.state is State.FAILED for each in checks))


@contextlib.contextmanager
def _ending_as_by_ctrl_c() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end what runs as Ctrl-C does, which cleans up; what a shell has in the background, too."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, lambda *_: signal.raise_signal(signal.SIGINT)) for number in numbers]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _announce(name: str) -> None:
    """Show in a terminal what runs; the line of its result is written over it."""
    print(f"…       {name:{WIDTH}}", end="\r", file=sys.stderr, flush=True)


def _print(check: Check) -> None:
    state = check.state.upper() if check.state is State.FAILED else check.state
    print(f"{state:8}{check.name:{WIDTH}}  {check.text}", flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/check-deployment", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("url", help="the deployment's address; https, or http on this machine")
    parser.add_argument(
        "--bypass",
        action="store_true",
        help="send VERCEL_AUTOMATION_BYPASS_SECRET, which lets calls through the protection of deployments",
    )
    parser.add_argument(
        "--document", default="", metavar="PATH", help="read this document of the tenant's, as notes/a.md"
    )
    parser.add_argument("--deployment", default="", metavar="ID", help="which deployment has to answer, as dpl_…")
    parser.add_argument(
        "--without", action="append", default=[], choices=NAMES, metavar="CHECK", help=f"leave out: {', '.join(NAMES)}"
    )
    parser.add_argument(
        "--timeout",
        type=_timeout,
        default=CALL_TIMEOUT_S,
        metavar="S",
        help=f"the longest that one call may take ({CALL_TIMEOUT_S:g}; crons 75)",
    )
    parser.add_argument("--json", action="store_true", help="print a list of {name, state, text, took_s} at the end")
    return parser


def _timeout(value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = 0
    if not 0 < seconds <= TIMEOUT_S_MAX:
        raise argparse.ArgumentTypeError(f"a timeout is more than 0 and at most {TIMEOUT_S_MAX:g} seconds")
    return seconds


if __name__ == "__main__":
    sys.exit(main())
