"""
Every item that the official client can send is stored as it was sent and read back by the official client.

The samples are generated from the client's own types: each member of its input union, with the required
fields only, with every optional field, with null in every field that allows it, and with each alternative of
the unions and literals inside. A new release with a new type, field or variant is covered as it comes.
"""

import collections.abc
import copy
import itertools
import types
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Literal, Required, Union, get_args, get_origin

import pytest
from openai.types.conversations import ConversationItem
from openai.types.responses import ResponseInputItemParam
from openai.types.responses.response_input_item_param import CompactionTrigger, ItemReference
from pydantic import TypeAdapter
from typing_extensions import get_type_hints, is_typeddict

from shared.items.normalize import normalize_items
from shared.items.types import ITEM_TYPES

Json = Any
# The largest union inside an item: the tools that `additional_tools` can hold.
ALTERNATIVES = 16
FILLED = {"id", "type", "status", "execution"}
FILLED_IN_PARTS = {"annotations", "detail"}

official = TypeAdapter[Any](ConversationItem)
input_types = [
    member for member in get_args(ResponseInputItemParam) if member not in (CompactionTrigger, ItemReference)
]


def origin_of(annotation: Any) -> Any:
    return get_origin(annotation)


def sample(annotation: Any, *, optional: bool, nulls: bool, pick: int) -> Json:
    """Build a value of *annotation*; *pick* chooses among alternatives, *nulls* prefers null."""

    def build(inner: Any) -> Json:
        return sample(inner, optional=optional, nulls=nulls, pick=pick)

    origin = origin_of(annotation)
    arguments = get_args(annotation)
    if is_typeddict(annotation):
        fields = get_type_hints(annotation, include_extras=True)
        return {
            name: build(field)
            for name, field in fields.items()
            if optional or annotation.__total__ or origin_of(field) is Required
        }
    if origin in (Required, Annotated):
        return build(arguments[0])
    if origin in (Union, types.UnionType):
        if nulls and type(None) in arguments:
            return None
        alternatives = [argument for argument in arguments if argument is not type(None)]
        return build(alternatives[pick % len(alternatives)])
    if origin is Literal:
        return arguments[pick % len(arguments)]
    if origin is dict:
        return {"a key": build(arguments[1])}
    if isinstance(origin, type) and (
        issubclass(origin, collections.abc.Iterable) or origin.__name__ == "SequenceNotStr"
    ):
        return [build(arguments[0]), build(arguments[0])]
    return {str: "text", int: 7, float: 0.5, bool: True, object: {"any": ["thing", None]}}[annotation]


def samples(member: Any) -> Iterator[dict[str, Json]]:
    yield sample(member, optional=False, nulls=False, pick=0)
    for pick in range(ALTERNATIVES):
        yield sample(member, optional=True, nulls=False, pick=pick)
        yield sample(member, optional=True, nulls=True, pick=pick)


def ids() -> Callable[[str], str]:
    numbers = itertools.count(1)
    return lambda prefix: f"{prefix}_{next(numbers)}"


def assert_only_filled_in(raw: dict[str, Json], item: dict[str, Json]) -> None:
    parts = ITEM_TYPES[item["type"]].parts.field
    assert item.keys() - raw.keys() <= FILLED
    for name, value in raw.items():
        if name in FILLED and value is None and item[name] is not None:
            continue
        if name == parts and isinstance(value, list):
            for before, after in zip(value, item[name], strict=True):
                filled = {field for field in after if after[field] != before.get(field)}
                assert filled <= {field for field in FILLED_IN_PARTS if before.get(field) is None}
        elif name == parts and item["type"] == "message":
            assert [value] == [part["text"] for part in item[name]]
        else:
            assert item[name] == value


@pytest.mark.parametrize("member", input_types, ids=lambda member: member.__name__)
def test_what_the_client_can_send_comes_back_as_it_was_sent(member: Any) -> None:
    for raw in samples(member):
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
        [normal] = normalize_items([raw], ids())

        assert normalize_items([normal.item], ids()) == [(normal.id, normal.item, True)]


@pytest.mark.parametrize("member", input_types, ids=lambda member: member.__name__)
def test_unknown_fields_of_a_known_type_are_kept(member: Any) -> None:
    raw = {**sample(member, optional=False, nulls=False, pick=0), "invented_next_year": {"deep": [1, None]}}
    [normal] = normalize_items([raw], ids())

    assert normal.item["invented_next_year"] == {"deep": [1, None]}


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
