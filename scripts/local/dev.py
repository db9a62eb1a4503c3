"""
scripts/dev: the whole bundle on this machine, from an empty store to a curl line that works.

    store      WARMTHREAD_STORE_URL, UPSTASH_REDIS_REST_URL and _TOKEN, or KV_REST_API_URL and _TOKEN: used as they are
               else REDIS_URL behind a local Upstash server, else a Valkey of its own behind it, which --keep keeps
    secrets    of crons, change notices and metrics: made for this run where they are not set
    functions  every file of api/ that has an `app`, with the routes and rewrites of vercel.json

A key is minted in whatever store is used: the public key wt_dev_local only in a store started here, because
everybody knows it. The first signal stops everything that was started.
"""

import argparse
import asyncio
import contextlib
import os
import secrets
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from scripts.local.announce import NOT_FIRST, Announcement
from scripts.local.dev_store import STORE_FILE, claimed
from scripts.local.signals import Stop

ROOT = Path(__file__).resolve().parents[2]
PUBLIC_KEY = "wt_dev_local"
SECRETS = ("CRON_SECRET", "WARMTHREAD_CHANGES_SECRET", "WARMTHREAD_METRICS_SECRET")
KEEP_ALIVE_S = 5
TELL_AFTER_S = 2.0

DESCRIPTION = """\
Serve every function of api/ on 127.0.0.1, with the routes and rewrites of vercel.json.
Prints the address, an API key and a curl line that works; runs until Ctrl-C."""
EPILOGUE = """\
The store is the first of these that is set:
  WARMTHREAD_STORE_URL, any Redis or Valkey of version 7 or later, spoken to in its own protocol
  UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN
  KV_REST_API_URL and KV_REST_API_TOKEN
  REDIS_URL, the same behind a server that speaks Upstash's protocol
and else a Valkey started for this run, empty at its start and gone at its end, or with --keep
as the last run with the same folder left it."""


def main() -> int:
    stop = Stop()
    arguments = _arguments()
    # Packages are imported late: --help has to work on a machine where nothing is installed yet.
    from scripts.local.serving import loopback_listener

    try:
        listener = loopback_listener(arguments.port)
    except (OSError, OverflowError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else str(exc)
        print(
            f"could not listen on 127.0.0.1:{arguments.port}: {reason}; choose another with --port.",
            file=sys.stderr,
        )
        return 1
    with listener:
        return _serve(listener, stop, arguments)


def _serve(listener: socket.socket, stop: Stop, arguments: argparse.Namespace) -> int:
    from scripts.local.functions import Project
    from scripts.local.mint import mint_in
    from scripts.local.routing import FunctionError
    from scripts.local.serving import quiet_server
    from scripts.local.valkey import ValkeyError
    from shared.errors import ServiceError
    from shared.setting import ConfigError

    root = arguments.root.resolve()
    starting = threading.Timer(TELL_AFTER_S, print, ["Starting …"], {"file": sys.stderr, "flush": True})
    starting.start()
    try:
        with contextlib.ExitStack() as stack:
            stack.callback(starting.cancel)
            store = stack.enter_context(_open_store(arguments.keep))
            key = arguments.key or (PUBLIC_KEY if store.is_ours else f"wt_dev_{secrets.token_urlsafe(18)}")
            mint_in(store.environ(), key)
            is_first = stack.enter_context(claimed(root / STORE_FILE, store.environ()))
            made = {name: secrets.token_urlsafe(18) for name in SECRETS if not os.environ.get(name)}
            os.environ.update(store.environ() | made)
            project = Project(root)
            # h11, as Vercel's own launcher uses.
            server = quiet_server(
                project, lifespan="off", http="h11", keep_alive_s=KEEP_ALIVE_S, at_end=project.tell_end
            )

            async def run() -> None:
                async with project.running():
                    starting.cancel()
                    _announce(listener.getsockname()[1], key, store, made, is_first=is_first)
                    stop.tell(server.stop)
                    await server.serve([listener])

            asyncio.run(run())
    except (OSError, ValueError, ConfigError, FunctionError, ServiceError, ValkeyError) as exc:
        print(f"could not start: {exc}", file=sys.stderr)
        return 1
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/dev",
        description=DESCRIPTION,
        epilog=EPILOGUE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=int, default=3000, help="port on 127.0.0.1 (3000; 0: any free one)")
    parser.add_argument(
        "--key",
        help=f"mint this API key, wt_<tenant>_<secret> ({PUBLIC_KEY}, or a random one in a store not started here)",
    )
    parser.add_argument(
        "--keep",
        type=Path,
        metavar="FOLDER",
        help="keep what is stored in this folder, for the next run that names it (.warmthread/store, for instance)",
    )
    parser.add_argument("--root", type=Path, default=ROOT, help=argparse.SUPPRESS)
    return parser.parse_args()


class DevStore(NamedTuple):
    """The store that the functions get; `is_ours`: started for this run, so nobody else's data is in it."""

    url: str
    token: str
    is_ours: bool
    fate: str
    """What becomes of it at the end, as a sentence."""

    def environ(self) -> dict[str, str]:
        if not self.token:  # What speaks Redis' own protocol has its login in its address.
            return {"WARMTHREAD_STORE_URL": self.url}
        return {"UPSTASH_REDIS_REST_URL": self.url, "UPSTASH_REDIS_REST_TOKEN": self.token}


@contextlib.contextmanager
def _open_store(keep: Path | None) -> Iterator[DevStore]:
    """Raises ValueError: *keep* is given, and the store is not one that is started here."""
    from scripts.local.upstash import LocalUpstash
    from shared.config import STORE_VARIABLES
    from shared.setting import RESP_VARIABLE

    redis_url = os.environ.get("REDIS_URL") or None
    resp_url = os.environ.get(RESP_VARIABLE)
    given = next((pair for pair in STORE_VARIABLES if all(os.environ.get(name) for name in pair)), None)
    variable = RESP_VARIABLE if resp_url else given[0] if given else "REDIS_URL" if redis_url else None
    if variable is not None and keep is not None:
        raise ValueError(f"--keep is for a store started here, and {variable} names another; unset one of the two")
    fate = f"Its store is that of {variable}, and stays."
    if resp_url:
        yield DevStore(resp_url, "", is_ours=False, fate=fate)
        return
    if given is not None:
        yield DevStore(os.environ[given[0]], os.environ[given[1]], is_ours=False, fate=fate)
        return
    if variable is None:
        fate = "Its store was empty at the start and is gone then; scripts/dev --keep FOLDER keeps one."
    if keep is not None:
        keep = keep.absolute()
        fate = f"Its store is kept in {keep}."
    with LocalUpstash(redis_url=redis_url, keep=keep) as upstash:
        yield DevStore(upstash.url, upstash.token, is_ours=redis_url is None, fate=fate)


def _announce(port: int, key: str, store: DevStore, made: dict[str, str], *, is_first: bool) -> None:
    from shared.request.caller import read_key

    announcement = Announcement(f"http://127.0.0.1:{port}", key, read_key(key).tenant)
    print(announcement.start())
    print(announcement.documents(os.environ))
    print(announcement.operations(made))
    if not is_first:
        print(NOT_FIRST.format(" ".join(f"{name}={value}" for name, value in store.environ().items())))
    print(f"Ctrl-C stops it. {store.fate}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
