"""Recorded conversations with tool calls, at every prefix that ends before a model call, in every format."""

import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from scripts.proving.contexts.dialogues import DialogueError, Message, read_dialogues, to_items
from scripts.proving.contexts.real_tokens import real_count
from scripts.proving.contexts.survey import Survey, survey

DATA = Path(__file__).parent / "data"


@cache
def surveyed(name: str, budget: int) -> Survey:
    """Return what became of the recorded dialogues *name*."""
    (result,) = survey(read_dialogues(DATA / f"{name}.jsonl"), [budget], real_count)
    return result


@pytest.mark.parametrize("budget", [1500, 3000, 8000])
@pytest.mark.parametrize("name", ["tau_airline_12", "swe_agent_marshmallow_1867"])
def test_real_dialogues_keep_every_promise(name: str, budget: int) -> None:
    result = surveyed(name, budget)

    assert result.broken.total() == 0, result.broken
    assert result.refused_wrongly == 0
    assert result.prefixes > result.refused


def test_a_budget_is_filled_until_the_next_older_unit_does_not_fit() -> None:
    result = surveyed("tau_airline_12", 3000)

    assert result.over > 20
    assert result.short == 0


MESSAGES: list[Message] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": [{"type": "text", "text": "What is "}, {"type": "text", "text": "6 times 7?"}]},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "times", "arguments": "[6,7]"}}],
    },
    {"role": "tool", "tool_call_id": "c1", "content": "42"},
    {"role": "assistant", "content": "42."},
]


def test_a_line_is_a_list_of_messages_or_an_object_that_has_one(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text(
        "\n".join(map(json.dumps, [MESSAGES, {"messages": MESSAGES}, {"id": 7, "messages": MESSAGES}])) + "\n\n"
    )

    read = read_dialogues(path)
    assert [dialogue.id for dialogue in read] == ["1", "2", "7"]
    assert [dialogue.messages for dialogue in read] == [MESSAGES] * 3
    kinds = [item["type"] for item in to_items(MESSAGES)]
    assert kinds == ["message", "message", "function_call", "function_call_output", "message"]

    command = [sys.executable, "-m", "scripts.proving", "contexts", str(path), "--budgets", "100"]
    done = subprocess.run(command, cwd=DATA.parents[1], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "prefixes before a model call" in done.stdout


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("{", "line 2 is not JSON"),
        ('"text"', "line 2 is neither a list of messages nor an object with `messages`"),
        ('{"id": 1}', "line 2 is neither a list of messages nor an object with `messages`"),
        ('["text"]', "line 2: message 0 is none of Chat Completions"),
        ('[{"role": "robot", "content": ""}]', "message 0 is none of Chat Completions"),
        ('[{"role": "user", "content": [{"type": "image_url"}]}]', "only texts are surveyed"),
        ('[{"role": "tool", "content": "42"}]', "message 0 is none of Chat Completions"),
    ],
)
def test_what_is_no_conversation_is_named_by_its_line(tmp_path: Path, line: str, wrong: str) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text(f"[]\n{line}\n")

    with pytest.raises(DialogueError, match=wrong):
        read_dialogues(path)
