"""
The items of the Responses API: their types, what pairs with what, and how they are found in a request.

The types are those of the official client, which is made from OpenAI's description of its API, but for what they leave
out and the API takes or refuses: user messages have ids, an assistant's parts are `output_text` and `refusal` alone,
and a local shell's output may name its call in `call_id`, as the older guide does.
"""

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from openai.types.responses import response_input_item_param as published
from openai.types.responses.easy_input_message_param import EasyInputMessageParam
from openai.types.responses.response_output_message_param import ResponseOutputMessageParam

from scripts.proving.providers.rules import Request
from scripts.proving.providers.shapes import Difference, unlike_any


class _InputMessage(published.Message, total=False):
    id: str


class _PlainMessage(EasyInputMessageParam, total=False):
    id: str
    content: str  # type: ignore[misc]
    status: str


class _LocalShellCallOutput(published.LocalShellCallOutput, total=False):
    call_id: str


_REPLACED = (
    *(EasyInputMessageParam, published.Message, ResponseOutputMessageParam, published.LocalShellCallOutput),
    published.ItemReference,  # What is sent whole refers to nothing.
)
_ITEMS = tuple(hint for hint in get_args(published.ResponseInputItemParam) if hint not in _REPLACED)
_MESSAGES = (_InputMessage, ResponseOutputMessageParam)

# A call's type, with the type of what answers it, the field by which it is named, and that which names it.
_PAIRS: Mapping[str, tuple[str, str, str]] = {
    "function_call": ("function_call_output", "call_id", "call_id"),
    "custom_tool_call": ("custom_tool_call_output", "call_id", "call_id"),
    "computer_call": ("computer_call_output", "call_id", "call_id"),
    "local_shell_call": ("local_shell_call_output", "call_id", "call_id"),
    "shell_call": ("shell_call_output", "call_id", "call_id"),
    "apply_patch_call": ("apply_patch_call_output", "call_id", "call_id"),
    "tool_search_call": ("tool_search_output", "call_id", "call_id"),
    "program": ("program_output", "call_id", "call_id"),
    "mcp_approval_request": ("mcp_approval_response", "id", "approval_request_id"),
}
_CALL_OF_OUTPUT = {output: call for call, (output, _, _) in _PAIRS.items()}
_HOSTED = (
    *("file_search_call", "web_search_call", "image_generation_call", "code_interpreter_call"),
    *("mcp_list_tools", "mcp_call"),
)
PREFIXES = {
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


def differences(request: Request) -> Iterator[Difference]:
    yield from (("known-fields", name) for name in request.keys() - {"input"})
    if not isinstance(items := request.get("input"), list):
        yield ("field-types" if "input" in request else "required-fields"), "input"
        return
    for index, item in enumerate(items):
        yield from unlike_any(item, _hints_of(item), f"input[{index}]")


def _hints_of(item: object) -> tuple[Any, ...]:
    if not isinstance(item, dict) or item.get("type", "message") != "message":
        return (*_ITEMS, _LocalShellCallOutput)
    return (_PlainMessage,) if isinstance(item.get("content"), str) else _MESSAGES


def items_of(request: Request) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Yield path, item and type."""
    for index, item in enumerate(request["input"]):
        yield f"input[{index}]", item, item.get("type", "message")


def call_key(item: dict[str, Any], kind: str) -> tuple[str, str] | None:
    """Return what a call is known by, the type among it; None for what is no call, or waits for nothing."""
    if kind not in _PAIRS:
        return None
    value = item.get(_PAIRS[kind][1])
    return None if value is None or item.get("execution") == "server" else (kind, value)


def answered_key(item: dict[str, Any], kind: str) -> tuple[str, str] | None:
    """Return what the call is known by that an output answers, None for another item."""
    if kind not in _CALL_OF_OUTPUT or item.get("execution") == "server":
        return None
    value = item.get(_PAIRS[_CALL_OF_OUTPUT[kind]][2])
    if value is None and kind == "local_shell_call_output":
        value = item["id"]
    return None if value is None else (_CALL_OF_OUTPUT[kind], value)


def is_by_model(item: dict[str, Any], kind: str) -> bool:
    return item.get("role") == "assistant" or kind == "reasoning" or kind in _PAIRS or kind in _HOSTED


def parts_of(request: Request, *kinds: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for at, item, kind in items_of(request):
        field = "content" if kind == "message" else "output"
        value = item.get(field)
        if isinstance(value, dict) and value.get("type") in kinds:
            yield f"{at}.{field}", value
        for index, part in enumerate(value if isinstance(value, list) else []):
            if part.get("type") in kinds:
                yield f"{at}.{field}[{index}]", part
