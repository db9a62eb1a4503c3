"""Each kind of what providers refuse, and what is sent instead."""

from typing import Any

import orjson
import pytest

from scripts.proving.contexts.dialogues import folded, to_log
from scripts.proving.contexts.promises import recount
from shared.context.call_ids import is_alias
from shared.context.fit import fit
from shared.context.format_rules import ALIAS_TOKENS
from shared.context.render import render
from shared.items.fitting import FILLER, FILLER_TOKENS
from shared.tokens.encodings import ENCODINGS, load_encoding
from tests.logs import call, characters, item_id, message, output
from tests.renderings import PICTURE, ROUND, Raw, rendered, select


def ids_of(context_format: str, members: dict[str, Any]) -> list[tuple[str, str | None]]:
    """Return the ids of calls, in order, each with the text of its result."""
    if context_format == "items":
        found = [(item["type"], item.get("call_id"), item.get("output")) for item in members["input"]]
        calls = [call_id for kind, call_id, _ in found if kind == "function_call"]
        results = {call_id: said for kind, call_id, said in found if kind == "function_call_output"}
    elif context_format == "chat":
        calls = [call["id"] for each in members["messages"] for call in each.get("tool_calls", [])]
        results = {each["tool_call_id"]: each["content"] for each in members["messages"] if each["role"] == "tool"}
    else:
        blocks = [block for each in members["messages"] for block in each["content"]]
        calls = [block["id"] for block in blocks if block["type"] == "tool_use"]
        answered = [block for block in blocks if block["type"] == "tool_result"]
        results = {block["tool_use_id"]: block["content"][0]["text"] for block in answered}
    assert len(set(calls)) == len(calls)
    assert results.keys() <= set(calls)
    return [(call_id, results.get(call_id)) for call_id in calls]


WITH_IDS = ["items", "chat", "anthropic"]


@pytest.mark.parametrize("context_format", WITH_IDS)
def test_of_calls_with_one_id_the_newest_keeps_it(context_format: str) -> None:
    rounds = [raw for text in ("1", "2", "3") for raw in (call("call_1"), output("call_1", text))]
    members, _ = rendered(context_format, message("user", ["go"]), *rounds)
    called = ids_of(context_format, members)

    assert [said for _, said in called] == ["1", "2", "3"]
    assert [is_alias(call_id) for call_id, _ in called] == [True, True, False]
    assert called[2][0] == "call_1"


@pytest.mark.parametrize(("context_format", "length"), [("items", 65), ("chat", 41), ("anthropic", 65)])
def test_an_id_that_is_too_long_is_replaced_in_call_and_result(context_format: str, length: int) -> None:
    long, short = "x" * length, "y" * (length - 1)
    members, _ = rendered(context_format, message("user", ["go"]), call(long), call(short), output(long), output(short))
    called = ids_of(context_format, members)

    assert [is_alias(call_id) for call_id, _ in called] == [True, False]
    assert [said for _, said in called] == ["ok", "ok"]


@pytest.mark.parametrize("context_format", WITH_IDS)
def test_calls_of_a_response_that_share_an_id_are_answered_in_order(context_format: str) -> None:
    log = [call("x", '{"n":1}'), call("x", '{"n":2}'), output("x", "one"), output("x", "two"), message("user", ["ok"])]
    members, _ = rendered(context_format, message("user", ["go"]), *log)

    assert [said for _, said in ids_of(context_format, members)] == ["one", "two"]


@pytest.mark.parametrize("context_format", WITH_IDS)
def test_of_a_call_that_was_stored_twice_the_one_without_result_is_left_out(context_format: str) -> None:
    selection = select(context_format, message("user", ["go"]), call("x"), call("x"), output("x"))
    members = {name: orjson.loads(value) for name, value in render(context_format, selection).members.items()}

    assert [said for _, said in ids_of(context_format, members)] == ["ok"]
    assert selection.omitted.unanswered_calls == ["fc_2"]


