"""
Anthropic Messages: `{"system"?: …, "messages": […]}`.

Neighbours of one role are no fault: the API joins them. An assistant message at the end is a prefill, which older
models take; whether a context may end so is not the format's business.
"""

import re
from collections.abc import Iterator
from itertools import groupby, takewhile
from typing import Any

from scripts.proving.providers.anthropic_shapes import (
    MessagesRequest,
    all_blocks,
    blocks_of,
    is_results_only,
    messages_of,
)
from scripts.proving.providers.media import OPENAI_IMAGES, is_anthropic_source
from scripts.proving.providers.rules import Fault, Request, Rule, Rules
from scripts.proving.providers.shapes import unlike

RULES = Rules()

_SERVER_CALLS = ("server_tool_use", "mcp_tool_use")

_API = "https://platform.claude.com/docs/en/api/messages"
_TYPES = "https://github.com/anthropics/anthropic-sdk-python/tree/main/src/anthropic/types, {}_param.py"
_TOOLS = "https://platform.claude.com/docs/en/agents-and-tools/tool-use/handle-tool-calls"
_THINKING = "https://platform.claude.com/docs/en/build-with-claude/extended-thinking"
_CODE = "https://github.com/anthropics/claude-code/issues/{}"

_INPUT_TAG = "Input tag found using 'type' does not match any of the expected tags"
RULES.shape(
    lambda request: unlike(request, MessagesRequest, ""),
    {
        "known-fields": Rule("A block has no fields but its own.", f"'Extra inputs are not permitted'; {_API}"),
        "required-fields": Rule("A block has all that its type demands.", f"'Field required'; {_API}"),
        "no-nulls": Rule("Only what may be absent by its type may be null.", _TYPES.format("content_block")),
        "field-types": Rule(
            "Fields have the JSON types that are documented; a call's input is an object.",
            f"'tool_use.input: Input should be a valid dictionary'; {_TYPES.format('tool_use_block')}",
        ),
        "known-types": Rule(
            "Roles are user and assistant, and each role has its own blocks.", f"'{_INPUT_TAG}'; {_API}"
        ),
    },
)


def faults(request: Request) -> list[Fault]:
    """Return what Anthropic would refuse of *request*, which has `messages` and, if wanted, `system`."""
    return RULES.faults(request)


@RULES.rule(
    "first-user",
    "The first message is the user's.",
    "'messages: first message must use the \"user\" role', https://github.com/lobehub/lobehub/issues/1601",
)
def _first_user(request: Request) -> Iterator[str]:
    if request["messages"] and request["messages"][0]["role"] != "user":
        yield "messages[0].role"


@RULES.rule(
    "content-not-empty",
    "Every message has content, but for an assistant message at the end.",
    "'all messages must have non-empty content except for the optional final assistant message', "
    "https://github.com/anthropics/claude-code/issues/3196",
)
def _content_not_empty(request: Request) -> Iterator[str]:
    last = len(request["messages"]) - 1
    for index, message in enumerate(request["messages"]):
        if not message["content"] and not (index == last and message["role"] == "assistant"):
            yield f"messages[{index}].content"


@RULES.rule(
    "text-not-blank",
    "A text block has a character that is not white space.",
    f"'text content blocks must be non-empty', {_CODE.format(59812)}; 'must contain non-whitespace text'",
)
def _text_not_blank(request: Request) -> Iterator[str]:
    system = request.get("system", [])
    for at, block in [*blocks_of(system, "system"), *all_blocks(request)]:
        # A string that is empty is an absent system prompt, or content-not-empty's.
        if block["type"] == "text" and not block["text"].strip() and (at.endswith("]") or block["text"]):
            yield f"{at}.text" if at.endswith("]") else at


@RULES.rule(
    "no-white-space-at-the-end",
    "An assistant message at the end does not end with white space.",
    "'final assistant content cannot end with trailing whitespace', https://github.com/junjiem/dify-plugin-agent-mcp_sse/pull/118",
)
def _no_white_space_at_the_end(request: Request) -> Iterator[str]:
    messages = messages_of(request)
    if not messages or messages[-1][1] != "assistant" or not messages[-1][2]:
        return
    at, last = messages[-1][2][-1]
    if last["type"] == "text" and last["text"].strip() and last["text"] != last["text"].rstrip():
        yield at


@RULES.rule(
    "results-follow-calls",
    "All calls of a message have their results in the next one; those of the last may still be open.",
    f"'`tool_use` ids were found without `tool_result` blocks immediately after', {_CODE.format(8210)}; {_TOOLS}",
)
def _results_follow_calls(request: Request) -> Iterator[str]:
    messages = messages_of(request)
    for index, (_at, _role, blocks) in enumerate(messages):
        calls = {block["id"]: at for at, block in blocks if block["type"] == "tool_use"}
        behind = messages[index + 1 :]
        if all(role == "user" and is_results_only(rest) for _, role, rest in behind):
            continue
        for _result_at, block in behind[0][2]:
            calls.pop(block.get("tool_use_id", ""), None)
        yield from calls.values()


