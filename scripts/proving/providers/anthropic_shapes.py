"""
The types of Anthropic's request, as its Python client publishes them (anthropic 2.14.0, types/*_param.py), and how the
blocks of one that has them are found.
"""

from typing import Any, Literal, Required, TypedDict

from scripts.proving.providers.rules import Request

type _Object = dict[str, object]
type _Mark = _Object | None


class _Text(TypedDict, total=False):
    type: Required[Literal["text"]]
    text: Required[str]
    citations: list[_Object] | None
    cache_control: _Mark


class _Source(TypedDict, total=False):
    type: Required[Literal["base64", "url", "file", "text", "content"]]
    media_type: str
    data: str
    url: str
    file_id: str
    content: str | list[_Object]


class _Image(TypedDict, total=False):
    type: Required[Literal["image"]]
    source: Required[_Source]
    cache_control: _Mark


class _Document(TypedDict, total=False):
    type: Required[Literal["document"]]
    source: Required[_Source]
    title: str | None
    context: str | None
    citations: _Object | None
    cache_control: _Mark


class _SearchResult(TypedDict, total=False):
    type: Required[Literal["search_result"]]
    source: Required[str]
    title: Required[str]
    content: Required[list[_Text]]
    citations: _Object
    cache_control: _Mark


class _ToolReference(TypedDict, total=False):
    type: Required[Literal["tool_reference"]]
    tool_name: Required[str]
    cache_control: _Mark


class _ToolResult(TypedDict, total=False):
    type: Required[Literal["tool_result"]]
    tool_use_id: Required[str]
    content: str | list[_Text | _Image | _Document | _SearchResult | _ToolReference]
    is_error: bool
    cache_control: _Mark


class _ToolUse(TypedDict, total=False):
    type: Required[Literal["tool_use", "server_tool_use"]]
    id: Required[str]
    name: Required[str]
    input: Required[_Object]
    caller: _Object
    cache_control: _Mark


class _ServerResult(TypedDict, total=False):
    type: Required[
        Literal[
            "web_search_tool_result",
            "web_fetch_tool_result",
            "code_execution_tool_result",
            "bash_code_execution_tool_result",
            "text_editor_code_execution_tool_result",
            "tool_search_tool_result",
            "advisor_tool_result",
        ]
    ]
    tool_use_id: Required[str]
    content: Required[_Object | list[_Object]]
    caller: _Object
    cache_control: _Mark


class _McpUse(TypedDict, total=False):
    type: Required[Literal["mcp_tool_use"]]
    id: Required[str]
    name: Required[str]
    server_name: Required[str]
    input: Required[_Object]
    cache_control: _Mark


class _McpResult(TypedDict, total=False):
    type: Required[Literal["mcp_tool_result"]]
    tool_use_id: Required[str]
    content: str | list[_Text]
    is_error: bool
    cache_control: _Mark


class _Thinking(TypedDict, total=False):
    type: Required[Literal["thinking"]]
    thinking: Required[str]
    signature: Required[str]


class _Redacted(TypedDict, total=False):
    type: Required[Literal["redacted_thinking"]]
    data: Required[str]


class _Upload(TypedDict, total=False):
    type: Required[Literal["container_upload"]]
    file_id: Required[str]
    cache_control: _Mark


type _UserBlock = _Text | _Image | _Document | _SearchResult | _ToolResult | _Upload
type _AssistantBlock = _Text | _Thinking | _Redacted | _ToolUse | _ServerResult | _McpUse | _McpResult


class _User(TypedDict, total=False):
    role: Required[Literal["user"]]
    content: Required[str | list[_UserBlock]]


class _Assistant(TypedDict, total=False):
    role: Required[Literal["assistant"]]
    content: Required[str | list[_AssistantBlock]]


class MessagesRequest(TypedDict, total=False):
    system: str | list[_Text]
    messages: Required[list[_User | _Assistant]]


Located = tuple[str, dict[str, Any]]


def blocks_of(content: str | list[dict[str, Any]], at: str) -> list[Located]:
    if isinstance(content, str):
        return [(at, {"type": "text", "text": content})]
    return [(f"{at}[{index}]", block) for index, block in enumerate(content)]


def messages_of(request: Request) -> list[tuple[str, str, list[Located]]]:
    """Return path, role and located blocks of each message."""
    found = []
    for index, message in enumerate(request["messages"]):
        at = f"messages[{index}]"
        found.append((at, message["role"], blocks_of(message["content"], f"{at}.content")))
    return found


def all_blocks(request: Request) -> list[Located]:
    """Return every block, those inside results too."""
    found: list[Located] = []
    for _at, _role, blocks in messages_of(request):
        for at, block in blocks:
            found.append((at, block))
            if block["type"] == "tool_result":
                found += blocks_of(block.get("content", []), f"{at}.content")
    return found


def is_results_only(blocks: list[Located]) -> bool:
    return all(block["type"] == "tool_result" for _at, block in blocks)
