"""A dialogue for each shape of chat messages."""

from typing import Any

from tests.messages import PICTURE, Dialogue, Json, asked


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
        [{"role": "system", "content": "Be brief."}, asked("hi"), {"role": "assistant", "content": "Hello."}],
    ),
    Dialogue(
        "a reply as the client dumps it",
        "chat",
        [
            asked("weather?"),
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
            asked("thanks"),
        ],
    ),
    Dialogue(
        "parallel calls with text",
        "chat",
        [
            asked("two things"),
            _called("c1", "c2", content="On it."),
            {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "one"}]},
            {"role": "tool", "tool_call_id": "c2", "content": "two"},
            asked("go on"),
        ],
    ),
    Dialogue(
        "empty content beside calls, and the open call at the end",
        "chat",
        [asked("q"), _called("c1", content="")],
    ),
    Dialogue(
        "two replies in a row",
        "chat",
        [asked("q"), {"role": "assistant", "content": "a"}, {"role": "assistant", "content": "b"}, asked("r")],
    ),
    Dialogue(
        "the older calls",
        "chat",
        [
            asked("q"),
            {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
            {"role": "function", "name": "f", "content": "4"},
            {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": '{"again": true}'}},
            {"role": "function", "name": "f", "content": "5"},
            asked("r"),
        ],
    ),
    Dialogue(
        "a custom tool",
        "chat",
        [
            asked("q"),
            {
                "role": "assistant",
                "tool_calls": [{"id": "c1", "type": "custom", "custom": {"name": "sh", "input": "ls -l"}}],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "a.txt"},
            asked("r"),
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
            asked("q"),
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
            asked("q"),
            {"role": "assistant", "content": None, "refusal": "No."},
            asked("r"),
            {"role": "assistant", "content": [{"type": "refusal", "refusal": "Neither."}]},
            asked("s"),
            {
                "role": "assistant",
                "content": None,
                "audio": {"id": "audio_1", "data": "UklGRg==", "expires_at": 1, "transcript": "hm"},
            },
            asked("t"),
        ],
    ),
    Dialogue(
        "a reply with citations",
        "chat",
        [
            asked("news?"),
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
            asked("go on"),
        ],
    ),
]
