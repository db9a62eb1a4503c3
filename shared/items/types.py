"""
Which items a conversation can hold: OpenAI's 29 item types, each with all that is known of it.

    ITEM_TYPES        type -> its entry: id, shape, kind, pairing, counting, parts, what is filled in (item_type.py)
    INPUT_ONLY_TYPES  types that a model call takes but a conversation cannot hold, with the reason

A new type is an entry here and a shape in types_shapes.py or types_tools.py. The shapes need pydantic and are imported
at the first item that its entry does not check as plain: a cold instance that only ever sees those does without.
"""

from collections.abc import Mapping
from typing import Any

from shared.items.chat import ChatForm, custom_form, function_form, message_form, output_form
from shared.items.item_type import NO_PARTS, Fields, Filling, ItemType, KindBy, Pairing, Parts, Plain, checked
from shared.items.kinds import ROLE_KINDS, Kind

INPUT_ONLY_TYPES: Mapping[str, str] = {
    "item_reference": "it points to an item that is stored already; append the item itself",
    "compaction_trigger": "it asks a model call to compact its context and holds nothing to remember",
}

# Part types, in the order in which a refusal lists them. The last ones come from stored messages: whatever OpenAI's
# Conversations API gave out can be appended here. The client's types let an assistant message hold images and files
# too; the Responses API refuses them.
_INPUT_PARTS = ("input_text", "input_image", "input_file")
_CALLER_PARTS = (*_INPUT_PARTS, "text", "summary_text", "reasoning_text", "computer_screenshot")
_ASSISTANT_PARTS = ("output_text", "refusal", "input_text", "text", "summary_text", "reasoning_text")
_MESSAGE_PARTS = Parts("content", _CALLER_PARTS, _ASSISTANT_PARTS, text="a part")
_OUTPUT_PARTS = Parts("output", _INPUT_PARTS, _INPUT_PARTS, text="kept")
_SUMMARY_PARTS = Parts("summary", ("summary_text",), ("summary_text",), text="refused")

_CALL_ID = ("call_id",)
# A local shell's output names its call in `id`; agents that follow the older guide send `call_id`.
_SHELL_ID = ("call_id", "id")

# A tool search that the provider runs itself is complete in itself: both its halves are hosted.
_IF_HOSTED: KindBy = ("execution", {"server": Kind.HOSTED})

_NAMED: Fields = {"id": None, "type": None}
_COMMON: Fields = {**_NAMED, "status": frozenset({"in_progress", "completed", "incomplete"})}
_CALL: Fields = {"call_id": None, "name": None, "namespace": None}
_PHASES = frozenset({"commentary", "final_answer"})


def _completed(_raw: Mapping[str, Any]) -> str:
    return "completed"


def _execution(raw: Mapping[str, Any]) -> str:
    """A search that the provider ran has no call id, since nobody has to answer it."""
    return "client" if raw.get("call_id") else "server"


_NOTHING: Mapping[str, Filling] = {}
_STATUS: Mapping[str, Filling] = {"status": _completed}
_SEARCH = {**_STATUS, "execution": _execution}


def _without_chat_form(
    id_prefix: str,
    shape: str,
    kind: Kind,
    *,
    kind_by: KindBy | None = None,
    pairing: Pairing | None,
    filled_in: Mapping[str, Filling],
    no_text_in: frozenset[str] = frozenset(),
) -> ItemType:
    """Return an entry of what is sent as an item only, and is rare enough to be checked by its shape."""
    return ItemType(id_prefix, shape, kind, kind_by, pairing, None, no_text_in, NO_PARTS, filled_in, plain=None)


