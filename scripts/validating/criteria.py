"""
What the service is for, as a table: each criterion with its target, where its value is read, how both are compared.

A criterion is *exact* where no machine and no chance excuses another value: then scripts/validate exits with 1. All
others say how well it does on the machine that they were measured on.
"""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import NamedTuple

from scripts.validating import of_load as load
from scripts.validating import of_others as others
from scripts.validating.found import Found, Missing, Reading
from scripts.validating.results import Results

LOAD = "scripts/prove load"
SOAK = "scripts/prove soak"
CHAOS = "scripts/prove chaos"
COST = "scripts/prove cost load.json"
PROOF = "proof"
"""The unit of what was proved, 0, or refuted, 1."""


class Verdict(StrEnum):
    MET = "met"
    NOT_MET = "not met"
    NOT_MEASURED = "not measured"


class Compare(StrEnum):
    """How a value is held against its bound: *low at most* by the lower end of its interval, *stated* not at all."""

    ABOVE = "above"
    AT_LEAST = "at least"
    BELOW = "below"
    AT_MOST = "at most"
    LOW_AT_MOST = "low at most"
    STATED = "stated"


class Criterion(NamedTuple):
    """*unit*: share, ms, s, times, USD, bytes, or what is counted."""

    name: str
    title: str
    read: Callable[[Results], Reading]
    compare: Compare
    bound: float
    unit: str
    command: str
    aim: str = ""
    exact: bool = False


class Risk(NamedTuple):
    """What may make it useless, and by which criteria that was looked at."""

    title: str
    text: str
    of: Sequence[str]


def verdict(criterion: Criterion, reading: Reading) -> Verdict:
    if isinstance(reading, Missing):
        return Verdict.NOT_MEASURED
    low = reading.value if reading.low is None else reading.low
    is_met = {
        Compare.ABOVE: reading.value > criterion.bound,
        Compare.AT_LEAST: reading.value >= criterion.bound,
        Compare.BELOW: reading.value < criterion.bound,
        Compare.AT_MOST: reading.value <= criterion.bound,
        Compare.LOW_AT_MOST: low <= criterion.bound,
        Compare.STATED: True,
    }[criterion.compare]
    return Verdict.MET if is_met else Verdict.NOT_MET


def is_unsure(criterion: Criterion, reading: Reading) -> bool:
    """Tell whether the bound lies between those of the value: another run may say the opposite."""
    return (
        isinstance(reading, Found)
        and criterion.compare not in (Compare.LOW_AT_MOST, Compare.STATED)
        and reading.low is not None
        and reading.high is not None
        and reading.low < criterion.bound < reading.high
    )


def verdict_of_all(verdicts: Sequence[Verdict]) -> Verdict:
    """Return the worst: of a risk whose criteria are not all met, or not all measured."""
    for each in (Verdict.NOT_MET, Verdict.NOT_MEASURED):
        if each in verdicts:
            return each
    return Verdict.MET if verdicts else Verdict.NOT_MEASURED


ABOVE, AT_LEAST, BELOW = Compare.ABOVE, Compare.AT_LEAST, Compare.BELOW
AT_MOST, LOW_AT_MOST, STATED = Compare.AT_MOST, Compare.LOW_AT_MOST, Compare.STATED

