"""
A load's result as tables for a terminal, in Markdown.
"""

from collections.abc import Mapping
from typing import Any

from scripts.measuring.tables import markdown

NOTHING = "-"


def show(document: Mapping[str, Any]) -> str:
    """Return the tables of a result."""
    parts = [] if document["is_whole"] else ["NOT WHOLE: it was interrupted; this is what was measured until then."]
    for speed, found in document["speeds"].items():
        parts.append(_speed(speed, found))
    if document.get("joined"):
        parts.append(_joined(document["joined"]))
    if document.get("saturation"):
        parts.append(_saturation(document["saturation"]))
    return "\n\n".join(parts)


def _speed(speed: str, found: Mapping[str, Any]) -> str:
    table = _table(f"{speed} times", found["designs"])
    ceilings = ", ".join(
        f"{count} instance{'s' if count != '1' else ''}: {_percent(each['entries'])}"
        for count, each in found.get("ceilings", {}).items()
    )
    return f"{table}\n\nL1 at best, by lives alone: {ceilings}" if ceilings else table


def _joined(joined: Mapping[str, Any]) -> str:
    title = f"joined dialogues, any of {joined['instances']} instances"
    parts = [_table(title, joined["designs"])]
    for name, what in (("steady", "which were there before and stay"), ("long", "the same, long conversations")):
        if joined.get(name):
            parts.append(_table(f"{title}, {what}", joined[name]))
    return "\n\n".join(parts)


def _table(title: str, designs: Mapping[str, Any]) -> str:
    rows = [[name, *(reading(figures) for figures in designs.values())] for name, reading in ROWS.items()]
    return markdown([title, *designs], rows)


def _saturation(saturation: Mapping[str, Any]) -> str:
    rows = [
        [design, _number(found["kept_turns_s"]), _number(found["passed_turns_s"])]
        for design, found in saturation.items()
    ]
    return markdown(["turns a second", "p95 under 250 ms at", "not any more at"], rows)


def _of(figures: Mapping[str, Any], kind: str, name: str, family: str = "latency_ms") -> str:
    groups = figures[family]["by_kind"] if family == "latency_ms" else figures[family]
    return _number(groups.get(kind, {}).get(name))


def _tier(figures: Mapping[str, Any], tier: str) -> str:
    found = figures["latency_ms"]["by_tier"].get(tier, {})
    return f"{_number(found.get('p50'))} / {_number(found.get('p95'))} ({found.get('count', 0):,})"


def _number(value: Any) -> str:
    return NOTHING if value is None else f"{value:,}"


def _percent(share: float | None) -> str:
    return NOTHING if share is None else f"{share:.1%}"


def _hit(figures: Mapping[str, Any], name: str) -> str:
    return _percent(figures["hits"][name])


def _lag(figures: Mapping[str, Any]) -> str:
    loop, machine = figures["lag"]["loop"], figures["lag"]["machine"]
    return (
        f"{_percent(loop['share_over_10_ms'])}, {loop['max_ms']} ms (machine: {_percent(machine['share_over_10_ms'])}, "
        f"{machine['max_ms']} ms)"
    )


ROWS = {
    "requests, errors, unknown conversations": lambda f: f"{f['requests']:,}, {f['errors']:,}, {f['unknown']:,}",
    "late, skipped, unanswered": lambda f: f"{f['late']:,}, {f['skipped']:,}, {f['unanswered']:,}",
    "cold starts": lambda f: f"{f['cold_starts']:,}",
    "a turn: p50 / p95 / p99 / max ms": lambda f: " / ".join(
        _of(f, "turn", each) for each in ("p50", "p95", "p99", "max")
    ),
    "a turn, in the instance: p50 / p95 ms": lambda f: " / ".join(
        _of(f, "turn", each, "service_ms") for each in ("p50", "p95")
    ),
    "a reply: p50 / p95 ms": lambda f: " / ".join(_of(f, "reply", each) for each in ("p50", "p95")),
    "read again: p50 / p95 ms": lambda f: " / ".join(_of(f, "reread", each) for each in ("p50", "p95")),
    "L0: p50 / p95 ms (answers)": lambda f: _tier(f, "L0"),
    "L1": lambda f: _tier(f, "L1"),
    "L2, a part was held": lambda f: _tier(f, "partial"),
    "L2": lambda f: _tier(f, "L2"),
    "histories that were there and right": lambda f: _hit(f, "total"),
    "entries from L1": lambda f: _hit(f, "l1"),
    "at best, by who answered": lambda f: _hit(f, "l1_ceiling"),
    "measured of that": lambda f: _hit(f, "l1_of_ceiling"),
    "L2 of the rest": lambda f: _hit(f, "l2_of_the_rest"),
    "documents by tier": lambda f: (
        ", ".join(f"{tier} {count:,}" for tier, count in sorted(f["documents"].items())) or NOTHING
    ),
    "store: requests, commands": lambda f: f"{f['store']['requests']:,}, {f['store']['commands']:,}",
    "CPU s of instances": lambda f: _number(f["instances"]["cpu_s"]),
    "CPU s of the generator": lambda f: _number(f["generator_cpu_s"]),
    "requests a CPU s": lambda f: _number(f["instances"]["requests_per_cpu_s"]),
    "turns with a right history, a CPU s": lambda f: _number(f["instances"]["right_turns_per_cpu_s"]),
    "bytes of answers": lambda f: f"{f['bytes']['received']:,}",
    "loop over 10 ms late, longest": _lag,
}
"""Title of a row -> how it is read off a design's figures."""
