"""An explanation has every item in one row, sums that are the context's, and reasons that are the choice's."""

from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.proving.contexts.explanations import misexplained
from shared.context.explained import Row
from shared.context.render import FORMATS
from shared.context.wanted import PARAMETERS, read_context_request
from shared.conversations.composed import compose
from shared.conversations.entries import Entry
from shared.conversations.held import Held
from shared.conversations.snapshot import Snapshot
from shared.errors import ContextDoesNotFit
from shared.items.counts import PRIMARY_ENCODING
from shared.process.clock import Instant
from shared.request.parameters import read_members
from tests.examples import examples
from tests.snapshots import SECOND, grown, lives, recount


def held(snapshot: Snapshot) -> Held:
    """What an instance holds of it, whose header counts as the store does."""
    items = snapshot.items
    tokens = sum(item.overhead_tokens + item.content_tokens for item in items)
    header = snapshot.header._replace(live_items=len(items), written_tokens=tokens)
    noted = [*items, *([snapshot.summary.item] if snapshot.summary else [])]
    return Held(snapshot._replace(header=header), Instant(0.0, 0.0), {SECOND: recount(noted)}, {})


def answered(what: Held, **values: object) -> dict[str, Any] | None:
    request = read_context_request(read_members(PARAMETERS, {"document_budget": 0, **values}))
    try:
        composed = compose("conv", what, request)
    except ContextDoesNotFit:
        return None
    assert composed is not None
    assert composed.body is not None
    return dict(orjson.loads(b"".join(composed.body)))


def rows_of(answer: dict[str, Any]) -> list[Row]:
    return [Row(**row) for row in answer["explanation"]["units"]]


@settings(max_examples=examples(600), deadline=None)
@given(lives(), st.sampled_from([PRIMARY_ENCODING, SECOND]), st.booleans(), st.data())
def test_every_item_is_in_one_row_and_the_rows_sum_up_to_the_context(
    life: tuple[list[list[Entry]], int], encoding: str, stable_prefix: bool, data: st.DataObject
) -> None:
    batches, budget = life
    for snapshot in grown(batches):
        what = held(snapshot)
        asked = data.draw(st.sampled_from([budget, budget // 2, budget * 3])) + 1
        form = data.draw(st.sampled_from(FORMATS))
        values = {"budget": asked, "format": form, "stable_prefix": stable_prefix, "encoding": encoding}
        bare, answer = answered(what, **values), answered(what, explain=True, **values)
        if answer is None:
            assert bare is None
            continue
        rows = rows_of(answer)
        sent = [i for row in rows if row.state in ("pinned", "kept") for i in row.item_ids]

        omitted = answer["omitted"]
        assert misexplained(rows, snapshot.items, sent, answer["tokens"], omitted["tokens"]) == []
        assert len(sent) == answer["kept"]["items"]
        assert {name: value for name, value in answer.items() if name != "explanation"} == bare
