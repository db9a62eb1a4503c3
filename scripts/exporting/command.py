"""
Keep a tenant's conversations in a folder: whole, checked, as often as you like.

    scripts/export acme backups/acme --from https://memory.example.com
    scripts/import --from warmthread --source backups/acme --to https://…     restores them

A conversation is exported again when it was used since; what was deleted since stays in the folder. It goes on where it
was stopped. Keys are read from the environment as well: WARMTHREAD_URL and WARMTHREAD_KEY. What an export is, and what
it holds: docs/backups.md.
"""

import argparse
import contextlib
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from scripts.exporting.taking import Conversations, State, Taken, Taker
from scripts.importing.api import Api, Interrupted, Refused, Unreachable
from scripts.importing.backup import Backup, BackupError
from scripts.importing.running import Run, progress
from scripts.local.signals import INTERRUPTED, Stop
from shared.errors import ServiceError
from shared.request.caller import read_key

THREADS, THREADS_MAX = 4, 16
PATIENCE_S, PATIENCE_S_MAX = 300, 86_400


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="scripts/export", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("tenant", help="whose they are: the key has to be one of this tenant")
    made.add_argument("folder", type=Path, help="where they are kept; made if it is not there")
    made.add_argument("--from", dest="url", metavar="URL", help="the Warmthread that has them; else $WARMTHREAD_URL")
    made.add_argument("--key", help="a key of the tenant; else $WARMTHREAD_KEY")
    made.add_argument("--only", action="append", default=[], metavar="ID", help="this conversation; may be repeated")
    made.add_argument(
        "--concurrency", type=_number(1, THREADS_MAX), default=THREADS, metavar="N", help=f"at once ({THREADS})"
    )
    made.add_argument(
        "--patience-s", type=_number(1, PATIENCE_S_MAX), default=PATIENCE_S, metavar="S",
        help=f"how long the service may be away before this gives up ({PATIENCE_S})",
    )  # fmt: skip
    made.add_argument("--json", action="store_true", help="print a line of JSON for each conversation")
    return made


def _number(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit()) or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"it goes from {low:,} to {high:,}")
        return int(text)

    return read


def run(argv: Sequence[str], stop: Stop) -> int:
    """Do what the options say; return the status: 1 where it could not go on, 2 for wrong options."""
    made = parser()
    arguments = made.parse_args(argv)
    url = arguments.url or os.environ.get("WARMTHREAD_URL", "")
    key = arguments.key or os.environ.get("WARMTHREAD_KEY", "")
    if not (url and key):
        made.error("--from URL and --key KEY are needed")
    try:
        tenant = read_key(key).tenant
    except ServiceError:
        made.error("the key is none of Warmthread's: wt_<tenant>_<secret>")
    if tenant != arguments.tenant:
        made.error(f"the key is one of the tenant {tenant!r}, and not of {arguments.tenant!r}")
    try:
        return _run(arguments, url, key, stop)
    except ValueError as error:
        made.error(str(error))
    except Interrupted:
        print("interrupted; the same command goes on from here", file=sys.stderr)
        return INTERRUPTED
    except (BackupError, Unreachable) as error:
        print(f"could not go on: {error}", file=sys.stderr)
    except Refused as error:
        print(f"could not go on: {error} ({error.status})", file=sys.stderr)
    return 1


def _run(arguments: argparse.Namespace, url: str, key: str, stop: Stop) -> int:
    """Raises ValueError: the key would travel in the open."""
    counts: Counter[State] = Counter()
    sums = Counter[str]()

    def tell(taken: Taken) -> None:
        counts[taken.state] += 1
        sums.update(items=taken.items, bytes=taken.bytes)
        if arguments.json:
            print(json.dumps(taken._asdict()))

    with contextlib.ExitStack() as stack:
        api = Api(url, key, stop=stop, patience_s=arguments.patience_s)
        stack.callback(api.close)
        backup = Backup(arguments.folder, arguments.tenant, is_new=True)
        going: Run[Taken] = Run(Conversations(api), Taker(api, backup).take, arguments.concurrency, stop)
        shown = progress(Console(stderr=True), going)
        task = shown.add_task("exporting", total=None)
        with shown:

            def told(taken: Taken) -> None:
                tell(taken)
                shown.update(task, completed=going.conversations)

            try:
                going.run(arguments.only, None, told)
            finally:
                if not arguments.json:
                    _show(counts, sums)
    return 0


def _show(counts: Counter[State], sums: Counter[str]) -> None:
    said = ", ".join(f"{count:,} {state}" for state, count in counts.items())
    print(f"conversations: {said or 'none'}")
    print(f"exported: {sums['items']:,} items, {sums['bytes']:,} bytes")
