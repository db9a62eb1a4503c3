"""
Dialogues in the messages of three APIs, a shape or two each, and what they become as a log.
"""

import json
from itertools import count
from typing import Any, NamedTuple

import orjson

from scripts.proving.contexts.dialogues import folded
from shared.context.fit import fit
from shared.context.render import render
from shared.items.counts import counts_of
from shared.items.item import Item
from shared.items.messages import Given, normal_items
from shared.items.normalize import NormalItem
from shared.items.traits import describe
from shared.jsonbytes.write import dumps
from tests.logs import characters

Json = dict[str, Any]

PICTURE = "iVBORw0KGgo="


class Dialogue(NamedTuple):
    """*system* stands beside *messages* where the API has it there."""

    name: str
    context_format: str
    messages: list[Json]
    system: Any = None


def read(context_format: str, messages: list[Json], system: Any = None, mark: str = "m") -> list[NormalItem]:
    """Return the items that *messages* make."""
    ids = count(1)
    given = Given(messages, "messages", context_format, system)
    return normal_items(given, lambda prefix: f"{prefix}_{next(ids)}", mark)


def log_of(normal: list[NormalItem]) -> list[Item]:
    """Return *normal* as a conversation's log, counted in characters."""
    log = []
    preceding_tokens = 0
    for seq, each in enumerate(normal, start=1):
        traits = describe(each.item, each.extras)
        counts = counts_of(traits, characters)
        log.append(
            Item(
                seq=seq,
                id=each.id,
                kind=traits.kind,
                pair_key=traits.pair_key,
                name=traits.name,
                overhead_tokens=counts.overhead_tokens,
                content_tokens=counts.content_tokens,
                hosted_tokens=counts.hosted_tokens,
                preceding_tokens=preceding_tokens,
                body=dumps(each.item),
                is_text=traits.is_text,
                extras=orjson.dumps(each.extras) if each.extras else b"",
                message=each.message,
                label_tokens=counts.label_tokens,
                differences=counts.differences,
            )
        )
        preceding_tokens += counts.overhead_tokens + counts.content_tokens
    return log


def shown(context_format: str, log: list[Item]) -> Json:
    """Return the members of a context in which there is room for all of *log*."""
    rendering = render(context_format, fit(folded(log, context_format), 10**9))
    return {name: json.loads(value) for name, value in rendering.members.items()}


def _asked(text: str) -> Json:
    return {"role": "user", "content": text}


def _called(*ids: str, **more: Any) -> Json:
    calls = [
        {"id": each, "type": "function", "function": {"name": "f", "arguments": f'{{"n": {at}}}'}}
        for at, each in enumerate(ids)
    ]
    return {"role": "assistant", "content": None, "tool_calls": calls, **more}


