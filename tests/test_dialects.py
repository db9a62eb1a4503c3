"""
What messages of other APIs are stored as: items, and extras for what items have no form for.

That they come back as they were is tests/test_dialect_law.py.
"""

import copy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.context.units import fold
from shared.errors import InvalidValue
from shared.items.given import FORMATS
from shared.items.normalize import normalize_item
from shared.items.traits import describe
from tests.dialogues import DIALOGUES
from tests.dialogues_of_others import THINKING
from tests.messages import PICTURE, Dialogue, log_of, read

named = pytest.mark.parametrize("dialogue", DIALOGUES, ids=lambda each: f"{each.context_format}: {each.name}")


def made(context_format: str, *messages: Any, system: Any = None) -> list[dict[str, Any]]:
    """Return the items that messages make, without what was filled in."""
    filled = ("id", "status", "annotations")
    items = [each.item for each in read(context_format, list(messages), system)]
    return [{name: value for name, value in item.items() if name not in filled} for item in items]


def said(text: str, role: str = "user") -> dict[str, Any]:
    part: dict[str, Any] = {"type": "input_text", "text": text}
    if role == "assistant":
        part = {"type": "output_text", "text": text, "annotations": []}
    return {"type": "message", "role": role, "content": [part]}


def extras(context_format: str, *messages: Any, system: Any = None) -> list[Any]:
    return [each.extras for each in read(context_format, list(messages), system)]


@named
def test_what_messages_make_are_items_like_any_other(dialogue: Dialogue) -> None:
    before = copy.deepcopy(dialogue)
    for each in read(dialogue.context_format, dialogue.messages, dialogue.system):
        again = normalize_item(each.item, lambda prefix: prefix, "items[0]")

        assert again.item == each.item
        assert not each.extras or each.extras["format"] == dialogue.context_format
    assert dialogue == before


@named
def test_the_same_messages_make_the_same_items(dialogue: Dialogue) -> None:
    def once() -> object:
        return read(dialogue.context_format, dialogue.messages, dialogue.system)

    assert once() == once()


@named
def test_items_of_one_message_share_a_mark_that_no_other_has(dialogue: Dialogue) -> None:
    marks = [each.message for each in read(dialogue.context_format, dialogue.messages, dialogue.system)]

    assert sorted(set(marks), key=marks.index) == [mark for at, mark in enumerate(marks) if mark not in marks[:at]]
    assert len(set(marks)) == len(dialogue.messages) + (dialogue.system is not None)


@named
def test_all_that_was_called_and_answered_pairs(dialogue: Dialogue) -> None:
    folded = fold(log_of(read(dialogue.context_format, dialogue.messages, dialogue.system)))

    assert folded.orphan_outputs == []
    assert folded.unanswered_calls == []
    assert folded.dangling_reasoning == []


def test_a_chat_message_is_what_it_says_and_then_its_calls() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    custom = {"id": "c2", "type": "custom", "custom": {"name": "sh", "input": "ls"}}
    answers = [{"role": "tool", "tool_call_id": each, "content": "4"} for each in ("c1", "c2")]

    assert made("chat", {"role": "assistant", "content": "On it.", "tool_calls": [call, custom]}, *answers) == [
        said("On it.", "assistant"),
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
        {"type": "custom_tool_call", "call_id": "c2", "name": "sh", "input": "ls"},
        {"type": "function_call_output", "call_id": "c1", "output": "4"},
        {"type": "custom_tool_call_output", "call_id": "c2", "output": "4"},
    ]


@pytest.mark.parametrize("content", [None, [], "absent"])
def test_a_chat_message_that_only_calls_says_nothing(content: Any) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    message = {"role": "assistant", "content": content, "tool_calls": [call]}
    if content == "absent":
        del message["content"]

    assert [item["type"] for item in made("chat", message)] == ["function_call"]


def test_an_empty_reply_is_kept() -> None:
    empty = {"type": "message", "role": "assistant", "content": []}

    assert made("chat", {"role": "assistant", "content": None}) == [empty]
    assert made("anthropic", {"role": "assistant", "content": []}) == [empty]
    assert made("gemini", {"role": "model"}) == [empty]


