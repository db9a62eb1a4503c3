"""
The table that a report shows: a row a criterion, and one a risk, as values that other programs read.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from scripts.validating.criteria import CRITERIA, PROOF, RISKS, Compare, Criterion, is_unsure, verdict, verdict_of_all
from scripts.validating.found import Found, Reading
from scripts.validating.results import RUN, Results, is_whole, look

FACTS = ("commit", "is_clean", "at", "machine", "python")


def readings_of(results: Results) -> Mapping[str, Reading]:
    return {each.name: each.read(results) for each in CRITERIA}


def validation(results: Results, readings: Mapping[str, Reading]) -> dict[str, Any]:
    """Return everything that a report says but for its plots: what `--against` compares."""
    run = results.get(RUN, {})
    rows = [_row(each, readings[each.name]) for each in CRITERIA]
    verdicts = {row["name"]: row["verdict"] for row in rows}
    partial = sorted(name for name, each in results.items() if name != RUN and not is_whole(each))
    failed = sorted(name for name, each in (run.get("parts") or {}).items() if not each["has_result"])
    return {
        "what": "validation",
        "is_whole": is_whole(run) and not partial and not failed,
        "partial": partial,
        "failed": failed,
        **_facts(results),
        **{name: run.get(name) for name in ("form", "seed", "parts")},
        "rows": rows,
        "risks": [
            {"title": each.title, "of": list(each.of), "verdict": verdict_of_all([verdicts[name] for name in each.of])}
            for each in RISKS
        ],
    }


def _row(criterion: Criterion, reading: Reading) -> dict[str, Any]:
    found = reading if isinstance(reading, Found) else None
    return {
        "name": criterion.name,
        "title": criterion.title,
        "target": target(criterion),
        "unit": criterion.unit,
        "exact": criterion.exact,
        "value": found and round(found.value, 6),
        "low": found and _rounded(found.low),
        "high": found and _rounded(found.high),
        "beside": reading.beside if isinstance(reading, Found) else reading.why,
        "verdict": verdict(criterion, reading),
        "is_unsure": is_unsure(criterion, reading),
        "command": criterion.command,
    }


def target(criterion: Criterion) -> str:
    """Return what is wished, as it is read."""
    if criterion.compare is Compare.STATED:
        return "stated"
    if criterion.unit == PROOF:
        return amount(criterion.bound, PROOF)
    if criterion.compare is Compare.LOW_AT_MOST:
        return f"not above {amount(criterion.bound, criterion.unit)} at 95 %"
    bound = amount(criterion.bound, criterion.unit)
    return f"{criterion.compare} {bound}" + (f", aim {criterion.aim}" if criterion.aim else "")


def amount(value: float, unit: str) -> str:
    """Return *value* as it is read, without what is counted."""
    if unit == PROOF:
        return "a promise is broken" if value else "none broken"
    if unit == "share":
        return f"{value:.1%}".replace("%", " %")
    if unit == "USD":
        return f"{value:,.2f} USD"
    text = f"{value:,.2f}".rstrip("0").rstrip(".") if abs(value) < 100 else f"{value:,.0f}"
    return f"{text} {unit}" if unit in ("ms", "s", "times") else text


def broken(document: Mapping[str, Any]) -> list[str]:
    """Return the criteria that no machine excuses and that are not met, and the parts that left no result."""
    rows = (row["title"] for row in document["rows"] if row["exact"] and row["verdict"] == "not met")
    return [*rows, *(f"{name} failed and left no result" for name in document["failed"])]


def _facts(results: Results) -> dict[str, Any]:
    """Return what the run, or else the first part, says of commit and machine; `commits` of all parts."""
    named: Iterable[Mapping[str, Any]] = [results[RUN]] if RUN in results else results.values()
    facts = next((each for each in named if "commit" in each), {})
    commits = sorted({str(look(each, "commit")) for each in results.values() if look(each, "commit")})
    return {**{name: facts.get(name) for name in FACTS}, "commits": commits}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
