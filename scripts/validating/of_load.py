"""
Readings of a load's result: each function makes one, out of where its value stands (docs/validation.md explains those).

Shares count turns, not entries: entries of one turn come from one place. Ranges over stretches are those of the ratio
of the two designs in each stretch of the trace, so they hold what the machine did meanwhile.
"""

from collections.abc import Callable, Iterable
from typing import Any

from scripts.measuring.clusters import clustered
from scripts.proving.load.plan import NAIVE, OURS, SESSIONS
from scripts.validating.found import Found, Missing, Reading, percentile_interval, wilson
from scripts.validating.results import Document, Results, look

type Read = Callable[[Results], Reading]

NOT_RUN = Missing("no load was run that has any of it")
JOINED, STEADY = "joined", "steady"
BY_TURNS = "hits.continuing_turns"


def share(path: str) -> Read:
    """Of turns that continue a conversation, over all speeds; the baseline's beside."""

    def read(results: Results) -> Reading:
        ours, naive = (_pooled(_designs(results, design), path) for design in (OURS, NAIVE))
        if ours is None:
            return NOT_RUN
        by_speed = [(speed, look(each, path)) for speed, each in _designs(results, OURS)]
        told = ", ".join(f"{speed} times: {value:.1%}" for speed, value in by_speed if value is not None)
        return _share(*ours, f"{told}; baseline: {_percent(naive and naive[0])}")

    return read


def joined_share(path: str, ceiling: str = "") -> Read:
    def read(results: Results) -> Reading:
        figures = look(results, f"load.joined.designs.{OURS}")
        value = look(figures, path)
        if value is None:
            return NOT_RUN
        beside = f"at best: {_percent(look(figures, ceiling))}" if ceiling else ""
        return _share(value, look(figures, BY_TURNS), beside)

    return read


def percentile(speed: str, share: float) -> Read:
    """Milliseconds of a turn at *speed* times the trace, from when it was due, cold starts among them."""

    def read(results: Results) -> Reading:
        ours = look(results, f"load.speeds.{speed}.designs.{OURS}")
        if not look(ours, "latency_ms.by_kind.turn.count"):
            return NOT_RUN
        value, low, high = _percentile(ours, share)
        naive = look(results, f"load.speeds.{speed}.designs.{NAIVE}.latency_ms.by_kind.turn.p{100 * share:g}")
        warm = look(ours, f"latency_ms.turns_warm.p{100 * share:g}")
        return Found(value, low, high, f"baseline: {_ms(naive)}; without cold starts: {_ms(warm)}")

    return read


def tier(of: str, name: str) -> Read:
    """The p95 of answers of tier *name*: at a speed, of the joined dialogues, or of these where no instance ends."""
    where = {JOINED: f"load.{JOINED}.designs", STEADY: f"load.{JOINED}.{STEADY}"}.get(of, f"load.speeds.{of}.designs")

    def read(results: Results) -> Reading:
        found = look(results, f"{where}.{OURS}.latency_ms.by_tier.{name}")
        if not found or not found["count"]:
            return NOT_RUN
        return Found(found["p95"], beside=f"{found['count']:,} answers, p50 {_ms(found['p50'])}")

    return read


def less_than_baseline(speed: str, share: float) -> Read:
    def read(results: Results) -> Reading:
        both = [look(results, f"load.speeds.{speed}.designs.{design}") for design in (OURS, NAIVE)]
        if not all(look(each, "latency_ms.by_kind.turn.count") for each in both):
            return NOT_RUN
        (ours, low, high), (naive, its_low, its_high) = (_percentile(each, share) for each in both)
        if not naive:
            return NOT_RUN
        return Found(
            1 - ours / naive,
            1 - high / its_low if high and its_low else None,
            1 - low / its_high if low and its_high else None,
            f"{_ms(ours)}, baseline {_ms(naive)}",
        )

    return read


def per_cpu(name: str) -> Read:
    """How many times the baseline's `instances.<name>` ours is, over all stretches of the trace."""

    def read(results: Results) -> Reading:
        ours, naive = (_rate([each for _, each in _designs(results, design)], name) for design in (OURS, NAIVE))
        if not ours or not naive:
            return NOT_RUN
        ratios = sorted(_ratios(look(results, "load.stretches") or [], name))
        low, high = (ratios[0], ratios[-1]) if len(ratios) > 1 else (None, None)
        return Found(ours / naive, low, high, f"{ours:.1f}, baseline {naive:.1f}")

    return read


