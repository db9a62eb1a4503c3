"""
What is closed because a setting is wrong, and what else a wrong setting leads to: a line in the log, a word in health.
"""

import logging
from collections.abc import Collection, Sequence

from shared.errors import Misconfigured
from shared.setting import Wrong

log = logging.getLogger("warmthread")


def report(wrong: Sequence[Wrong]) -> None:
    """Write into the log what is *wrong*, once for an instance."""
    for each in wrong:
        log.log(logging.ERROR if each.closes else logging.WARNING, "settings: %s", each.sentence)


def refuse_when_closed(areas: Collection[str], wrong: Sequence[Wrong]) -> None:
    """Raise Misconfigured when something is *wrong* in one of *areas*, which are needed."""
    if found := [each for each in wrong if each.closes in areas]:
        sentences = " ".join(each.sentence for each in found)
        raise Misconfigured(f"{sentences} Nothing was done.", settings=[each.variable for each in found])
