"""
Items of every type that a conversation can hold, as a caller appends them: what one release writes another has to read.
"""

from collections.abc import Mapping
from typing import Any

type Item = Mapping[str, Any]

_PNG = "data:image/png;base64,iVBORw0KGgo="
_FUNCTION = {"type": "function", "name": "look_up", "parameters": None, "strict": True}
_SEARCHED = {"type": "search", "query": "weather in Rome"}

EVERY_TYPE: tuple[Item, ...] = (
    {"type": "message", "role": "system", "content": "You answer briefly."},
    {"type": "message", "role": "developer", "content": "Name your sources."},
    {"type": "additional_tools", "role": "developer", "tools": [_FUNCTION]},
    {"type": "configuration_update", "reasoning": {"effort": "low"}},
    {"type": "compaction", "encrypted_content": "gAAAcompacted"},
    {
        "type": "message",
        "role": "user",
        "content": [
            {"type": "input_text", "text": "What does this show, and what is the weather in Rome? 🙂"},
            {"type": "input_image", "image_url": _PNG, "detail": "low"},
            {"type": "input_file", "file_id": "file-abc"},
        ],
    },
    {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Two questions."}], "encrypted_content": "gAAA"},
    {"type": "message", "role": "assistant", "content": "Let me look."},
    {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": '{"city":"Rome"}'},
    {"type": "function_call_output", "call_id": "call_1", "output": "Sunny, 21 degrees"},
    {"type": "custom_tool_call", "call_id": "call_2", "name": "query", "input": "select 1"},
    {"type": "custom_tool_call_output", "call_id": "call_2", "output": [{"type": "input_text", "text": "1"}]},
    {"type": "file_search_call", "queries": ["rome"], "results": [{"text": "A city."}]},
    {"type": "web_search_call", "action": _SEARCHED},
    {"type": "image_generation_call", "result": "iVBORw0KGgo="},
    {"type": "code_interpreter_call", "container_id": "cntr_1", "code": "1 + 1", "outputs": None},
    {"type": "computer_call", "call_id": "call_3", "pending_safety_checks": [], "action": {"type": "wait"}},
    {
        "type": "computer_call_output",
        "call_id": "call_3",
        "output": {"type": "computer_screenshot", "image_url": _PNG},
    },
    {"type": "tool_search_call", "call_id": "call_4", "arguments": {}},
    {"type": "tool_search_output", "call_id": "call_4", "tools": [_FUNCTION]},
    {"type": "tool_search_call", "arguments": {}},
    {"type": "tool_search_output", "tools": []},
    {"type": "program", "call_id": "call_5", "code": "print(2)", "fingerprint": "f"},
    {"type": "program_output", "call_id": "call_5", "result": "2"},
    {"type": "local_shell_call", "call_id": "call_6", "action": {"type": "exec", "command": ["ls"], "env": {}}},
    {"type": "local_shell_call_output", "call_id": "call_6", "output": "a.txt"},
    {"type": "shell_call", "call_id": "call_7", "action": {"commands": ["ls"]}},
    {"type": "shell_call_output", "call_id": "call_7", "output": []},
    {"type": "apply_patch_call", "call_id": "call_8", "operation": {"type": "delete_file", "path": "a"}},
    {"type": "apply_patch_call_output", "call_id": "call_8", "output": "done"},
    {"type": "mcp_list_tools", "server_label": "maps", "tools": []},
    {"type": "mcp_approval_request", "id": "mcpr_1", "name": "route", "arguments": "{}", "server_label": "maps"},
    {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": True},
    {"type": "mcp_call", "name": "route", "arguments": "{}", "server_label": "maps", "output": "2 km"},
    {"type": "message", "role": "assistant", "content": "Sunny, and the picture shows a square."},
)
"""A whole turn: calls are answered, and what the provider ran itself stands between them."""

MESSAGES: Mapping[str, dict[str, Any]] = {
    "chat": {
        "messages": [
            {"role": "user", "content": "Add 1 and 2.", "name": "ann"},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {"id": "call_9", "type": "function", "function": {"name": "add", "arguments": '{"a":1,"b":2}'}}
                ],
            },
            {"role": "tool", "tool_call_id": "call_9", "content": "3"},
            {"role": "assistant", "content": "3."},
        ]
    },
    "anthropic": {
        "messages": [
            {"role": "user", "content": "Add 3 and 4."},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "A sum.", "signature": "c2ln"},
                    {"type": "text", "text": "I add."},
                    {"type": "tool_use", "id": "toolu_1", "name": "add", "input": {"a": 3, "b": 4}},
                ],
            },
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "7", "is_error": False}],
            },
            {"role": "assistant", "content": "7."},
        ]
    },
    "gemini": {
        "messages": [
            {"role": "user", "parts": [{"text": "Add 5 and 6."}]},
            {"role": "model", "parts": [{"functionCall": {"name": "add", "args": {"a": 5, "b": 6}}}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "add", "response": {"result": 11}}}]},
            {"role": "model", "parts": [{"text": "11.", "thoughtSignature": "c2ln"}]},
        ]
    },
}
"""By format: messages of other APIs, with what items have no form for."""


def with_document(path: str) -> dict[str, Any]:
    """Return a user message that mentions the document at *path*."""
    part = {"type": "input_file", "file_url": f"document:{path}"}
    return {"role": "user", "content": [part, {"type": "input_text", "text": "What does it say?"}]}