def test_chat_keeps_beside_what_items_have_no_form_for() -> None:
    audio = {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}
    image = {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "auto"}}
    asked = {"role": "user", "name": "alice", "content": [image, audio, {"type": "text", "text": "?"}]}
    refused = {"role": "assistant", "content": None, "refusal": "No."}
    spoken = {"role": "assistant", "content": None, "audio": {"id": "audio_1", "data": "UklGRg=="}}

    assert extras("chat", asked, refused, spoken, {"role": "user", "content": "hi"}) == [
        {
            "format": "chat",
            "content": [[0, {"image_url": {"detail": "auto"}}], audio, 1],
            "fields": {"name": "alice"},
        },
        {"format": "chat", "refusal": 0},
        {"format": "chat", "fields": {"audio": {"id": "audio_1"}}},
        {},
    ]


def test_a_name_counts_and_foreign_parts_make_a_count_ours() -> None:
    audio = {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}
    [named_, plain, spoken] = read(
        "chat",
        [
            {"role": "user", "content": "hi", "name": "alice"},
            {"role": "user", "content": "hi"},
            {"role": "user", "content": [{"type": "text", "text": "hi"}, audio]},
        ],
    )

    assert [describe(each.item, each.extras).name for each in (named_, plain)] == ["alice", ""]
    assert [describe(each.item, each.extras).is_text for each in (named_, plain, spoken)] == [True, True, False]


def test_blocks_of_anthropic_stay_in_their_order() -> None:
    use = {"type": "tool_use", "id": "t1", "name": "f", "input": {"b": 1, "a": [2]}}
    reply = {"role": "assistant", "content": [THINKING, use, {"type": "text", "text": "Wait."}]}
    answer = {"type": "tool_result", "tool_use_id": "t1", "content": "4", "is_error": True}
    asked = {"role": "user", "content": [answer, {"type": "text", "text": "Go on."}]}

    assert made("anthropic", reply, asked, system="Be brief.") == [
        said("Be brief.", "system"),
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": THINKING["thinking"]}]},
        {"type": "function_call", "call_id": "t1", "name": "f", "arguments": '{"b":1,"a":[2]}'},
        said("Wait.", "assistant"),
        {"type": "function_call_output", "call_id": "t1", "output": "4"},
        said("Go on."),
    ]
    assert extras("anthropic", reply, asked) == [
        {"format": "anthropic", "fields": {"signature": THINKING["signature"]}},
        {},
        {},
        {"format": "anthropic", "fields": {"is_error": True}},
        {},
    ]


def test_a_whole_reply_of_anthropic_is_put_back() -> None:
    reply = {
        "id": "msg_01",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5",
        "content": [{"type": "text", "text": "Hello.", "citations": None}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 3, "output_tokens": 2},
    }

    assert made("anthropic", reply) == [said("Hello.", "assistant")]


def test_cache_marks_are_dropped_wherever_they_stand() -> None:
    mark = {"cache_control": {"type": "ephemeral"}}
    text = {"type": "text", "text": "x", **mark}
    found = {"type": "search_result", "source": "s", "title": "t", "content": [text], **mark}
    answer = {"type": "tool_result", "tool_use_id": "t1", "content": [text, found], **mark}
    everything = read("anthropic", [{"role": "user", "content": [answer, text, found]}], [text])

    assert "cache_control" not in repr([(each.item, each.extras) for each in everything])


@pytest.mark.parametrize(
    ("block", "item"),
    [
        (
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PICTURE}},
            {"type": "input_image", "image_url": f"data:image/png;base64,{PICTURE}", "detail": "auto"},
        ),
        (
            {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
            {"type": "input_image", "image_url": "https://example.com/a.png", "detail": "auto"},
        ),
        (
            {"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}},
            {"type": "input_file", "file_url": "https://example.com/a.pdf"},
        ),
        (
            {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERg=="}},
            {"type": "input_file", "file_data": "data:application/pdf;base64,JVBERg=="},
        ),
    ],
)
def test_media_of_anthropic_are_parts(block: Any, item: Any) -> None:
    [message] = made("anthropic", {"role": "user", "content": [block]})

    assert message["content"] == [item]


def test_contents_of_gemini_stay_part_by_part() -> None:
    call = {"functionCall": {"name": "f", "args": {"n": 1}}, "thoughtSignature": "c2ln"}
    reply = {"role": "model", "parts": [{"text": "a"}, {"text": "", "thoughtSignature": "c2lnMg=="}, call]}
    answer = {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"r": 1}}}, {"text": "go"}]}
    parts: list[Any] = [{"type": "output_text", "text": text, "annotations": []} for text in ("a", "")]

    assert made("gemini", reply, answer, system={"parts": [{"text": "Be brief."}]}) == [
        said("Be brief.", "system"),
        {"type": "message", "role": "assistant", "content": parts},
        {"type": "function_call", "call_id": "call_of_f", "name": "f", "arguments": '{"n":1}'},
        {"type": "function_call_output", "call_id": "call_of_f", "output": '{"r":1}'},
        said("go"),
    ]
    assert extras("gemini", reply, answer) == [
        {"format": "gemini", "content": [0, [1, {"thoughtSignature": "c2lnMg=="}]]},
        {"format": "gemini", "fields": {"thoughtSignature": "c2ln"}, "is_id_made": True},
        {"format": "gemini", "fields": {"functionResponse": {"name": "f"}}, "is_id_made": True},
        {},
    ]