@RULES.rule(
    "results-have-calls",
    "A result answers a call of the message directly before it.",
    f"'unexpected `tool_use_id` found in `tool_result` blocks', {_CODE.format(18947)}",
)
def _results_have_calls(request: Request) -> Iterator[str]:
    calls: set[str] = set()
    for _at, role, blocks in messages_of(request):
        if role == "assistant":
            calls = {block["id"] for _, block in blocks if block["type"] == "tool_use"}
            continue
        for at, block in blocks:
            if block["type"] == "tool_result" and block["tool_use_id"] not in calls:
                yield f"{at}.tool_use_id"
        # Results of one call may come in several messages, which the API joins; words end that.
        calls = calls if is_results_only(blocks) else set()


@RULES.rule(
    "results-first",
    "Results stand before all else in the user's message.",
    f"'tool_result blocks must come FIRST in the content array', {_TOOLS}",
)
def _results_first(request: Request) -> Iterator[str]:
    for _at, _role, blocks in messages_of(request):
        is_behind = False
        for at, block in blocks:
            if block["type"] != "tool_result":
                is_behind = True
            elif is_behind:
                yield at


@RULES.rule(
    "one-result-a-call",
    "A call has one result.",
    "'each tool_use must have a single result. Found multiple `tool_result` blocks with id', the API's words, quoted "
    f"in many repositories without a thread; {_TOOLS}",
)
def _one_result_a_call(request: Request) -> Iterator[str]:
    answered: set[str] = set()
    for _at, role, blocks in messages_of(request):
        answered = set() if role == "assistant" else answered
        for at, block in blocks:
            if block["type"] == "tool_result" and block["tool_use_id"] in answered:
                yield f"{at}.tool_use_id"
            answered.add(block.get("tool_use_id", ""))


@RULES.rule(
    "call-ids-unique",
    "No two calls of a request have the same id.",
    "'`tool_use` ids must be unique', https://github.com/trycua/cua/issues/524",
)
def _call_ids_unique(request: Request) -> Iterator[str]:
    seen: set[str] = set()
    for at, block in all_blocks(request):
        if block["type"] in ("tool_use", *_SERVER_CALLS):
            if block["id"] in seen:
                yield f"{at}.id"
            seen.add(block["id"])


@RULES.rule(
    "call-id-pattern",
    "Ids of calls match ^[a-zA-Z0-9_-]+$.",
    "'tool_use.id: String should match pattern', https://github.com/HKUDS/nanobot/pull/4356",
)
def _call_id_pattern(request: Request) -> Iterator[str]:
    for at, block in all_blocks(request):
        if block["type"] in ("tool_use", *_SERVER_CALLS) and not re.fullmatch(r"[a-zA-Z0-9_-]+", block["id"]):
            yield f"{at}.id"


@RULES.rule(
    "call-name-pattern",
    "Names of tools match ^[a-zA-Z0-9_-]{1,128}$.",
    f"the pattern of `tools[].name`, {_API}; 'tool_use.name: String should match pattern' where a call has another",
)
def _call_name_pattern(request: Request) -> Iterator[str]:
    for at, block in all_blocks(request):
        if block["type"] == "tool_use" and not re.fullmatch(r"[a-zA-Z0-9_-]{1,128}", block["name"]):
            yield f"{at}.name"


@RULES.rule(
    "image-source",
    "An image is a file's id, an http(s) URL, or base64 of a JPEG, PNG, GIF or WebP.",
    "'image.source.base64.media_type: Input should be 'image/jpeg', 'image/png', 'image/gif' or 'image/webp''; "
    "https://platform.claude.com/docs/en/build-with-claude/vision",
)
def _image_source(request: Request) -> Iterator[str]:
    for at, block in all_blocks(request):
        if block["type"] == "image" and not is_anthropic_source(
            block["source"], OPENAI_IMAGES, ("base64", "url", "file")
        ):
            yield f"{at}.source"


@RULES.rule(
    "document-source",
    "A document is a file's id, an http(s) URL, base64 of a PDF, plain text, or blocks.",
    "https://platform.claude.com/docs/en/build-with-claude/pdf-support; " + _TYPES.format("document_block"),
)
def _document_source(request: Request) -> Iterator[str]:
    every = ("base64", "url", "file", "text", "content")
    for at, block in all_blocks(request):
        if block["type"] == "document" and not is_anthropic_source(block["source"], ("application/pdf",), every):
            yield f"{at}.source"


