"""
Measurements, a subcommand each. `scripts/bench <subcommand> --help` tells what it measures and how.
"""

import sys

from scripts.benchmarks.worker import ContenderError
from scripts.local.valkey import ValkeyError
from scripts.measuring.subcommands import run

BENCHMARKS = (
    *("context", "store", "against", "peers", "guard", "neighbours", "lag"),
    *("parse", "cold", "memory", "suspend", "compression", "warm", "cache", "recall", "primaries"),
)
SUBCOMMANDS = {name: f"scripts.benchmarks.{name}" for name in BENCHMARKS}


def main() -> int:
    try:
        return run("scripts/bench", __doc__, SUBCOMMANDS)
    except (ContenderError, OSError, ValkeyError) as error:
        print(f"could not measure: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
