"""Results as the parts of scripts/validate leave them, small and made up, for the tests of what is said of them."""

import copy
from typing import Any

FACTS = {
    "commit": "0123456789ab",
    "is_clean": True,
    "at": "2026-01-02T03:04:05+00:00",
    "machine": {
        "processor": "Example", "processors": 2, "memory_bytes": 8_000_000_000, "system": "Linux 6", "load_before": 0.1,
    },
    "python": "3.12.1",
}  # fmt: skip


def _design(hits: dict[str, Any], p95_ms: float, requests_per_cpu_s: float, right: float) -> dict[str, Any]:
    spread = {"count": 400, "p50": p95_ms / 5, "p95": p95_ms, "p99": 2 * p95_ms, "max": 3 * p95_ms}
    row = {"requests": 9, "errors": 0, "l1": hits["l1"], "total": hits["total"], "p95_ms": p95_ms}
    return {
        "requests": 1_000,
        "statuses": {"200": 1_000},
        "latency_ms": {
            "all": spread,
            "by_kind": {"turn": spread},
            "by_tier": {"L0": {**spread, "p50": 0.5, "p95": 1.0}, "L1": {**spread, "p50": 6.0, "p95": 8.0}},
            "turns_warm": spread,
        },
        "curve_ms": [(share / 20, p95_ms * share / 19) for share in range(1, 20)] + [(0.999, 3 * p95_ms)],
        "hits": hits,
        "instances": {
            "cpu_s": 10.0,
            "requests_per_cpu_s": requests_per_cpu_s,
            "right_turns_per_cpu_s": right,
        },
        "lag": {
            "loop": {"looks": 5_000, "over_10_ms": 5, "share_over_10_ms": 0.001, "max_ms": 12.0},
            "machine": {"looks": 5_000, "over_10_ms": 10, "share_over_10_ms": 0.002, "max_ms": 15.0},
        },
        "timeline": [{"at_s": float(at_s), "cold_starts": int(at_s % 3 == 0), **row} for at_s in range(6)],
    }


def _designs() -> dict[str, Any]:
    hits = {"continuing_turns": 200, "total": 0.99, "l1": 0.7, "l1_ceiling": 0.72, "l1_of_ceiling": 0.97}
    none = {"continuing_turns": 200, "total": 0.1, "l1": None, "l1_ceiling": None, "l1_of_ceiling": None}
    return {
        "warmthread": _design({**hits, "l2_of_the_rest": 1.0}, 40.0, 100.0, 50.0),
        "naive": _design({**none, "l2_of_the_rest": 0.0}, 160.0, 33.0, 10.0),
    }


def _stretch(number: int, design: str, rate: float) -> dict[str, Any]:
    name = f"speed 1, stretch {number} of 2"
    rates = {"requests_per_cpu_s": rate, "right_turns_per_cpu_s": rate}
    return {"name": name, "speed": 1, "design": design, "is_whole": True, "figures": {"instances": rates}}


def _saturation(kept: float) -> dict[str, Any]:
    steps = [{"turns_s": kept, "p95_ms": 200.0, "errors": 0}, {"turns_s": 2 * kept, "p95_ms": 900.0, "errors": 1}]
    return {"p95_ms": 250.0, "kept_turns_s": kept, "passed_turns_s": 2 * kept, "steps": steps}


def _slope(estimate: float, low: float, verdict: str) -> dict[str, Any]:
    return {
        "unit": "bytes a request", "bound": 50.0, "points": 90, "requests": 4_000,
        "estimate": estimate, "low": low, "high": 2 * estimate - low, "verdict": verdict,
    }  # fmt: skip


def _sample(number: int) -> dict[str, Any]:
    instance = {
        "name": "conversations#1",
        "lasts": True,
        "requests": 50 * number,
        "resident_bytes": 90_000_000 + number,
    }
    return {"at_s": float(number), "requests": 99 * number, "instances": [instance]}


def _proof() -> dict[str, Any]:
    return {"what": "proof", "is_whole": True, "status": 0, "last": "violations 0", **FACTS}


USD = {"Vercel: active CPU": 1.0, "Vercel: memory": 0.5, "Upstash: commands": 0.0, "Upstash: bandwidth": 0.0}
PARTS = {"load": {"command": "scripts/prove load", "seconds": 300.0, "status": 0, "has_result": True}}

RESULTS: dict[str, Any] = {
    "run": {"is_whole": True, "form": "short", "seed": 1, "parts": PARTS, **FACTS},
    "load": {
        "kind": "load",
        "is_whole": True,
        "speeds": {speed: {"designs": _designs()} for speed in ("1",)} | {"10": {"designs": _designs()}},
        "stretches": [
            _stretch(1, "warmthread", 104.0), _stretch(1, "naive", 40.0),
            _stretch(2, "naive", 30.0), _stretch(2, "warmthread", 102.0),
        ],
        "joined": {"instances": 4, "designs": _designs(), "steady": _designs(), "long": _designs()},
        "saturation": {"warmthread": _saturation(20.0), "naive": _saturation(5.0)},
        **FACTS,
    },
    "soak": {
        "what": "soak",
        "partial": False,
        "slopes": {
            "conversations resident_bytes": _slope(2.0, -5.0, "holds"),
            "store keys": _slope(0.0, -1.0, "holds"),
        },
        "options": {"leak_bytes": 1_000},
        "planted": {"conversations": _slope(1_040.0, 800.0, "found")},
        "series": [_sample(number) for number in range(9)],
        **FACTS,
    },
    "chaos": {
        "what": "chaos",
        "partial": False,
        "windows": [{"kind": "store away", "recovery_s": 0.5}, {"kind": "killed", "recovery_s": None}],
        "checked": {"requests": 4_000, "statuses": {"200": 3_900, "503": 100}},
        "broken": [],
        **FACTS,
    },
    "cost": {
        "kind": "cost",
        "is_whole": True,
        "requests_month": 10_000_000,
        "assumed": {"usd_million": 2.5},
        "designs": {
            "warmthread": {"usd_million": USD | {"Upstash: commands": 6.0}},
            "naive": {"usd_million": USD | {"Vercel: active CPU": 3.0}},
        },
        "tokens_usd_month": {
            "exact counts instead of estimates": 900.0,
            "a stable beginning, from the provider's cache": 800.0,
            "a budget instead of the whole history": 7_000.0,
        },
        **FACTS,
    },
    "lag": {"what": "lag", "rows": {"append": {"max_ms": 9.0, "ours_ms": 8.0}}, "machine_ms": 5.0, "encoding_ms": 99.0},
    **{name: _proof() for name in ("contexts", "borders", "budgets", "coherence", "documents", "metrics")},
}  # fmt: skip
"""Name of a part -> its result: every criterion that can be measured is."""


def changed(path: str, value: object) -> dict[str, Any]:
    """Return the results with *value* at *path*, names between dots."""
    results = copy.deepcopy(RESULTS)
    *names, last = path.split(".")
    at: Any = results
    for name in names:
        at = at[name]
    at[last] = value
    return results
