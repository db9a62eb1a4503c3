"""Every item that the official client can send is stored as it was sent and read back by the official client."""

import copy
import itertools
from collections.abc import Callable
from typing import Any, get_args

import pytest
from openai.types.conversations import ConversationItem
from pydantic import TypeAdapter
from typing_extensions import get_type_hints

from shared.errors import InvalidValue
from shared.items.normalize import normalize_items
from shared.items.types import ITEM_TYPES
from shared.items.types_check import known_fields
from tests.openai_items import Json, input_types, sample, samples

FILLED = {"id", "type", "status", "execution"}
FILLED_IN_PARTS = {"annotations", "detail", "type", "prompt_cache_breakpoint"}
NULLS_STAY = {"result", "code", "outputs"}
# What is within these is the caller's own.
OPEN = {"tools", "arguments", "error", "attributes", "env", "svg_usage", "schema"}

official = TypeAdapter[Any](ConversationItem)


def ids() -> Callable[[str], str]:
    numbers = itertools.count(1)
    return lambda prefix: f"{prefix}_{next(numbers)}"


def without_nulls(value: Json, stay: frozenset[str] = frozenset({"keys"})) -> Json:
    if isinstance(value, list):
        return [without_nulls(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        name: each if name in OPEN else without_nulls(each)
        for name, each in value.items()
        if each is not None or name in stay
    }


def is_refused(raw: dict[str, Json]) -> bool:
    """The client's types let an assistant message hold images and files; the API that they are for does not."""
    said = raw.get("content") if raw.get("role") == "assistant" else None
    return isinstance(said, list) and any(part["type"] in ("input_image", "input_file") for part in said)


def assert_only_filled_in(raw: dict[str, Json], item: dict[str, Json]) -> None:
    raw = without_nulls(raw, frozenset(NULLS_STAY))
    parts = ITEM_TYPES[item["type"]].parts.field
    assert item.keys() - raw.keys() <= FILLED
    for name, value in raw.items():
        if name == parts and isinstance(value, list):
            for before, after in zip(value, item[name], strict=True):
                changed = {field for field in {*before, *after} if after.get(field) != before.get(field)}
                assert changed <= FILLED_IN_PARTS
                assert "type" not in changed or {before["type"], after["type"]} == {"input_text", "output_text"}
        elif name == parts and item["type"] == "message":
            assert [value] == [part["text"] for part in item[name]]
        else:
            assert item[name] == value


@pytest.mark.parametrize("member", input_types, ids=lambda member: member.__name__)
def test_what_the_client_can_send_comes_back_as_it_was_sent(member: Any) -> None:
    for raw in samples(member):
        if is_refused(raw):
            continue
        before = copy.deepcopy(raw)
        [normal] = normalize_items([raw], ids())

        assert raw == before
        assert_only_filled_in(raw, normal.item)
        assert normal.id == normal.item["id"]
        assert normal.given_id is (raw.get("id") is not None)
        parsed = official.validate_python(normal.item)
        assert parsed.type == normal.item["type"]
        assert parsed.to_dict(mode="json") == normal.item


@pytest.mark.parametrize("member", input_types, ids=lambda member: member.__name__)
def test_what_was_stored_can_be_appended_again(member: Any) -> None:
    for raw in samples(member):
        if is_refused(raw):
            continue
        [normal] = normalize_items([raw], ids())
        [again] = normalize_items([normal.item], ids())

        assert (again.id, again.item, again.given_id) == (normal.id, normal.item, True)


@pytest.mark.parametrize("member", input_types, ids=lambda member: member.__name__)
def test_unknown_fields_are_refused_unless_they_are_null(member: Any) -> None:
    raw = sample(member, optional=False, nulls=False, pick=0)
    with pytest.raises(InvalidValue) as refused:
        normalize_items([{**raw, "invented_next_year": {"deep": [1, None]}}], ids())
    [normal] = normalize_items([{**raw, "id": "a", "invented_next_year": None}], ids())

    assert refused.value.param == "items[0].invented_next_year"
    assert "invented_next_year" not in normal.item


def test_what_openai_returns_of_an_item_is_known() -> None:
    for name, model in stored_models.items():
        written = {field.alias or field_name for field_name, field in model.model_fields.items()}

        assert written <= known_fields(name) | {"async"}


stored_models = {
    get_args(model.model_fields["type"].annotation)[0]: model for model in get_args(get_args(ConversationItem)[0])
}


def test_every_type_of_the_installed_client_is_handled() -> None:
    hints = [get_type_hints(member)["type"] for member in input_types]

    assert stored_models.keys() == ITEM_TYPES.keys()
    assert len(stored_models) == 29
    assert {name for hint in hints for name in get_args(hint)} == ITEM_TYPES.keys()


def test_a_status_is_filled_in_exactly_where_the_client_requires_one() -> None:
    required = {
        name
        for name, model in stored_models.items()
        if "status" in model.model_fields and model.model_fields["status"].is_required()
    }

    assert {name for name, item_type in ITEM_TYPES.items() if "status" in item_type.filled_in} == required


def test_each_type_has_an_id_prefix_of_its_own() -> None:
    assert len({item_type.id_prefix for item_type in ITEM_TYPES.values()}) == len(ITEM_TYPES)
