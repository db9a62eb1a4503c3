"""
What one deployment's fleet counted so far, of what a canary is judged by: read from the text of /api/metrics.

    Sample.read(text, "dpl_…")     what this deployment's instances handed over since it began
    later - earlier                what they counted in between
    one + another                  what both counted

Series are named as shared/telemetry/metrics.py names them. Those by the age of their instance, which a release from
before them does not count, are taken where they are, and `tells` says whether they are: reads, durations of an
instance's first requests, and by how much its memory grew. An age is the number of an instance's requests, in AGES.

Histograms are kept by the numbers of their buckets. The exposition shows the bounds beside which something was counted
(shared/telemetry/fleet.py), so other ones at each look; the counts of all buckets follow from them exactly.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

from prometheus_client.parser import text_string_to_metric_families

from shared.telemetry.metrics import METRICS, Kind
from shared.telemetry.series import YOUNG

OWN = "/api/"
"""Routes of operators and crons. The judge asks for them itself, and a cron reaches one side only: not judged."""

Labels = tuple[str, ...]
"""Label values, in the order of the metric's labels, without the deployment."""

Counts = Mapping[Labels, int]
Buckets = Mapping[int, int]
"""Number of a bucket -> how many; the bucket behind the last bound has the number of bounds."""


class Series(NamedTuple):
    """A series that is read: its name in the exposition, its labels, and a histogram's bounds."""

    name: str
    labels: Labels
    bounds: tuple[float, ...] = ()


def _of(key: str) -> Series:
    metric = METRICS[key]
    return Series(metric.name, metric.labels, tuple(metric.bounds))


YOUNG_DURATION = "young_duration"
READS_BY_AGE = "reads_by_age"
REQUESTS_BY_AGE = "requests_by_age"
GROWTH = "resident_growth"

BY_AGE = (READS_BY_AGE, REQUESTS_BY_AGE, YOUNG_DURATION, GROWTH)

SERIES: dict[str, Series] = {
    key: _of(key)
    for key in (
        "requests",
        "duration",
        "refusals",
        "reads",
        "lag",
        "cold_start",
        "instances",
        "resident_max",
        "memory_limit",
        *BY_AGE,
    )
}
"""By their keys in METRICS."""

GAUGES = frozenset(key for key in SERIES if METRICS[key].kind in (Kind.LATELY, Kind.LATEST))
HISTOGRAMS = frozenset(key for key, series in SERIES.items() if series.bounds)


