"""
Bring the conversations of another store into Warmthread: whole, in order, once, however often it is run.

    scripts/import --from openai-agents --source redis://… --dry-run
    scripts/import --from openai-agents --source redis://… --to https://… --map agents.jsonl
    scripts/import --from openai-agents --source redis://… --to https://… --map agents.jsonl --verify

What is there already stays, and what came since is added: run it once while the old store is in use, switch, and run it
again. It goes on where it was stopped. The map says which conversation each became; keep it until you are done.

--source is redis://… (openai-agents, langchain, agent-memory-server), a file of SQLiteSession (openai-agents), a file
or folder of JSON, or https://api.openai.com/v1 (assistants), the address of another Warmthread, or a folder of
scripts/export (warmthread): that comes back as it was, under its own ids, and needs no map.

Keys are read from the environment as well, where nobody sees them among processes: WARMTHREAD_URL and WARMTHREAD_KEY,
IMPORT_SOURCE and IMPORT_SOURCE_KEY (OPENAI_API_KEY for assistants).
"""

import argparse
import contextlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from scripts.importing.api import Api, Interrupted, Refused, Unreachable
from scripts.importing.backup import Backup, BackupError
from scripts.importing.checking import Checker
from scripts.importing.mapping import Map, MapError
from scripts.importing.opening import KINDS, Wanted, opened
from scripts.importing.running import Run, progress
from scripts.importing.sending import Options, Outcome, Sender, looked_at
from scripts.importing.showing import SHOWN, Tally, as_line, show_verified
from scripts.importing.source import Session, Source, SourceError
from scripts.importing.target import Target
from scripts.importing.verifying import Verified, verify
from scripts.local.signals import INTERRUPTED, Stop

THREADS, THREADS_MAX = 4, 16
PATIENCE_S, PATIENCE_S_MAX = 300, 86_400
EXPIRY_S_MAX = 3_650 * 86_400
NAME_CHARS_MAX = 64
PLAIN_CHARS = 160
"""How wide a line is where there is no terminal."""


