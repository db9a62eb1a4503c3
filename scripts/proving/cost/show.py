"""
A cost as a value that other programs read, and as tables for a terminal.
"""

from collections.abc import Mapping
from typing import Any

from scripts.measuring.tables import markdown
from scripts.proving.cost.bill import Assumed, TokenAssumptions, Usage, bill, token_lines, usage_of
from scripts.proving.cost.prices import Prices

MILLION = 1e6
NAIVE = "naive"
FREE_OF_NOTHING = 0.0


def cost(
    document: Mapping[str, Any],
    speed: str | None,
    requests: float,
    prices: Prices,
    assumed: Assumed,
    tokens: TokenAssumptions,
) -> dict[str, Any]:
    """Return what each design of a load costs. Raises ValueError, KeyError: it is no load, or has no such speed."""
    speeds = document["speeds"]
    chosen = speed if speed is not None else next(iter(speeds))
    if chosen not in speeds:
        raise ValueError(f"there is no speed {chosen}; it has {', '.join(speeds)}")
    usages = {design: usage_of(figures) for design, figures in speeds[chosen]["designs"].items()}
    free = {name: price._replace(free=FREE_OF_NOTHING) for name, price in prices._asdict().items() if name != "at"}
    designs = {}
    for design, usage in usages.items():
        month = bill(usage, requests, prices, assumed)
        # Of a million nothing is free: what is, is free once a month.
        million = bill(usage, MILLION, Prices(prices.at, **free), assumed)
        designs[design] = {
            "usage": usage._asdict(),
            "usd_million": million,
            "usd_million_total": sum(million.values()),
            "usd_month": month,
            "usd_month_total": sum(month.values()),
        }
    return {
        "kind": "cost",
        "is_whole": document["is_whole"],
        "commit": document.get("commit"),
        "prices_at": prices.at,
        "prices": {name: price._asdict() for name, price in prices._asdict().items() if name != "at"},
        "speed": chosen,
        "requests_month": requests,
        "assumed": {**assumed._asdict(), **tokens._asdict()},
        "designs": designs,
        "tokens_usd_month": _tokens(usages, requests, tokens),
    }


def _tokens(usages: Mapping[str, Usage], requests: float, assumed: TokenAssumptions) -> dict[str, float]:
    ours = next((usage for design, usage in usages.items() if design != NAIVE), None)
    return token_lines(ours, usages.get(NAIVE), requests, assumed) if ours is not None else {}


def show(found: Mapping[str, Any]) -> str:
    """Return the tables of a cost."""
    designs = found["designs"]
    first = next(iter(designs.values()))
    rows = [
        [line, *(f"{each['usd_million'][line]:,.2f} / {each['usd_month'][line]:,.2f}" for each in designs.values())]
        for line in first["usd_million"]
    ]
    totals = [f"{each['usd_million_total']:,.2f} / {each['usd_month_total']:,.2f}" for each in designs.values()]
    parts = [] if found["is_whole"] else ["The load was interrupted: this is of what was measured until then."]
    parts.append(
        f"At {found['speed']} times the trace, prices of {found['prices_at']}; USD per million requests / per month of "
        f"{found['requests_month']:,.0f}."
    )
    parts.append(markdown(["USD", *designs], [*rows, ["in all", *totals]]))
    if found["tokens_usd_month"]:
        lines = [[line, f"{usd:,.2f}"] for line, usd in found["tokens_usd_month"].items()]
        parts.append(markdown(["tokens of the model, USD a month", "at what is assumed"], lines))
    return "\n\n".join(parts)
