"""
What choosing and counting need to know of an item, and nothing else.

`describe` reads a normalised item once, at append. The kind decides how contexts pair and keep it, the
texts are what the token rule counts. The texts come from the item's chat form (chat.py), which rendering
uses too, so that what is counted is what is sent.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from shared.items.chat import ChatForm, call_texts
from shared.items.dialects.extras import has_foreign, name_in, thoughts_in
from shared.items.differences import Difference, differences, image_part_tokens
from shared.items.fitting import speaker
from shared.items.kinds import Kind
from shared.items.mentions import mentions
from shared.items.shown import NO_EXTRAS, Extras
from shared.items.types import ITEM_TYPES, chat_form, type_of


class Traits(NamedTuple):
    """
    What is kept of an item beside its JSON.

    *pair_key* names the family and the call, so that an output pairs only with a call of its own family; ""
    for what does not pair. *role* is that of the chat message the item opens or belongs to; "" without chat
    form. *texts* and *fixed_tokens* are its content under the token rule; *hosted_texts* the text that has no
    chat form, which is reported but not counted. *is_text* says that the item is a message of at most one
    part, which is text: only there the provider's own count is known. *documents* are the paths that it mentions.
    *label*: what names a call in results, its id as an output has it, or the name of the call, where a format has that
    in its place. *differences*: where formats send another thing than chat.
    """

    kind: Kind
    pair_key: str
    name: str
    role: str
    texts: tuple[str, ...]
    fixed_tokens: int
    hosted_texts: tuple[str, ...]
    is_text: bool
    documents: tuple[str, ...] = ()
    label: str = ""
    differences: tuple[Difference, ...] = ()


# Identifiers, enumerations and binary data are not text, whatever their JSON type.
_NOT_TEXT = frozenset(
    {
        "id",
        "type",
        "role",
        "status",
        "call_id",
        "approval_request_id",
        "caller",
        "container_id",
        "created_by",
        "detail",
        "encrypted_content",
        "execution",
        "file_data",
        "file_id",
        "fingerprint",
        "image_url",
        "output_format",
        "phase",
    }
)
_NOT_TEXT_IN = {
    name: _NOT_TEXT | item_type.no_text_in for name, item_type in ITEM_TYPES.items() if item_type.no_text_in
}


def describe(item: Mapping[str, Any], extras: Extras = NO_EXTRAS) -> Traits:
    """Describe a normalised *item*: parts are lists, id and status are filled in. *extras*: what it came with."""
    kind, pair_key = _kind_and_pair_key(item)
    form = chat_form(item)
    if form is None:
        others = differences(item, None, 0, is_named=False, extras=extras)
        hosted = tuple(_texts_within(item))
        return Traits(kind, pair_key, "", "", (), 0, hosted, is_text=False, differences=others)
    name = speaker(name_in(extras)) or form.name
    pictures = [part["image_url"] for part in form.images()]
    fixed_tokens = sum([image_part_tokens(each["url"], each.get("detail")) for each in pictures])
    hosted_texts = tuple([text for part in form.left_out for text in _texts_within(part)])
    return Traits(
        kind=kind,
        pair_key=pair_key,
        name=name,
        role=form.role,
        texts=(*form.texts(), *thoughts_in(extras)),
        fixed_tokens=fixed_tokens,
        hosted_texts=hosted_texts,
        is_text=_is_text(kind, form) and not has_foreign(extras),
        documents=mentions(item),
        label=form.tool_call_id or (call_texts(form.tool_call)[0] if form.tool_call else ""),
        differences=differences(item, form, fixed_tokens, is_named=bool(name), extras=extras),
    )


def _kind_and_pair_key(item: Mapping[str, Any]) -> tuple[Kind, str]:
    item_type = type_of(item)
    kind, pairing = item_type.kind, item_type.pairing
    if item_type.kind_by is not None:
        field, kinds = item_type.kind_by
        kind = kinds.get(str(item.get(field)), kind)
    if pairing is None or kind is Kind.HOSTED:
        return kind, ""
    for field in pairing.fields:
        if isinstance(call_id := item.get(field), str):
            break
    else:
        call_id = ""
    if not call_id and pairing.without_id is not None:
        return pairing.without_id, ""
    return kind, f"{pairing.family}:{call_id}"


def _is_text(kind: Kind, form: ChatForm) -> bool:
    is_message = kind in (Kind.USER, Kind.SYSTEM, Kind.ASSISTANT)
    is_plain = len(form.parts) <= 1 and not form.left_out
    return is_message and is_plain and all(part["type"] == "text" for part in form.parts)


def _texts_within(value: object) -> Iterator[str]:
    """Yield the strings anywhere in *value*, without what _NOT_TEXT names."""
    stack = [value]  # JSON may nest deeper than Python calls.
    while stack:
        value = stack.pop()
        if isinstance(value, str):
            if value:
                yield value
        elif isinstance(value, dict):
            name = value.get("type")
            skip = _NOT_TEXT_IN.get(name, _NOT_TEXT) if isinstance(name, str) else _NOT_TEXT
            stack.extend(inner for key, inner in value.items() if key not in skip)
        elif isinstance(value, list):
            stack.extend(value)
