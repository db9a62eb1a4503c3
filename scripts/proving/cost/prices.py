"""
What Vercel and Upstash charge, from one dated file: change `prices.json`, or name another one.
"""

from pathlib import Path
from typing import Any, NamedTuple

import orjson

SHIPPED = Path(__file__).with_name("prices.json")


class PriceError(ValueError):
    """A file holds no prices; the text names what is missing."""


class Price(NamedTuple):
    """USD for one unit beyond the *free* ones of a month, and where that is said."""

    usd: float
    free: float
    source: str

    def of(self, units: float) -> float:
        """Return what *units* of a month cost."""
        return max(0.0, units - self.free) * self.usd


class Prices(NamedTuple):
    """All of them. *at*: the day when they were looked up."""

    at: str
    active_cpu_hour: Price
    memory_gb_hour: Price
    invocations_million: Price
    cdn_requests_million: Price
    fast_data_transfer_gb: Price
    fast_origin_transfer_gb: Price
    commands_100k: Price
    bandwidth_gb: Price
    storage_gb_month: Price


def read_prices(path: Path = SHIPPED) -> Prices:
    """Raises PriceError: a price is missing, or none; OSError."""
    try:
        raw = orjson.loads(path.read_bytes())
        found: dict[str, Any] = {**raw["vercel"], **raw["upstash"]}
        prices = {name: _price(name, found[name]) for name in Prices._fields if name != "at"}
        return Prices(str(raw["at"]), **prices)
    except (ValueError, KeyError, TypeError) as error:
        raise PriceError(f"{path.name} holds no prices: {error!r}") from None


def _price(name: str, raw: Any) -> Price:
    usd, free = float(raw["usd"]), float(raw.get("free", 0))
    if usd < 0 or free < 0:
        raise PriceError(f"{name} is below 0")
    return Price(usd, free, str(raw["source"]))
