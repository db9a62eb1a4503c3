"""
Compare a JSON value with a type: TypedDicts as official clients publish them, unions, literals, lists, scalars.

The kinds of difference are names of rules, which each provider words for itself:

    known-fields      a field that the type does not have
    required-fields   a field that it demands is absent
    no-nulls          null, where the type does not say that it may be
    field-types       another JSON type, or none of the admitted strings
    known-types       an object whose `type` (or `role`) is none of those that stand there
"""

import types
import typing
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any, Literal, TypeAliasType

import typing_extensions

KINDS = ("known-fields", "required-fields", "no-nulls", "field-types", "known-types")
_SCALARS: dict[object, tuple[type, ...]] = {str: (str,), int: (int,), float: (int, float), bool: (bool,)}
_REQUIRED: tuple[object, ...] = (typing.Required, typing_extensions.Required)
_WRAPPED: tuple[object, ...] = (*_REQUIRED, typing.NotRequired, typing.Annotated)
_UNIONS: tuple[object, ...] = (typing.Union, types.UnionType)

# Of each type they are asked for again and again.
get_args: Callable[[object], tuple[Any, ...]] = cache(typing.get_args)
get_origin: Callable[[object], Any] = cache(typing.get_origin)

type Difference = tuple[str, str]


def unlike(value: object, hint: object, path: str) -> Iterator[Difference]:
    """Yield the kinds of what in *value* is not as *hint* says, each with its path."""
    hint, origin, arguments = _form(hint)
    if hint is object or hint is Any:
        return
    if origin in _UNIONS:
        yield from unlike_any(value, arguments, path)
    elif value is None:
        yield "no-nulls", path
    elif origin is Literal:
        if not any(value == admitted and type(value) is type(admitted) for admitted in arguments):
            yield "field-types", path
    elif is_typed_dict(hint):
        yield from _unlike_object(value, hint, path)
    elif origin is dict:
        yield from _unlike_mapping(value, arguments[1], path)
    elif _is_list(hint):
        yield from _unlike_list(value, arguments[0], path)
    elif not _is_scalar(value, hint):
        yield "field-types", path


def unlike_any(value: object, hints: Sequence[object], path: str) -> Iterator[Difference]:
    """Yield how *value* differs from that of *hints* which it is most like."""
    members = [_bare(hint) for hint in hints]
    if value is None and type(None) in members:
        return
    members = [member for member in members if member is not type(None)]
    if isinstance(value, dict) and any(map(is_typed_dict, members)):
        members = [member for member in members if is_typed_dict(member) and _is_told_apart_as(value, member)]
        if not members:
            yield "known-types", path
            return
    elif isinstance(value, list):
        members = [member for member in members if _is_list(member)] or members
    yield from min((list(unlike(value, member, path)) for member in members), key=len)


def _is_scalar(value: object, hint: object) -> bool:
    return isinstance(value, _SCALARS[hint]) and (hint is bool or not isinstance(value, bool))


@cache
def is_typed_dict(hint: object) -> bool:
    return typing.is_typeddict(hint) or typing_extensions.is_typeddict(hint)


@cache
def _bare(hint: object) -> Any:
    """Return *hint* without what says nothing of the value."""
    while True:
        if isinstance(hint, TypeAliasType):
            hint = hint.__value__
        elif get_origin(hint) in _WRAPPED:
            hint = get_args(hint)[0]
        else:
            return hint


@cache
def _form(hint: object) -> tuple[Any, Any, tuple[Any, ...]]:
    """Return *hint* without what says nothing, its origin and its arguments: once, for literals hash slowly."""
    bare = _bare(hint)
    return bare, get_origin(bare), get_args(bare)


@cache
def _fields(hint: Any) -> dict[str, tuple[Any, bool]]:
    """Return the fields of a TypedDict: type, and whether it is required. Clients declare all of them total=False."""
    hints = typing_extensions.get_type_hints(hint, include_extras=True)
    return {name: (_bare(of), get_origin(of) in _REQUIRED) for name, of in hints.items()}


def _unlike_object(value: object, hint: object, path: str) -> Iterator[Difference]:
    if not isinstance(value, dict):
        yield "field-types", path
        return
    if not _is_told_apart_as(value, hint):
        yield "known-types", path
        return
    fields = _fields(hint)
    for name, (of, is_required) in fields.items():
        if name in value:
            yield from unlike(value[name], of, f"{path}.{name}" if path else name)
        elif is_required:
            yield "required-fields", f"{path}.{name}"
    for name in value.keys() - fields.keys():
        yield "known-fields", f"{path}.{name}"


def _unlike_mapping(value: object, member: object, path: str) -> Iterator[Difference]:
    if not isinstance(value, dict):
        yield "field-types", path
        return
    for name, each in value.items():
        yield from unlike(each, member, f"{path}.{name}")


def _unlike_list(value: object, member: object, path: str) -> Iterator[Difference]:
    if not isinstance(value, list):
        yield "field-types", path
        return
    for index, each in enumerate(value):
        yield from unlike(each, member, f"{path}[{index}]")


@cache
def _is_list(hint: object) -> bool:
    return bool(get_args(hint)) and get_origin(hint) not in (dict, Literal, *_UNIONS)


def _is_told_apart_as(value: dict[str, Any], hint: object) -> bool:
    """Whether *value* says that it is a *hint*: by the strings in `type` and `role`, where the type has them."""
    return not any(
        (name in value or is_required) and value.get(name) not in admitted
        for name, admitted, is_required in _marks(hint)
    )


@cache
def _marks(hint: object) -> list[tuple[str, tuple[Any, ...], bool]]:
    """Return the fields by which a TypedDict is told apart: name, what is admitted, whether it is required."""
    fields = [(name, *_fields(hint)[name]) for name in ("type", "role") if name in _fields(hint)]
    return [(name, get_args(of), is_required) for name, of, is_required in fields if get_origin(of) is Literal]