class UsageError(Exception):
    """The options do not go together; the text says which."""


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="scripts/import", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--from", dest="kind", choices=KINDS, required=True, help="what kind of store the source is")
    made.add_argument("--source", metavar="WHERE", help="its address or path; else $IMPORT_SOURCE")
    made.add_argument("--source-key", metavar="KEY", help="what opens it; else $IMPORT_SOURCE_KEY")
    made.add_argument("--prefix", default="", help="what its keys in Redis begin with, if not as they do by default")
    made.add_argument("--threads", default="", metavar="FILE", help="ids of threads, one a line (assistants)")
    made.add_argument("--to", metavar="URL", help="the Warmthread that gets them; else $WARMTHREAD_URL")
    made.add_argument("--key", help="a key of the tenant there; else $WARMTHREAD_KEY")
    made.add_argument("--map", type=Path, metavar="FILE", help="what became of each: made, read and gone on with")
    made.add_argument("--as", dest="name", metavar="NAME", help="what tells this source from others of its kind")
    made.add_argument("--only", action="append", default=[], metavar="ID", help="this conversation; may be repeated")
    made.add_argument("--limit", type=_number(1, 10**9), metavar="N", help="at most so many conversations")
    made.add_argument("--dry-run", action="store_true", help="count, and list what would be refused; send nothing")
    made.add_argument("--verify", action="store_true", help="compare what is there with the source; send nothing")
    made.add_argument(
        "--skip-bad", action="store_true", help="leave out what is refused, and not the conversation that it is in"
    )
    made.add_argument(
        "--expires-after-s", type=_number(0, EXPIRY_S_MAX), metavar="S",
        help="how long after its last use a conversation expires, 0: never; else the service's setting holds",
    )  # fmt: skip
    made.add_argument(
        "--concurrency", type=_number(1, THREADS_MAX), default=THREADS, metavar="N", help=f"at once ({THREADS})"
    )
    made.add_argument(
        "--patience-s", type=_number(1, PATIENCE_S_MAX), default=PATIENCE_S, metavar="S",
        help=f"how long a server may be away before this gives up ({PATIENCE_S})",
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
    """Do what the options say; return the status: 1 where something was refused or differs, 2 for wrong options."""
    made = parser()
    arguments = made.parse_args(argv)
    console = Console(width=None if sys.stdout.isatty() else PLAIN_CHARS, highlight=False, emoji=False, markup=False)
    try:
        with contextlib.ExitStack() as stack:
            return _run(arguments, os.environ, stop, console, stack)
    except UsageError as error:
        made.error(str(error))
    except Interrupted:
        print("interrupted; the same command goes on from here", file=sys.stderr)
        return INTERRUPTED
    except (BackupError, SourceError, MapError, Unreachable) as error:
        print(f"could not go on: {error}", file=sys.stderr)
    except Refused as error:
        print(f"could not go on: {error} ({error.status}); is --key one of --to?", file=sys.stderr)
    return 1


def _run(
    arguments: argparse.Namespace,
    environ: Mapping[str, str],
    stop: Stop,
    console: Console,
    stack: contextlib.ExitStack,
) -> int:
    if arguments.dry_run and arguments.verify:
        raise UsageError("--dry-run and --verify are two different things")
    name = arguments.name or arguments.kind
    if not 1 <= len(name) <= NAME_CHARS_MAX:
        raise UsageError(f"a name has 1 to {NAME_CHARS_MAX} characters")
    wanted = _wanted(arguments, environ)
    is_backup = wanted.kind == "warmthread" and bool(wanted.where) and "://" not in wanted.where
    if not arguments.dry_run and arguments.map is None and not is_backup:
        raise UsageError("--map FILE is needed, unless it is a --dry-run")
    url = arguments.to or environ.get("WARMTHREAD_URL", "")
    key = arguments.key or environ.get("WARMTHREAD_KEY", "")
    if not arguments.dry_run and not (url and key):
        raise UsageError("--to URL and --key KEY are needed, unless it is a --dry-run")
    if is_backup:
        return _restore(arguments, wanted.where, (url, key), stop, console, stack)
    source = opened(wanted, stop)
    stack.callback(source.close)
    checker = Checker()
    if arguments.dry_run:
        return _bring(arguments, source, lambda session, count: looked_at(session, checker, count), stop, console)
    try:
        api = Api(url, key, stop=stop, patience_s=arguments.patience_s)
    except ValueError as error:
        raise UsageError(str(error)) from None
    stack.callback(api.close)
    target, mapping = Target(api, name), stack.enter_context(Map(arguments.map, name))
    if arguments.verify:
        return _verify(arguments, source, mapping, target, checker, stop, console)
    sender = Sender(target, mapping, checker, Options(arguments.skip_bad, arguments.expires_after_s))
    return _bring(arguments, source, sender.bring, stop, console)


def _restore(
    arguments: argparse.Namespace,
    folder: str,
    target: tuple[str, str],
    stop: Stop,
    console: Console,
    stack: contextlib.ExitStack,
) -> int:
    """Bring a folder of scripts/export to the service at *target*, an address with a key."""
    from scripts.importing.restoring import Folder, Restorer

    backup = Backup(Path(folder))
    source = Folder(backup)
    if arguments.dry_run:
        return _bring(arguments, source, Restorer(backup).look, stop, console)
    try:
        api = Api(*target, stop=stop, patience_s=arguments.patience_s)
    except ValueError as error:
        raise UsageError(str(error)) from None
    stack.callback(api.close)
    restorer = Restorer(backup, api)
    if arguments.verify:
        return _compare(arguments, source, restorer.compare, stop, console)
    return _bring(arguments, source, restorer.bring, stop, console)


def _wanted(arguments: argparse.Namespace, environ: Mapping[str, str]) -> Wanted:
    key = arguments.source_key or environ.get("IMPORT_SOURCE_KEY", "")
    if not key and arguments.kind == "assistants":
        key = environ.get("OPENAI_API_KEY", "")
    where = arguments.source or environ.get("IMPORT_SOURCE", "")
    return Wanted(arguments.kind, where, key, arguments.prefix, arguments.threads, arguments.only, arguments.patience_s)


def _bring(arguments: argparse.Namespace, source: Source, work: Any, stop: Stop, console: Console) -> int:
    tally = Tally()

    def tell(outcome: Outcome) -> None:
        tally.add(outcome)
        if arguments.json:
            print(as_line(outcome))

    try:
        _go(arguments, source, work, stop, tell)
    finally:
        if not arguments.json:
            tally.show(console, is_dry=arguments.dry_run)
    return 0 if tally.is_good else 1


def _verify(
    arguments: argparse.Namespace,
    source: Source,
    mapping: Map,
    target: Target,
    checker: Checker,
    stop: Stop,
    console: Console,
) -> int:
    def work(session: Session, count: Callable[[], None]) -> Verified:
        return verify(session, mapping, target, checker, count)

    return _compare(arguments, source, work, stop, console)


def _compare(arguments: argparse.Namespace, source: Source, work: Any, stop: Stop, console: Console) -> int:
    wrong: list[Verified] = []
    right: list[Verified] = []
    counts = [0, 0]

    def tell(found: Verified) -> None:
        counts[0] += 1
        counts[1] += bool(found.wrong)
        kept = wrong if found.wrong else right
        if len(kept) < SHOWN:
            kept.append(found)
        if arguments.json:
            print(as_line(found))

    _go(arguments, source, work, stop, tell)
    if not arguments.json:
        show_verified(console, [*sorted(wrong), *sorted(right)][:SHOWN], *counts)
    return 1 if counts[1] else 0


def _go[T](arguments: argparse.Namespace, source: Source, work: Any, stop: Stop, tell: Callable[[T], None]) -> None:
    going: Run[T] = Run(source, work, arguments.concurrency, stop)
    shown = progress(Console(stderr=True), going)
    total = source.count() if not arguments.only else len(arguments.only)
    if total is not None and arguments.limit is not None:
        total = min(total, arguments.limit)
    title = "checking" if arguments.dry_run else "comparing" if arguments.verify else "importing"
    task = shown.add_task(title, total=total)

    def told(each: T) -> None:
        tell(each)
        shown.update(task, completed=going.conversations)

    with shown:
        going.run(arguments.only, arguments.limit, told)