# The Responses API enforces msg, rs, fc, fco, ctc and ctco, and hands out fs, ws, ci, ig, cu, mcp, mcpl and
# mcpr. The others follow their pattern.
ITEM_TYPES = checked(
    {
        "message": ItemType(
            "msg",
            "Message",
            Kind.OTHER,
            kind_by=("role", ROLE_KINDS),
            pairing=None,
            chat=message_form,
            no_text_in=frozenset(),
            parts=_MESSAGE_PARTS,
            filled_in=_STATUS,
            plain=Plain(frozenset({"role"}), {**_COMMON, "role": frozenset(ROLE_KINDS), "phase": _PHASES}),
        ),
        "function_call": ItemType(
            "fc",
            "FunctionCall",
            Kind.CALL,
            kind_by=None,
            pairing=Pairing("function", _CALL_ID),
            chat=function_form,
            no_text_in=frozenset(),
            parts=NO_PARTS,
            filled_in=_STATUS,
            plain=Plain(frozenset({"call_id", "name", "arguments"}), {**_COMMON, **_CALL, "arguments": None}),
        ),
        "function_call_output": ItemType(
            "fco",
            "FunctionCallOutput",
            Kind.OUTPUT,
            kind_by=None,
            pairing=Pairing("function", _CALL_ID),
            chat=output_form,
            no_text_in=frozenset(),
            parts=_OUTPUT_PARTS,
            filled_in=_STATUS,
            plain=Plain(frozenset(), {**_COMMON, **_CALL}),
        ),
        "custom_tool_call": ItemType(
            "ctc",
            "CustomToolCall",
            Kind.CALL,
            kind_by=None,
            pairing=Pairing("custom", _CALL_ID),
            chat=custom_form,
            no_text_in=frozenset(),
            parts=NO_PARTS,
            filled_in=_NOTHING,
            plain=Plain(frozenset({"call_id", "name", "input"}), {**_NAMED, **_CALL, "input": None}),
        ),
        "custom_tool_call_output": ItemType(
            "ctco",
            "CustomToolCallOutput",
            Kind.OUTPUT,
            kind_by=None,
            pairing=Pairing("custom", _CALL_ID),
            chat=output_form,
            no_text_in=frozenset(),
            parts=_OUTPUT_PARTS,
            filled_in=_NOTHING,
            plain=Plain(frozenset({"call_id"}), {**_NAMED, "call_id": None}),
        ),
        "reasoning": ItemType(
            "rs",
            "Reasoning",
            Kind.REASONING,
            kind_by=None,
            pairing=None,
            chat=None,
            no_text_in=frozenset(),
            parts=_SUMMARY_PARTS,
            filled_in=_NOTHING,
            plain=Plain(frozenset(), {**_COMMON, "encrypted_content": None}),
        ),
        "file_search_call": _without_chat_form("fs", "FileSearchCall", Kind.HOSTED, pairing=None, filled_in=_STATUS),
        "web_search_call": _without_chat_form("ws", "WebSearchCall", Kind.HOSTED, pairing=None, filled_in=_STATUS),
        "image_generation_call": _without_chat_form(
            "ig", "ImageGenerationCall", Kind.HOSTED, pairing=None, filled_in=_STATUS, no_text_in=frozenset({"result"})
        ),
        "code_interpreter_call": _without_chat_form(
            "ci", "CodeInterpreterCall", Kind.HOSTED, pairing=None, filled_in=_STATUS
        ),
        "computer_call": _without_chat_form(
            "cu", "ComputerCall", Kind.CALL, pairing=Pairing("computer", _CALL_ID), filled_in=_STATUS
        ),
        "computer_call_output": _without_chat_form(
            "cuo", "ComputerCallOutput", Kind.OUTPUT, pairing=Pairing("computer", _CALL_ID), filled_in=_STATUS
        ),
        "tool_search_call": _without_chat_form(
            "tsc",
            "ToolSearchCall",
            Kind.CALL,
            kind_by=_IF_HOSTED,
            pairing=Pairing("tool_search", _CALL_ID, without_id=Kind.HOSTED),
            filled_in=_SEARCH,
        ),
        "tool_search_output": _without_chat_form(
            "tso",
            "ToolSearchOutput",
            Kind.OUTPUT,
            kind_by=_IF_HOSTED,
            pairing=Pairing("tool_search", _CALL_ID, without_id=Kind.HOSTED),
            filled_in=_SEARCH,
        ),
        "additional_tools": _without_chat_form("at", "AdditionalTools", Kind.SYSTEM, pairing=None, filled_in=_NOTHING),
        "configuration_update": _without_chat_form(
            "cfg", "ConfigurationUpdate", Kind.SYSTEM, pairing=None, filled_in=_NOTHING
        ),
        "program": _without_chat_form(
            "prog", "Program", Kind.CALL, pairing=Pairing("program", _CALL_ID), filled_in=_NOTHING
        ),
        "program_output": _without_chat_form(
            "progo", "ProgramOutput", Kind.OUTPUT, pairing=Pairing("program", _CALL_ID), filled_in=_STATUS
        ),
        "compaction": _without_chat_form("cmp", "Compaction", Kind.SYSTEM, pairing=None, filled_in=_NOTHING),
        "local_shell_call": _without_chat_form(
            "lsh", "LocalShellCall", Kind.CALL, pairing=Pairing("local_shell", _SHELL_ID), filled_in=_STATUS
        ),
        "local_shell_call_output": _without_chat_form(
            "lsho", "LocalShellCallOutput", Kind.OUTPUT, pairing=Pairing("local_shell", _SHELL_ID), filled_in=_NOTHING
        ),
        "shell_call": _without_chat_form(
            "sh", "ShellCall", Kind.CALL, pairing=Pairing("shell", _CALL_ID), filled_in=_STATUS
        ),
        "shell_call_output": _without_chat_form(
            "sho", "ShellCallOutput", Kind.OUTPUT, pairing=Pairing("shell", _CALL_ID), filled_in=_STATUS
        ),
        "apply_patch_call": _without_chat_form(
            "apc", "ApplyPatchCall", Kind.CALL, pairing=Pairing("apply_patch", _CALL_ID), filled_in=_STATUS
        ),
        "apply_patch_call_output": _without_chat_form(
            "apco", "ApplyPatchCallOutput", Kind.OUTPUT, pairing=Pairing("apply_patch", _CALL_ID), filled_in=_STATUS
        ),
        "mcp_list_tools": _without_chat_form("mcpl", "McpListTools", Kind.HOSTED, pairing=None, filled_in=_NOTHING),
        "mcp_approval_request": _without_chat_form(
            "mcpr", "McpRequest", Kind.CALL, pairing=Pairing("mcp_approval", ("id",)), filled_in=_NOTHING
        ),
        "mcp_approval_response": _without_chat_form(
            "mcpa",
            "McpApprovalResponse",
            Kind.OUTPUT,
            pairing=Pairing("mcp_approval", ("approval_request_id",)),
            filled_in=_NOTHING,
        ),
        "mcp_call": _without_chat_form("mcp", "McpCall", Kind.HOSTED, pairing=None, filled_in=_NOTHING),
    }
)

_FOREIGN = _without_chat_form("", "", Kind.OTHER, pairing=None, filled_in=_NOTHING)


def type_of(item: Mapping[str, Any]) -> ItemType:
    """
    Return the entry of a stored *item*.

    What a newer deployment stored may be of a type that this one does not know, after a rollback: it is never taken in
    here (normalize.py), but its text is counted as that of an item without chat form.
    """
    return ITEM_TYPES.get(item.get("type", ""), _FOREIGN)


def chat_form(item: Mapping[str, Any]) -> ChatForm | None:
    """Return the chat form of a stored *item*, None when it has none."""
    make = ITEM_TYPES.get(item.get("type", ""), _FOREIGN).chat
    return None if make is None else make(item)
