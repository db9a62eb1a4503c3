"""
What the subcommands of releases take: options, and secrets from the environment, which no option may hold.

    VERCEL_TOKEN                       of an account that may promote the project's deployments
    VERCEL_PROJECT_ID, VERCEL_ORG_ID   in place of --project and --team; `vercel link` writes them down
"""

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from scripts.releasing.changing import Timing
from scripts.releasing.vercel import API_URL, Account
from scripts.smoke.access import LOOPBACK, WrongUse

TOKEN, PROJECT, TEAM = "VERCEL_TOKEN", "VERCEL_PROJECT_ID", "VERCEL_ORG_ID"  # Names of variables.
FOLDER = Path(".warmthread/canary")
RELEASED, ROLLED_BACK, HELD, COULD_NOT = 0, 1, 2, 3
"""Exit statuses. Ctrl-C is 130."""


def add_account(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--project", default=os.environ.get(PROJECT, ""), help=f"its id or name (${PROJECT})")
    parser.add_argument("--team", default=os.environ.get(TEAM, ""), help=f"its team, if it has one (${TEAM})")
    parser.add_argument(
        "--folder", type=Path, default=FOLDER, metavar="DIR", help=f"where the state of a release is kept ({FOLDER})"
    )
    parser.add_argument("--api", default=API_URL, metavar="URL", help=f"of Vercel's API ({API_URL})")


def add_timing(parser: argparse.ArgumentParser) -> None:
    usual = Timing()
    parser.add_argument(
        "--look-every", type=duration_s, default=usual.look_every_s, metavar="TIME", help="between looks (15s)"
    )
    parser.add_argument(
        "--bake", type=duration_s, default=usual.bake_s, metavar="TIME", help="watch so long after 100 %% (30m)"
    )
    parser.add_argument(
        "--settle",
        type=duration_s,
        default=usual.settle_s,
        metavar="TIME",
        help="so long a change may take to show in the API (30s)",
    )


def timing_of(arguments: argparse.Namespace) -> Timing:
    poll_s = min(Timing().poll_s, arguments.settle / 4)
    return Timing(arguments.look_every, arguments.bake, arguments.settle, poll_s)


def account_of(arguments: argparse.Namespace, environ: Mapping[str, str]) -> Account:
    """Raises WrongUse: something is missing, or would send the token in the clear."""
    token = environ.get(TOKEN, "").strip()
    if not token:
        raise WrongUse(f"{TOKEN} is not set: make a token in the settings of your Vercel account")
    if not token.isascii() or not token.isprintable():
        raise WrongUse(f"{TOKEN} has characters that no token has; copy it again")
    if not arguments.project:
        raise WrongUse(f"--project is missing (or {PROJECT})")
    parts = urlsplit(arguments.api)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise WrongUse(f"--api {arguments.api}: the token is sent over https only")
    return Account(token, arguments.project, arguments.team, arguments.api.rstrip("/"))


def duration_s(text: str) -> float:
    """Return the seconds of `90`, `90s`, `30m`, `2h`."""
    units = {"s": 1.0, "m": 60.0, "h": 3_600.0}
    number, unit = (text[:-1], units[text[-1]]) if text[-1:] in units else (text, 1.0)
    try:
        seconds = float(number) * unit
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 30 * 86_400:
        raise argparse.ArgumentTypeError(f"{text}: a time as 90s, 30m or 2h")
    return seconds


def stages(text: str) -> tuple[int, ...]:
    """Return the percentages of `10,25,50,100`."""
    try:
        found = tuple(int(each) for each in text.split(","))
    except ValueError:
        found = ()
    if len(found) < 2 or list(found) != sorted(set(found)) or found[0] < 1 or found[-1] != 100:
        raise argparse.ArgumentTypeError(f"{text}: ascending percentages that end with 100, as 10,25,50,100")
    return found