@dataclass(frozen=True, slots=True)
class Sample:
    """
    What a deployment counted: *counters* and *histograms* by the keys of SERIES, *gauges* as they are now.

    A difference has the later's gauges.
    """

    counters: Mapping[str, Counts] = field(default_factory=dict)
    histograms: Mapping[str, Mapping[Labels, Buckets]] = field(default_factory=dict)
    gauges: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def read(cls, exposition: str, deployment: str) -> Self:
        """
        Return what *exposition*, the text of /api/metrics, says of *deployment*: nothing, where it is not in there.

        Raises ValueError: the text is not what /api/metrics answers.
        """
        names = {series.name: key for key, series in SERIES.items()}
        counters: dict[str, dict[Labels, int]] = {}
        cumulated: dict[str, dict[Labels, dict[int, int]]] = {}
        gauges: dict[str, float] = {}
        for name, labels, value in _lines(exposition):
            if labels.get("deployment") != deployment:
                continue
            if (key := names.get(name)) in GAUGES:
                gauges[key] = value
            elif key is not None and (found := _labels(key, labels)) is not None:
                counters.setdefault(key, {})[found] = int(value)
            elif (key := names.get(name.removesuffix("_bucket"))) in HISTOGRAMS:
                assert key is not None
                found = _labels(key, labels)
                if found is not None:
                    number = _number(key, labels.get("le", ""))
                    cumulated.setdefault(key, {}).setdefault(found, {})[number] = int(value)
        histograms = {
            key: {labels: _apart(buckets) for labels, buckets in many.items()} for key, many in cumulated.items()
        }
        return cls(counters, histograms, gauges)

    def __add__(self, other: "Sample") -> "Sample":
        """Return what both counted, with the other's gauges."""
        counters = {
            key: _more(self.counters.get(key, {}), other.counters.get(key, {}))
            for key in {**self.counters, **other.counters}
        }
        histograms: dict[str, dict[Labels, Buckets]] = {}
        for key in {**self.histograms, **other.histograms}:
            one, another = self.histograms.get(key, {}), other.histograms.get(key, {})
            histograms[key] = {
                labels: _more(one.get(labels, {}), another.get(labels, {})) for labels in {**one, **another}
            }
        return Sample(counters, histograms, other.gauges)

    def __sub__(self, earlier: "Sample") -> "Sample":
        """
        Return what was counted since *earlier*.

        Raises ValueError: less was counted than before, so what the deployment counted was lost meanwhile.
        """
        counters = {
            key: _less(key, self.counters.get(key, {}), earlier.counters.get(key, {}))
            for key in {**self.counters, **earlier.counters}
        }
        histograms: dict[str, dict[Labels, Buckets]] = {}
        for key in {**self.histograms, **earlier.histograms}:
            later, before = self.histograms.get(key, {}), earlier.histograms.get(key, {})
            histograms[key] = {
                labels: _less(key, later.get(labels, {}), before.get(labels, {})) for labels in {**later, **before}
            }
        return Sample(counters, histograms, self.gauges)

    def tells(self, key: str) -> bool:
        """Tell whether the deployment counts the series *key* of SERIES."""
        return bool(self.counters.get(key) or self.histograms.get(key)) or key in self.gauges

    def total(self, key: str) -> int:
        """Return the sum of a counter's series."""
        return sum(self.counters.get(key, {}).values())

    def buckets(self, key: str) -> Buckets:
        """Return a histogram that has no labels."""
        return self.histograms.get(key, {}).get((), {})

    def requests(self, *statuses: str) -> dict[Labels, int]:
        """Return the requests by (method, route), of classes of status such as `5xx`, all without; not OWN ones."""
        found: dict[Labels, int] = {}
        for (method, route, status), count in self.counters.get("requests", {}).items():
            if not route.startswith(OWN) and (not statuses or status in statuses):
                found[method, route] = found.get((method, route), 0) + count
        return found

    def durations(self, ages: Sequence[str] = YOUNG) -> dict[Labels, Buckets]:
        """
        Return the durations by (method, route, age): of *ages*, which are some of YOUNG, and "" of all others.

        Where the deployment does not count young requests apart, "" is all of them.
        """
        young = {
            (method, route, age): buckets
            for (age, method, route), buckets in self.histograms.get(YOUNG_DURATION, {}).items()
            if age in ages
        }
        found: dict[Labels, Buckets] = {
            labels: buckets for labels, buckets in young.items() if not labels[1].startswith(OWN)
        }
        for (method, route), buckets in self.histograms.get("duration", {}).items():
            if not route.startswith(OWN):
                rest = dict(buckets)
                for age in ages:
                    for number, count in young.get((method, route, age), {}).items():
                        rest[number] = max(0, rest.get(number, 0) - count)
                found[method, route, ""] = {number: count for number, count in rest.items() if count}
        return found

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON's values, of which `from_json` makes it again."""
        return {
            "counters": {
                key: [[*labels, count] for labels, count in each.items()] for key, each in self.counters.items()
            },
            "histograms": {
                key: [[list(labels), sorted(buckets.items())] for labels, buckets in many.items()]
                for key, many in self.histograms.items()
            },
            "gauges": dict(self.gauges),
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """Return what `to_json` kept."""
        counters = {
            key: {tuple(map(str, labels)): int(count) for *labels, count in each}
            for key, each in kept["counters"].items()
        }
        histograms = {
            key: {tuple(labels): {int(number): int(count) for number, count in buckets} for labels, buckets in many}
            for key, many in kept["histograms"].items()
        }
        return cls(counters, histograms, dict(kept["gauges"]))


def _lines(exposition: str) -> Iterable[tuple[str, Mapping[str, str], float]]:
    try:
        for family in text_string_to_metric_families(exposition):
            for sample in family.samples:
                yield sample.name, sample.labels, float(sample.value)
    except (ValueError, IndexError, KeyError) as error:
        raise ValueError(f"could not read the metrics: {error}") from error


def _labels(key: str, labels: Mapping[str, str]) -> Labels | None:
    """Return the label values of a series; None: it is not labelled as we know it."""
    names = SERIES[key].labels
    return tuple(labels[name] for name in names) if all(name in labels for name in names) else None


_NUMBERS = {
    key: {f"{bound:.7g}": number for number, bound in enumerate(SERIES[key].bounds)} | {"+Inf": len(SERIES[key].bounds)}
    for key in HISTOGRAMS
}


def _number(key: str, le: str) -> int:
    try:
        return _NUMBERS[key][le]
    except KeyError:
        raise ValueError(
            f"could not read the metrics: {SERIES[key].name} has a bound of {le!r}, which is none"
        ) from None


def _apart(cumulated: Mapping[int, int]) -> dict[int, int]:
    """Return what is in each bucket; between two bounds that are shown beside each other, nothing was counted."""
    found, seen = {}, 0
    for number, count in sorted(cumulated.items()):
        if count < seen:
            raise ValueError("could not read the metrics: a histogram has fewer up to a bound than up to a smaller one")
        if count > seen:
            found[number] = count - seen
        seen = count
    return found


def _more[K](one: Mapping[K, int], another: Mapping[K, int]) -> dict[K, int]:
    return {each: one.get(each, 0) + another.get(each, 0) for each in {**one, **another}}


def _less[K](key: str, later: Mapping[K, int], earlier: Mapping[K, int]) -> dict[K, int]:
    before = earlier.get
    more = {each: count - before(each, 0) for each, count in later.items() if count != before(each, 0)}
    if min(more.values(), default=0) < 0 or any(earlier[each] for each in earlier.keys() - later.keys()):
        raise ValueError(f"{SERIES[key].name} is less than it was: what the deployment counted before was lost")
    return more
