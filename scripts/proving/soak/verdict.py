"""
Whether anything grew, of a soak's samples: a slope a request after the warm-up, with its 95 % interval, and a rule.

    fails        the interval lies above 0, and the estimate above the bound
    undecided    the interval reaches beyond 20 times the bound (of memory 1 kB a request): a leak could hide in it;
                 or there are too few samples or requests
    holds        neither

Where a leak was planted the same rule says that it is found, not found, or undecided.

A soak fails where anything fails, or a planted leak is not found, or an instance that was to live
through all of it did not, or an answer was a 500.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from scripts.proving.soak.plan import DAY_S, WARM_UP_REQUESTS, Options
from scripts.proving.soak.record import Sample
from scripts.proving.soak.slope import AGAIN, Series, slope

HOLDS, FAILS, UNDECIDED = "holds", "fails", "undecided"
MISSED = "not found"
FOUND = {FAILS: "found", HOLDS: MISSED, UNDECIDED: UNDECIDED}
POINTS_MIN, REQUESTS_MIN = 30, 500
FLEET = "fleet"
"""What the instances of a deployment are called of which only the metrics are seen."""

HIDES = 20
"""What hides in an interval that is so many times as wide as the bound would have been worth finding."""


class Quantity(NamedTuple):
    """What may grow by *bound* a request, at most."""

    name: str
    unit: str
    bound: float


MEMORY = Quantity("resident_bytes", "bytes", 50.0)
OF_INSTANCES = (
    MEMORY,
    Quantity("descriptors", "descriptors", 0.001),
    Quantity("threads", "threads", 0.001),
)
OF_THE_STORE = (Quantity("keys", "keys", 0.01), Quantity("bytes", "bytes", 50.0))


def judge(options: Options, samples: Sequence[Sample], *, is_whole: bool, again: int = AGAIN) -> dict[str, Any]:
    """Return `slopes`, what was found of each quantity, `planted`, of those that leak, and the `verdict`."""
    late = list(_after_warm_up(options, samples))
    slopes, planted = {}, {}
    for function in _functions(late, "lasts"):
        for quantity in OF_INSTANCES if function != FLEET else (MEMORY,):
            series = _of_instances(late, function, quantity.name, "lasts")
            name = f"{function.removeprefix('/api/')} {quantity.name}"
            slopes[name] = judged(quantity, series, options.seed, again)
    for function in _functions(late, "leaks") if options.leak_bytes else ():
        found = judged(MEMORY, _of_instances(late, function, MEMORY.name, "leaks"), options.seed, again)
        planted[function.removeprefix("/api/")] = found | {"verdict": FOUND[found["verdict"]]}
    for quantity in OF_THE_STORE if late and "keys" in late[0] else ():
        slopes[f"store {quantity.name}"] = judged(
            quantity, of_the_store(options, samples, quantity.name), options.seed, again
        )
    why = [f"{name} grows" for name, found in slopes.items() if found["verdict"] == FAILS]
    why += [f"{name} was to live through all of it, and did not" for name in lost(samples)]
    why += [f"the leak planted in {name} was not found" for name, each in planted.items() if each["verdict"] == MISSED]
    bugs = sum(sample["answers"].get("500", 0) for sample in last_of_legs(samples))
    why += [f"{bugs} answers were a 500"] if bugs else []
    open_ = [name for name, found in slopes.items() if found["verdict"] == UNDECIDED]
    open_ += [f"the leak planted in {name}" for name, found in planted.items() if found["verdict"] == UNDECIDED]
    little = [f"{name}: too little to tell" for name in open_]
    little += [] if is_whole else ["it was interrupted"]
    little += [] if slopes else ["there is no sample after the warm-up"]
    verdict = FAILS if why else UNDECIDED if little else HOLDS
    return {"slopes": slopes, "planted": planted, "verdict": verdict, "why": why or little}


def judged(quantity: Quantity, many: Sequence[Series], seed: object, again: int = AGAIN) -> dict[str, Any]:
    """Return what *many* series of a quantity say, each of (requests, value)."""
    points = sum(map(len, many))
    requests = sum(series[-1][0] - series[0][0] for series in many if series)
    found: dict[str, Any] = {"unit": f"{quantity.unit} a request", "bound": quantity.bound, "points": points}
    found |= {"requests": requests, "estimate": None, "low": None, "high": None, "verdict": UNDECIDED}
    if points < POINTS_MIN or requests < REQUESTS_MIN or not any(value for series in many for _, value in series):
        return found
    fit = slope(many, (seed, quantity.name), again)
    if fit is None:
        return found
    if fit.low > 0 and fit.estimate > quantity.bound:
        said = FAILS
    else:
        said = UNDECIDED if fit.high > HIDES * quantity.bound else HOLDS
    return found | fit._asdict() | {"verdict": said}


def last_of_legs(samples: Iterable[Sample]) -> list[Sample]:
    """Return the last sample of each leg: what is counted within one is whole there."""
    return list({sample["leg"]: sample for sample in samples}.values())


def lost(samples: Sequence[Sample]) -> list[str]:
    """Return the instances that were to live through all of a leg, and were seen in it, but not at its end."""
    seen: dict[int, set[str]] = {}
    for sample in samples if not samples or "keys" in samples[0] else ():
        now = {each["name"] for each in sample["instances"] if each["lasts"] or each.get("leaks")}
        seen.setdefault(sample["leg"], set()).update(now)
    return sorted(
        name
        for last in last_of_legs(samples)
        for name in seen.get(last["leg"], set()) - {each["name"] for each in last["instances"]}
    )


def _after_warm_up(options: Options, samples: Iterable[Sample]) -> Iterable[Sample]:
    begins: dict[int, float] = {}
    for sample in samples:
        begin_s = begins.setdefault(sample["leg"], sample["at_s"])
        if sample["at_s"] - begin_s >= options.warm_up_s:
            yield sample


def _functions(samples: Iterable[Sample], kind: str) -> list[str]:
    return sorted(
        {each["name"].partition("#")[0] for sample in samples for each in sample["instances"] if each.get(kind)}
    )


def _of_instances(samples: Iterable[Sample], function: str, name: str, kind: str) -> list[Series]:
    def of(sample: Sample) -> Iterable[Mapping[str, Any]]:
        warm = (each for each in sample["instances"] if each.get(kind) and each["requests"] >= WARM_UP_REQUESTS)
        return (each for each in warm if each["name"].startswith(f"{function}#"))

    return _series(samples, of, name)


def of_the_store(options: Options, samples: Iterable[Sample], name: str) -> list[Series]:
    """
    Return what a store held after the warm-up, as if each day had had as many answers as they have on average.

    What a store holds is what about a day brought, so it follows the load; on a machine that has other work as well,
    load that comes back would look like growth. What grows with each request for ever does so after this as well.
    """
    many: list[Series] = []
    for own in _legs(samples):
        late, times = list(_after_warm_up(options, own)), [sample["at_s"] for sample in own]
        begins = [bisect_right(times, sample["at_s"] - DAY_S / options.factor) for sample in late]
        days = [_answered(each) - _answered(own[max(0, at - 1)]) for each, at in zip(late, begins, strict=True)]
        usual, empty = sum(days) / max(1, len(days)), own[0][name]
        many.append([
            (each["requests"], empty + (each[name] - empty) * usual / max(1, day))
            for each, day in zip(late, days, strict=True)
        ])  # fmt: skip
    return many


def _legs(samples: Iterable[Sample]) -> list[list[Sample]]:
    found: dict[int, list[Sample]] = {}
    for sample in samples:
        found.setdefault(sample["leg"], []).append(sample)
    return list(found.values())


def _answered(sample: Sample) -> int:
    return int(sample["answers"].get("200", 0))


def _series(samples: Iterable[Sample], of: Callable[[Sample], Iterable[Mapping[str, Any]]], name: str) -> list[Series]:
    """Return a series for each instance, or store, of each leg."""
    found: dict[tuple[int, str], list[tuple[float, float]]] = {}
    for sample in samples:
        for each in of(sample):
            found.setdefault((sample["leg"], each["name"]), []).append((each["requests"], each[name]))
    return list(found.values())
