"""A dialogue for each shape of Anthropic's messages and of Gemini's contents."""

from tests.messages import PICTURE, Dialogue, asked

THINKING = {"type": "thinking", "thinking": "The user wants the weather.", "signature": "c2lnbmVk"}
TOOL_USE = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Rome", "wei": 10**40}}

ANTHROPIC = [
    Dialogue("plain", "anthropic", [asked("hi"), {"role": "assistant", "content": "Hello."}], "Be brief."),
    Dialogue(
        "system blocks, and cache marks",
        "anthropic",
        [
            {"role": "user", "content": [{"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}]},
            {"role": "assistant", "content": [{"type": "text", "text": "Hello.", "citations": None}]},
            asked("go on"),
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
            asked("weather?"),
            {"role": "assistant", "content": [THINKING, {"type": "text", "text": "I look."}, TOOL_USE]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "rain"}]},
        ],
    ),
    Dialogue(
        "redacted thinking, text behind a call",
        "anthropic",
        [
            asked("weather?"),
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
            asked("look"),
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
            asked("go on"),
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
            asked("thanks"),
        ],
    ),
    Dialogue(
        "what the provider's own tools did",
        "anthropic",
        [
            asked("news?"),
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
            asked("go on"),
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
