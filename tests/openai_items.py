"""
Every item that the official client can send, generated from the client's own types.

Each member of its input union comes with the required fields only, with every optional field, with null in every
field that allows it, and with each alternative of the unions and literals inside. A new release with a new type,
field or variant is covered as it comes.
"""

import collections.abc
import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Required, Union, get_args, get_origin

from openai.types.responses import ResponseInputItemParam
from openai.types.responses.response_input_item_param import CompactionTrigger, ItemReference
from typing_extensions import get_type_hints, is_typeddict

Json = Any
# The largest union inside an item: the tools that `additional_tools` can hold.
ALTERNATIVES = 16

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
