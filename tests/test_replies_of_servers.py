"""
A model's reply is taken as it came, whichever server it came from, and comes back in chat as the server wants it.

The replies are what the servers' documentation and clients show, shortened.
"""

from collections.abc import Mapping
from typing import Any

import pytest
from openai.types.chat import ChatCompletionMessage, ParsedChatCompletionMessage, ParsedFunctionToolCall

from scripts.proving.contexts.dialogues import folded
from shared.context.fit import fit
from shared.context.format_rules import RULES
from shared.context.render import render
from shared.context.whole import whole_of
from shared.errors import InvalidValue
from tests.messages import Json, asked, log_of, read, shown

CALL: Json = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
ANSWER: Json = {"role": "tool", "tool_call_id": "call_1", "content": "4"}
NULLS: Json = {"refusal": None, "annotations": None, "audio": None, "function_call": None}
SIGNED = {"google": {"thought_signature": "c2ln"}}
DETAILS = [{"type": "reasoning.text", "text": "Hm.", "signature": "c2ln", "format": "anthropic-claude-v1", "index": 0}]
BLOCKS = [{"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}]
PICTURE = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}, "index": 0}]
THINKING = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}
PAGE = {"type": "url_citation", "url_citation": {"url": "https://a.example", "title": "A", "content": "All of it."}}


def said(content: Any, **fields: Any) -> Json:
    return {"role": "assistant", "content": content, **fields}


AS_THEY_CAME: Mapping[str, Json] = {
    "DeepSeek": said("4", reasoning_content="Hm."),
    "DeepSeek, a call": said("", reasoning_content="Hm.", tool_calls=[{**CALL, "index": 0}]),
    "Kimi, a call": said(None, reasoning_content="Hm.", tool_calls=[CALL]),
    "vLLM": said("4", **NULLS, tool_calls=[], reasoning="Hm.", reasoning_content="Hm."),
    "vLLM, a call": said(None, **NULLS, tool_calls=[CALL], reasoning="Hm."),
    "llama.cpp": said("4", reasoning_content="Hm."),
    "Ollama, a call": said("", reasoning="Hm.", tool_calls=[{**CALL, "index": 0}]),
    "Groq": said("4", reasoning="Hm.", executed_tools=[{"type": "search", "arguments": "{}", "output": "4"}]),
    "OpenRouter": said("4", refusal=None, reasoning="Hm.", reasoning_details=DETAILS),
    "OpenRouter, pages": said("4", annotations=[PAGE, {"type": "file", "file": {"hash": "1", "content": []}}]),
    "OpenRouter, a picture": said("Here.", images=PICTURE),
    "LiteLLM": said("4", **NULLS, tool_calls=None, provider_specific_fields={"refusal": None}),
    "LiteLLM, Claude": said(
        "4", tool_calls=None, function_call=None, reasoning_content="Hm.", thinking_blocks=BLOCKS,
        provider_specific_fields={"citations": None, "thinking_blocks": BLOCKS},
    ),
    "LiteLLM, a call of Gemini": said(
        None, tool_calls=[{**CALL, "index": 0, "provider_specific_fields": {"thought_signature": "c2ln"}}]
    ),
    "Gemini's OpenAI endpoint": said(None, tool_calls=[{**CALL, "extra_content": SIGNED}], extra_content=SIGNED),
    "Mistral": said("4", tool_calls=None, prefix=False),
    "Mistral, a call": said("", tool_calls=[{"id": "call_1", "function": CALL["function"], "index": 0}], prefix=False),
    "Magistral": said([THINKING, {"type": "text", "text": "4"}]),
    "only thoughts": said("", reasoning_content="Hm."),
}  # fmt: skip
named = pytest.mark.parametrize("reply", AS_THEY_CAME.values(), ids=list(AS_THEY_CAME))


def dialogue(reply: Json) -> list[Json]:
    return [asked("2+2?"), reply, *([ANSWER] if reply.get("tool_calls") else []), asked("And 3?")]


