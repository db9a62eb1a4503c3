"""
From what a load measured to USD: usage of one request, times how many there are in a month, times the prices.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from scripts.proving.cost.prices import Prices

HOUR_S = 3_600.0
GB = 1e9
MONTH_DAYS = 30.0


class Usage(NamedTuple):
    """What one request took, on average; commands are those that Upstash bills, inside of scripts too."""

    cpu_s: float
    instance_s: float
    sent_bytes: float
    received_bytes: float
    commands: float
    store_bytes: float
    stored_bytes: float
    context_tokens: float
    """Tokens of the prompts that model calls got, by request of any kind."""


class Assumed(NamedTuple):
    """What is not measured: how large an instance is, and for how many days conversations are kept."""

    memory_gb: float = 2.0
    kept_days: float = 30.0


class TokenAssumptions(NamedTuple):
    """
    What tokens cost, and what a caller without this service would do.

    *estimate_error*: by so much of the budget prompts are larger when tokens are estimated; *prefix_before* and
    *prefix_after*: what a prompt costs of its full price when the provider's cache takes its beginning, with a window
    that moves at each turn, and with `stable_prefix`.
    """

    usd_million: float = 2.5
    estimate_error: float = 0.3
    prefix_before: float = 0.587
    prefix_after: float = 0.261


def usage_of(figures: Mapping[str, Any]) -> Usage:
    """Return the usage that a design's *figures* of a load say. Raises ValueError: nothing was answered."""
    count = int(figures["statuses"].get("200", 0))
    if not count:
        raise ValueError("the load has no answers of which a cost could be told")
    store, instances = figures["store"], figures["instances"]
    return Usage(
        cpu_s=instances["cpu_s"] / count,
        instance_s=instances["mean"] * figures["seconds"] / count,
        sent_bytes=figures["bytes"]["sent"] / count,
        received_bytes=figures["bytes"]["received"] / count,
        commands=store["commands"] / count,
        store_bytes=(store["bytes_in"] + store["bytes_out"]) / count,
        stored_bytes=max(0, store["stored_bytes"]) / count,
        context_tokens=figures["context_tokens"] / count,
    )


def bill(usage: Usage, requests: float, prices: Prices, assumed: Assumed) -> dict[str, float]:
    """Return USD of a month with so many *requests*, by what is charged for."""
    transferred_gb = usage.received_bytes * requests / GB
    origin_gb = (usage.sent_bytes + usage.received_bytes) * requests / GB
    stored_gb = usage.stored_bytes * requests * assumed.kept_days / MONTH_DAYS / GB
    return {
        "Vercel: active CPU": prices.active_cpu_hour.of(usage.cpu_s * requests / HOUR_S),
        "Vercel: memory": prices.memory_gb_hour.of(usage.instance_s * assumed.memory_gb * requests / HOUR_S),
        "Vercel: invocations": prices.invocations_million.of(requests / 1e6),
        "Vercel: CDN requests": prices.cdn_requests_million.of(requests / 1e6),
        "Vercel: Fast Data Transfer": prices.fast_data_transfer_gb.of(transferred_gb),
        "Vercel: Fast Origin Transfer": prices.fast_origin_transfer_gb.of(origin_gb),
        "Upstash: commands": prices.commands_100k.of(usage.commands * requests / 1e5),
        "Upstash: bandwidth": prices.bandwidth_gb.of(usage.store_bytes * requests / GB),
        "Upstash: storage": prices.storage_gb_month.of(stored_gb),
    }


def token_lines(usage: Usage, baseline: Usage | None, requests: float, assumed: TokenAssumptions) -> dict[str, float]:
    """Return USD of a month that is saved at the model's provider; a line each, which do not add up."""
    prompts = usage.context_tokens * requests / 1e6 * assumed.usd_million
    lines = {
        "prompts within the budget": prompts,
        "exact counts instead of estimates": prompts * assumed.estimate_error,
        "a stable beginning, from the provider's cache": prompts * (assumed.prefix_before - assumed.prefix_after),
    }
    if baseline is not None and baseline.context_tokens:
        whole = baseline.context_tokens * requests / 1e6 * assumed.usd_million
        lines["a budget instead of the whole history"] = max(0.0, whole - prompts)
    return lines
