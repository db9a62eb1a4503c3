"""
OpenAI Chat Completions: `{"messages": […]}`.

The types are those of the official client, which is made from OpenAI's description of its API. The deprecated role
`function` is not admitted: a call and its result have one form.
"""

import re
from collections.abc import Iterator
from typing import Any, Required, TypedDict

from openai.types.chat.chat_completion_assistant_message_param import ChatCompletionAssistantMessageParam
from openai.types.chat.chat_completion_developer_message_param import ChatCompletionDeveloperMessageParam
from openai.types.chat.chat_completion_system_message_param import ChatCompletionSystemMessageParam
from openai.types.chat.chat_completion_tool_message_param import ChatCompletionToolMessageParam
from openai.types.chat.chat_completion_user_message_param import ChatCompletionUserMessageParam

from scripts.proving.providers.media import data_url_type, is_base64, is_openai_image
from scripts.proving.providers.rules import Fault, Request, Rule, Rules
from scripts.proving.providers.shapes import unlike

RULES = Rules()

_API = "https://platform.openai.com/docs/api-reference/chat/create"
_CALL_ID_CHARS_MAX, _NAME_CHARS_MAX, _CALLS_MAX = 40, 64, 128


class _ToolMessage(ChatCompletionToolMessageParam, total=False):
    name: str  # As OpenAI's cookbook sends it, "How to call functions with chat models".


class _ChatRequest(TypedDict, total=False):
    messages: Required[
        list[
            ChatCompletionDeveloperMessageParam
            | ChatCompletionSystemMessageParam
            | ChatCompletionUserMessageParam
            | ChatCompletionAssistantMessageParam
            | _ToolMessage
        ]
    ]


RULES.shape(
    lambda request: unlike(request, _ChatRequest, ""),
    {
        "known-fields": Rule("Messages and parts have no fields but their own.", f"'Unknown parameter'; {_API}"),
        "required-fields": Rule(
            "Messages and parts have all that is required.", f"'Missing required parameter'; {_API}"
        ),
        "no-nulls": Rule(
            "Null stands only where the API's types admit it.",
            "'Invalid value for 'content': expected a string, got null', https://github.com/docker/docker-agent/issues/63",
        ),
        "field-types": Rule("Fields have the documented JSON types; arguments are a string.", _API),
        "known-types": Rule(
            "Roles are those of the API, and each has its own parts: text, and for users images, audio and files, "
            "for assistants refusals.",
            _API,
        ),
    },
)


def faults(request: Request) -> list[Fault]:
    """Return what Chat Completions would refuse of *request*, which has `messages`."""
    return RULES.faults(request)


