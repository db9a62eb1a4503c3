"""
What a piece of a load comes to, as the JSON that other programs read (docs/validation.md says what each means).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from scripts.measuring.clusters import percentile_bounds
from scripts.measuring.tables import percentile
from scripts.proving.load.answers import Answer, statuses

LATE_S = 0.05
"""A request that is sent so long after it was due is counted as late."""

SHARES = (0.5, 0.95, 0.99)
CURVE = (0.01, 0.05, *(each / 10 for each in range(1, 10)), 0.95, 0.98, 0.99, 0.995, 0.999)
LATE_MS = 10.0
WINDOW_S = 4.0
"""Longer than a stall and what it brings with it; there are six in a stretch of the short form."""

BUCKETS = 60
WRONG = ("wrong", "STALE")
OURS = ("L0", "L1", "partial", "L2")


class Spent(NamedTuple):
    """What a piece cost: by the instances, and at the store. *cpu_s* includes the starts; *generator_cpu_s* is ours."""

    cpu_s: float = 0.0
    cold_starts: int = 0
    requests: int = 0
    commands: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    resident_mean_bytes: float = 0.0
    instances_mean: float = 0.0
    stored_bytes: int = 0
    generator_cpu_s: float = 0.0

    def plus(self, other: "Spent", sign: int = 1) -> "Spent":
        """Return the sums of both; their differences where *sign* is -1."""
        return Spent(**{name: value + sign * getattr(other, name) for name, value in self._asdict().items()})


class Late(NamedTuple):
    """
    How late a loop, or a process that only sleeps, was: *looks*, those over 10 ms, and the longest. *windows*: looks
    and late ones of each few seconds, for looks are late together.
    """

    looks: int = 0
    late: int = 0
    max_ms: float = 0.0
    windows: tuple[tuple[int, int], ...] = ()

    def figures(self) -> dict[str, Any]:
        return {
            "looks": self.looks,
            "over_10_ms": self.late,
            "share_over_10_ms": round(self.late / max(1, self.looks), 6),
            "max_ms": round(self.max_ms, 1),
            "windows": [list(each) for each in self.windows],
        }


class Measured(NamedTuple):
    """One stretch of load on one design; *seconds* until the last answer, *machine* the probe beside it."""

    answers: list[Answer]
    seconds: float
    spent: Spent
    lag: Late
    machine: Late
    skipped: int = 0
    unanswered: int = 0
    documents: Mapping[str, int] = {}

    def plus(self, other: "Measured") -> "Measured":
        """Return both as one, in which the *other* one came behind this."""
        total = self.seconds + other.seconds
        own, its = self.seconds / total, other.seconds / total
        spent = self.spent.plus(other.spent)._replace(
            resident_mean_bytes=own * self.spent.resident_mean_bytes + its * other.spent.resident_mean_bytes,
            instances_mean=own * self.spent.instances_mean + its * other.spent.instances_mean,
        )
        moved = [
            each._replace(
                due_s=each.due_s + self.seconds, sent_s=each.sent_s + self.seconds, ended_s=each.ended_s + self.seconds
            )
            for each in other.answers
        ]
        return Measured(
            [*self.answers, *moved], total, spent, _both(self.lag, other.lag), _both(self.machine, other.machine),
            self.skipped + other.skipped, self.unanswered + other.unanswered,
            {name: self.documents.get(name, 0) + other.documents.get(name, 0)
             for name in {*self.documents, *other.documents}},
        )  # fmt: skip


def _both(one: Late, other: Late) -> Late:
    longest = max(one.max_ms, other.max_ms)
    return Late(one.looks + other.looks, one.late + other.late, longest, (*one.windows, *other.windows))


def figures(measured: Measured) -> dict[str, Any]:
    """Return all figures of *measured*."""
    answers, spent = measured.answers, measured.spent
    good = [each for each in answers if each.status == 200]
    turns = [each for each in good if each.kind == "turn"]
    return {
        "seconds": round(measured.seconds, 2),
        "requests": len(answers),
        "turns": len([each for each in answers if each.kind == "turn"]),
        "statuses": statuses(answers),
        "errors": sum(each.status not in (200, 404) for each in answers),
        "unknown": sum(each.status == 404 for each in answers),
        "late": sum(each.sent_s - each.due_s > LATE_S for each in answers),
        "skipped": measured.skipped,
        "unanswered": measured.unanswered,
        "cold_starts": spent.cold_starts,
        "latency_ms": {
            "all": _spread(answers),
            "by_kind": _by(answers, lambda each: each.kind),
            "by_tier": _by([each for each in good if each.tier], lambda each: each.tier),
            "turns_warm": _spread([each for each in turns if not each.is_cold]),
        },
        "service_ms": _by(good, lambda each: each.kind, lambda each: each.service_ms),
        "curve_ms": _curve(turns),
        "bounds_ms": _bounds(turns),
        "hits": hits(turns),
        "documents": dict(measured.documents),
        "store": {
            "requests": spent.requests,
            "commands": spent.commands,
            "bytes_in": spent.bytes_in,
            "bytes_out": spent.bytes_out,
            "stored_bytes": spent.stored_bytes,
        },
        "instances": {
            "cpu_s": round(spent.cpu_s, 2),
            "mean": round(spent.instances_mean, 2),
            "resident_mean_bytes": round(spent.resident_mean_bytes),
            "requests_per_cpu_s": round(len(good) / spent.cpu_s, 1) if spent.cpu_s else None,
            "right_turns_per_cpu_s": _share(sum(each.tier not in WRONG for each in turns), spent.cpu_s),
            "turns_per_cpu_s": round(len(turns) / spent.cpu_s, 1) if spent.cpu_s else None,
        },
        "bytes": {
            "sent": sum(each.bytes_sent for each in answers),
            "received": sum(each.bytes_received for each in answers),
        },
        "generator_cpu_s": round(spent.generator_cpu_s, 2),
        "context_tokens": sum(each.used.tokens for each in turns if each.used),
        "lag": {"loop": measured.lag.figures(), "machine": measured.machine.figures()},
        "timeline": timeline(answers, measured.seconds),
    }


def hits(turns: Sequence[Answer]) -> dict[str, Any]:
    """
    Return where the histories of continuing turns came from: entries that the instance held count for L1.

    *total*: turns whose history was there, of all; *l1_ceiling*: what the instances that answered can have held.
    """
    continuing = [each for each in turns if each.turn > 0]
    used = [each.used for each in continuing if each.used is not None]
    entries, held, could = (
        (sum(column) for column in zip(*(each[:3] for each in used), strict=True)) if used else (0,) * 3
    )
    there = [each for each in continuing if each.tier in (*OURS, "right")]
    count = max(1, len(continuing))
    return {
        "continuing_turns": len(continuing),
        "tiers": {tier: sum(each.tier == tier for each in continuing) for tier in sorted({e.tier for e in continuing})},
        "total": round(len(there) / count, 4),
        "entries_used": entries,
        "l1": _share(held, entries),
        "l1_ceiling": _share(could, entries),
        "l1_of_ceiling": _share(held, could),
        "l2_of_the_rest": _share(entries - held, entries - held + _lost(continuing)),
    }


def _lost(continuing: Iterable[Answer]) -> int:
    """Return how many histories were neither held nor in the store."""
    return sum(each.tier in ("missing", *WRONG) for each in continuing)


def _share(part: float, whole: float) -> float | None:
    return round(part / whole, 4) if whole else None


def _by(
    answers: Iterable[Answer],
    key: Callable[[Answer], str],
    value: Callable[[Answer], float] = lambda each: each.latency_ms,
) -> dict[str, dict[str, float]]:
    groups: dict[str, list[Answer]] = {}
    for each in answers:
        groups.setdefault(key(each), []).append(each)
    return {name: _spread(group, value) for name, group in sorted(groups.items())}


def _spread(
    answers: Iterable[Answer], value: Callable[[Answer], float] = lambda each: each.latency_ms
) -> dict[str, float]:
    samples = sorted(map(value, answers))
    if not samples:
        return {"count": 0}
    found = {f"p{share * 100:g}": round(percentile(samples, share), 2) for share in SHARES}
    return {"count": len(samples), **found, "max": round(samples[-1], 2)}


def _curve(answers: Iterable[Answer]) -> list[tuple[float, float]]:
    samples = sorted(each.latency_ms for each in answers)
    return [(share, round(percentile(samples, share), 2)) for share in CURVE] if samples else []


def _bounds(turns: Iterable[Answer]) -> dict[str, tuple[float, float]]:
    """Return between what the percentiles of turns lie, those due in the same WINDOW_S together."""
    windows: dict[int, list[float]] = {}
    for each in turns:
        windows.setdefault(int(each.due_s / WINDOW_S), []).append(each.latency_ms)
    found = {f"p{share * 100:g}": percentile_bounds([*windows.values()], share) for share in SHARES}
    return {name: (round(bounds[0], 2), round(bounds[1], 2)) for name, bounds in found.items() if bounds}


def timeline(answers: Sequence[Answer], seconds: float) -> list[dict[str, Any]]:
    """Return BUCKETS stretches of time: how many requests and cold starts, the share of L1, p95 and errors."""
    width_s = max(seconds, 1e-9) / BUCKETS
    groups: list[list[Answer]] = [[] for _ in range(BUCKETS)]
    for each in answers:
        groups[min(BUCKETS - 1, int(each.due_s / width_s))].append(each)
    rows = []
    for number, group in enumerate(groups):
        turns = [each for each in group if each.kind == "turn"]
        found = hits(turns)
        rows.append(
            {
                "at_s": round(number * width_s, 2),
                "requests": len(group),
                "cold_starts": sum(each.is_cold for each in group),
                "errors": sum(each.status not in (200, 404) for each in group),
                "l1": found["l1"],
                "total": found["total"] if found["continuing_turns"] else None,
                "p95_ms": _spread(turns).get("p95"),
            }
        )
    return rows
