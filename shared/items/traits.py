"""
What choosing and counting need to know of an item, and nothing else.

`describe` reads a normalised item once, at append. The kind decides how contexts pair and keep it, the
texts are what the token rule counts. The texts come from the item's chat form (chat.py), which rendering
uses too, so that what is counted is what is sent.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from shared.items.chat import ChatForm, chat_form
from shared.items.kinds import Kind
from shared.items.mentions import mentions
from shared.tokens.images import data_url_size, image_bound, image_tokens


class Traits(NamedTuple):
    """
    What is kept of an item beside its JSON.

    *pair_key* names the family and the call, so that an output pairs only with a call of its own family; ""
    for what does not pair. *role* is that of the chat message the item opens or belongs to; "" without chat
    form. *texts* and *fixed_tokens* are its content under the token rule; *hosted_texts* the text that has no
    chat form, which is reported but not counted. *is_text* says that the item is a message of at most one
    part, which is text: only there the provider's own count is known. *documents* are the paths that it mentions.
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


_MESSAGE_KINDS = {
    "user": Kind.USER,
    "system": Kind.SYSTEM,
    "developer": Kind.SYSTEM,
    "assistant": Kind.ASSISTANT,
}

# Item type -> family, and the fields that may hold the call's id, best first. A local shell's output names
# its call in `id`; agents that follow the older guide send `call_id`.
_CALLS = {
    "function_call": ("function", ("call_id",)),
    "custom_tool_call": ("custom", ("call_id",)),
    "computer_call": ("computer", ("call_id",)),
    "local_shell_call": ("local_shell", ("call_id", "id")),
    "shell_call": ("shell", ("call_id",)),
    "apply_patch_call": ("apply_patch", ("call_id",)),
    "tool_search_call": ("tool_search", ("call_id",)),
    "program": ("program", ("call_id",)),
    "mcp_approval_request": ("mcp_approval", ("id",)),
}
_OUTPUTS = {
    "function_call_output": ("function", ("call_id",)),
    "custom_tool_call_output": ("custom", ("call_id",)),
    "computer_call_output": ("computer", ("call_id",)),
    "local_shell_call_output": ("local_shell", ("call_id", "id")),
    "shell_call_output": ("shell", ("call_id",)),
    "apply_patch_call_output": ("apply_patch", ("call_id",)),
    "tool_search_output": ("tool_search", ("call_id",)),
    "program_output": ("program", ("call_id",)),
    "mcp_approval_response": ("mcp_approval", ("approval_request_id",)),
}
_HOSTED = {
    "web_search_call",
    "file_search_call",
    "code_interpreter_call",
    "image_generation_call",
    "mcp_call",
    "mcp_list_tools",
}

# Identifiers, enumerations and binary data are not text, whatever their JSON type.
_NOT_TEXT = {
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


def describe(item: Mapping[str, Any]) -> Traits:
    """Describe a normalised *item*: parts are lists, id and status are filled in."""
    kind, pair_key = _kind_and_pair_key(item)
    form = chat_form(item)
    if form is None:
        return Traits(kind, pair_key, "", "", (), 0, tuple(_texts_within(item)), is_text=False)
    hosted_texts = tuple(text for part in form.left_out for text in _texts_within(part))
    return Traits(
        kind=kind,
        pair_key=pair_key,
        name=form.name,
        role=form.role,
        texts=form.texts(),
        fixed_tokens=sum(_image_tokens(part["image_url"]) for part in form.images()),
        hosted_texts=hosted_texts,
        is_text=_is_text(kind, form),
        documents=mentions(item),
    )


def _kind_and_pair_key(item: Mapping[str, Any]) -> tuple[Kind, str]:
    item_type = item.get("type")
    if item_type == "message":
        return _MESSAGE_KINDS.get(str(item.get("role")), Kind.OTHER), ""
    if item_type == "reasoning":
        return Kind.REASONING, ""
    for table, kind in ((_CALLS, Kind.CALL), (_OUTPUTS, Kind.OUTPUT)):
        if item_type in table:
            family, fields = table[item_type]
            call_id = next((item[field] for field in fields if isinstance(item.get(field), str)), "")
            # A tool search that the provider runs itself has no call id: both its halves are hosted.
            if family == "tool_search" and (item.get("execution") == "server" or not call_id):
                return Kind.HOSTED, ""
            return kind, f"{family}:{call_id}"
    return (Kind.HOSTED if item_type in _HOSTED else Kind.OTHER), ""


def _is_text(kind: Kind, form: ChatForm) -> bool:
    is_message = kind in (Kind.USER, Kind.SYSTEM, Kind.ASSISTANT)
    is_plain = len(form.parts) <= 1 and not form.left_out
    return is_message and is_plain and all(part["type"] == "text" for part in form.parts)


def _image_tokens(image: Mapping[str, Any]) -> int:
    detail = image.get("detail", "auto")
    # At low detail the size is of no matter.
    size = (1, 1) if detail == "low" else data_url_size(image["url"])
    return image_tokens(detail, *size) if size else image_bound()


def _texts_within(value: object) -> Iterator[str]:
    """Yield the strings anywhere in *value*, without what _NOT_TEXT names."""
    stack = [value]  # JSON may nest deeper than Python calls.
    while stack:
        value = stack.pop()
        if isinstance(value, str):
            if value:
                yield value
        elif isinstance(value, dict):
            is_image = value.get("type") == "image_generation_call"  # Its `result` is base64.
            skip = _NOT_TEXT | {"result"} if is_image else _NOT_TEXT
            stack.extend(inner for key, inner in value.items() if key not in skip)
        elif isinstance(value, list):
            stack.extend(value)
