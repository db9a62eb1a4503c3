"""
A soak's result as tables for a terminal, in Markdown.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from scripts.measuring.tables import markdown
from scripts.proving.soak.verdict import last_of_legs


def show(document: Mapping[str, Any]) -> str:
    """Return what was found, and the verdict last."""
    options, series = document["options"], document["series"]
    parts = ["NOT WHOLE: it was interrupted; this is what was seen until then."] if document["partial"] else []
    if series:
        parts.append(_ran(options, series))
    rows = [
        [name, _number(found["estimate"]), _interval(found), f"{found['bound']:g}", found["verdict"]]
        for name, found in document["slopes"].items()
    ]
    rows += [
        [f"{name}, {options['leak_bytes']} planted", _number(found["estimate"]), _interval(found), "", found["verdict"]]
        for name, found in document["planted"].items()
    ]
    parts.append(markdown(["a request", "slope", "95 % between", "bound", "verdict"], rows))
    parts.append(f"{document['verdict']}{': ' if document['why'] else ''}{'; '.join(document['why'])}")
    return "\n\n".join(parts)


def _ran(options: Mapping[str, Any], series: list[Any]) -> str:
    last, legs = series[-1], last_of_legs(series)
    answers, unexpected = Counter[str](), Counter[str]()
    for each in legs:
        answers.update(each["answers"])
        unexpected.update(each["unexpected"])
    told = f"{last['day']:.2f} days in {last['at_s']:,.0f} s ({options['factor']:,.0f} times)"
    told += f", {last['requests']:,} requests"
    lines = [
        told + (f" in {len(legs)} legs" if len(legs) > 1 else ""),
        "answers: " + ", ".join(f"{count:,} of {status}" for status, count in sorted(answers.items())),
    ]
    if unexpected:
        lines.append("unexpected: " + ", ".join(f"{count:,} {what}" for what, count in unexpected.most_common(8)))
    if left_out := sum(each["left_out"] for each in legs):
        lines.append(f"{left_out:,} agents were left out: the machine did not take the rate")
    return "\n".join(lines)


def _interval(found: Mapping[str, Any]) -> str:
    return f"{_number(found['low'])} and {_number(found['high'])}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.1f}" if abs(value) >= 1 else f"{value:.5f}"
