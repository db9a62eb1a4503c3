"""Snapshots of drawn conversations, as an instance that reads them batch by batch holds them."""

from collections.abc import Iterator

from hypothesis import strategies as st

from scripts.proving.contexts.dialogues import to_log
from shared.context.fit import Selection, fit
from shared.context.summarised import Summary
from shared.context.units import fold
from shared.conversations.entries import DELETION, Entry
from shared.conversations.snapshot import Header, Snapshot, advance, begin
from shared.errors import ContextDoesNotFit
from shared.items.counts import Counts
from shared.items.item import Item
from shared.items.kinds import Kind
from tests.logs import call, characters, item_id, logs_with_budgets, message, output

HEADER = Header("g", 0, "", 0, 0, 0, 0, "{}", 0, 0)


def snapshot_of(log: list[Item], first: int = 1) -> Snapshot:
    """A snapshot that knows all from *first* on, and the pinned items before it."""
    entries = [Entry(item.seq, "", item.kind, item) for item in log]
    pins = [entry for entry in entries if entry.seq < first and entry.kind == Kind.SYSTEM]
    return begin(HEADER, first, pins, [entry for entry in entries if entry.seq >= first])


def numbered(log: list[Item]) -> list[Item]:
    """*log* without summaries, its versions counted from 1 as the store does."""
    items = [item for item in log if item.kind != Kind.SUMMARY]
    return [item._replace(seq=item.seq + 1) for item in items]


def outcome(items: list[Item], budget: int, *, stable_prefix: bool) -> tuple[object, ...]:
    try:
        chosen: Selection = fit(fold(items), budget, stable_prefix)
    except ContextDoesNotFit as error:
        return (error.needed_tokens,)
    lists = (chosen.omitted.orphan_outputs, chosen.omitted.unanswered_calls, chosen.omitted.dangling_reasoning)
    return [item.id for item in chosen.items], [[i.id for i in unit] for unit in chosen.units], chosen.tokens, lists


SECOND = "cl100k_base"


def recount(items: list[Item]) -> dict[int, Counts]:
    """Counts of another encoding: for each item its own, so that two of them are not taken for each other."""
    return {item.seq: Counts(item.overhead_tokens, item.content_tokens + item.seq % 7, 0) for item in items}


@st.composite
def lives(draw: st.DrawFn) -> tuple[list[list[Entry]], int]:
    """
    The entries of a conversation as they are read, batch by batch: items, deletions, summaries that replace each other
    and are deleted; and a budget.
    """
    case = draw(logs_with_budgets())
    waiting, there = numbered(case[0]), list[Item]()
    batches: list[list[Entry]] = []
    seq = note_seq = 0
    for kinds in draw(st.lists(st.lists(st.sampled_from("iiiiiiii-yz"), min_size=1, max_size=12), max_size=12)):
        batch = []
        for kind in kinds:
            seq += 1
            if kind == "i" and waiting:
                there.append(waiting.pop(0)._replace(seq=seq))
                batch.append(Entry(seq, f"{seq:x}", there[-1].kind, there[-1]))
            elif kind == "-" and there:
                gone = there.pop(draw(st.integers(0, len(there) - 1)))
                batch.append(Entry(seq, f"{seq:x}", DELETION, target=gone.seq))
            elif kind == "y" and there:
                through = draw(st.sampled_from(there))
                [note] = to_log([{"id": f"note_{seq}", **message("user", ["They spoke."])}], characters)
                summary = Summary(note._replace(kind=Kind.SUMMARY, seq=seq), through.seq, through.id)
                batch.append(Entry(seq, f"{seq:x}", Kind.SUMMARY, summary=summary))
                note_seq = seq
            elif kind == "z" and note_seq:
                batch.append(Entry(seq, f"{seq:x}", DELETION, target=note_seq))
                note_seq = 0
            else:
                batch.append(Entry(seq, f"{seq:x}", "m"))
        batches.append(batch)
    return batches, case[1]


def grown(batches: list[list[Entry]]) -> Iterator[Snapshot]:
    snapshot = begin(HEADER, 1, [], [])
    for batch in batches:
        snapshot = advance(snapshot, HEADER._replace(version=batch[-1].seq), batch)
        yield snapshot


def talk(count: int) -> list[Item]:
    """Turns of a question, a call with its output, and an answer."""
    raw = []
    for seq in range(count):
        call_id = f"call_{seq // 4}"
        turn = [message("user", ["u" * 20]), call(call_id), output(call_id), message("assistant", ["a" * 20])]
        raw.append({"id": item_id(turn[seq % 4], seq), "status": "completed", **turn[seq % 4]})
    return numbered(to_log(raw, characters))