def joined_per_cpu(name: str, part: str = "designs") -> Read:
    """How many times the baseline's `instances.<name>` ours is, on joined dialogues; a store of sessions beside."""

    def read(results: Results) -> Reading:
        ours, naive, sessions = (
            look(results, f"load.{JOINED}.{part}.{design}.instances.{name}") for design in (OURS, NAIVE, SESSIONS)
        )
        if ours is None or naive is None:
            return NOT_RUN
        if not naive:
            return Missing("the baseline had none at all")
        beside = f"{ours:.1f}, baseline {naive:.1f}" + (f", store of sessions {sessions:.1f}" if sessions else "")
        return Found(ours / naive, beside=beside)

    return read


def lag(results: Results) -> Reading:
    """How much more often loops were late by 10 ms than a process that only slept; at worst of all speeds."""
    found = []
    for speed, figures in _designs(results, OURS):
        loop, machine = look(figures, "lag.loop"), look(figures, "lag.machine")
        if loop and machine and loop["looks"] and machine["looks"]:
            late, its = loop["share_over_10_ms"], machine["share_over_10_ms"]
            low, high = clustered(loop.get("windows", ())) or wilson(late, loop["looks"])
            its_low, its_high = wilson(its, machine["looks"])
            told = f"at {speed} times {late:.2%} and {loop['max_ms']:.0f} ms at most; the machine {its:.2%} and "
            found.append(Found(late - its, low - its_high, high - its_low, f"{told}{machine['max_ms']:.0f} ms"))
    return max(found, key=lambda each: each.value) if found else NOT_RUN


def saturation(results: Results) -> Reading:
    """Turns a second that ours takes until their p95 passes 250 ms: between what was kept and what was not."""
    found = look(results, "load.saturation") or {}
    kept, passed = (look(found, f"{OURS}.{name}_turns_s") for name in ("kept", "passed"))
    if kept is None:
        return NOT_RUN
    its, its_passed = (look(found, f"{NAIVE}.{name}_turns_s") for name in ("kept", "passed"))
    beside = f"not any more at {_plain(passed)}; baseline: {_plain(its)}, not any more at {_plain(its_passed)}"
    return Found(kept, kept, passed, beside)


def errors(results: Results) -> Reading:
    """Answers of 500 of our design, over all speeds."""
    designs = [each for _, each in _designs(results, OURS)]
    if not designs:
        return NOT_RUN
    count = sum(
        number
        for each in designs
        for status, number in each["statuses"].items()
        if status.startswith("500")
    )  # fmt: skip
    return Found(count, beside=f"of {sum(each['requests'] for each in designs):,}")


def _designs(results: Results, design: str) -> list[tuple[str, Document]]:
    speeds = look(results, "load.speeds") or {}
    return [(speed, found["designs"][design]) for speed, found in speeds.items() if design in found["designs"]]


def _pooled(designs: Iterable[tuple[str, Document]], path: str) -> tuple[float, float] | None:
    """Return the share at *path*, each by how many turns it is of, and how many these are."""
    pairs = [(look(each, path), look(each, BY_TURNS) or 0) for _, each in designs]
    pairs = [(value, count) for value, count in pairs if value is not None]
    count = sum(each for _, each in pairs)
    return (sum(value * each for value, each in pairs) / count, count) if count else None


def _share(value: float, count: float, beside: str) -> Found:
    return Found(value, *wilson(value, count), beside)


def _percentile(figures: Document, share: float) -> tuple[float, float | None, float | None]:
    turns, name = figures["latency_ms"]["by_kind"]["turn"], f"p{100 * share:g}"
    low, high = figures.get("bounds_ms", {}).get(name) or percentile_interval(
        figures["curve_ms"], share, turns["count"]
    )
    return turns[name], low, high


def _rate(figures: Iterable[Document], name: str) -> float | None:
    """Return `instances.<name>` of several stretches as one: weighed by the CPU seconds that each is of."""
    pairs = [(look(each, f"instances.{name}"), look(each, "instances.cpu_s")) for each in figures]
    pairs = [(rate, cpu_s) for rate, cpu_s in pairs if rate is not None and cpu_s]
    cpu_s = sum(each for _, each in pairs)
    return sum(rate * each for rate, each in pairs) / cpu_s if cpu_s else None


def _ratios(stretches: Iterable[Any], name: str) -> Iterable[float]:
    rates: dict[str, dict[str, float]] = {}
    for each in stretches:
        rate = look(each, f"figures.instances.{name}")
        if each["is_whole"] and rate:
            rates.setdefault(each["name"], {})[each["design"]] = rate
    return [each[OURS] / each[NAIVE] for each in rates.values() if len(each) > 1]


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:,.1f} ms"


def _plain(value: float | None) -> str:
    return "-" if value is None else f"{value:,.1f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"
