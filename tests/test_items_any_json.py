"""
Whatever JSON a client sends, it is stored in the right shape or refused by a ServiceError, and left unchanged.
"""

import copy
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.errors import ServiceError
from shared.items.normalize import normalize_items, normalize_metadata
from shared.items.types import INPUT_ONLY_TYPES, ITEM_TYPES
from shared.items.types_check import first_error
from tests.openai_items import input_types, samples

official_samples = [raw for member in input_types for raw in samples(member)]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
field_names = st.sampled_from(
    ["id", "type", "role", "content", "status", "output", "summary", "call_id", "name", "arguments", "action", "env"]
)
type_names = st.sampled_from([*ITEM_TYPES, *INPUT_ONLY_TYPES, "input_text", "output_text", "input_image"])
items_like = st.dictionaries(field_names, type_names | json_values, max_size=6)


@st.composite
def damaged(draw: st.DrawFn) -> Any:
    """A right item in which one value, at any depth, was replaced or one field dropped."""
    item = copy.deepcopy(draw(st.sampled_from(official_samples)))
    place: Any = item
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = draw(st.sampled_from(keys))
        if isinstance(place[key], dict | list) and place[key] and draw(st.booleans()):
            place = place[key]
        elif draw(st.booleans()):
            place[key] = draw(json_values | type_names)
            return item
        else:
            del place[key]
            return item


def is_right(item: dict[str, Any]) -> bool:
    parts = item.get(ITEM_TYPES[item["type"]].parts.field)
    return first_error(item["type"], item) is None and all(
        first_error(part["type"], part) is None for part in (parts if isinstance(parts, list) else [])
    )


def attempt[T](normalize: Callable[[Any], T], raw: Any) -> T | ServiceError:
    try:
        return normalize(raw)
    except ServiceError as refused:
        return refused


@given(raw=st.lists(damaged() | items_like | json_values, max_size=3) | json_values)
def test_any_json_is_stored_in_the_right_shape_or_refused_and_never_changed(raw: Any) -> None:
    before = copy.deepcopy(raw)
    outcome = attempt(lambda raw: normalize_items(raw, lambda prefix: f"{prefix}_new"), raw)

    assert raw == before
    if isinstance(outcome, ServiceError):
        assert outcome.param is not None
        assert outcome.param.startswith("items")
        assert outcome.detail.startswith(outcome.param)
    else:
        # The checks by hand let nothing pass that pydantic would refuse.
        assert all(is_right(normal.item) for normal in outcome)


@given(raw=json_values | st.dictionaries(st.text(max_size=70), st.text(max_size=600), max_size=20))
def test_any_json_is_metadata_or_refused(raw: Any) -> None:
    outcome = attempt(normalize_metadata, raw)

    if isinstance(outcome, ServiceError):
        assert outcome.param is not None
        assert outcome.param.startswith("metadata")
    else:
        assert outcome == (raw or {})