CHAT = [
    Dialogue(
        "plain",
        "chat",
        [{"role": "system", "content": "Be brief."}, _asked("hi"), {"role": "assistant", "content": "Hello."}],
    ),
    Dialogue(
        "a reply as the client dumps it",
        "chat",
        [
            _asked("weather?"),
            {
                "content": None,
                "refusal": None,
                "role": "assistant",
                "annotations": [],
                "audio": None,
                "function_call": None,
                "tool_calls": [{"id": "c1", "function": {"name": "f", "arguments": '{"a":1}'}, "type": "function"}],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "sun"},
            {"role": "assistant", "content": "Sunny.", "refusal": None, "tool_calls": None},
            _asked("thanks"),
        ],
    ),
    Dialogue(
        "parallel calls with text",
        "chat",
        [
            _asked("two things"),
            _called("c1", "c2", content="On it."),
            {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "one"}]},
            {"role": "tool", "tool_call_id": "c2", "content": "two"},
            _asked("go on"),
        ],
    ),
    Dialogue(
        "empty content beside calls, and the open call at the end",
        "chat",
        [_asked("q"), _called("c1", content="")],
    ),
    Dialogue(
        "two replies in a row",
        "chat",
        [_asked("q"), {"role": "assistant", "content": "a"}, {"role": "assistant", "content": "b"}, _asked("r")],
    ),
    Dialogue(
        "the older calls",
        "chat",
        [
            _asked("q"),
            {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
            {"role": "function", "name": "f", "content": "4"},
            {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": '{"again": true}'}},
            {"role": "function", "name": "f", "content": "5"},
            _asked("r"),
        ],
    ),
    Dialogue(
        "a custom tool",
        "chat",
        [
            _asked("q"),
            {
                "role": "assistant",
                "tool_calls": [{"id": "c1", "type": "custom", "custom": {"name": "sh", "input": "ls -l"}}],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "a.txt"},
            _asked("r"),
        ],
    ),
    Dialogue(
        "names",
        "chat",
        [
            {"role": "developer", "content": "Be brief.", "name": "boss"},
            {"role": "user", "content": "hi", "name": "alice"},
            {"role": "assistant", "content": "Hello.", "name": "bot"},
            _called("c1", name="bot"),
            {"role": "tool", "tool_call_id": "c1", "name": "f", "content": "4"},
            _asked("q"),
        ],
    ),
    Dialogue(
        "images, audio and files",
        "chat",
        [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is this?"},
                    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PICTURE}", "detail": "low"}},
                    {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
                    {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "auto"}},
                    {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
                    {
                        "type": "file",
                        "file": {"file_data": "data:application/pdf;base64,JVBERg==", "filename": "a.pdf"},
                    },
                    {"type": "file", "file": {"file_id": "file-1"}},
                    {"type": "text", "text": "And that?"},
                ],
            },
            {"role": "assistant", "content": "A cat."},
            {
                "role": "user",
                "content": [{"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "mp3"}}],
            },
        ],
    ),
    Dialogue(
        "refusals and spoken answers",
        "chat",
        [
            _asked("q"),
            {"role": "assistant", "content": None, "refusal": "No."},
            _asked("r"),
            {"role": "assistant", "content": [{"type": "refusal", "refusal": "Neither."}]},
            _asked("s"),
            {
                "role": "assistant",
                "content": None,
                "audio": {"id": "audio_1", "data": "UklGRg==", "expires_at": 1, "transcript": "hm"},
            },
            _asked("t"),
        ],
    ),
    Dialogue(
        "a reply with citations",
        "chat",
        [
            _asked("news?"),
            {
                "role": "assistant",
                "content": "There are some.",
                "annotations": [
                    {
                        "type": "url_citation",
                        "url_citation": {
                            "start_index": 0,
                            "end_index": 5,
                            "title": "News",
                            "url": "https://example.com",
                        },
                    }
                ],
            },
            _asked("go on"),
        ],
    ),
]

THINKING = {"type": "thinking", "thinking": "The user wants the weather.", "signature": "c2lnbmVk"}
TOOL_USE = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Rome", "wei": 10**40}}

ANTHROPIC = [
    Dialogue("plain", "anthropic", [_asked("hi"), {"role": "assistant", "content": "Hello."}], "Be brief."),
    Dialogue(
        "system blocks, and cache marks",
        "anthropic",
        [
            {"role": "user", "content": [{"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}]},
            {"role": "assistant", "content": [{"type": "text", "text": "Hello.", "citations": None}]},
            _asked("go on"),
        ],
        [
            {"type": "text", "text": "Be brief."},
            {"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral"}},
        ],
    ),
    Dialogue(
        "thinking, a call, and the open tool loop",
        "anthropic",
        [
            _asked("weather?"),
            {"role": "assistant", "content": [THINKING, {"type": "text", "text": "I look."}, TOOL_USE]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "rain"}]},
        ],
    ),
    Dialogue(
        "redacted thinking, text behind a call",
        "anthropic",
        [
            _asked("weather?"),
            {
                "role": "assistant",
                "content": [
                    {"type": "redacted_thinking", "data": "b3BhcXVl"},
                    {**THINKING, "thinking": ""},
                    TOOL_USE,
                    {"type": "text", "text": "One moment."},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "toolu_1", "content": "rain"},
                    {"type": "text", "text": "and tomorrow?"},
                ],
            },
        ],
    ),
    Dialogue(
        "results of blocks, errors, two calls",
        "anthropic",
        [
            _asked("look"),
            {"role": "assistant", "content": [TOOL_USE, {**TOOL_USE, "id": "toolu_2", "caller": {"type": "direct"}}]},
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "toolu_1",
                        "content": [
                            {"type": "text", "text": "a picture"},
                            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PICTURE}},
                            {
                                "type": "search_result",
                                "source": "s",
                                "title": "t",
                                "content": [{"type": "text", "text": "x"}],
                            },
                        ],
                    },
                    {"type": "tool_result", "tool_use_id": "toolu_2", "content": "no such city", "is_error": True},
                ],
            },
            _asked("go on"),
        ],
    ),
    Dialogue(
        "images and documents",
        "anthropic",
        [
            {
                "role": "user",
                "content": [
                    {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
                    {"type": "image", "source": {"type": "file", "file_id": "file_1"}},
                    {
                        "type": "document",
                        "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERg=="},
                        "title": "A",
                        "citations": {"enabled": True},
                    },
                    {
                        "type": "document",
                        "source": {"type": "text", "media_type": "text/plain", "data": "text"},
                        "context": "c",
                    },
                    {"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}},
                    {"type": "text", "text": "Compare them."},
                ],
            },
            {
                "role": "assistant",
                "content": [
                    {"type": "text", "text": "They say "},
                    {
                        "type": "text",
                        "text": "the same.",
                        "citations": [
                            {
                                "type": "char_location",
                                "cited_text": "text",
                                "document_index": 1,
                                "document_title": None,
                                "start_char_index": 0,
                                "end_char_index": 4,
                            }
                        ],
                    },
                ],
            },
            _asked("thanks"),
        ],
    ),
    Dialogue(
        "what the provider's own tools did",
        "anthropic",
        [
            _asked("news?"),
            {
                "role": "assistant",
                "content": [
                    {"type": "text", "text": "I search."},
                    {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "news"}},
                    {
                        "type": "web_search_tool_result",
                        "tool_use_id": "srvtoolu_1",
                        "content": [
                            {
                                "type": "web_search_result",
                                "url": "https://example.com",
                                "title": "t",
                                "page_age": None,
                                "encrypted_content": "ZW5j",
                            }
                        ],
                    },
                    THINKING,
                    {"type": "text", "text": "There are some."},
                ],
            },
            _asked("go on"),
        ],
    ),
]

