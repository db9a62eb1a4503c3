"""
Which items a conversation can hold: OpenAI's 29 item types, and what each needs besides its own fields.

    ITEM_TYPES        type -> id prefix, whether it has a status, which field holds its parts
    INPUT_ONLY_TYPES  types that a model call takes but a conversation cannot hold, with the reason
    PLAIN_ITEMS       the fields of the frequent types, so that these are checked without pydantic

Tables only, and nothing is imported: a cold instance reads this module before its first request. The full
shapes of the types are in types_shapes.py, which needs pydantic and is imported at the first item that
PLAIN_ITEMS does not describe.
"""

from collections.abc import Mapping
from typing import NamedTuple


class ItemType(NamedTuple):
    """
    *id_prefix* opens the ids made here; OpenAI refuses an id of the wrong prefix when an item is sent back.
    *has_status*: OpenAI's stored form requires a `status`. Where it is merely possible it is not invented:
    the Responses API refuses it on a reasoning item.
    *parts* is the field that holds a list of parts ("" when none).
    """

    id_prefix: str
    has_status: bool = False
    parts: str = ""


# The Responses API enforces msg, rs, fc, fco, ctc and ctco, and hands out fs, ws, ci, ig, cu, mcp, mcpl and
# mcpr. The others follow their pattern.
ITEM_TYPES: Mapping[str, ItemType] = {
    "message": ItemType("msg", has_status=True, parts="content"),
    "function_call": ItemType("fc", has_status=True),
    "function_call_output": ItemType("fco", has_status=True, parts="output"),
    "custom_tool_call": ItemType("ctc"),
    "custom_tool_call_output": ItemType("ctco", parts="output"),
    "reasoning": ItemType("rs", parts="summary"),
    "file_search_call": ItemType("fs", has_status=True),
    "web_search_call": ItemType("ws", has_status=True),
    "image_generation_call": ItemType("ig", has_status=True),
    "code_interpreter_call": ItemType("ci", has_status=True),
    "computer_call": ItemType("cu", has_status=True),
    "computer_call_output": ItemType("cuo", has_status=True),
    "tool_search_call": ItemType("tsc", has_status=True),
    "tool_search_output": ItemType("tso", has_status=True),
    "additional_tools": ItemType("at"),
    "configuration_update": ItemType("cfg"),
    "program": ItemType("prog"),
    "program_output": ItemType("progo", has_status=True),
    "compaction": ItemType("cmp"),
    "local_shell_call": ItemType("lsh", has_status=True),
    "local_shell_call_output": ItemType("lsho"),
    "shell_call": ItemType("sh", has_status=True),
    "shell_call_output": ItemType("sho", has_status=True),
    "apply_patch_call": ItemType("apc", has_status=True),
    "apply_patch_call_output": ItemType("apco", has_status=True),
    "mcp_list_tools": ItemType("mcpl"),
    "mcp_approval_request": ItemType("mcpr"),
    "mcp_approval_response": ItemType("mcpa"),
    "mcp_call": ItemType("mcp"),
}

INPUT_ONLY_TYPES: Mapping[str, str] = {
    "item_reference": "it points to an item that is stored already; append the item itself",
    "compaction_trigger": "it asks a model call to compact its context and holds nothing to remember",
}

ROLES = frozenset({"user", "assistant", "system", "developer"})

# Part types, in the order in which a refusal lists them. OpenAI lets an assistant message hold input parts
# too (EasyInputMessage), but only the assistant can have put something out. The last four come from stored
# messages: whatever OpenAI's Conversations API gave out can be appended here.
_INPUT_PARTS = ("input_text", "input_image", "input_file")
_STORED_PARTS = ("text", "summary_text", "reasoning_text", "computer_screenshot")
CALLER_MESSAGE_PARTS = _INPUT_PARTS + _STORED_PARTS
ASSISTANT_MESSAGE_PARTS = ("output_text", "refusal", *CALLER_MESSAGE_PARTS)
PARTS: Mapping[str, tuple[str, ...]] = {
    "function_call_output": _INPUT_PARTS,
    "custom_tool_call_output": _INPUT_PARTS,
    "reasoning": ("summary_text",),
}
TEXT_PARTS = frozenset({"input_text", "output_text", "text", "summary_text", "reasoning_text"})


class PlainItem(NamedTuple):
    """String fields: the *required* ones, and all, with the values allowed (None: any string)."""

    required: frozenset[str]
    fields: Mapping[str, frozenset[str] | None]


_COMMON: Mapping[str, frozenset[str] | None] = {
    "id": None,
    "type": None,
    "status": frozenset({"in_progress", "completed", "incomplete"}),
}

PLAIN_ITEMS: Mapping[str, PlainItem] = {
    "message": PlainItem(
        frozenset({"role"}), {**_COMMON, "role": ROLES, "phase": frozenset({"commentary", "final_answer"})}
    ),
    "function_call": PlainItem(
        frozenset({"call_id", "name", "arguments"}),
        {**_COMMON, "call_id": None, "name": None, "arguments": None, "namespace": None},
    ),
    "function_call_output": PlainItem(frozenset(), {**_COMMON, "call_id": None, "name": None, "namespace": None}),
    "custom_tool_call": PlainItem(
        frozenset({"call_id", "name", "input"}),
        {"id": None, "type": None, "call_id": None, "name": None, "input": None, "namespace": None},
    ),
    "custom_tool_call_output": PlainItem(frozenset({"call_id"}), {"id": None, "type": None, "call_id": None}),
    "reasoning": PlainItem(frozenset(), {**_COMMON, "encrypted_content": None}),
}
