"""
What became of simulated releases: a row for each kind, and whether the judge did what it is for.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from scripts.measuring.tables import markdown, percentile
from scripts.releasing.judging import Outcome
from scripts.releasing.simulation.kinds import KINDS
from scripts.releasing.simulation.release import End

type Ends = Mapping[tuple[str, float], Sequence[End]]
"""By kind and rate."""

ABORTED_SHARE_MAX, FOUND_SHARE_MIN, FAILED_SHARE_MAX = 0.01, 0.99, 0.02


def table(ends: Ends) -> str:
    """Return a table in Markdown: minutes and requests of the canary are those until the end, median and 95th."""
    rates = sorted({rate for _, rate in ends})
    header = ("kind", "releases", "rolled back", "before 50 %", "held", "released", "by", "canary's requests")
    rows = [_row(kind, ends, rates) for kind in dict.fromkeys(kind for kind, _ in ends)]
    return markdown([*header, *(f"minutes at {rate:g}/s" for rate in rates), "most failed"], rows)


def _row(kind: str, ends: Ends, rates: Sequence[float]) -> list[str]:
    whole = [end for (name, _), own in ends.items() if name == kind for end in own]
    by = Counter(check for end in whole if end.outcome is Outcome.ABORT for check in end.checks[:1])
    return [
        f"{kind}: {KINDS[kind].text}",
        f"{len(whole):,}",
        *(
            _percent(sum(map(is_so, whole)), len(whole))
            for is_so in (
                lambda end: end.outcome is Outcome.ABORT,
                lambda end: end.is_found,
                lambda end: end.outcome is Outcome.HOLD,
                lambda end: end.outcome is Outcome.PASS,
            )
        ),
        ", ".join(f"{check} {count}" for check, count in by.most_common(3)),
        _spread([end.canary_requests for end in whole]),
        *(_spread([end.after_s / 60 for end in ends.get((kind, rate), [])]) for rate in rates),
        f"{max(end.failed / max(1, end.requests) for end in whole):.2%}",
    ]


def _percent(count: int, total: int) -> str:
    return f"{100 * count / total:.1f} %"


def _spread(values: Sequence[float]) -> str:
    return f"{percentile(values, 0.5):,.0f} / {percentile(values, 0.95):,.0f}" if values else ""


def missed(ends: Ends) -> list[str]:
    """Return a sentence for each kind that the judge is made for of which too many came out wrong."""
    return [
        sentence
        for kind in dict.fromkeys(kind for kind, _ in ends)
        if KINDS[kind].is_aimed_at
        for sentence in _missed(kind, [end for (name, _), own in ends.items() if name == kind for end in own])
    ]


def _missed(kind: str, ends: Sequence[End]) -> Iterable[str]:
    aborted = sum(end.outcome is Outcome.ABORT for end in ends)
    found = sum(end.is_found for end in ends)
    if KINDS[kind].is_good:
        if aborted > ABORTED_SHARE_MAX * len(ends):
            yield f"{kind}: {aborted:,} of {len(ends):,} were rolled back, at most {ABORTED_SHARE_MAX:.0%} may be"
        return
    if found < FOUND_SHARE_MIN * len(ends):
        wanted = f"before half of the traffic, {FOUND_SHARE_MIN:.0%} have to"
        yield f"{kind}: {found:,} of {len(ends):,} were rolled back {wanted}"
    if (failed := max(end.failed / max(1, end.requests) for end in ends)) > FAILED_SHARE_MAX:
        yield f"{kind}: one failed {failed:.1%} of all requests, at most {FAILED_SHARE_MAX:.0%} may be"


def document(ends: Ends, seed: int, *, partial: bool) -> dict[str, Any]:
    """Return everything, as JSON's values."""
    return {
        "what": "canary simulation",
        "partial": partial,
        "seed": seed,
        "missed": missed(ends),
        "releases": [{"kind": kind, "rate": rate, **asdict(end)} for (kind, rate), own in ends.items() for end in own],
    }