def test_ids_and_digits_of_gemini_are_kept() -> None:
    called = {"role": "model", "parts": [{"functionCall": {"id": "a1", "name": "f", "args": {"wei": 10**40}}}]}
    [call] = made("gemini", called)

    assert (call["call_id"], call["arguments"]) == ("a1", '{"wei":' + str(10**40) + "}")
    assert extras("gemini", called) == [{}]


def test_snake_case_is_camel_case_but_within_what_is_the_callers() -> None:
    snake = {"function_call": {"name": "f", "args": {"snake_case": 1}}, "thought_signature": "c2ln"}
    camel = {"functionCall": {"name": "f", "args": {"snake_case": 1}}, "thoughtSignature": "c2ln"}

    assert read("gemini", [{"role": "model", "parts": [snake]}]) == read(
        "gemini", [{"role": "model", "parts": [camel]}]
    )


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False), st.text(max_size=6)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)),
    max_leaves=6,
)
NAMES = sorted(
    {
        *("role", "content", "parts", "type", "text", "id", "name", "tool_calls", "tool_call_id", "function"),
        *("function_call", "arguments", "refusal", "audio", "annotations", "image_url", "input_audio", "file"),
        *("source", "thinking", "signature", "data", "tool_use_id", "input", "is_error", "citations", "inlineData"),
        *("fileData", "functionCall", "functionResponse", "thought", "thoughtSignature", "args", "response"),
        *("mimeType", "fileUri", "function_response", "url", "detail", "custom", "media_type"),
    }
)
WORDS = sorted(
    {
        *("user", "assistant", "system", "tool", "function", "model", "text", "image_url", "input_audio", "file"),
        *("refusal", "image", "document", "tool_use", "tool_result", "thinking", "redacted_thinking", "base64", "url"),
        *("server_tool_use", "search_result", "custom", "c1", "f"),
    }
)
likely = st.recursive(
    st.one_of(st.sampled_from(WORDS), values),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(NAMES), inner, min_size=1, max_size=4)
    ),
    max_leaves=12,
)


def mutated(draw: st.DrawFn, value: Any) -> Any:
    """Put something else in one place of *value*."""
    if not isinstance(value, dict | list) or not value or draw(st.integers(0, 5)) == 0:
        return draw(likely)
    if isinstance(value, list):
        at = draw(st.integers(0, len(value) - 1))
        return [mutated(draw, each) if index == at else each for index, each in enumerate(value)]
    name = draw(st.sampled_from([*value, draw(st.sampled_from(NAMES))]))
    return {**value, name: mutated(draw, value.get(name))}


@settings(suppress_health_check=[HealthCheck.too_slow])  # A busy machine draws slowly.
@given(st.data())
def test_whatever_comes_is_read_or_refused(data: st.DataObject) -> None:
    dialogue = data.draw(st.sampled_from(DIALOGUES))
    context_format = data.draw(st.sampled_from([dialogue.context_format] * 3 + list(FORMATS)))
    messages = data.draw(st.composite(mutated)(dialogue.messages))
    system = data.draw(st.one_of(st.none(), likely))
    param = ""
    try:
        log_of(read(context_format, messages, system))
    except InvalidValue as refused:
        param = refused.param or "none"

    assert param.startswith(("messages", "system")) or not param
