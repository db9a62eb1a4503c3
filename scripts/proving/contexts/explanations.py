"""
What an explanation has to be, whatever was chosen: every item in one row, in order, and sums that are the context's.
"""

from collections.abc import Sequence

from shared.context.explained import (
    DOCUMENT,
    KEPT,
    OMITTED,
    PINNED,
    PROMPT,
    REASONS,
    RECALLED,
    ROWS_MAX,
    SHORTENED,
    SUMMARISED,
    Choice,
    Row,
    explained,
)
from shared.context.fit import Selection
from shared.context.units import Folded
from shared.items.item import Item

SENT, LEFT_OUT = {PROMPT, PINNED, KEPT, SHORTENED, RECALLED, DOCUMENT}, {SUMMARISED, OMITTED}


def misexplained(
    rows: Sequence[Row], log: Sequence[Item], sent_ids: Sequence[str], tokens: int, omitted_tokens: int
) -> list[str]:
    """
    Return what is wrong with *rows* about the items of *log*, as they are stored, of which those of *sent_ids* are in a
    context of *tokens* that leaves out *omitted_tokens*.
    """
    places = {item.id: at for at, item in enumerate(log)}
    ids = [item_id for row in rows for item_id in row.item_ids]
    firsts = [places[row.item_ids[0]] for row in rows if row.item_ids]
    sums = [sum(row.tokens for row in rows if row.state in states) for states in (SENT, LEFT_OUT)]
    checks = {
        "an item in no row, or in two": sorted(ids) == sorted(places),
        "what is sent": sorted(i for row in rows if row.state in SENT for i in row.item_ids) == sorted(sent_ids),
        "tokens": sums[0] == tokens,
        "omitted tokens": sums[1] == omitted_tokens,
        "order of rows": firsts == sorted(firsts) or len(rows) == ROWS_MAX,
        "order in a row": all(row.item_ids == sorted(row.item_ids, key=places.__getitem__) for row in rows),
        "a reason of another state": all(row.state in REASONS[row.reason][0] for row in rows),
        "too many rows": len(rows) <= ROWS_MAX,
        "less than nothing": all(row.tokens >= 0 for row in rows),
    }
    return [name for name, is_right in checks.items() if not is_right]


def misexplained_choice(selection: Selection, folded: Folded, log: Sequence[Item], unsupported: Sequence[str]) -> bool:
    """Tell whether *selection* from *folded*, which is all of *log* without a summary, is explained wrongly."""
    rows = explained(Choice(selection, folded, log, log, None, (), frozenset(unsupported)))
    sent = [item.id for item in selection.items]
    stored = {item.id: item.overhead_tokens + item.content_tokens for item in log}
    omitted_tokens = sum(stored.values()) - sum(stored[each] for each in sent)
    return bool(misexplained(rows, log, sent, selection.tokens, omitted_tokens))
