"""
Evidence that may be looked at as often as one likes: e-values, which multiply, and what is made of them.

In an interval the canary had n requests of which k had an event (failed, took long, hit), the stable m of which j. The
hypothesis is that the canary's share of events p and the stable's q obey p <= ratio * q + excess. For any x > 1, with
y = 1 - ratio * (n / m) * (x - 1) > 0,

    e = x^k * y^j * exp(-n * excess * (x - 1))

has an expectation of at most 1 under that hypothesis: requests being independent, E[x^k] = prod(1 + p_i (x - 1))
<= exp(n p (x - 1)), and E[y^j] <= exp(m q (y - 1)) = exp(-n ratio q (x - 1)); together exp(n (x - 1)(p - ratio q -
excess)) <= 1. Nothing is assumed of q, which may differ from interval to interval and from request to request: only
averages count. For x < 1 the same holds of p >= ratio * q + excess. Products over intervals and strata are then
non-negative supermartingales, and by Ville's inequality one that begins at 1 ever reaches 1 / alpha with a probability
of at most alpha: however often, and whenever, it is looked at.

    clumps       Where events come in clumps, of at most c requests that share one fate, e^(1/c) is such an e-value,
                 since x^(s/c) <= 1 + (s/c)(x - 1) for a clump of s <= c; what is multiplied is that.
    x            For an alternative ratio r in place of *ratio*, x and y are chosen as in the likelihood ratio of two
                 binomial distributions given k + j: x = (r / ratio) * (ratio n + m) / (r n + m). It is the best choice
                 where events are rare. Which r is right is unknown: an average over several is an e-value as well.
    beginning    A defect may come later than the release. Averages are also taken over processes that begin at each
                 stage, with value 1 until then, so that a long good past does not outvote a bad present.
    combining    An average over checks, of whatever dependence, is an e-value of the hypothesis that all of them hold:
                 so one alpha suffices for all checks, stages and looks.

Sources: J. Ville, Étude critique de la notion de collectif, 1939; G. Shafer, Testing by betting, JRSS A 184, 2021;
V. Vovk and R. Wang, E-values: calibration, combination and applications, Annals of Statistics 49, 2021; R. Turner,
A. Ly and P. Grünwald, Generic E-variables for exact sequential k-sample tests, J. Statistical Planning and Inference
230, 2024 (the same for two streams). The inequalities for *excess* and for clumps are derived above.
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Counted(NamedTuple):
    """What an interval had of one stratum: *events* of *requests*, the canary's and the stable's."""

    events: float
    requests: float
    stable_events: float
    stable_requests: float


class Hypothesis(NamedTuple):
    """
    The canary's share of events is at most (or, with *alternatives* below *ratio*, at least) *ratio* times the
    stable's plus *excess*. A *ratio* of 0 compares with nothing but *excess*.

    *alternatives* are ratios; where *ratio* is 0, multiples of *excess*.
    """

    ratio: float
    excess: float
    alternatives: Sequence[float]


def log_e_values(counted: Counted, hypothesis: Hypothesis, clump: float) -> list[float]:
    """Return the logarithm of an interval's e-value for each alternative; 0 where there is nothing to compare with."""
    ratio, excess, alternatives = hypothesis
    n, m = counted.requests, counted.stable_requests
    if n <= 0 or (ratio and m <= 0):
        return [0.0] * len(alternatives)
    values = []
    for alternative in alternatives:
        if ratio:
            x = (alternative / ratio) * (ratio * n + m) / (alternative * n + m)
            log_y = math.log((ratio * n + m) / (alternative * n + m))
        else:
            x, log_y = alternative, 0.0
        log_e = counted.events * math.log(x) + counted.stable_events * log_y - n * excess * (x - 1)
        values.append(log_e / clump)
    return values


def log_mean(logs: Iterable[float], weights: Iterable[float] | None = None) -> float:
    """Return the logarithm of the average of e^logs, by *weights* that add up to 1, else evenly."""
    terms = list(logs)
    top = max(terms)
    if weights is None:
        return top + math.log(sum([math.exp(each - top) for each in terms]) / len(terms))
    return top + math.log(sum([share * math.exp(each - top) for share, each in zip(weights, terms, strict=True)]))
