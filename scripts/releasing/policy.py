"""
By what a canary is judged: every setting of the judge, with its default, as a JSON object may state it.

Two kinds of numbers: what an operator calls *harmless* and *harmful* (between them either verdict is right, and
gathering evidence takes longest), and how often a verdict may be wrong (*alpha*, *beta*).
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

Share = Annotated[float, Field(gt=0, lt=1)]
Ratio = Annotated[float, Field(ge=1, le=100)]
Clump = Annotated[float, Field(ge=1, le=1_000)]
Time = Annotated[float, Field(ge=0, le=30 * 86_400)]
POLICY_BYTES_MAX = 100_000


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Clumps(_Settings):
    """
    How many requests, at most, share one fate: they fail, are slow or miss together, because a client sent them at
    once, or one instance was held up. Evidence counts as if there were so many times fewer requests.
    """

    errors: Clump = 3
    durations: Clump = 2
    cold_starts: Clump = 1
    hits: Clump = 5
    lag: Clump = 5
    refusals: Clump = 20


class Policy(_Settings):
    """Each setting has a default; `Policy.read` takes others from a file."""

    alpha: Share = 0.01
    """How often a harmless release may be aborted: over all stages, looks and checks together."""
    beta: Share = 0.05
    """How often a stage may be passed by a release that a check calls harmful. It has to pass each stage anew."""

    stage_s_min: Time = 600
    """How long a stage lasts at least."""
    stage_requests_min: Annotated[int, Field(ge=1)] = 500
    """Requests of the canary that a stage needs at least."""
    stage_s_max: Time = 24 * 3_600
    """After so long without enough evidence for either verdict a stage is overdue."""
    overdue: Literal["hold", "abort"] = "hold"
    """What is done then: the stage is held, and the verdict says so, or the release is aborted."""
    reference_requests: Annotated[int, Field(ge=100)] = 500
    """Requests of the stable from which a percentile is read; fewer of a route and age are not compared."""

    errors_max: Share = 0.05
    """A canary that fails so large a share of its requests is aborted, whatever the stable does."""
    errors_harmless: Annotated[float, Field(ge=0, lt=1)] = 0.002
    """So much more of its requests than the stable's may fail, besides a quarter more."""
    errors_harmful: Share = 0.01

    slowdown_harmless: Ratio = 1.09
    """All requests may take so many times as long: two buckets of the histograms, which are 4.4 % apart."""
    slowdown_harmful: Ratio = 1.3
    tail_harmless: Ratio = 1.25
    """So many times as many requests may take longer than the stable's 99th percentile; more, where the slowdown that
    is harmless makes it more."""
    tail_harmful: Ratio = 2
    cold_slowdown_harmless: Ratio = 1.2

    hits_harmless: Share = 0.67
    """So large a share of the stable's hit rate, at equal age of the instances, is enough."""
    hits_harmful: Share = 0.33

    late_s: Annotated[float, Field(gt=0, le=5)] = 0.01
    """A look of the event loop's probe that is later than this is a late one."""
    late_looks_per_start: Annotated[float, Field(ge=0, le=1_000)] = 5
    """So many late looks are put down to the start of an instance: it imports, and loads encodings."""
    lag_harmless: Ratio = 2
    refusals_harmless: Ratio = 3

    growth_harmful_bytes: Annotated[float, Field(gt=0)] = 100_000
    """What memory may not grow by, a request. The line between both verdicts is half of it."""
    growth_requests: Annotated[int, Field(ge=10)] = 40
    """Requests of a block: of each it is asked whether memory grew by more than half of that."""
    resident_share_max: Share = 0.9
    """Of the memory that an instance may hold: a canary that held more is aborted, if the stable did not."""

    clumps: Clumps = Clumps()

    @model_validator(mode="after")
    def _is_in_order(self) -> "Policy":
        for harmless, harmful in (
            ("errors_harmless", "errors_harmful"),
            ("slowdown_harmless", "slowdown_harmful"),
            ("tail_harmless", "tail_harmful"),
            ("hits_harmful", "hits_harmless"),
            ("errors_harmful", "errors_max"),
            ("stage_s_min", "stage_s_max"),
        ):
            if getattr(self, harmless) >= getattr(self, harmful):
                raise ValueError(f"{harmless} has to be below {harmful}")
        return self

    @classmethod
    def read(cls, path: Path) -> "Policy":
        """Return the policy of a JSON file. Raises ValueError: there is none, or a setting is wrong, by its name."""
        try:
            with path.open("rb") as file:
                text = file.read(POLICY_BYTES_MAX + 1)
        except OSError as error:
            raise ValueError(f"could not read the policy {path}: {error.strerror}") from error
        if len(text) > POLICY_BYTES_MAX:
            raise ValueError(f"the policy {path} has more than {POLICY_BYTES_MAX:,} bytes")
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            said = "; ".join(f"{'.'.join(map(str, each['loc'])) or 'policy'}: {each['msg']}" for each in error.errors())
            raise ValueError(f"the policy {path} is wrong: {said}") from error
