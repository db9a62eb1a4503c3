"""
The table from a fleet that is in use: what its `/api/metrics` say, and "not measured" for what they cannot know.

Counters are those since the metrics were first kept, over all deployments; a percentile is read off buckets, within
5 %.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx

from scripts.proving.metrics.read import buckets_of, quantile, total_of
from scripts.validating.criteria import CRITERIA
from scripts.validating.found import Found, Missing, Reading, wilson
from scripts.validating.rows import validation

PATH = "/api/metrics"
TIMEOUT_S = 20.0
LOOPBACK = ("127.0.0.1", "localhost")
LATE_S = 0.010
CONTEXTS = "/v1/conversations/{conversation_id}/context"
UNKNOWN = Missing("metrics of a fleet do not say")
NOTHING = Missing("nothing was counted yet")


class LiveError(Exception):
    """The metrics could not be read; the text says why."""


def fetch(url: str, secret: str) -> str:
    """Return what the fleet at *url* says. Raises LiveError."""
    address = url.rstrip("/") if url.rstrip("/").endswith(PATH) else url.rstrip("/") + PATH
    parts = urlsplit(address)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise LiveError(f"{url}: the secret is sent over https only")
    try:
        answer = httpx.get(address, headers={"authorization": f"Bearer {secret}"}, timeout=TIMEOUT_S)
    except httpx.HTTPError as error:
        raise LiveError(f"{address} does not answer: {error!r}") from None
    if answer.status_code != 200:
        raise LiveError(f"{address} answered {answer.status_code}; is WARMTHREAD_METRICS_SECRET the fleet's?")
    return answer.text


def live_validation(text: str) -> dict[str, Any]:
    """Return the rows of a fleet whose metrics are *text*."""
    readings = {each.name: READINGS.get(each.name, _unknown)(text) for each in CRITERIA}
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return validation({}, readings) | {"form": "a fleet in use, by its metrics", "at": at, "is_whole": True}


def _unknown(text: str) -> Reading:
    return UNKNOWN


def _total(text: str) -> Reading:
    """Reads that were answered by a tier, and by none that is stale, of all that a tier is told of."""
    counts = _reads(text)
    all_ = sum(counts.values())
    there = sum(counts[tier] for tier in ("L0", "L1", "L2"))
    told = ", ".join(f"{tier} {count:,.0f}" for tier, count in counts.items())
    return Found(there / all_, *wilson(there / all_, all_), f"reads: {told}") if all_ else NOTHING


def _l1(text: str) -> Reading:
    counts = _reads(text)
    all_ = sum(counts.values())
    held = counts["L0"] + counts["L1"]
    return Found(held / all_, *wilson(held / all_, all_), "reads, not entries; any traffic") if all_ else NOTHING


def _l2(text: str) -> Reading:
    counts = _reads(text)
    rest = sum(counts.values()) - counts["L0"] - counts["L1"]
    return Found(counts["L2"] / rest, *wilson(counts["L2"] / rest, rest), "reads, not entries") if rest else NOTHING


def _p95(text: str) -> Reading:
    buckets = buckets_of(text, "warmthread_request_duration_seconds", route=CONTEXTS)
    count = buckets.get(float("inf"), 0)
    if not count:
        return NOTHING
    return Found(
        1_000 * quantile(0.95, buckets), beside=f"{count:,.0f} contexts, in the instance; any store, any distance"
    )


def _bugs(text: str) -> Reading:
    count, wrong = (total_of(text, "warmthread_requests_total", **labels) for labels in ({}, {"status": "5xx"}))
    if wrong:
        return Missing(f"{wrong:,.0f} of {count:,.0f} answers were 5xx; metrics do not tell 500 from 503")
    return Found(0, beside=f"of {count:,.0f}") if count else NOTHING


def _lag(text: str) -> Reading:
    buckets = buckets_of(text, "warmthread_loop_lag_seconds")
    looks = buckets.get(float("inf"), 0)
    bound = max((each for each in buckets if each <= LATE_S), default=None)
    if not looks or bound is None:
        return NOTHING
    late = 1 - buckets[bound] / looks
    if late:
        return Missing(
            f"{late:.2%} of {looks:,.0f} looks were later than {1_000 * bound:g} ms, the machines' own share in it"
        )
    return Found(0, 0, 0, f"{looks:,.0f} looks")


def _reads(text: str) -> dict[str, float]:
    return {tier: total_of(text, "warmthread_reads_total", tier=tier) for tier in ("L0", "L1", "L2", "source", "STALE")}


READINGS: Mapping[str, Callable[[str], Reading]] = {
    "total": _total,
    "l1": _l1,
    "l2": _l2,
    "p95": _p95,
    "lag": _lag,
    "errors": _bugs,
}
"""Name of a criterion -> how it is read off an exposition."""
