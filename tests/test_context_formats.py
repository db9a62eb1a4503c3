"""What each format makes of the things that it treats in its own way."""

import subprocess
import sys
from pathlib import Path

import orjson

import shared.context.formats.rendering
from scripts.proving.contexts.promises import READINGS
from shared.context.render import FORMATS, render
from tests.logs import call, message, output
from tests.renderings import ALIAS, PICTURE, ROUND, rendered, select


def test_each_file_of_the_folder_that_renders_is_a_format() -> None:
    folder = Path(shared.context.formats.rendering.__file__).parent
    renders = {path.stem for path in folder.glob("*.py") if "\ndef render(" in path.read_text()}

    assert renders == set(FORMATS) == READINGS.keys()


def test_a_format_that_is_not_asked_for_is_not_imported() -> None:
    program = """
import sys
from shared.context.fit import fit
from shared.context.render import FORMATS, render
from shared.context.units import fold
render("chat", fit(fold([]), 1_000))
print(*(name for name in FORMATS if f"shared.context.formats.{name}" in sys.modules))
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert ran.stdout.split() == ["chat"]


def test_items_are_the_stored_bytes_in_log_order() -> None:
    selection = select("items", *ROUND)
    rendering = render("items", selection)

    assert rendering.members == {"input": b"[" + b",".join(item.body for item in selection.items) + b"]"}
    assert [item.seq for item in selection.items] == list(range(8))


def test_chat_has_one_message_per_response_and_outputs_in_the_order_of_their_calls() -> None:
    members, unsupported = rendered("chat", *ROUND)

    assert members["messages"] == [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "weather?"},
        {
            "role": "assistant",
            "content": "looking",
            "tool_calls": [
                {
                    "id": "call:1",
                    "type": "function",
                    "function": {"name": "tool", "arguments": '{"city":"Rome"}'},
                },
                {"id": "call_2", "type": "function", "function": {"name": "tool", "arguments": "not json"}},
            ],
        },
        {"role": "tool", "tool_call_id": "call:1", "content": "sun"},
        {"role": "tool", "tool_call_id": "call_2", "content": "rain"},
        {"role": "assistant", "content": "sunny"},
    ]
    assert unsupported == []


def test_chat_content_is_null_for_calls_alone_and_a_list_for_several_texts() -> None:
    members, _ = rendered("chat", message("user", ["a", "b"], "bob"), call("c"), output("c", ""), message("user", []))
    asked, called, answered, empty = members["messages"]

    assert asked == {
        "role": "user",
        "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
        "name": "bob",
    }
    assert called["content"] is None
    assert (answered["content"], empty["content"]) == ("", "")


def test_chat_keeps_custom_calls_pictures_files_and_refusals() -> None:
    refusal = {"type": "refusal", "refusal": "no"}
    file = {"type": "input_file", "file_id": "file_1"}
    link = {"type": "input_file", "file_url": "https://example.com/a.pdf"}
    members, unsupported = rendered(
        "chat",
        {"type": "message", "role": "user", "content": [file, link]},
        {"type": "message", "role": "assistant", "content": [refusal]},
        message("user", ["go"]),
        call("c", "free text", custom=True),
        output("c", "done", custom=True),
    )
    asked, refused, _, called, _ = members["messages"]

    assert asked["content"] == [{"type": "file", "file": {"file_id": "file_1"}}]
    assert refused["content"] == [refusal]
    assert called["tool_calls"] == [{"id": "c", "type": "custom", "custom": {"name": "tool", "input": "free text"}}]
    assert unsupported == ["msg_0"]


def test_what_has_no_chat_form_is_listed_and_sent_as_item_only() -> None:
    log = [
        message("user", ["search"]),
        {"type": "reasoning", "summary": []},
        {"type": "web_search_call", "action": {"type": "search", "query": "x"}},
        message("assistant", ["found"]),
    ]
    items, nothing = rendered("items", *log)

    assert [item["id"] for item in items["input"]] == ["msg_0", "rs_1", "ws_2", "msg_3"]
    assert nothing == []
    for context_format in ("chat", "anthropic", "gemini", "text"):
        assert rendered(context_format, *log)[1] == ["rs_1", "ws_2"]


def test_anthropic_answers_parallel_calls_in_one_user_message() -> None:
    members, unsupported = rendered("anthropic", *ROUND)

    assert members["system"] == [{"type": "text", "text": "be brief"}]
    assert members["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "weather?"}]},
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "looking"},
                {"type": "tool_use", "id": ALIAS, "name": "tool", "input": {"city": "Rome"}},
                {"type": "tool_use", "id": "call_2", "name": "tool", "input": {"arguments": "not json"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": ALIAS, "content": [{"type": "text", "text": "sun"}]},
                {"type": "tool_result", "tool_use_id": "call_2", "content": [{"type": "text", "text": "rain"}]},
            ],
        },
        {"role": "assistant", "content": [{"type": "text", "text": "sunny"}]},
    ]
    assert unsupported == []


def test_anthropic_drops_empty_texts_and_lists_a_message_with_nothing_left() -> None:
    members, unsupported = rendered(
        "anthropic", message("user", ["", "hello"]), message("assistant", [" \n"]), message("user", ["go"])
    )

    assert [each["content"] for each in members["messages"]] == [
        [{"type": "text", "text": "hello"}],
        [{"type": "text", "text": "go"}],
    ]
    assert unsupported == ["msg_1"]


def test_anthropic_moves_every_system_message_to_the_front() -> None:
    members, _ = rendered(
        "anthropic",
        message("system", ["a"]),
        message("user", ["hi"]),
        message("developer", ["b"]),
        message("user", ["go"]),
    )

    assert [block["text"] for block in members["system"]] == ["a", "b"]
    assert [each["role"] for each in members["messages"]] == ["user", "user"]


def test_pictures_become_image_parts_and_image_sources() -> None:
    parts = [
        {"type": "input_image", "image_url": PICTURE, "detail": "low"},
        {"type": "input_image", "image_url": "https://example.com/a.png", "detail": "auto"},
    ]
    asked = {"type": "message", "role": "user", "content": parts}
    chat, _ = rendered("chat", asked)
    anthropic, _ = rendered("anthropic", asked)
    _, unsupported = rendered("text", asked)

    assert chat["messages"][0]["content"] == [
        {"type": "image_url", "image_url": {"url": PICTURE, "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
    ]
    assert [block["source"] for block in anthropic["messages"][0]["content"]] == [
        {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="},
        {"type": "url", "url": "https://example.com/a.png"},
    ]
    assert unsupported == ["msg_0"]


def test_text_is_a_transcript_with_calls_and_outputs() -> None:
    members, _ = rendered("text", *ROUND[:2], message("user", ["and?"], "bob"), *ROUND[3:4], output("call:1", "sun"))

    assert members["text"] == (
        "system: be brief\n\n"
        "user: weather?\n\n"
        "user (bob): and?\n\n"
        'assistant (call call:1): tool({"city":"Rome"})\n\n'
        "tool (call:1): sun"
    )


def test_a_late_output_keeps_its_place_among_items_and_follows_its_call_in_messages() -> None:
    log = [
        message("user", ["one"]),
        call("c"),
        message("user", ["two"]),
        output("c", "late"),
        message("assistant", ["ok"]),
    ]
    items, _ = rendered("items", *log)
    chat, _ = rendered("chat", *log)

    assert [item["id"] for item in items["input"]] == ["msg_0", "fc_1", "msg_2", "fco_3", "msg_4"]
    assert [each["role"] for each in chat["messages"]] == ["user", "assistant", "tool", "user", "assistant"]


def test_names_split_a_response_and_its_reasoning_goes_with_what_follows() -> None:
    selection = select(
        "chat",
        message("user", ["hi"]),
        message("assistant", ["a"], "alice"),
        {"type": "reasoning", "summary": []},
        message("assistant", ["b"], "bob"),
    )
    chat = orjson.loads(render("chat", selection).members["messages"])

    assert [each.get("name") for each in chat] == [None, "alice", "bob"]
    assert selection.omitted.items == 0
