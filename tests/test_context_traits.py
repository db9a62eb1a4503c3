"""What is known of an item: its kind, what it pairs with, and the texts that count."""

from typing import Any

import pytest

from shared.items.kinds import Kind
from shared.items.traits import describe
from tests.logs import call, message, output

Raw = dict[str, Any]


@pytest.mark.parametrize(
    ("raw", "kind", "pair_key"),
    [
        (message("user", ["x"]), "u", ""),
        (message("system", ["x"]), "s", ""),
        (message("developer", ["x"]), "s", ""),
        (message("assistant", ["x"]), "a", ""),
        (message("critic", ["x"]), "n", ""),
        (call("c1"), "c", "function:c1"),
        (output("c1"), "o", "function:c1"),
        (call("c1", custom=True), "c", "custom:c1"),
        (output("c1", custom=True), "o", "custom:c1"),
        ({"type": "computer_call", "call_id": "c1"}, "c", "computer:c1"),
        ({"type": "computer_call_output", "call_id": "c1"}, "o", "computer:c1"),
        ({"type": "local_shell_call", "call_id": "c1", "id": "lsh_1"}, "c", "local_shell:c1"),
        ({"type": "local_shell_call_output", "id": "c1"}, "o", "local_shell:c1"),
        ({"type": "shell_call", "call_id": "c1"}, "c", "shell:c1"),
        ({"type": "shell_call_output", "call_id": "c1"}, "o", "shell:c1"),
        ({"type": "apply_patch_call", "call_id": "c1"}, "c", "apply_patch:c1"),
        ({"type": "apply_patch_call_output", "call_id": "c1"}, "o", "apply_patch:c1"),
        ({"type": "tool_search_call", "call_id": "c1", "execution": "client"}, "c", "tool_search:c1"),
        ({"type": "tool_search_output", "call_id": "c1", "execution": "client"}, "o", "tool_search:c1"),
        ({"type": "tool_search_call", "call_id": None, "execution": "server"}, "h", ""),
        ({"type": "tool_search_output", "call_id": None, "execution": "server"}, "h", ""),
        ({"type": "program", "call_id": "c1"}, "c", "program:c1"),
        ({"type": "program_output", "call_id": "c1"}, "o", "program:c1"),
        ({"type": "mcp_approval_request", "id": "mcpr_1"}, "c", "mcp_approval:mcpr_1"),
        ({"type": "mcp_approval_response", "approval_request_id": "mcpr_1"}, "o", "mcp_approval:mcpr_1"),
        ({"type": "reasoning"}, "r", ""),
        ({"type": "web_search_call"}, "h", ""),
        ({"type": "file_search_call"}, "h", ""),
        ({"type": "code_interpreter_call"}, "h", ""),
        ({"type": "image_generation_call"}, "h", ""),
        ({"type": "mcp_call"}, "h", ""),
        ({"type": "mcp_list_tools"}, "h", ""),
        ({"type": "additional_tools"}, "s", ""),
        ({"type": "configuration_update"}, "s", ""),
        ({"type": "compaction"}, "s", ""),
    ],
)
def test_every_type_has_a_kind_and_pairs_within_its_family(raw: Raw, kind: str, pair_key: str) -> None:
    traits = describe(raw)

    assert (traits.kind, traits.pair_key) == (Kind(kind), pair_key)


def test_the_texts_of_a_message_are_its_parts() -> None:
    traits = describe(message("user", ["a", ""], "bob"))

    assert (traits.role, traits.name, traits.texts) == ("user", "bob", ("a", ""))


def test_the_texts_of_a_call_are_name_and_arguments() -> None:
    assert describe(call("c1", "{}")).texts == ("tool", "{}")
    assert describe(call("c1", "in", custom=True)).texts == ("tool", "in")


def test_the_texts_of_an_output_are_the_call_id_and_its_parts() -> None:
    parts = [{"type": "input_text", "text": "a"}, {"type": "input_image", "image_url": "https://example.com/a.png"}]
    traits = describe({"type": "function_call_output", "call_id": "c1", "output": parts, "name": "tool"})

    assert (traits.role, traits.name, traits.texts) == ("tool", "tool", ("c1", "a", "[image]"))
    assert (traits.fixed_tokens, traits.is_text) == (0, False)


def test_text_without_chat_form_is_reported_apart() -> None:
    reasoning = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "because"}]}
    picture = {"type": "image_generation_call", "id": "ig_1", "result": "aGVsbG8=", "revised_prompt": "a cat"}
    linked = {
        "type": "message",
        "role": "user",
        "content": [
            {"type": "input_text", "text": "read"},
            {"type": "input_file", "file_url": "https://example.com/a.pdf", "filename": "a.pdf"},
        ],
    }

    assert (describe(reasoning).texts, describe(reasoning).hosted_texts) == ((), ("because",))
    assert describe(picture).hosted_texts == ("a cat",)
    assert describe(linked).texts == ("read",)
    assert "a.pdf" in describe(linked).hosted_texts


@pytest.mark.parametrize(
    ("raw", "is_text"),
    [
        (message("user", ["a"]), True),
        (message("system", []), True),
        (message("user", ["a", "b"]), False),
        (call("c1"), False),
        (output("c1"), False),
        ({"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]}, False),
        ({"type": "message", "role": "user", "content": [{"type": "input_file", "file_url": "x"}]}, False),
        ({"type": "reasoning"}, False),
    ],
)
def test_only_messages_of_a_single_text_are_plain(raw: Raw, is_text: bool) -> None:
    assert describe(raw).is_text == is_text


def test_pictures_count_by_their_tiles_and_files_nothing() -> None:
    size_1024_512 = "data:image/gif;base64,R0lGODlhAAQAAoAAAP///wAAACw="
    contents = {
        85: {"type": "input_image", "image_url": "https://example.com/a.png", "detail": "low"},
        85 + 2 * 170: {"type": "input_image", "image_url": size_1024_512},
        85 + 8 * 170: {"type": "input_image", "image_url": "https://example.com/a.png", "detail": "high"},
        0: {"type": "input_file", "file_id": "file_1"},
    }

    assert [
        describe({"type": "message", "role": "user", "content": [part]}).fixed_tokens for part in contents.values()
    ] == list(contents)


def test_odd_content_is_described_without_failing() -> None:
    nested: Any = "x"
    for _ in range(5000):
        nested = [nested]
    for content in (None, "text", 5, [5, None, {"type": "input_text"}, {}]):
        assert describe({"type": "message", "role": "user", "content": content}).role == "user"

    assert describe({"type": "web_search_call", "action": nested}).hosted_texts == ("x",)