@pytest.mark.parametrize("context_format", WITH_IDS)
def test_a_result_may_name_its_call_by_its_alias(context_format: str) -> None:
    asked = [message("user", ["go"]), call("i" * 70)]
    [(alias, _)] = ids_of(context_format, rendered(context_format, *asked)[0])
    members, _ = rendered(context_format, *asked, output(alias, "done"))

    assert ids_of(context_format, members) == [(alias, "done")]


def test_an_alias_that_is_not_the_calls_own_is_replaced() -> None:
    strange = "call_000000999"
    members, _ = rendered("chat", message("user", ["go"]), call(strange), output(strange), message("user", ["on"]))

    [(sent, said)] = ids_of("chat", members)
    assert is_alias(sent)
    assert (sent != strange, said) == (True, "ok")


def test_aliases_and_fillers_count_the_same_in_both_encodings() -> None:
    for name in ENCODINGS:
        encoding = load_encoding(name)
        aliases = [f"call_{number:09d}" for number in (0, 7, 42, 999, 1_000, 123_456_789, 999_999_999)]

        assert {len(encoding.encode_ordinary(alias)) for alias in aliases} == {ALIAS_TOKENS}
        assert len(encoding.encode_ordinary(FILLER)) == FILLER_TOKENS


def test_chat_puts_more_calls_than_a_message_may_have_into_several() -> None:
    ids = [f"c{index}" for index in range(130)]
    log = [message("user", ["go"]), *map(call, ids), *(output(call_id) for call_id in ids if call_id != "c5")]
    selection = select("chat", *log)
    messages = orjson.loads(render("chat", selection).members["messages"])
    called = [each for each in messages if "tool_calls" in each]

    assert [len(each["tool_calls"]) for each in called] == [2, 128]  # All that may be open are in the last.
    assert called[-1]["tool_calls"][-1]["id"] == "c5"
    assert recount(messages, characters) == selection.tokens


def test_nothing_stands_behind_an_open_call_in_chat() -> None:
    log = [message("user", ["weather?"]), call("w"), message("developer", ["Be brief."])]
    members, _ = rendered("chat", *log)

    assert [each["role"] for each in members["messages"]] == ["user", "developer", "assistant"]


def test_text_beside_a_refusal_is_text_in_chat() -> None:
    parts = [{"type": "output_text", "text": "a", "annotations": []}, {"type": "refusal", "refusal": "b"}]
    log = [message("user", ["q"]), {"type": "message", "role": "assistant", "content": parts}]
    members, _ = rendered("chat", *log)

    assert members["messages"][1]["content"] == [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]


SCREEN = {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_image", "image_url": PICTURE}]}


def test_pictures_in_results_are_blocks_where_results_have_any_and_a_note_elsewhere() -> None:
    log = [message("user", ["look"]), call("c"), SCREEN]
    anthropic, whole = rendered("anthropic", *log)
    chat, named = rendered("chat", *log)

    assert anthropic["messages"][2]["content"][0]["content"][0]["type"] == "image"
    assert whole == []
    assert chat["messages"][2]["content"] == "[image]"
    assert named == rendered("gemini", *log)[1] == ["fco_2"]


def test_a_user_message_of_which_nothing_can_be_sent_says_so() -> None:
    by_id = {"type": "message", "role": "user", "content": [{"type": "input_image", "file_id": "file-1"}]}
    for context_format, member, content in (("anthropic", "messages", "content"), ("gemini", "contents", "parts")):
        for said in (by_id, message("user", [" \n"])):
            members, unsupported = rendered(context_format, said, message("assistant", ["hm"]))

            assert members[member][0][content][0]["text"] == FILLER
            assert unsupported == ["msg_0"]


def test_a_log_without_a_user_opens_with_one_where_it_has_to() -> None:
    for context_format, member in (("anthropic", "messages"), ("gemini", "contents"), ("chat", "messages")):
        members, _ = rendered(context_format, message("assistant", ["Welcome."]))
        has_opening = context_format != "chat"

        assert (members[member][0]["role"] == "user") is has_opening


def test_white_space_goes_at_the_end_alone() -> None:
    said = [message("user", ["go on"]), message("assistant", ["The sea was \n"])]
    ends, _ = rendered("anthropic", *said)
    goes_on, _ = rendered("anthropic", *said, message("user", ["and?"]))

    assert ends["messages"][1]["content"][0]["text"] == "The sea was"
    assert goes_on["messages"][1]["content"][0]["text"] == "The sea was \n"


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        ("", "{}"),
        ("  ", "{}"),
        ("not json", '{"arguments":"not json"}'),
        ("[1]", '{"arguments":"[1]"}'),
        ('{"a":1,"a":2}', '{"a":2}'),
        ('{"wei":' + "9" * 40 + "}", '{"wei":' + "9" * 40 + "}"),
        ('{"a": 1.10}', '{"a": 1.10}'),
    ],
)
def test_arguments_are_an_object_and_keep_their_digits(arguments: str, wanted: str) -> None:
    log = [message("user", ["go"]), call("c", arguments), output("c")]

    assert b'"input":' + wanted.encode() in render("anthropic", select("anthropic", *log)).members["messages"]
    assert b'"args":' + wanted.encode() in render("gemini", select("gemini", *log)).members["contents"]


