"""What stands beside items survives an export, and what no message could have left there is refused by an import."""

import copy
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scripts.proving.borders.conversation import Conversation, _made
from scripts.proving.borders.drawing import SOURCES, Drawn
from scripts.proving.borders.law import Dialogue, batches
from scripts.proving.contexts.dialogues import counted_log, folded
from shared.context.fit import fit
from shared.context.render import FORMATS, render
from shared.errors import ContextDoesNotFit, InvalidValue
from shared.items.dialects.checked import check_extras
from shared.items.normalize import NormalItem
from tests.dialogues import DIALOGUES
from tests.examples import examples
from tests.exports import pages_of, restore

Json = dict[str, Any]
ROOM = 10**9


def made_of(conversation: Conversation) -> list[NormalItem]:
    return [each for each in _made(conversation.batches) if each.extras]


def read(each: NormalItem, extras: Any) -> Json:
    return check_extras(each.item, extras, "extras")


@pytest.mark.parametrize("dialogue", DIALOGUES, ids=lambda each: f"{each.context_format}: {each.name}")
def test_every_shape_survives(api: httpx.Client, other_api: httpx.Client, dialogue: Dialogue) -> None:
    path = f"/v1/conversations/{api.post('/v1/conversations').json()['id']}"
    for batch in batches(dialogue):
        assert api.post(path + "/items", json=dict(batch)).status_code == 200
    pages = pages_of(api, path.rpartition("/")[2])
    restore(other_api, pages)

    for name in FORMATS:
        query = f"/context?budget=1000000&format={name}"
        shown = [each.get(path + query).json() for each in (api, other_api)]
        assert shown[0] == shown[1]
    assert pages_of(other_api, path.rpartition("/")[2]) == pages


@pytest.mark.parametrize("source", ["chat", "anthropic", "gemini"])
def test_what_messages_leave_is_taken(source: str) -> None:
    @settings(max_examples=examples(150), deadline=None, suppress_health_check=list(HealthCheck))
    @given(SOURCES[source])
    def law(drawn: Drawn) -> None:
        for each in made_of(drawn.conversation):
            assert read(each, each.extras) == each.extras

    law()


SAMPLES = [each for dialogue in DIALOGUES for each in made_of(Conversation(batches(dialogue)))]
JUNK = [None, True, 0, 7, -1, 2**60, 1.5, "", "text", "!", [], [1], [[0, {}]], {}, {"type": "text"}, {"a": {"b": 1}}]
"""In the place of any member."""


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield at
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, member in members:
        yield from places(member, (*at, step))


def spoilt(value: Json, at: tuple[Any, ...], junk: Any, *, is_added: bool) -> Any:
    if not at:
        return junk
    value = holder = copy.deepcopy(value)
    for step in at[:-1]:
        holder = holder[step]
    if is_added and isinstance(holder[at[-1]], dict):
        holder[at[-1]]["more"] = junk
    elif is_added and isinstance(holder[at[-1]], list):
        holder[at[-1]].append(junk)
    else:
        holder[at[-1]] = junk
    return value


@settings(max_examples=examples(1_500), deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_what_was_spoilt_is_refused_or_stands_in_every_format(data: st.DataObject) -> None:
    each = data.draw(st.sampled_from(SAMPLES))
    other = data.draw(st.sampled_from(SAMPLES))
    extras: Json = data.draw(st.sampled_from([each.extras, other.extras]))
    at = data.draw(st.sampled_from([*places(extras)]))
    changed = spoilt(extras, at, data.draw(st.sampled_from(JUNK)), is_added=data.draw(st.booleans()))
    with suppress(InvalidValue):
        taken = read(each, changed)
        log = counted_log([(each.item, taken, "0badcafe.1")], len)
        for name in FORMATS:
            with suppress(ContextDoesNotFit):
                render(name, fit(folded(log, name), ROOM))


@pytest.mark.parametrize("extras", [None, 7, "x", [], {}, {"format": "items"}, {"format": "chat", "more": 1},
                                    {"format": "chat", "content": {}}, {"format": "gemini", "is_id_made": 1},
                                    {"format": "anthropic", "fields": {"signature": 7}},
                                    {"format": "chat", "fields": {"reasoning_content": {}}},
                                    {"format": "chat", "refusal": 0}])  # fmt: skip
def test_extras_that_are_none_are_refused(extras: Any) -> None:
    item = {"id": "m", "type": "message", "role": "user", "content": [{"type": "input_text", "text": "x"}]}
    with pytest.raises(InvalidValue):
        check_extras(item, extras, "extras")
