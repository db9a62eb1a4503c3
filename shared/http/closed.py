"""
What is closed because a setting is wrong, and what else a wrong setting leads to: a line in the log, a word in health.
"""

from collections.abc import Collection, Sequence

from shared.errors import Misconfigured
from shared.process import log
from shared.setting import Wrong


def report(wrong: Sequence[Wrong]) -> None:
    """Write into the log what is *wrong*, once for an instance."""
    for each in wrong:
        log.write("error" if each.closes else "warning", f"settings: {each.sentence}")


def refuse_when_closed(areas: Collection[str], wrong: Sequence[Wrong]) -> None:
    """Raise Misconfigured when something is *wrong* in one of *areas*, which are needed."""
    if found := [each for each in wrong if each.closes in areas]:
        sentences = " ".join(each.sentence for each in found)
        raise Misconfigured(f"{sentences} Nothing was done.", settings=[each.variable for each in found])
