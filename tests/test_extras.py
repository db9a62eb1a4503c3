"""
What stands beside an item in its entry: extras, and the mark of the message that it came in.
"""

import orjson

from shared.context.units import extend, fold
from shared.conversations.entries import read_entry, write_entry
from shared.items.counts import Counts
from shared.items.item import Item
from shared.items.kinds import Kind
from shared.items.traits import describe
from tests.messages import log_of, read

MESSAGE = {"id": "msg_1", "type": "message", "role": "user", "content": [{"type": "input_text", "text": "a\nb"}]}
MENTIONING = MESSAGE | {"content": [{"type": "input_file", "file_url": "document:a.txt"}]}


def test_an_entry_gives_back_body_extras_and_mark() -> None:
    for item in (MESSAGE, MENTIONING):
        for extras in (b"", orjson.dumps({"format": "chat", "fields": {"name": "a\nb"}})):
            for message in ("", "0badcafe.3"):
                traits, body = describe(item), orjson.dumps(item)
                for at in (None, 1_764_000_000):
                    raw = "0a 7 u " + write_entry("msg_1", traits, Counts(5, 3, 0), body, extras, message, at)

                    read = read_entry(4, raw).item

                    assert read is not None
                    assert (read.body, read.extras, read.message) == (body, extras, message)
                    assert (read.documents, read.created_at_unix_s) == (traits.documents, at)


def said(seq: int, message: str, kind: Kind = Kind.ASSISTANT) -> Item:
    return Item(seq, f"msg_{seq}", kind, "", "", 4, 1, 0, 0, b"{}", True, message=message)


def test_a_response_group_never_spans_messages() -> None:
    marks = ["a", "a", "b", "b", "", "", "c"]
    items = [said(0, "0", Kind.USER), *(said(seq, mark) for seq, mark in enumerate(marks, start=1))]

    folded = fold(items)

    assert [unit.members for unit in folded.units] == [(0,), (1, 2), (3, 4), (5, 6), (7,)]
    for known in range(len(items)):
        assert extend(fold(items[:known]), items) == folded


def test_the_answer_of_a_custom_tool_may_come_in_a_later_request() -> None:
    call = {"id": "c1", "type": "custom", "custom": {"name": "sh", "input": "ls"}}
    asked = read("chat", [{"role": "user", "content": "q"}, {"role": "assistant", "tool_calls": [call]}], mark="m")
    answered = read("chat", [{"role": "tool", "tool_call_id": "c1", "content": "a.txt"}], mark="n")
    as_item = [each._replace(message="") for each in answered]

    assert fold(log_of([*asked, *answered])).orphan_outputs == []
    assert fold(log_of([*asked, *as_item])).orphan_outputs == [2]
