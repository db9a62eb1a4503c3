"""
Readings of the other results: soak, faults, cost, and proofs that hold or do not.
"""

from collections.abc import Callable
from typing import Any

from scripts.proving.load.plan import NAIVE, OURS
from scripts.validating.found import Found, Missing, Reading
from scripts.validating.results import Results, look

type Read = Callable[[Results], Reading]

LAG_MS = 10.0
MEMORY = " resident_bytes"
HOLDS, FAILS, UNDECIDED = "holds", "fails", "undecided"
TOO_LITTLE = Missing("too few samples to tell; the run was too short")
INTERRUPTED = Missing("the run under faults was interrupted: what needs its end was not checked")

LOST, DOUBLED, MIXED_UP = ("lost",), ("doubled", "duplicate", "phantom"), ("order", "split", "mixed", "disagreement")
STALE, OVERRUN = ("stale", "old", "gone", "gap", "version", "deleted"), ("overrun", "books", "rate")
WRONG = ("refused", "fork", "evicted", "error", "no problem", "turned away")
NAMED = (*LOST, *DOUBLED, *MIXED_UP, *STALE, *OVERRUN, *WRONG)
"""What findings under faults begin with."""


def leak(results: Results) -> Reading:
    """Bytes a request by which the instance that grew most surely did: the lower bound is what a leak is told by."""
    slopes = _slopes(results, "soak")
    if slopes is None:
        return _not_run("soak")
    memory = {name: found for name, found in slopes.items() if name.endswith(MEMORY)}
    told = {name: found for name, found in memory.items() if found["estimate"] is not None}
    if not told or (len(told) < len(memory) or any(each["verdict"] == UNDECIDED for each in told.values())):
        return TOO_LITTLE
    name, worst = max(told.items(), key=lambda each: float(each[1]["low"]))
    beside = f"{name.removesuffix(MEMORY)}, over {worst['requests']:,} requests; bound {worst['bound']:g}"
    return Found(worst["estimate"], worst["low"], worst["high"], beside)


def planted_leak(results: Results) -> Reading:
    """
    Bytes a request that were found of those that were planted, where fewer were; between what both instances may leak.

    One instance of each function leaks. What an interval of one tells is how its own line wanders, not how far another
    instance's lies from it, so a second run agrees with both.
    """
    planted = look(results, "soak.planted")
    if planted is None:
        return _not_run("soak")
    told = {name: each for name, each in planted.items() if each["verdict"] != UNDECIDED}
    if not told:
        return TOO_LITTLE
    least = min(float(each["estimate"]) for each in told.values())
    low, high = min(each["low"] for each in told.values()), max(each["high"] for each in told.values())
    found = ", ".join(f"{name} {each['estimate']:,.0f}" for name, each in told.items())
    return Found(least, low, high, f"{found}; planted: {look(results, 'soak.options.leak_bytes')} bytes a request")


def others_that_grow(results: Results) -> Reading:
    """How many of descriptors, threads, keys and bytes of the store grow, by the soak's own rule."""
    slopes = _slopes(results, "soak")
    if slopes is None:
        return _not_run("soak")
    others = {name: each["verdict"] for name, each in slopes.items() if not name.endswith(MEMORY)}
    growing = [name for name, verdict in others.items() if verdict == FAILS]
    if not growing and (not others or UNDECIDED in others.values()):
        return TOO_LITTLE
    return Found(len(growing), beside=", ".join(growing) or f"of {len(others)}")


def broken(*kinds: str) -> Read:
    """How many findings under faults are of *kinds*; of all that no other row names, where there are none."""

    def read(results: Results) -> Reading:
        found = look(results, "chaos.broken")
        if found is None:
            return _not_run("chaos")
        own = [each for each in found if _is_of(each, kinds)]
        if not own and look(results, "chaos.partial"):
            return INTERRUPTED
        told = f"{len(look(results, 'chaos.windows') or []):,} faults, {_count(results, 'requests')} requests"
        return Found(len(own), beside=own[0] if own else told)

    return read


