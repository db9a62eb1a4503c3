"""
Write down what this release leaves in a store, as a fixture that every later release has to go on with.

    scripts/stored v1.0.0      tests/data/stored/v1.0.0: store.jsonl, the store's bytes as text; calls.jsonl, what was
                               asked and answered meanwhile

It starts a store, an object store in a folder and an instance, makes conversations of every kind, reservations and
documents, and ends some scripts half-way. It takes about ten seconds and needs nothing else. The fixture of a release
that was tagged stays as it is: --again is for one that is not.
"""

import argparse
import contextlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.local.signals import INTERRUPTED, Stop

if TYPE_CHECKING:
    from scripts.storing.making import Making

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "tests/data/stored"
VERSION = re.compile(r"[a-z0-9][a-z0-9._-]{0,40}")
TENANT, DEPLOYMENT, CRON_SECRET = "fixture", "dpl_fixture", "cron-secret-of-the-fixture"
BYTES_MAX = 400_000
RATE, BURST = 60_000, 60_000
LATER_MAX_S, LOOK_S = 20.0, 0.05
SETTINGS = {
    "CRON_SECRET": CRON_SECRET,
    "VERCEL_DEPLOYMENT_ID": DEPLOYMENT,
    "WARMTHREAD_METRICS_FLUSH_S": "1",
    "WARMTHREAD_RESERVATION_S": "3600",
    "WARMTHREAD_DOCUMENT_LEASE_S": "30",
    "WARMTHREAD_INDEX_SHARD_BYTES_MAX": "1000",
    "WARMTHREAD_LOG_LEVEL": "off",
}
"""With shards so small the sweep spreads what a dozen conversations take."""


class NotMade(RuntimeError):
    """No fixture was written; the text says why."""


def main() -> int:
    stop, arguments = Stop(), _arguments()
    if not VERSION.fullmatch(arguments.version):
        print(f"{arguments.version!r} is no version: it has small letters, digits, '.', '_' and '-'", file=sys.stderr)
        return 2
    folder = arguments.folder / arguments.version
    if folder.exists() and not arguments.again:
        print(f"{folder.name} has a fixture; --again writes it anew, if it was not tagged yet", file=sys.stderr)
        return 2
    try:
        _write(folder, stop)
    except NotMade as error:
        print(f"could not write it: {error}", file=sys.stderr)
        return INTERRUPTED if stop.requested else 1
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/stored", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("version", help="the release that the code is, as it is or will be tagged; v1.0.0 for instance")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where its folder goes (tests/data/stored)")
    parser.add_argument("--again", action="store_true", help="write one that is there already anew")
    return parser.parse_args()