CRITERIA = (
    Criterion(
        "total", "Histories that were there and right, instances living 2 minutes on average",
        load.share("hits.total"), ABOVE, 0.70, "share", LOAD, aim="95 %",
    ),
    Criterion(
        "l1-ceiling", "Entries from L1, of the most that the instances that answered can have held",
        load.share("hits.l1_of_ceiling"), AT_LEAST, 0.95, "share", LOAD,
    ),
    Criterion(
        "l1", "Entries from L1, joined dialogues, any of four instances",
        load.joined_share("hits.l1", "hits.l1_ceiling"), ABOVE, 0.30, "share", LOAD,
    ),
    Criterion(
        "l2", "Entries from L2, of what L1 had not",
        load.share("hits.l2_of_the_rest"), ABOVE, 0.50, "share", LOAD,
    ),
    Criterion(
        "p95", "p95 of a turn, 5 ms to the store", load.percentile("1", 0.95), BELOW, 100, "ms", LOAD,
    ),
    Criterion(
        "p95-l0", "p95 of a hit that asks the store nothing (L0)", load.tier("1", "L0"), BELOW, 10, "ms", LOAD,
    ),
    Criterion(
        "p95-l1", "p95 of a hit that asks the store what is new (L1), joined dialogues",
        load.tier(load.JOINED, "L1"), BELOW, 10, "ms", LOAD,
    ),
    Criterion(
        "p95-l1-steady", "The same on instances that had started before and do not end",
        load.tier(load.STEADY, "L1"), BELOW, 10, "ms", LOAD,
    ),
    Criterion(
        "p95-10", "p95 of a turn at 10 times the trace", load.percentile("10", 0.95), BELOW, 250, "ms", LOAD,
    ),
    Criterion(
        "saturation", "Saturation: turns a second that are answered before their p95 passes 250 ms",
        load.saturation, STATED, 0, "turns a second", LOAD,
    ),
    Criterion(
        "latency", "By how much the p95 of a turn is below the baseline's", load.less_than_baseline("1", 0.95),
        AT_LEAST, 0.70, "share", LOAD, aim="80 %",
    ),
    Criterion(
        "latency-10", "The same at 10 times the trace", load.less_than_baseline("10", 0.95),
        AT_LEAST, 0.70, "share", LOAD, aim="80 %",
    ),
    Criterion(
        "throughput", "Requests per CPU second of the instances, in those of the baseline, right histories or not",
        load.per_cpu("requests_per_cpu_s"), AT_LEAST, 2.5, "times", LOAD, aim="10",
    ),
    Criterion(
        "throughput-right", "Turns whose history was right per CPU second, in those of the baseline",
        load.per_cpu("right_turns_per_cpu_s"), AT_LEAST, 2.5, "times", LOAD, aim="10",
    ),
    Criterion(
        "throughput-joined", "The same on joined dialogues",
        load.joined_per_cpu("right_turns_per_cpu_s"), AT_LEAST, 2.5, "times", LOAD, aim="10",
    ),
    Criterion(
        "throughput-steady", "The same on instances that had started before and do not end",
        load.joined_per_cpu("right_turns_per_cpu_s", load.STEADY), AT_LEAST, 2.5, "times", LOAD, aim="10",
    ),
    Criterion(
        "throughput-long", "The same there, on conversations of 40,000 tokens and more",
        load.joined_per_cpu("right_turns_per_cpu_s", "long"), AT_LEAST, 2.5, "times", LOAD, aim="10",
    ),
    Criterion(
        "lag", "Looks at which loops were over 10 ms late, beyond those of a process that only sleeps",
        load.lag, AT_MOST, 0, "share", LOAD,
    ),
    Criterion(
        "lag-largest", "The longest wait of a loop beside the largest requests, of it at most ours",
        others.longest_wait, BELOW, 10, "ms", "scripts/bench lag",
    ),
    Criterion("errors", "Answers of 500 under load", load.errors, AT_MOST, 0, "answers", LOAD, exact=True),
    Criterion(
        "leak", "Memory that instances gain over a compressed week",
        others.leak, LOW_AT_MOST, 0, "bytes a request", SOAK,
    ),
    Criterion(
        "leak-others", "Of descriptors, threads, keys and bytes of the store: how many grow",
        others.others_that_grow, AT_MOST, 0, "quantities", SOAK,
    ),
    Criterion(
        "leak-planted", "A planted leak of 1 kB a request is found",
        others.planted_leak, ABOVE, 50, "bytes a request", SOAK,
    ),
    Criterion(
        "lost", "Acknowledged items that were lost", others.broken(*others.LOST), AT_MOST, 0, "items", CHAOS,
        exact=True,
    ),
    Criterion(
        "doubled", "Items that were doubled", others.broken(*others.DOUBLED), AT_MOST, 0, "items", CHAOS, exact=True,
    ),
    Criterion(
        "order", "Items out of their order", others.broken(*others.MIXED_UP), AT_MOST, 0, "items", CHAOS, exact=True,
    ),
    Criterion("stale", "Stale default reads", others.broken(*others.STALE), AT_MOST, 0, "reads", CHAOS, exact=True),
    Criterion(
        "overrun", "Budgets and rates that were overrun", others.broken(*others.OVERRUN),
        AT_MOST, 0, "findings", CHAOS, exact=True,
    ),
    Criterion("bugs", "Answers of 500 under faults", others.bugs, AT_MOST, 0, "answers", CHAOS, exact=True),
    Criterion(
        "wrong", "Refusals that changed something, wrong forks, evicted ones that are shown, errors of other kinds",
        others.broken(*others.WRONG), AT_MOST, 0, "findings", CHAOS, exact=True,
    ),
    Criterion(
        "broken", "Answers and recoveries under faults that take too long, and whatever else is found",
        others.broken(), AT_MOST, 0, "findings", CHAOS,
    ),
    Criterion(
        "recovery", "Seconds after a fault until answers are right again, at most",
        others.recovery, STATED, 0, "s", CHAOS,
    ),
    Criterion(
        "tokens", "Contexts of recorded dialogues count what tiktoken counts, and keep their other promises",
        others.proof("contexts"), AT_MOST, 0, PROOF, "scripts/prove contexts", exact=True,
    ),
    Criterion(
        "borders", "Drawn conversations are taken by each provider's rules, and counted exactly",
        others.proof("borders"), AT_MOST, 0, PROOF, "scripts/prove borders", exact=True,
    ),
    Criterion(
        "budgets", "Budgets hold while processes spend, crash, repeat and reorder",
        others.proof("budgets"), AT_MOST, 0, PROOF, "scripts/prove budgets", exact=True,
    ),
    Criterion(
        "coherence", "Several instances show one history, while some are killed",
        others.proof("coherence"), AT_MOST, 0, PROOF, "scripts/prove coherence", exact=True,
    ),
    Criterion(
        "documents", "No document is shown in an old version after a notice",
        others.proof("documents"), AT_MOST, 0, PROOF, "scripts/prove documents", exact=True,
    ),
    Criterion(
        "metrics", "Metrics say what a load counted itself",
        others.proof("metrics"), AT_MOST, 0, PROOF, "scripts/prove metrics",
    ),
    Criterion(
        "cost-store", "Store (commands, bandwidth, storage), beyond the baseline's, for a million requests",
        others.usd_million("Upstash: commands", "Upstash: bandwidth", "Upstash: storage"), BELOW, 0, "USD", COST,
    ),
    Criterion(
        "cost-compute", "Compute (active CPU, memory), beyond the baseline's, for a million requests",
        others.usd_million("Vercel: active CPU", "Vercel: memory"), BELOW, 0, "USD", COST,
    ),
    Criterion(
        "cost-bill", "Both providers' bill in all, beyond the baseline's, for a million requests",
        others.usd_million(), BELOW, 0, "USD", COST,
    ),
    Criterion(
        "cost-tokens", "Tokens saved by a budget instead of the whole history, for a million requests",
        others.tokens_saved("a budget instead of the whole history", is_measured=True), ABOVE, 0, "USD", COST,
    ),
    Criterion(
        "cost-exact", "Tokens saved by exact counts, for a million requests",
        others.tokens_saved("exact counts instead of estimates", is_measured=False), ABOVE, 0, "USD", COST,
    ),
    Criterion(
        "cost-prefix", "Tokens saved by a stable beginning, for a million requests",
        others.tokens_saved("a stable beginning, from the provider's cache", is_measured=False), ABOVE, 0, "USD", COST,
    ),
    Criterion("satisfaction", "Satisfaction of developers", others.nobody, AT_LEAST, 0, "", "a survey"),
)  # fmt: skip
"""In the order in which they are shown."""

RISKS = (
    Risk(
        "Cold starts", "Instances die all the time, and what they remembered with them.",
        ("total", "l1", "l2", "p95"),
    ),
    Risk(
        "Stale histories", "Another instance, or the owner of a document, changes what this one remembers.",
        ("stale", "order", "coherence", "documents"),
    ),
    Risk(
        "Memory", "What is remembered grows until the platform kills the instance.",
        ("leak", "leak-others", "leak-planted"),
    ),
    Risk(
        "Tokens", "Estimated counts overrun the window of the model, and the budget of the tenant.",
        ("tokens", "borders", "overrun", "budgets"),
    ),
    Risk(
        "Cost, and being tied to a provider",
        "A store that bills each command costs more than it saves. What of it can be left: the store speaks Redis's "
        "commands and runs on any Valkey here, the API is OpenAI's; a move was not measured.",
        ("cost-store", "cost-compute", "cost-bill", "cost-tokens"),
    ),
)  # fmt: skip