def bugs(results: Results) -> Reading:
    """Answers of 500 under faults."""
    statuses = look(results, "chaos.checked.statuses")
    if statuses is None:
        return _not_run("chaos")
    if not statuses.get("500") and look(results, "chaos.partial"):
        return INTERRUPTED
    return Found(statuses.get("500", 0), beside=f"of {_count(results, 'requests')} requests")


def recovery(results: Results) -> Reading:
    """Seconds after the end of a fault until answers were right again, at most."""
    windows = [each for each in look(results, "chaos.windows") or [] if each["recovery_s"] is not None]
    if not windows:
        return Missing("no fault ended long enough before the next one began")
    slowest = max(windows, key=lambda each: float(each["recovery_s"]))
    return Found(slowest["recovery_s"], beside=f"after: {slowest['kind']}")


def proof(name: str) -> Read:
    """Whether a subcommand of scripts/prove found a promise broken: 0, or 1."""

    def read(results: Results) -> Reading:
        status = look(results, f"{name}.status")
        if status not in (0, 1):
            return Missing("it was not run, or not to its end")
        return Found(status, beside=look(results, f"{name}.last") or "")

    return read


def longest_wait(results: Results) -> Reading:
    """Milliseconds that a loop was held at most, without the time for which its process did not run."""
    rows = {name: each for name, each in (look(results, "lag.rows") or {}).items() if each["ours_ms"] is not None}
    if not rows:
        return _not_run("bench lag")
    name, worst = max(rows.items(), key=lambda each: float(each[1]["ours_ms"]))
    apart = {"machine_ms": "the machine alone", "encoding_ms": "an encoding that loads, once"}
    known = {text: look(results, f"lag.{name}") for name, text in apart.items()}
    told = "".join(f"; {text}: {value:.1f} ms" for text, value in known.items() if value is not None)
    over = sum(each["ours_ms"] >= LAG_MS for each in rows.values())
    return Found(worst["ours_ms"], beside=f"{name}; {over} of {len(rows)} rows are not below {LAG_MS:g} ms{told}")


def usd_million(*lines: str) -> Read:
    """How many USD per million requests ours costs more than the baseline, of *lines*; of all where there are none."""

    def read(results: Results) -> Reading:
        both = [look(results, f"cost.designs.{design}.usd_million") for design in (OURS, NAIVE)]
        if not all(both):
            return _not_run("cost")
        ours, naive = (sum(usd for line, usd in each.items() if not lines or line in lines) for each in both)
        return Found(ours - naive, beside=f"{ours:.2f} USD, baseline {naive:.2f} USD")

    return read


def tokens_saved(line: str, *, is_measured: bool) -> Read:
    """USD of a million requests that *line* saves at the model's provider."""

    def read(results: Results) -> Reading:
        saved = look(results, f"cost.tokens_usd_month.{line}")
        requests = look(results, "cost.requests_month")
        if saved is None or not requests:
            return _not_run("cost")
        usd = look(results, "cost.assumed.usd_million")
        kind = "measured" if is_measured else "assumed"
        return Found(saved / requests * 1e6, beside=f"tokens: {kind}; at {usd} USD a million input tokens")

    return read


def nobody(results: Results) -> Reading:
    """Of what no program can measure."""
    return Missing("nobody was asked yet")


def _slopes(results: Results, part: str) -> Any:
    return look(results, f"{part}.slopes")


def _not_run(what: str) -> Missing:
    return Missing(f"{what} was not run, or left nothing")


def _is_of(text: str, kinds: tuple[str, ...]) -> bool:
    kind = text.partition(":")[0]
    return kind in kinds if kinds else kind not in NAMED


def _count(results: Results, name: str) -> str:
    return f"{look(results, f'chaos.checked.{name}') or 0:,}"
