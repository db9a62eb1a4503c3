"""
What an entry of ITEM_TYPES (types.py) says of an item type, and what makes such a table whole.

No field has a default: an entry that leaves something out, or contradicts itself, is an error when the table is made.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

from shared.items.chat import ChatForm
from shared.items.kinds import Kind
from shared.items.part_types import PART_TYPES

type Filling = Callable[[Mapping[str, Any]], str]
"""Makes the value of a field, of the item as it was sent."""

type KindBy = tuple[str, Mapping[str, Kind]]
"""A field, and kinds by its value."""

type TextRule = Literal["a part", "kept", "refused"]

type Fields = Mapping[str, frozenset[str] | None]
"""Names of string fields, with the values allowed (None: any string)."""

type MakeChatForm = Callable[[Mapping[str, Any]], ChatForm | None]

_MESSAGE_KINDS = {Kind.USER, Kind.SYSTEM, Kind.ASSISTANT}
_PAIRED_KINDS = {Kind.CALL, Kind.OUTPUT}


class Pairing(NamedTuple):
    """
    How calls and outputs find each other: only within a *family*, by the id of the call, which stands in the first of
    *fields* that is a string. *without_id*: the kind where there is no id, None if it is a call or an output even so.
    """

    family: str
    fields: tuple[str, ...]
    without_id: Kind | None = None


class Parts(NamedTuple):
    """
    The field that holds a list of parts, and their types in the order in which a refusal lists them;
    *types_by_assistant* in an item whose role is assistant. *text*: what becomes of a string in place of the list.
    """

    field: str
    types: tuple[str, ...]
    types_by_assistant: tuple[str, ...]
    text: TextRule


class Plain(NamedTuple):
    """String fields: the *required* ones, and all."""

    required: frozenset[str]
    fields: Fields


class ItemType(NamedTuple):
    """
    *id_prefix* opens the ids made here; OpenAI refuses an id of the wrong prefix when an item is sent back.
    *shape* is the name of the type's shape in types_shapes.py or types_tools.py.
    *kind* is that of its items, but where *kind_by* gives another one.
    *chat*: what makes the chat form, which counts as it is sent. None: there is none, and the item's text is counted
    apart, but for the fields that never hold any and those of *no_text_in*.
    *parts*: NO_PARTS when no field holds any.
    *filled_in*: what OpenAI's stored form requires and its input form does not, made of the item where it is absent or
    null. Where `status` is merely possible it is not invented: the Responses API refuses it on a reasoning item.
    *plain*: the fields besides *parts*, so that frequent items are checked without pydantic; None: always by the shape.
    """

    id_prefix: str
    shape: str
    kind: Kind
    kind_by: KindBy | None
    pairing: Pairing | None
    chat: MakeChatForm | None
    no_text_in: frozenset[str]
    parts: Parts
    filled_in: Mapping[str, Filling]
    plain: Plain | None


NO_PARTS = Parts("", (), (), "kept")


def checked(types: Mapping[str, ItemType]) -> Mapping[str, ItemType]:
    """Return *types*. Raises TypeError: an entry contradicts itself or another one."""
    for name, item_type in types.items():
        for fault in _faults(item_type):
            raise TypeError(f"The item type {name} {fault}.")
    prefixes = [item_type.id_prefix for item_type in types.values()]
    if len(set(prefixes)) < len(prefixes):
        raise TypeError(f"Two item types share an id prefix: {sorted(prefixes)}.")
    families: defaultdict[str, list[Kind]] = defaultdict(list)
    for item_type in types.values():
        if item_type.pairing is not None:
            families[item_type.pairing.family] += _kinds(item_type) & _PAIRED_KINDS
    for family, kinds in families.items():
        if sorted(kinds) != sorted(_PAIRED_KINDS):
            raise TypeError(f"The family {family} is not one type of call and one of outputs.")
    return types


def _faults(item_type: ItemType) -> Iterator[str]:
    kinds, plain, parts = _kinds(item_type), item_type.plain, item_type.parts
    if Kind.SUMMARY in kinds:
        yield "is a summary, which nobody appends"
    if (item_type.pairing is not None) != bool(kinds & _PAIRED_KINDS):
        yield "pairs without being call or output, or the other way round"
    if item_type.chat is None and kinds & _MESSAGE_KINDS - {Kind.SYSTEM}:
        yield "is a message without chat form"
    if item_type.chat is not None and not kinds & (_MESSAGE_KINDS | _PAIRED_KINDS):
        yield "has a chat form, but neither is a message nor pairs"
    if unknown := {*parts.types, *parts.types_by_assistant} - PART_TYPES.keys():
        yield f"has parts of unknown types: {sorted(unknown)}"
    if plain is not None and (parts.field in plain.fields or not plain.required <= plain.fields.keys()):
        yield "has plain fields that are parts, or required ones that are none"


def _kinds(item_type: ItemType) -> set[Kind]:
    return {item_type.kind, *(item_type.kind_by[1].values() if item_type.kind_by else ())}
