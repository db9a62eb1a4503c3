"""
Hypothesis strategies: conversations as they come out of real agents, and out of broken ones.

A log is a list of episodes: plain messages, rounds of parallel calls with their outputs, and the loose ends that
real logs have: late, orphaned and doubled outputs, reused call ids, calls nobody answered, reasoning with and
without a successor, system messages anywhere, names, empty texts, giants, hosted items, deletions.
"""

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from scripts.proving.contexts.dialogues import ROLES, to_log
from shared.context.call_ids import is_alias
from shared.context.format_rules import ALIAS_TOKENS
from shared.context.summarised import Summary, summarised
from shared.items.fitting import FILLER, FILLER_TOKENS
from shared.items.item import Item
from shared.items.kinds import Kind
from shared.items.parts import text_part
from shared.items.types import ITEM_TYPES

Raw = dict[str, Any]

CALL_IDS = ["call_1", "call_2", "call_3", "call:ä/1", "call_1_2"]
NAMES = ["", "", "", "bob", "alice"]


def characters(text: str) -> int:
    """
    A stand-in for a tokenizer: additive per text as the rule needs, and fast. What is made here counts what it does in
    every encoding.
    """
    if text in ROLES:
        return 1
    if is_alias(text):
        return ALIAS_TOKENS
    return FILLER_TOKENS if text == FILLER else len(text)


def item_id(raw: Raw, number: int) -> str:
    """Return an id as it is made for an item of that type."""
    return f"{ITEM_TYPES[raw['type']].id_prefix}_{number}"


texts = st.one_of(
    st.just(""),
    st.text(alphabet="ab \n", min_size=1, max_size=12),
    st.integers(1, 40).map(lambda length: "x" * length),
    st.sampled_from([300, 900]).map(lambda length: "y" * length),
)
roles = st.sampled_from(["user", "user", "user", "assistant", "assistant", "system", "developer"])
call_ids = st.sampled_from(CALL_IDS)
arguments = st.sampled_from(["{}", '{"a":1}', "not json", "[1]", ""])


def message(role: str, content: Sequence[str], name: str = "") -> Raw:
    parts = [text_part(text, by_assistant=role == "assistant") for text in content]
    named = {"name": name} if name else {}
    return {"type": "message", "role": role, "content": parts, **named}


def call(call_id: str, text: str = "{}", custom: bool = False) -> Raw:
    if custom:
        return {"type": "custom_tool_call", "call_id": call_id, "name": "tool", "input": text}
    return {"type": "function_call", "call_id": call_id, "name": "tool", "arguments": text}


def output(call_id: str, text: str = "ok", custom: bool = False) -> Raw:
    item_type = "custom_tool_call_output" if custom else "function_call_output"
    return {"type": item_type, "call_id": call_id, "output": text}


messages = st.builds(message, roles, st.lists(texts, min_size=0, max_size=2), st.sampled_from(NAMES))
calls = st.builds(call, call_ids, arguments, st.booleans())
outputs = st.builds(output, call_ids, texts, st.booleans())
reasoning = st.builds(lambda text: {"type": "reasoning", "summary": [{"type": "summary_text", "text": text}]}, texts)
hosted = st.sampled_from(
    [
        {"type": "web_search_call", "action": {"type": "search", "query": "weather"}},
        {"type": "mcp_call", "name": "m", "arguments": "{}", "output": "o", "server_label": "s"},
        {"type": "computer_call", "call_id": "computer_1", "action": {"type": "wait"}},
        {"type": "computer_call_output", "call_id": "computer_1", "output": {"type": "computer_screenshot"}},
        {"type": "compaction", "encrypted_content": "…"},
    ]
)


@st.composite
def rounds(draw: st.DrawFn) -> list[Raw]:
    """A response with parallel calls, and their outputs in any order, with something in between at times."""
    ids = draw(st.lists(call_ids, min_size=1, max_size=3, unique=True))
    said = draw(st.lists(messages.filter(lambda raw: raw["role"] == "assistant"), max_size=1))
    thought = draw(st.lists(reasoning, max_size=1))
    answers = [output(call_id, draw(texts)) for call_id in draw(st.permutations(ids))]
    between = draw(st.lists(st.one_of(messages, reasoning), max_size=1))
    at = draw(st.integers(0, len(answers)))
    return [*thought, *said, *(call(call_id) for call_id in ids), *answers[:at], *between, *answers[at:]]


@st.composite
def logs(draw: st.DrawFn, episodes_max: int = 14) -> list[Item]:
    """
    The items of one conversation that a context is chosen from, counted in characters: some of its items were
    deleted, and a summary may stand for the first of them.
    """
    loose = st.one_of(messages, messages, calls, outputs, reasoning, hosted).map(lambda raw: [raw])
    episodes = draw(st.lists(st.one_of(loose, rounds()), max_size=episodes_max))
    raw_items = [
        {"id": item_id(raw, seq), "status": "completed", **raw}
        for seq, raw in enumerate(raw for episode in episodes for raw in episode)
    ]
    log = to_log(raw_items, characters)
    deleted = draw(st.sets(st.integers(0, len(log)), max_size=3))
    summary = draw(st.one_of(st.none(), summaries(len(log))))
    return summarised([item for item in log if item.seq not in deleted], summary)


@st.composite
def summaries(draw: st.DrawFn, seqs: int) -> Summary:
    """A summary through any of *seqs* items: one may since have torn a unit, by a late output or a deletion."""
    raw = {"id": "summary", **message("user", ["Summary:\n" + draw(texts)])}
    through_seq = draw(st.integers(0, seqs))
    [item] = to_log([raw], characters)
    return Summary(item._replace(kind=Kind.SUMMARY, seq=seqs), through_seq, f"item_{through_seq}")


@st.composite
def logs_with_budgets(draw: st.DrawFn) -> tuple[list[Item], int]:
    """A log, and a budget near one of the sums at which the choice changes."""
    log = draw(logs())
    stored = [item.overhead_tokens + item.content_tokens for item in log]
    pinned_tokens = sum(tokens for tokens, item in zip(stored, log, strict=True) if item.kind in "sy")
    from_item = draw(st.integers(0, len(log)))
    tail_tokens = sum(
        tokens for tokens, item in zip(stored[from_item:], log[from_item:], strict=True) if item.kind not in "sy"
    )
    return log, max(0, 3 + pinned_tokens + tail_tokens + draw(st.integers(-60, 60)))


@st.composite
def chats(draw: st.DrawFn) -> tuple[list[Item], int]:
    """A log of many small complete turns after one system message, and a budget that holds some of them."""
    raw_items = [message("system", ["s" * draw(st.integers(0, 30))])]
    for turn, length in enumerate(draw(st.lists(st.integers(1, 60), min_size=1, max_size=25))):
        raw_items.append(message("user", ["u" * length]))
        # Each call has an id of its own: the newest of equal ones takes it from the others.
        raw_items += draw(st.sampled_from([[], [call(f"call_{turn}"), output(f"call_{turn}")]]))
        raw_items.append(message("assistant", ["a" * (length // 2)]))
    numbered = [{"id": item_id(raw, seq), "status": "completed", **raw} for seq, raw in enumerate(raw_items)]
    return to_log(numbered, characters), draw(st.integers(220, 1200))