GEMINI = [
    Dialogue(
        "plain",
        "gemini",
        [
            {"role": "user", "parts": [{"text": "hi"}]},
            {"role": "model", "parts": [{"text": "Hello."}, {"text": " Yes?"}]},
        ],
        {"parts": [{"text": "Be brief."}, {"text": "Be kind."}]},
    ),
    Dialogue(
        "snake_case, and a text as the instruction",
        "gemini",
        [
            {"role": "user", "parts": [{"inline_data": {"mime_type": "image/png", "data": PICTURE}}, {"text": "?"}]},
            {
                "role": "model",
                "parts": [{"function_call": {"name": "f", "args": {"snake_case": 1}}, "thought_signature": "c2ln"}],
            },
            {"role": "user", "parts": [{"function_response": {"name": "f", "response": {"snake_case": 2}}}]},
        ],
        "Be brief.",
    ),
    Dialogue(
        "signatures of every part, even an empty one",
        "gemini",
        [
            {"role": "user", "parts": [{"text": "q"}]},
            {
                "role": "model",
                "parts": [
                    {"text": "Let me think.", "thought": True},
                    {"text": "and on", "thought": True, "thoughtSignature": "c2lnMA=="},
                    {"text": "I say", "thoughtSignature": "c2lnMQ=="},
                    {"text": " this."},
                    {"text": "", "thoughtSignature": "c2lnMg=="},
                ],
            },
            {"role": "user", "parts": [{"text": "r"}]},
        ],
    ),
    Dialogue(
        "calls without ids pair by name and order",
        "gemini",
        [
            {"role": "user", "parts": [{"text": "q"}]},
            {
                "role": "model",
                "parts": [
                    {"functionCall": {"name": "f", "args": {"n": 1}}, "thoughtSignature": "c2ln"},
                    {"functionCall": {"name": "g"}},
                    {"functionCall": {"name": "f", "args": {"n": 2}}},
                    {"text": "Wait."},
                ],
            },
            {
                "role": "user",
                "parts": [
                    {"functionResponse": {"name": "f", "response": {"result": "one"}}},
                    {"functionResponse": {"name": "g", "response": {}}},
                    {"functionResponse": {"name": "f", "response": {"result": "two"}}},
                    {"text": "Go on."},
                ],
            },
        ],
    ),
    Dialogue(
        "calls with ids",
        "gemini",
        [
            {"role": "user", "parts": [{"text": "q"}]},
            {"role": "model", "parts": [{"functionCall": {"id": "a1", "name": "f", "args": {"wei": 10**40}}}]},
            {
                "role": "user",
                "parts": [
                    {"functionResponse": {"id": "a1", "name": "f", "response": {"r": 1}, "scheduling": "SILENT"}}
                ],
            },
            {"role": "model", "parts": [{"text": "Done."}]},
            {"role": "user", "parts": [{"text": "thanks"}]},
        ],
    ),
    Dialogue(
        "media and code",
        "gemini",
        [
            {
                "role": "user",
                "parts": [
                    {
                        "fileData": {"mimeType": "video/mp4", "fileUri": "https://example.com/v"},
                        "videoMetadata": {"fps": 1},
                    },
                    {"inlineData": {"mimeType": "audio/wav", "data": "UklGRg=="}},
                    {"inlineData": {"mimeType": "application/pdf", "data": "JVBERg==", "displayName": "a.pdf"}},
                    {"text": "What is it?"},
                ],
            },
            {
                "role": "model",
                "parts": [
                    {"executableCode": {"language": "PYTHON", "code": "print(1)"}, "thoughtSignature": "c2ln"},
                    {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}},
                    {"text": "One."},
                    {"inlineData": {"mimeType": "image/png", "data": PICTURE}},
                ],
            },
            {"role": "user", "parts": [{"text": "thanks"}]},
        ],
    ),
]

DIALOGUES = [*CHAT, *ANTHROPIC, *GEMINI]
