"""
Measurements, a subcommand each. `scripts/bench <subcommand> --help` tells what it measures and how.
"""

import argparse
import sys

from scripts.benchmarks import cold, compression, context, guard, lag, memory, parse, peers, store, suspend, warm
from scripts.benchmarks.worker import ContenderError
from scripts.local.valkey import ValkeyError


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    subcommands = parser.add_subparsers(dest="subcommand", required=True, metavar="SUBCOMMAND")
    for benchmark in (context, store, peers, guard, lag, parse, cold, memory, suspend, compression, warm):
        name = benchmark.__name__.rpartition(".")[2]
        help_text, _, details = (benchmark.__doc__ or "").strip().partition("\n")
        subparser = subcommands.add_parser(name, help=help_text, description=f"{help_text} {details}")
        benchmark.add_arguments(subparser)
        subparser.set_defaults(run=benchmark.run)
    arguments = parser.parse_args()
    try:
        return int(arguments.run(arguments))
    except (ContenderError, OSError, ValkeyError) as error:
        print(f"could not measure: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
