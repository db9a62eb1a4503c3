"""
Check one item or part against its shape: `first_error`.

Pydantic validates and nothing else: what it makes of a value is thrown away, so no field of the caller's is
coerced, reordered or lost. Importing this module imports pydantic, and the validator of a shape is built when
it is first needed; both are far too slow for the start of an instance that may only ever see plain messages.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from shared.items import types_shapes as shapes
from shared.items import types_tools as tools

SHAPES: Mapping[str, Any] = {
    "message": shapes.Message,
    "function_call": shapes.FunctionCall,
    "function_call_output": shapes.FunctionCallOutput,
    "custom_tool_call": shapes.CustomToolCall,
    "custom_tool_call_output": shapes.CustomToolCallOutput,
    "reasoning": shapes.Reasoning,
    "file_search_call": shapes.FileSearchCall,
    "web_search_call": shapes.WebSearchCall,
    "image_generation_call": shapes.ImageGenerationCall,
    "code_interpreter_call": shapes.CodeInterpreterCall,
    "computer_call": tools.ComputerCall,
    "computer_call_output": tools.ComputerCallOutput,
    "tool_search_call": tools.ToolSearchCall,
    "tool_search_output": tools.ToolSearchOutput,
    "additional_tools": tools.AdditionalTools,
    "configuration_update": tools.ConfigurationUpdate,
    "program": tools.Program,
    "program_output": tools.ProgramOutput,
    "compaction": tools.Compaction,
    "local_shell_call": tools.LocalShellCall,
    "local_shell_call_output": tools.LocalShellCallOutput,
    "shell_call": tools.ShellCall,
    "shell_call_output": tools.ShellCallOutput,
    "apply_patch_call": tools.ApplyPatchCall,
    "apply_patch_call_output": tools.ApplyPatchCallOutput,
    "mcp_list_tools": tools.McpListTools,
    "mcp_approval_request": tools.McpRequest,
    "mcp_approval_response": tools.McpApprovalResponse,
    "mcp_call": tools.McpCall,
    "input_text": shapes.InputText,
    "output_text": shapes.OutputText,
    "text": shapes.Text,
    "summary_text": shapes.Text,
    "reasoning_text": shapes.Text,
    "refusal": shapes.Refusal,
    "input_image": shapes.InputImage,
    "computer_screenshot": shapes.InputImage,
    "input_file": shapes.InputFile,
}

_EXPECTED = {
    "string_type": "a string",
    "string_unicode": "valid Unicode",
    "int_type": "an integer",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "an object",
}


class ShapeError(NamedTuple):
    """Keys and indexes down to the wrong value, and what should be there ("" when the field is missing)."""

    where: tuple[str | int, ...]
    expected: str


def first_error(name: str, value: Mapping[str, Any]) -> ShapeError | None:
    """
    Check *value* against the shape of the item or part type *name*; None when it is right.

    Shapes hold no unions but "or null", so the first error is the helpful one.
    """
    try:
        _adapter(name).validate_python(value, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        return _shape_error(first["type"], first["loc"], first.get("ctx", {}))
    return None


@cache
def _adapter(name: str) -> TypeAdapter[Any]:
    return TypeAdapter(SHAPES[name])


def _shape_error(error_type: str, where: tuple[str | int, ...], context: Mapping[str, Any]) -> ShapeError:
    if error_type == "missing":
        return ShapeError(where, "")
    if error_type == "literal_error":
        return ShapeError(where, context["expected"])
    if error_type == "string_value":
        return ShapeError((*where, context["key"]), "a string")
    return ShapeError(where, _EXPECTED[error_type])
