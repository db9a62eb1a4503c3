"""
An item as OpenAI's Responses API takes it back, where that is not as it is stored.

    null      is absent, but where a field has to be there
    ids       begin as those that the API hands out for their type; another one is replaced, the same wherever it stands
    names     of tools as the API admits them; who speaks has no place
    parts     an assistant puts out `output_text` and `refusal`, all others put in `input_*`; pictures and files have a
              source that the API takes, else they are left out; what a computer showed is an empty picture then
    tools     are added by the developer
    reasoning carries no status; thinking of another provider is left out, as are messages of other roles

Ids of calls are another matter: which of two equal ones stays, the log says (shared/context/call_ids.py).
"""

from collections.abc import Mapping
from hashlib import sha256
from operator import is_
from typing import Any, NamedTuple

from shared.items.dialects.extras import has_foreign
from shared.items.fitting import NO_PICTURE, UNNAMED_FILE, function_name, image_url, web_url
from shared.items.kinds import ROLE_KINDS
from shared.items.mentions import PART_FIELDS, mentioned_path
from shared.items.nulls import REQUIRED_NULLS, nested_without_nulls
from shared.items.part_types import IMAGE_PART_TYPES, TEXT_TYPES, Part
from shared.items.parts import text_part
from shared.items.shown import Extras

ID_PREFIXES: Mapping[str, str] = {
    "message": "msg",
    "reasoning": "rs",
    "compaction": "cmp",
    "function_call": "fc",
    "function_call_output": "fc",
    "custom_tool_call": "ctc",
    "custom_tool_call_output": "ctc",
    "web_search_call": "ws",
    "file_search_call": "fs",
    "code_interpreter_call": "ci",
    "image_generation_call": "ig",
    "computer_call": "cu",
    "mcp_call": "mcp",
    "mcp_list_tools": "mcpl",
    "mcp_approval_request": "mcpr",
}
"""How an id has to begin, by type; of the others the API says nothing."""

_NAMED_TOOLS = frozenset({"function_call", "custom_tool_call"})
_OF_ANY_JSON = frozenset({"arguments", "attributes", "env", "input_schema", "parameters", "schema", "tools"})
"""Fields that hold JSON of the caller's own, where null says something."""

_NOT_TAKEN: Mapping[str, frozenset[str]] = {
    "message": frozenset({"name"}),
    "reasoning": frozenset({"status"}),
    "function_call_output": frozenset({"name"}),
    "custom_tool_call_output": frozenset({"name", "status"}),
    "custom_tool_call": frozenset({"status"}),
}
_WITHOUT_CALL_ID = frozenset({"tool_search_call", "tool_search_output"})
_NONE: frozenset[str] = frozenset()


class ResponsesForm(NamedTuple):
    """
    *item* is the same object where nothing has to change, None where the API does not take it. *texts* and *images* are
    what counts of a message or an output, beside its call's id. *is_whole*: nothing of it is left out.
    """

    item: Mapping[str, Any] | None
    texts: tuple[str, ...] = ()
    images: tuple[Part, ...] = ()
    is_whole: bool = True


LEFT_OUT = ResponsesForm(None, is_whole=False)


def responses_form(item: Mapping[str, Any], extras: Extras) -> ResponsesForm:
    """Return the form of a stored *item*."""
    item_type = str(item.get("type", ""))
    if (item_type == "message" and item.get("role") not in ROLE_KINDS) or (item_type == "reasoning" and extras):
        return LEFT_OUT
    nulls_kept, not_taken = REQUIRED_NULLS.get(item_type, _NONE), _NOT_TAKEN.get(item_type, _NONE)
    form: dict[str, Any] = {}
    texts: list[str] = []
    images: list[Part] = []
    is_changed, is_whole = False, not has_foreign(extras)
    for name, value in item.items():
        kept = value
        if (value is None and name not in nulls_kept) or name in not_taken:
            is_changed = True
            continue
        if name == "call_id" and item_type in _WITHOUT_CALL_ID and (not value or item.get("execution") == "server"):
            is_changed = True  # The provider ran the search itself: nothing is known by that id.
            continue
        if name == "id":
            kept = fitting_id(item_type, value)
        elif name == "name" and item_type in _NAMED_TOOLS:
            kept = function_name(value)
        elif name == "role" and item_type == "additional_tools":
            kept = value if value == "developer" else "developer"
        elif name == "approval_request_id":
            kept = fitting_id("mcp_approval_request", value)
        elif name in PART_FIELDS and isinstance(value, list | dict):
            kept, has_all = _parts(value, str(item.get("role", "")), item_type, texts, images)
            is_whole = is_whole and has_all
        elif isinstance(value, dict | list) and name not in _OF_ANY_JSON:
            kept = _present(value)
        elif name == "output" and isinstance(value, str):
            texts.append(value)
        is_changed = is_changed or kept is not value
        form[name] = kept
    return ResponsesForm(form if is_changed else item, tuple(texts), tuple(images), is_whole)


