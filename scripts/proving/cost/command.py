"""
What a load costs: USD per million requests, and a month at a given volume, on Vercel and Upstash, beside the baseline.

Reads what scripts/prove load --json wrote. Prices stand in scripts/proving/cost/prices.json, with their sources; what
plans include is not taken off, but what Upstash never charges for is. Tokens that are saved at the model's provider
are lines of their own, since they rest on assumptions: each has a flag.
"""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MILLION = 1_000_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("load", type=Path, help="a result of scripts/prove load --json")
    parser.add_argument("--requests", type=float, default=10 * MILLION, help="of a month (10,000,000)")
    parser.add_argument("--speed", help="which of the load's speeds; its first by default")
    parser.add_argument("--prices", type=Path, help="other prices than the shipped ones")
    parser.add_argument("--memory-gb", type=float, default=2.0, help="of an instance (2, Vercel's default)")
    parser.add_argument("--kept-days", type=float, default=30.0, help="how long conversations are kept (30)")
    tokens = parser.add_argument_group("what the lines on tokens assume")
    tokens.add_argument("--token-usd", type=float, default=2.5, help="a million input tokens of the model (2.5)")
    tokens.add_argument("--estimate-error", type=float, default=0.3, help="of estimated counts (0.3)")
    tokens.add_argument("--prefix-before", type=float, default=0.587, help="a prompt's price, moving window (0.587)")
    tokens.add_argument("--prefix-after", type=float, default=0.261, help="the same with stable_prefix (0.261)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there")


def run(arguments: argparse.Namespace) -> int:
    import orjson

    from scripts.proving.cost.bill import Assumed, TokenAssumptions
    from scripts.proving.cost.prices import SHIPPED, PriceError, read_prices
    from scripts.proving.cost.show import cost, show

    if arguments.requests <= 0:
        print("--requests has to be above 0", file=sys.stderr)
        return 2
    try:
        document: Mapping[str, Any] = orjson.loads(arguments.load.read_bytes())
        prices = read_prices(arguments.prices or SHIPPED)
        assumed = Assumed(arguments.memory_gb, arguments.kept_days)
        names = ("token_usd", "estimate_error", "prefix_before", "prefix_after")
        tokens = TokenAssumptions(*(getattr(arguments, name) for name in names))
        found = cost(document, arguments.speed, arguments.requests, prices, assumed, tokens)
    except PriceError as error:
        print(error, file=sys.stderr)
        return 2
    except (OSError, ValueError, KeyError, TypeError) as error:
        print(f"{arguments.load} is no result of a load that a cost can be told of: {error}", file=sys.stderr)
        return 2
    if arguments.json:
        arguments.json.write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2) + b"\n")
    print(show(found))
    return 0