def _messages(request: Request, *roles: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for index, message in enumerate(request["messages"]):
        if not roles or message["role"] in roles:
            yield f"messages[{index}]", message


def _calls(request: Request) -> Iterator[tuple[str, dict[str, Any]]]:
    for at, message in _messages(request, "assistant"):
        for index, call in enumerate(message.get("tool_calls", [])):
            yield f"{at}.tool_calls[{index}]", call


def _parts(request: Request, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for at, message in _messages(request):
        content = message.get("content")
        for index, part in enumerate(content if isinstance(content, list) else []):
            if part["type"] == kind:
                yield f"{at}.content[{index}]", part


@RULES.rule(
    "content-without-calls",
    "An assistant message without calls, audio or refusal has content.",
    f"'Required unless `tool_calls` or `function_call` is specified', {_API}; https://github.com/vercel/ai/pull/13744",
)
def _content_without_calls(request: Request) -> Iterator[str]:
    for at, message in _messages(request, "assistant"):
        others = ("tool_calls", "function_call", "audio", "refusal")
        if message.get("content") is None and not any(message.get(name) for name in others):
            yield f"{at}.content"


@RULES.rule(
    "arrays-not-empty",
    "Lists of parts and of calls have at least one member.",
    "'Invalid 'messages[2].tool_calls': empty array. Expected an array with minimum length 1'; parts: `minItems: 1` in "
    "https://github.com/openai/openai-openapi",
)
def _arrays_not_empty(request: Request) -> Iterator[str]:
    for at, message in _messages(request):
        yield from (f"{at}.{name}" for name in ("content", "tool_calls") if message.get(name) == [])


@RULES.rule(
    "assistant-parts",
    "An assistant's parts are one or more texts, or exactly one refusal.",
    f"'an array of content parts … one or more of type `text`, or exactly one of type `refusal`', {_API}",
)
def _assistant_parts(request: Request) -> Iterator[str]:
    for at, message in _messages(request, "assistant"):
        content = message.get("content")
        kinds = [part["type"] for part in content] if isinstance(content, list) else []
        if "refusal" in kinds and len(kinds) > 1:
            yield f"{at}.content"


@RULES.rule(
    "calls-max",
    f"A message has at most {_CALLS_MAX} calls.",
    "'Invalid 'messages[2].tool_calls': array too long. Expected an array with maximum length 128', "
    "https://github.com/openai/openai-dotnet/issues/317",
)
def _calls_max(request: Request) -> Iterator[str]:
    for at, message in _messages(request, "assistant"):
        if len(message.get("tool_calls", [])) > _CALLS_MAX:
            yield f"{at}.tool_calls"


@RULES.rule(
    "call-id-length",
    f"Ids of calls have 1 to {_CALL_ID_CHARS_MAX} characters.",
    "'Invalid 'messages[2].tool_calls[0].id': string too long. Expected a string with maximum length 40', "
    "https://github.com/vercel/ai/issues/5171",
)
def _call_id_length(request: Request) -> Iterator[str]:
    for at, call in _calls(request):
        if not 1 <= len(call["id"]) <= _CALL_ID_CHARS_MAX:
            yield f"{at}.id"


@RULES.rule(
    "call-ids-unique",
    "No two calls of a request have the same id.",
    "'Duplicate value for 'tool_call_id' of 'call_…', in messages[7] and messages[8]', "
    "https://github.com/agno-agi/agno/issues/5116",
)
def _call_ids_unique(request: Request) -> Iterator[str]:
    seen: set[str] = set()
    for at, call in _calls(request):
        if call["id"] in seen:
            yield f"{at}.id"
        seen.add(call["id"])


@RULES.rule(
    "call-name-pattern",
    f"Names of functions and tools match ^[a-zA-Z0-9_-]+$ and have at most {_NAME_CHARS_MAX} characters.",
    "'Invalid 'messages[9].tool_calls[0].function.name': string does not match pattern', "
    f"https://github.com/mcp-use/mcp-use/issues/90; 'a maximum length of 64', {_API}",
)
def _call_name_pattern(request: Request) -> Iterator[str]:
    for at, call in _calls(request):
        kind = call["type"]
        if not _is_name(call[kind]["name"]):
            yield f"{at}.{kind}.name"


@RULES.rule(
    "message-name-pattern",
    f"Names of participants match ^[a-zA-Z0-9_-]+$ and have at most {_NAME_CHARS_MAX} characters.",
    "'Invalid 'messages[1].name': string does not match pattern', https://github.com/microsoft/autogen/issues/4157; "
    r"newer servers admit more, '^[^\s<|\\/>]+$', not white space",
)
def _message_name_pattern(request: Request) -> Iterator[str]:
    for at, message in _messages(request):
        if "name" in message and not _is_name(message["name"]):
            yield f"{at}.name"


def _is_name(name: str) -> bool:
    return re.fullmatch(rf"[a-zA-Z0-9_-]{{1,{_NAME_CHARS_MAX}}}", name) is not None


@RULES.rule(
    "calls-answered",
    "The calls of a message are answered directly behind it; those of the last may still be open, with nothing between "
    "them and the end but results.",
    "'An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'', "
    "https://github.com/tensorzero/tensorzero/issues/4880",
)
def _calls_answered(request: Request) -> Iterator[str]:
    messages = request["messages"]
    for index, message in enumerate(messages):
        open_calls = {call["id"]: at for at, call in enumerate(message.get("tool_calls", []))}
        behind = index + 1
        while behind < len(messages) and messages[behind]["role"] == "tool":
            open_calls.pop(messages[behind]["tool_call_id"], None)
            behind += 1
        if behind < len(messages):
            yield from (f"messages[{index}].tool_calls[{at}]" for at in open_calls.values())


@RULES.rule(
    "results-follow-calls",
    "A tool message stands behind the message with its call, other tool messages between them at most.",
    "'messages with role 'tool' must be a response to a preceeding message with 'tool_calls'', "
    "https://github.com/prism-php/prism/issues/175",
)
def _results_follow_calls(request: Request) -> Iterator[str]:
    for at, _message, calls in _results(request):
        if not calls:
            yield f"{at}.role"


@RULES.rule(
    "results-have-calls",
    "A tool message names a call of the message that it answers.",
    "''tool_call_id' of 'xxx' not found in 'tool_calls' of previous message'; https://platform.openai.com/docs/guides/"
    "function-calling",
)
def _results_have_calls(request: Request) -> Iterator[str]:
    for at, message, calls in _results(request):
        if calls and message["tool_call_id"] not in calls:
            yield f"{at}.tool_call_id"


@RULES.rule(
    "one-result-a-call",
    "A call has one result.",
    "'Duplicate value for 'tool_call_id'', https://github.com/agno-agi/agno/issues/5116",
)
def _one_result_a_call(request: Request) -> Iterator[str]:
    answered: set[str] = set()
    for at, message in _messages(request):
        answered = answered if message["role"] == "tool" else set()
        if message.get("tool_call_id") in answered:
            yield f"{at}.tool_call_id"
        answered.add(message.get("tool_call_id", ""))


def _results(request: Request) -> Iterator[tuple[str, dict[str, Any], set[str]]]:
    """Yield each tool message with the ids of the calls directly before it."""
    calls: set[str] = set()
    for at, message in _messages(request):
        if message["role"] == "tool":
            yield at, message, calls
        else:
            calls = {call["id"] for call in message.get("tool_calls", [])}


@RULES.rule(
    "image-url",
    "An image is an http(s) URL, or a data URL with base64 of a PNG, JPEG, GIF or WebP.",
    "'Expected a base64-encoded data URL with an image MIME type … but got unsupported MIME type'; 'one of the "
    "following formats: ['png', 'jpeg', 'gif', 'webp']', https://github.com/CosmosShadow/gptpdf/issues/6",
)
def _image_url(request: Request) -> Iterator[str]:
    for at, part in _parts(request, "image_url"):
        if not is_openai_image(part["image_url"]["url"]):
            yield f"{at}.image_url.url"


@RULES.rule(
    "file-part",
    "A file is an id, or a data URL with base64 and a name.",
    "https://platform.openai.com/docs/guides/pdf-files?api-mode=chat",
)
def _file_part(request: Request) -> Iterator[str]:
    for at, part in _parts(request, "file"):
        file = part["file"]
        is_id = bool(file.get("file_id")) and "file_data" not in file
        is_data = (
            bool(data_url_type(file.get("file_data", ""))) and bool(file.get("filename")) and "file_id" not in file
        )
        if not is_id and not is_data:
            yield f"{at}.file"


@RULES.rule(
    "audio-part",
    "Audio is base64.",
    "https://platform.openai.com/docs/guides/audio?example=audio-in",
)
def _audio_part(request: Request) -> Iterator[str]:
    for at, part in _parts(request, "input_audio"):
        if not is_base64(part["input_audio"]["data"]):
            yield f"{at}.input_audio.data"