def without_what_says_nothing(value: Any) -> Any:
    """Return *value* without nulls, what is empty but texts, and what no server needs back."""
    if isinstance(value, list):
        return [without_what_says_nothing(each) for each in value]
    if not isinstance(value, dict):
        return value
    made = {name: without_what_says_nothing(each) for name, each in value.items() if name != "prefix"}
    return {name: each for name, each in made.items() if each not in (None, [], {})}


def expected(reply: Json) -> Json:
    made = without_what_says_nothing(reply)
    for call in made.get("tool_calls", []):
        call.pop("index", None)
        call["type"] = "function"
    return {name: each for name, each in made.items() if name not in ("refusal", "audio")}


@named
def test_a_reply_comes_back_in_chat_as_its_server_wants_it(reply: Json) -> None:
    messages = shown("chat", log_of(read("chat", dialogue(reply))))["messages"]

    assert without_what_says_nothing(messages[1]) == expected(reply)
    assert [message["role"] for message in messages] == [message["role"] for message in dialogue(reply)]


@named
@pytest.mark.parametrize("context_format", ["items", "anthropic", "gemini", "text"])
def test_other_formats_name_the_items_whose_thoughts_they_leave_out(reply: Json, context_format: str) -> None:
    log = log_of(read("chat", dialogue(reply)))
    rendering = render(context_format, fit(folded(log, context_format), 10**9))
    says_more = "Hm." in str(reply) or bool(reply.get("images") or reply.get("annotations"))
    is_empty = reply["content"] == "" and context_format in ("anthropic", "gemini")

    assert b"Hm." not in b"".join(rendering.members.values())
    assert rendering.unsupported == ([log[1].id] if says_more or is_empty else [])


@named
def test_thoughts_count_once_where_they_are_sent(reply: Json) -> None:
    plain = {name: each for name, each in reply.items() if name in ("role", "content", "tool_calls")}
    if isinstance(plain["content"], list):
        plain["content"] = plain["content"][1:]
    thinks = "Hm." in str(reply)
    with_thoughts, without = (log_of(read("chat", dialogue(each))) for each in (reply, plain))

    for name, rules in RULES.items():
        more = whole_of(with_thoughts, rules).tokens - whole_of(without, rules).tokens
        assert more == (len("Hm.") if thinks and name == "chat" else 0), name


def test_replies_of_the_official_client_are_taken_as_it_dumps_them() -> None:
    call = ParsedFunctionToolCall.model_validate(
        {**CALL, "function": {**CALL["function"], "parsed_arguments": {"a": 1}}}
    )
    parsed = ParsedChatCompletionMessage[Any](role="assistant", content="4", parsed={"a": 4}, tool_calls=[call])
    plain = ChatCompletionMessage.model_validate(said("4", reasoning_content="Hm.", tool_calls=[{**CALL, "index": 0}]))

    for message, more in ((parsed, {}), (plain, {"reasoning_content": "Hm."})):
        messages = [asked("2+2?"), message.model_dump(), ANSWER]
        back = shown("chat", log_of(read("chat", messages)))["messages"][1]
        assert back == {"role": "assistant", "content": "4", "tool_calls": [CALL], **more}


@pytest.mark.parametrize(
    ("reply", "param"),
    [
        (said("4", reasoning_content=["Hm."]), "reasoning_content"),
        (said("4", reasoning_details="Hm."), "reasoning_details"),
        (said("4", provider_specific_fields=[]), "provider_specific_fields"),
        (said(None, tool_calls=[{**CALL, "extra_content": "x"}]), "tool_calls[0].extra_content"),
        (said("4", annotations=[PAGE, 7]), "annotations[1]"),
        ({"role": "user", "content": "x", "reasoning_content": "Hm."}, "reasoning_content"),
    ],
)
def test_what_is_wrong_with_an_addition_is_named(reply: Json, param: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        read("chat", [reply])

    assert refused.value.param == f"messages[0].{param}"
