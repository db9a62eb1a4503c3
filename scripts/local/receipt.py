"""
Tell whether the receipt of an erasure is genuine: as the service signed it, and not changed since.

    scripts/receipt receipt.json          one sentence; it ends with 0 where the receipt is genuine, else with 1
    scripts/receipt - < receipt.json      the same of what comes by standard input

The file is what `DELETE /v1/users/{user}` answered, or its member `receipt`, or what `scripts/keys delete` printed. The
secret is that of WARMTHREAD_RECEIPT_SECRET, the one of the time of the erasure; --variable names another variable, for
a secret that was replaced since.
"""

import argparse
import os
import sys
from pathlib import Path

import orjson

from shared.config import SETTINGS
from shared.erasing.receipts import Verdict, verify

WRONG, USAGE = 1, 2
VARIABLE = SETTINGS["receipt_secret"].names("receipt_secret")[0]


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/receipt", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", help="the receipt; -: standard input")
    parser.add_argument("--variable", default=VARIABLE, metavar="NAME", help=f"that holds the secret ({VARIABLE})")
    arguments = parser.parse_args(argv)
    secret = os.environ.get(arguments.variable, "").strip()
    if not secret:
        return _fail(f"{arguments.variable} is not set: it is what receipts are signed with")
    try:
        raw = sys.stdin.buffer.read() if arguments.file == "-" else Path(arguments.file).read_bytes()
    except OSError as error:
        return _fail(f"could not read {arguments.file}: {error.strerror}")
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError:
        document = None
    if isinstance(document, dict) and isinstance(document.get("receipt"), dict):
        document = document["receipt"]
    verdict = verify(document, secret)
    print(verdict.value)
    return 0 if verdict is Verdict.GENUINE else WRONG


def _fail(text: str) -> int:
    print(text, file=sys.stderr)
    return USAGE


if __name__ == "__main__":
    sys.exit(main())
