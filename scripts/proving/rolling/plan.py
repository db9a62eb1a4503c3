"""
What a rolling change does, step by step: a pure function of how many instances there are.

    by share    10, 25, 50 and 100 % of the requests go to the second deployment, as a rolling release has it
    by one      of N instances one after the other is ended, and its share of the requests goes to the third

A deployment that gets no more requests is drained: its instances end after those that they have.
"""

from typing import NamedTuple

from scripts.platform.schedule import STAGES

FIRST, SECOND, THIRD = "dpl_first", "dpl_second", "dpl_third"
INSTANCES_MIN, INSTANCES_MAX = 2, 8


class Step(NamedTuple):
    """
    From now on *share* of the requests goes to *to*, the rest to *away*; *ends_one*: the oldest instance of each of the
    functions of *away* is ended besides.
    """

    to: str
    away: str
    share: float
    ends_one: bool

    def __str__(self) -> str:
        ended = ", and one instance of the other ends" if self.ends_one and self.share < 1 else ""
        return f"{self.to} gets {self.share:.0%}{ended}"


def steps(instances: int) -> list[Step]:
    """Return both changes in order."""
    by_share = [Step(SECOND, FIRST, share, ends_one=False) for share in STAGES]
    by_one = [Step(THIRD, SECOND, number / instances, ends_one=True) for number in range(1, instances + 1)]
    return [*by_share, *by_one]