def test_arguments_too_deep_for_gemini_are_text_there() -> None:
    deep = '{"a":' * 300 + "1" + "}" * 300
    members, _ = rendered("gemini", message("user", ["go"]), call("c", deep), output("c"))

    assert members["contents"][1]["parts"][0]["functionCall"]["args"] == {"arguments": deep}


def test_gemini_has_contents_and_an_instruction() -> None:
    members, unsupported = rendered("gemini", *ROUND)

    assert members["system_instruction"] == {"parts": [{"text": "be brief"}]}
    assert [(each["role"], next(iter(each["parts"][0]))) for each in members["contents"]] == [
        ("user", "text"),
        ("model", "text"),
        ("user", "functionResponse"),
        ("model", "text"),
    ]
    assert members["contents"][2]["parts"][0] == {
        "functionResponse": {"id": "call:1", "name": "tool", "response": {"result": "sun"}}
    }
    assert unsupported == []


def test_gemini_joins_what_the_model_said_with_the_call_behind_it() -> None:
    log = [
        message("user", ["hi"]),
        message("assistant", ["a"]),
        message("user", ["and?"]),
        message("assistant", ["a"]),
        message("system", ["s"]),
        message("assistant", ["b"]),
        message("system", ["s"]),
        call("c"),
        output("c"),
    ]
    members, _ = rendered("gemini", *log)

    assert [each["role"] for each in members["contents"]] == ["user", "model", "user", "model", "user"]
    assert [next(iter(part)) for part in members["contents"][3]["parts"]] == ["text", "text", "functionCall"]


def test_items_carry_state_for_what_follows_in_every_window() -> None:
    log = [
        message("user", ["old " * 50]),
        {"type": "compaction", "encrypted_content": "state"},
        message("assistant", ["old"]),
        message("user", ["new"]),
    ]
    selection = fit(
        folded(to_log([{"id": item_id(raw, at), **raw} for at, raw in enumerate(log)], characters), "items"), 20
    )

    assert [item.id for item in selection.items] == ["cmp_1", "msg_3"]


def test_items_are_sent_as_the_api_takes_them() -> None:
    said = {
        "id": "mine",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "phase": None,
        "content": [{"type": "input_text", "text": "4"}],
    }
    reasoning: Raw = {"id": "rs_1", "type": "reasoning", "summary": [], "status": "completed", "content": None}
    log = to_log([{"id": "msg_1", **message("user", ["2+2"], "bob")}, reasoning, said], characters)
    asked, thought, answered = orjson.loads(render("items", fit(folded(log, "items"), 10**6)).members["input"])

    assert "name" not in asked
    assert thought == {"id": "rs_1", "type": "reasoning", "summary": []}
    assert answered["id"].startswith("msg_")
    assert answered["content"] == [{"type": "output_text", "text": "4", "annotations": []}]
    assert "phase" not in answered