@RULES.rule(
    "thinking-signed",
    "A thinking block has its signature, a redacted one its data.",
    f"'thinking.signature: Field required'; {_TYPES.format('thinking_block')}",
)
def _thinking_signed(request: Request) -> Iterator[str]:
    for at, block in all_blocks(request):
        if (block["type"] == "thinking" and not block["signature"]) or (
            block["type"] == "redacted_thinking" and not block["data"]
        ):
            yield at


def _is_thinking(block: dict[str, Any]) -> bool:
    return block["type"] in ("thinking", "redacted_thinking")


@RULES.rule(
    "thinking-first",
    "In the open tool loop a message that has thinking starts with it.",
    "'Expected `thinking` or `redacted_thinking`, but found `tool_use`. When `thinking` is enabled, a final "
    f"`assistant` message must start with a thinking block'; {_THINKING}",
)
def _thinking_first(request: Request) -> Iterator[str]:
    for at, role, blocks in reversed(messages_of(request)):
        if role == "user":
            if not is_results_only(blocks):
                return
        elif any(_is_thinking(block) for _, block in blocks) and not _is_thinking(blocks[0][1]):
            yield f"{at}.content[0]"


@RULES.rule(
    "thinking-not-last",
    "An assistant message at the end does not end with thinking.",
    "'The final block in an assistant message cannot be `thinking`', "
    "https://github.com/NousResearch/hermes-agent/pull/13010; measured that only the end matters, https://github.com/router-for-me/CLIProxyAPI/issues/5321",
)
def _thinking_not_last(request: Request) -> Iterator[str]:
    for _at, _role, blocks in messages_of(request)[-1:]:
        if blocks and _is_thinking(blocks[-1][1]):
            yield blocks[-1][0]


@RULES.rule(
    "server-results",
    "The provider's own calls have their results behind them in the same answer; in the next one where the caller's "
    "results come first; only of what ends an answer that was paused, or waits for these, there may be none yet.",
    "'`web_search` tool use with id … was found without a corresponding `web_search_tool_result` block'; 'unexpected "
    f"`tool_use_id` found in `advisor_tool_result` blocks', {_CODE.format(64383)}; "
    "https://platform.claude.com/docs/en/agents-and-tools/tool-use/server-tools",
)
def _server_results(request: Request) -> Iterator[str]:
    waiting: dict[str, str] = {}
    for role, answers in groupby(messages_of(request), lambda message: message[1]):
        messages = list(answers)
        blocks = [block for _, _, each in messages for block in each]
        if role == "user":
            if not is_results_only(blocks):
                yield from waiting.values()
                waiting = {}
            continue
        calls: dict[str, str] = {}
        for at, block in blocks:
            if block["type"] in _SERVER_CALLS:
                calls[block["id"]] = at
            elif block["type"].endswith("_tool_result") and not _taken(block["tool_use_id"], calls, waiting):
                yield f"{at}.tool_use_id"
        yield from waiting.values()
        ending = {at for at, _ in takewhile(lambda each: _may_follow(each[1]), reversed(blocks))}
        yield from (at for at in calls.values() if at not in ending)
        waiting = {call_id: at for call_id, at in calls.items() if at in ending}


def _taken(call_id: str, *calls: dict[str, str]) -> bool:
    """Take *call_id* out of the first of *calls* that has it; tell whether one had."""
    return any(each.pop(call_id, None) is not None for each in calls)


def _may_follow(block: dict[str, Any]) -> bool:
    """Tell whether *block* may stand behind a call of the provider's own that has no result yet."""
    return block["type"] in ("tool_use", *_SERVER_CALLS) or block["type"].endswith("_tool_result")


@RULES.rule(
    "errors-are-text",
    "The result of a call that failed is text alone.",
    '\'all content must be type "text" if "is_error" is true\', https://github.com/vellum-ai/vellum-assistant/pull/18387',
)
def _errors_are_text(request: Request) -> Iterator[str]:
    for at, block in all_blocks(request):
        if block["type"] == "tool_result" and block.get("is_error") and isinstance(block.get("content"), list):
            yield from (f"{at}.content" for part in block["content"] if part["type"] != "text")


@RULES.rule(
    "errors-say-something",
    "The result of a call that failed is not empty.",
    "'content cannot be empty if `is_error` is true', https://github.com/jlevy/markform/issues/153",
)
def _errors_say_something(request: Request) -> Iterator[str]:
    for at, block in all_blocks(request):
        if block["type"] == "tool_result" and block.get("is_error") and not block.get("content"):
            yield f"{at}.content"
