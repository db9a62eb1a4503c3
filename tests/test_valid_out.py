"""
Promise (h): whatever was appended, what is answered is accepted by the rules of the provider that it is for, it counts
what it says, and nothing is lost without being named. In all formats, of logs of every item type in every order.

VALID_OUT_LOGS says how many logs: 500 unless it is set.
"""

import os
from collections.abc import Iterator, Sequence
from typing import Any

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scripts.proving.borders.items import logs, stored
from scripts.proving.contexts.counting import counted
from scripts.proving.contexts.dialogues import folded, to_log
from scripts.proving.providers.by_format import faults_of
from shared.context.fit import Selection, fit
from shared.context.formats.rendering import Rendering
from shared.context.render import FORMATS, render
from shared.errors import ContextDoesNotFit
from shared.items.item import Item
from tests.logs import characters

LOGS = int(os.environ.get("VALID_OUT_LOGS", "500"))
many = settings(max_examples=LOGS, deadline=None, suppress_health_check=list(HealthCheck))


def chosen(log: Sequence[Item], context_format: str, budget: int) -> Selection:
    fold = folded(log, context_format)
    try:
        return fit(fold, budget)
    except ContextDoesNotFit as refusal:
        return fit(fold, int(str(refusal.extensions["needed_tokens"])))


def request_of(rendering: Rendering) -> dict[str, Any]:
    return {name: orjson.loads(value) for name, value in rendering.members.items()}


def lost(selection: Selection, rendering: Rendering) -> Iterator[str]:
    """Yield the ids of kept items of which a text is neither sent nor the item named."""
    sent = orjson.dumps(list(strings(request_of(rendering)))).decode()
    for item in selection.items:
        if item.id not in rendering.unsupported and any(said not in sent for said in texts_of(item)):
            yield item.id


def strings(value: Any) -> Iterator[str]:
    """Yield all strings in *value*, keys too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)


def texts_of(item: Item) -> Iterator[str]:
    """Yield what has to be sent of an item, as it stands in JSON, white space around it aside."""
    body = orjson.loads(item.body)
    parts = body.get("content", body.get("output")) if item.overhead_tokens else None
    texts = [parts] if isinstance(parts, str) else []
    if isinstance(parts, list):
        texts = [said for part in parts if isinstance(said := part.get("text", part.get("refusal")), str)]
    yield from (orjson.dumps(said.strip()).decode()[1:-1] for said in texts)


@many
@given(raw_items=logs(), budget=st.sampled_from([10**9, 10**9, 40, 300, 2_000]))
def test_what_is_sent_is_accepted_counted_and_whole(raw_items: list[dict[str, Any]], budget: int) -> None:
    log = to_log(stored(raw_items), characters)
    for context_format in FORMATS:
        selection = chosen(log, context_format, budget)
        rendering = render(context_format, selection)

        assert faults_of(context_format, rendering.members) == [], context_format
        assert list(lost(selection, rendering)) == [], context_format
        if not any(b"image" in item.body or b"screenshot" in item.body for item in log):
            assert counted(selection, rendering.members, characters) == selection.tokens, context_format