def _write(folder: Path, stop: Stop) -> None:
    # Imported late: --help has to work on a machine where nothing is installed yet.
    import orjson

    from scripts.local.valkey import ValkeyError

    with tempfile.TemporaryDirectory(prefix="wt-stored-") as temporary:
        made = Path(temporary) / "made"
        made.mkdir()
        try:
            lines, calls = _made(Path(temporary) / "documents", stop)
        except (OSError, RuntimeError, ValkeyError) as error:
            raise NotMade(str(error)) from error
        (made / "store.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))
        (made / "calls.jsonl").write_bytes(b"".join(orjson.dumps(call) + b"\n" for call in calls))
        size_bytes = sum(each.stat().st_size for each in made.iterdir())
        if size_bytes > BYTES_MAX:
            raise NotMade(f"it would take {size_bytes:,} bytes, {BYTES_MAX:,} is the most")
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(made, folder)
    print(f"{len(lines)} keys, {size_bytes:,} bytes: {folder.parent.name}/{folder.name}")


def _made(documents: Path, stop: Stop) -> tuple[list[bytes], list[dict[str, Any]]]:
    """Return the lines of the store, and what was asked and answered. Raises NotMade: the end was wished."""
    import httpx

    from scripts.faults.server import FaultyServer
    from scripts.local.mint import mint
    from scripts.local.upstash import LocalUpstash
    from scripts.proving.fleet import environment_without_store, running_instances
    from scripts.proving.past import Past
    from scripts.storing.lines import dump
    from scripts.storing.making import DOCUMENTS, Making
    from shared.request.caller import make_key, read_key
    from shared.request.roles import ADMIN, DEFAULT, ROLES
    from shared.store import keys

    for path, text in DOCUMENTS.items():
        file = documents / (path if path.startswith("shared/") else f"{TENANT}/{path}")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    key = make_key(TENANT)
    with contextlib.ExitStack() as stack:
        upstash = stack.enter_context(LocalUpstash())
        front = stack.enter_context(FaultyServer(upstash.url))
        past = Past(upstash.url, upstash.token)
        stack.callback(past.close)
        mint(upstash.url, upstash.token, key, "of the fixture", ADMIN)
        lesser = {role: make_key(TENANT) for role in ROLES if role != DEFAULT}
        for role, each in lesser.items():
            mint(upstash.url, upstash.token, each, role=role)
        replaced = read_key(make_key(TENANT)).key_hash
        past.run("HSET", keys.tenant_key(TENANT), *_limits(replaced))
        environment = environment_without_store() | SETTINGS
        environment |= {"UPSTASH_REDIS_REST_URL": front.url, "UPSTASH_REDIS_REST_TOKEN": upstash.token}
        environment["WARMTHREAD_DOCUMENTS_URL"] = str(documents)
        _look_up(stop)
        [instance] = stack.enter_context(running_instances(1, environment))
        headers = {"authorization": f"Bearer {key}"}
        api = stack.enter_context(httpx.Client(base_url=instance.url, headers=headers, timeout=30))
        making = Making(api, front, {"authorization": f"Bearer {CRON_SECRET}"})
        _look_up(stop)
        making.all()
        _wait_for_later(past, making)
        # Not before: permits that are taken are writes, of which some scripts are refused one.
        past.run("HSET", keys.tenant_key(TENANT), "rate", f"{RATE} {BURST}")
        for of in ("", "?user=anna", "?agent=guide"):
            making.note_read(f"/v1/usage{of}")
        _look_up(stop)
        written_at_unix_s = int(past.run("TIME")[0])
        lines = list(dump(past.run))
    about = {
        "schema": keys.SCHEMA,
        "commit": _commit(),
        "written_at_unix_s": written_at_unix_s,
        "key": key,
        "keys": lesser,
        "deployment": DEPLOYMENT,
        "conversations": making.conversations,
        "reservations": making.reservations,
    }
    return lines, [
        {"about": about},
        *({"write": each} for each in making.writes),
        *({"read": each} for each in making.reads),
    ]


def _limits(replaced: str) -> list[str | int]:
    """Return the fields of the tenant's hash that scripts/keys would set; *replaced* is a key that ends, far away."""
    limits: dict[str, str | int] = {
        f"k:{replaced}": int(time.time()) + 315_360_000,
        "limit:tokens-day": 100_000,
        "limit:tokens-month": 2_000_000,
        "limit:usd-day": 5_000_000,
        "limit:usd-month": 100_000_000,
        "limit:bytes": 500_000_000,
        "per-user:limit:tokens-month": 1_000_000,
        "per-agent:limit:usd-month": 50_000_000,
        "price:gpt-4o": "2500000 10000000",
    }
    return [part for pair in limits.items() for part in pair]


def _wait_for_later(past: Any, making: "Making") -> None:
    """Wait for what is done behind answers: counts of a second encoding, and metrics. Raises NotMade."""
    from shared.store import keys

    wanted = [(keys.metrics_key(DEPLOYMENT), "seen")]
    wanted += [
        (keys.conversation_key(TENANT, making.conversations[name]), "q:cl100k_base:0")
        for name in ("talk", "every type")
    ]
    give_up_at_s = time.monotonic() + LATER_MAX_S
    while missing := [name for name, field in wanted if not past.run("HEXISTS", name, field)]:
        if time.monotonic() > give_up_at_s:
            raise NotMade(f"{missing[0]} did not come within {LATER_MAX_S:g} s")
        time.sleep(LOOK_S)  # Nobody tells of work behind an answer.


def _look_up(stop: Stop) -> None:
    if stop.requested:
        raise NotMade("interrupted")


def _commit() -> str:
    done = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


if __name__ == "__main__":
    sys.exit(main())
