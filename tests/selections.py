"""What a context holds of a log that a property test made."""

from hypothesis import assume

from scripts.proving.contexts.dialogues import folded
from shared.context.fit import Selection, fit
from shared.errors import ContextDoesNotFit
from shared.items.item import Item

Case = tuple[list[Item], int]
"""A log and a budget."""


def select(case: Case, context_format: str = "chat", *, stable_prefix: bool = False) -> Selection:
    """Return what is chosen; where nothing fits, the example is none."""
    log, budget = case
    try:
        return fit(folded(log, context_format), budget, stable_prefix)
    except ContextDoesNotFit:
        assume(False)
        raise
