"""
scripts/dev: the whole bundle on this machine, from an empty store to a curl line that works.

    store      UPSTASH_REDIS_REST_URL and _TOKEN, or KV_REST_API_URL and _TOKEN: used as they are
               else REDIS_URL behind a local Upstash server, else a Valkey of its own behind it
    functions  every file of api/ that has an `app`, with the routes and rewrites of vercel.json

A key is minted in whatever store is used: the public key wt_dev_local only in a store started here, because
everybody knows it. The first signal stops everything that was started.
"""

import argparse
import asyncio
import contextlib
import json
import os
import secrets
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from scripts.local.signals import Stop

ROOT = Path(__file__).resolve().parents[2]
STORE_FILE = Path(".warmthread", "dev-store.json")
PUBLIC_KEY = "wt_dev_local"
KEEP_ALIVE_S = 5

DESCRIPTION = """\
Serve every function of api/ on 127.0.0.1, with the routes and rewrites of vercel.json.
Prints the address, an API key and a curl line that works; runs until Ctrl-C."""
EPILOGUE = """\
The store is the first of these that is set:
  UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN
  KV_REST_API_URL and KV_REST_API_TOKEN
  REDIS_URL, any Redis or Valkey of version 7 or later
and else a Valkey started for this run, empty at its start and gone at its end."""


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
        return _serve(listener, stop, arguments.root.resolve(), arguments.key)


def _serve(listener: socket.socket, stop: Stop, root: Path, key: str | None) -> int:
    from scripts.local.functions import FunctionError, Project
    from scripts.local.mint import mint
    from scripts.local.serving import quiet_server
    from scripts.local.valkey import ValkeyError
    from shared.config import ConfigError
    from shared.errors import ServiceError

    try:
        with contextlib.ExitStack() as stack:
            store = stack.enter_context(_open_store())
            key = key or (PUBLIC_KEY if store.is_ours else f"wt_dev_{secrets.token_urlsafe(18)}")
            mint(store.url, store.token, key)
            stack.enter_context(_store_file(root / STORE_FILE, store.environ()))
            os.environ.update(store.environ())
            project = Project(root)
            # h11, as Vercel's own launcher uses.
            server = quiet_server(project, lifespan="off", http="h11", keep_alive_s=KEEP_ALIVE_S)

            async def run() -> None:
                async with project.running():
                    _announce(listener.getsockname()[1], key)
                    stop.tell(lambda: setattr(server, "should_exit", True))
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
    parser.add_argument("--root", type=Path, default=ROOT, help=argparse.SUPPRESS)
    return parser.parse_args()


class DevStore(NamedTuple):
    """The store that the functions get; `is_ours`: started for this run, so nobody else's data is in it."""

    url: str
    token: str
    is_ours: bool

    def environ(self) -> dict[str, str]:
        return {"UPSTASH_REDIS_REST_URL": self.url, "UPSTASH_REDIS_REST_TOKEN": self.token}


@contextlib.contextmanager
def _open_store() -> Iterator[DevStore]:
    from scripts.local.upstash import LocalUpstash
    from shared.config import STORE_VARIABLES

    for url_name, token_name in STORE_VARIABLES:
        if os.environ.get(url_name) and os.environ.get(token_name):
            yield DevStore(os.environ[url_name], os.environ[token_name], is_ours=False)
            return
    redis_url = os.environ.get("REDIS_URL") or None
    with LocalUpstash(redis_url=redis_url) as upstash:
        yield DevStore(upstash.url, upstash.token, is_ours=redis_url is None)


@contextlib.contextmanager
def _store_file(path: Path, environ: dict[str, str]) -> Iterator[None]:
    """Let scripts/keys find the store while this runs; readable by its user only, for the token is in it."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.unlink(missing_ok=True)
    text = json.dumps(environ)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    try:
        yield
    finally:
        # A second scripts/dev on another port has replaced it: then it is not ours to take away.
        if path.exists() and path.read_text() == text:
            path.unlink()


def _announce(port: int, key: str) -> None:
    url = f"http://127.0.0.1:{port}"
    body = '{"items":[{"role":"user","content":"Hello"}]}'
    print(
        f"Warmthread runs at {url}\n"
        f"API key: {key}\n"
        "\n"
        f'curl -s {url}/v1/conversations -H "Authorization: Bearer {key}" '
        f"-H \"Content-Type: application/json\" -d '{body}'\n"
        "\n"
        "Ctrl-C stops it.",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