def fitting_id(item_type: str, item_id: Any) -> Any:
    """Return *item_id* where the API takes it for an item of that type, else another one, always the same."""
    prefix = ID_PREFIXES.get(item_type, "")
    if not isinstance(item_id, str) or item_id.startswith(prefix):
        return item_id
    return f"{prefix}_{sha256(item_id.encode()).hexdigest()[:32]}"


def _parts(parts: Any, role: str, item_type: str, texts: list[str], images: list[Part]) -> tuple[Any, bool]:
    """Return *parts* as the API takes them from a *role*, the same list where nothing changes, and whether all are."""
    if item_type == "computer_call_output":
        return _screenshot(parts)
    if item_type not in ("message", "function_call_output", "custom_tool_call_output"):
        return _present(parts), True
    taken = [made for part in parts if (made := _part(part, role)) is not None]
    for part in taken:
        if part["type"] in ("input_text", "output_text"):
            texts.append(part["text"])
        elif part["type"] == "refusal":
            texts.append(part["refusal"])
        elif part["type"] == "input_image":
            images.append(part)
    is_same = len(taken) == len(parts) and all(map(is_, taken, parts))
    return parts if is_same else taken, len(taken) == len(parts)


def _part(part: Any, role: str) -> Part | None:
    if not isinstance(part, dict):
        return None
    part_type = part.get("type")
    by_assistant = role == "assistant"
    if part_type in TEXT_TYPES:
        wanted = "output_text" if by_assistant else "input_text"
        text = part.get("text")
        if part_type != wanted or not isinstance(text, str) or (by_assistant and "annotations" not in part):
            return text_part(text if isinstance(text, str) else "", by_assistant=by_assistant)
        return _present(part)
    if part_type == "refusal":
        return _present(part) if by_assistant else text_part(str(part.get("refusal", "")), by_assistant=False)
    if mentioned_path(part) is not None:
        return part  # A context says it in text, before this is sent.
    if by_assistant:
        return None
    if part_type in IMAGE_PART_TYPES:
        return _image(part)
    return _file(part) if part_type == "input_file" else None


def _image(part: Part) -> Part | None:
    url, file_id = part.get("image_url"), part.get("file_id")
    taken = image_url(url) if isinstance(url, str) else None
    if taken is None and not file_id:
        return None
    if taken is None and url is not None:
        part = {name: value for name, value in part.items() if name != "image_url"}
    elif taken != url:
        part = {**part, "image_url": taken}
    if part["type"] != "input_image":
        part = {"detail": "auto", **part, "type": "input_image"}
    return _present(part)


def _screenshot(output: Part) -> tuple[Part, bool]:
    """Return what a computer showed as the API takes it, which is a picture in any case, and whether it is that."""
    url = output.get("image_url")
    taken = image_url(url) if isinstance(url, str) else None
    if taken is None and not output.get("file_id"):
        return _present({**output, "image_url": NO_PICTURE}), False
    return _present(output if taken == url else {**output, "image_url": taken}), True


def _file(part: Part) -> Part | None:
    given = [name for name in ("file_id", "file_data", "file_url") if part.get(name)]
    if "file_url" in given:
        address = web_url(str(part["file_url"]))
        if address is None:
            given.remove("file_url")
        elif address != part["file_url"]:
            part = {**part, "file_url": address}
    if not given:
        return None
    others = {name for name in ("file_id", "file_data", "file_url") if name != given[0]} & part.keys()
    if others:
        part = {name: value for name, value in part.items() if name not in others}
    if given[0] == "file_data" and not part.get("filename"):
        part = {**part, "filename": UNNAMED_FILE}
    return _present(part)


def _present[T](value: T) -> T:
    """Return *value* without members that are null, the same object where there are none."""
    return nested_without_nulls(value, _OF_ANY_JSON)
