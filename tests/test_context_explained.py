"""An explanation has every item in one row, sums that are the context's, and reasons that are the choice's."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from scripts.proving.contexts.dialogues import folded, model_calls, read_dialogues, to_items, to_log
from scripts.proving.contexts.explanations import misexplained
from scripts.proving.contexts.oracle import OracleUnit, facts, tokens_of
from scripts.proving.contexts.real_tokens import real_count
from shared.context.explained import ROWS_MAX, Choice, Row, explained
from shared.context.fit import fit
from shared.context.render import FORMATS, render
from shared.context.summarised import Summary
from shared.context.wanted import PARAMETERS, read_context_request
from shared.conversations.composed import compose
from shared.conversations.entries import DELETION, Entry
from shared.conversations.held import Held
from shared.conversations.snapshot import Snapshot, advance
from shared.errors import ContextDoesNotFit
from shared.items.counts import PRIMARY_ENCODING
from shared.items.item import Item
from shared.items.kinds import Kind
from shared.process.clock import Instant
from shared.request.parameters import read_members
from tests.examples import examples
from tests.logs import Raw, call, characters, chats, item_id, logs_with_budgets, message, output
from tests.snapshots import HEADER, SECOND, grown, lives, numbered, recount, snapshot_of, talk

DATA = Path(__file__).parent / "data"


def held(snapshot: Snapshot) -> Held:
    """What an instance holds of it, whose header counts as the store does."""
    items = snapshot.items
    tokens = sum(item.overhead_tokens + item.content_tokens for item in items)
    header = snapshot.header._replace(live_items=len(items), written_tokens=tokens)
    noted = [*items, *([snapshot.summary.item] if snapshot.summary else [])]
    return Held(snapshot._replace(header=header), Instant(0.0, 0.0), {SECOND: recount(noted)}, {})


def answered(what: Held, **values: object) -> dict[str, Any] | int:
    """The answer, or how many tokens it would need."""
    request = read_context_request(read_members(PARAMETERS, {"document_budget": 0, **values}))
    try:
        composed = compose("conv", what, request)
    except ContextDoesNotFit as refusal:
        return int(str(refusal.extensions["needed_tokens"]))
    assert composed is not None
    assert composed.body is not None
    return dict(orjson.loads(b"".join(composed.body)))


def faults_of(what: Held, **values: object) -> list[str]:
    """What is wrong with the explanation of a context."""
    bare, answer = answered(what, **values), answered(what, explain=True, **values)
    if isinstance(answer, int) or isinstance(bare, int):
        return [] if answer == bare else ["another refusal"]
    rows = [Row(**row) for row in answer.pop("explanation")["units"]]
    sent = [i for row in rows if row.state in ("pinned", "kept") for i in row.item_ids]
    faults = misexplained(rows, what.snapshot.items, sent, answer["tokens"], answer["omitted"]["tokens"])
    if len(sent) != answer["kept"]["items"] or len(what.snapshot.items) - len(sent) != answer["omitted"]["items"]:
        faults.append("how many items are sent")
    return faults if answer == bare else [*faults, "another context"]


@settings(max_examples=examples(240), deadline=None)
@given(lives(), st.sampled_from([PRIMARY_ENCODING, SECOND]), st.booleans(), st.data())
def test_every_item_is_in_one_row_and_the_rows_sum_up_to_the_context(
    life: tuple[list[list[Entry]], int], encoding: str, stable_prefix: bool, data: st.DataObject
) -> None:
    batches, budget = life
    for snapshot in grown(batches):
        asked = data.draw(st.sampled_from([budget, budget // 2, budget * 3])) + 1
        form = data.draw(st.sampled_from(FORMATS))
        values = {"budget": asked, "format": form, "stable_prefix": stable_prefix, "encoding": encoding}

        assert faults_of(held(snapshot), **values) == []


def lived(log: list[Item], number: int) -> Held:
    """*log* as a conversation of which some items were deleted, or that has a summary, or both."""
    snapshot, seq = snapshot_of(log), len(log)
    news = []
    if number % 2:
        news += [Entry(seq + 1 + at, "", DELETION, target=log[at].seq) for at in range(3, seq, 11)]
    if number % 3:
        through = log[number * 7 % seq]
        note = to_log([{"id": "note", **message("user", ["They spoke."])}], real_count)[0]
        note = note._replace(kind=Kind.SUMMARY, seq=2 * seq)
        news.append(Entry(note.seq, "", Kind.SUMMARY, summary=Summary(note, through.seq, through.id)))
    return held(advance(snapshot, HEADER._replace(version=2 * seq), news))


@pytest.mark.parametrize("name", ["tau_airline_12", "swe_agent_marshmallow_1867"])
def test_recorded_dialogues_are_explained_at_every_prefix(name: str) -> None:
    faults = []
    number = 0
    for dialogue in read_dialogues(DATA / f"{name}.jsonl"):
        log = numbered(to_log(to_items(dialogue.messages), real_count))
        for length in model_calls(log):
            what = lived(log[:length], length)
            for form in FORMATS:
                number += 1
                needed = answered(what, budget=1, format=form)
                assert isinstance(needed, int)
                budget = (needed, needed + 400, 3_000, 10**6)[number % 4]
                faults += faults_of(what, budget=budget, format=form, stable_prefix=number % 8 > 3)

    assert number > 50
    assert faults == []


def rows_of(log: list[Item], budget: int, form: str = "chat", *, stable_prefix: bool = False) -> list[Row]:
    """The rows of a context of *log*, which has all of it but for what a summary stands for."""
    fold = folded(log, form)
    try:
        selection = fit(fold, budget, stable_prefix)
    except ContextDoesNotFit:
        assume(False)
        raise
    unsupported = frozenset(render(form, selection).unsupported)
    return explained(Choice(selection, fold, log, log, None, (), unsupported))


def ids_of(rows: list[Row], reason: str) -> set[str]:
    return {item_id for row in rows if row.reason == reason for item_id in row.item_ids}


@settings(max_examples=examples(240), deadline=None)
@given(logs_with_budgets())
def test_the_reasons_are_what_the_promises_say(case: tuple[list[Item], int]) -> None:
    log, budget = case
    rows, known = rows_of(log, budget), facts(log)

    def ids(positions: list[int]) -> set[str]:
        return {log[at].id for at in positions}

    def members(units: list[OracleUnit]) -> set[str]:
        return ids([at for unit in units for at in unit.members])

    assert ids_of(rows, "orphan-output") == ids(known.orphans)
    assert ids_of(rows, "unanswered-call") == ids(known.unanswered)
    assert ids_of(rows, "dangling-reasoning") == ids(known.dangling)
    assert ids_of(rows, "before-first-user-message") == members(known.leading)
    kept = {item_id for row in rows if row.state == "kept" for item_id in row.item_ids}
    turns = [turn for turn in known.turns if members(turn) & kept]
    assert ids_of(rows, "thinned") == set().union(*(members(turn) for turn in turns)) - kept
    older = [turn for turn in known.turns if turn not in turns]
    assert ids_of(rows, "over-budget") == set().union(*map(members, older))
    if known.newest_user is not None:
        assert log[known.newest_user].id in ids_of(rows, "newest-user-message") | ids_of(rows, "unsupported")
    units = [set(row.item_ids) for row in rows if row.state in ("kept", "omitted")]
    assert all({log[at].id for at in unit.members} in units for turn in known.turns for unit in turn)


@settings(max_examples=examples(100), deadline=None)
@given(chats())
def test_what_a_stable_prefix_gives_up_is_what_would_fit(case: tuple[list[Item], int]) -> None:
    log, budget = case
    rows, turns = rows_of(log, budget, stable_prefix=True), facts(log).turns
    system_tokens = 3 + log[0].overhead_tokens + log[0].content_tokens
    suffixes = [[unit for turn in turns[start:] for unit in turn] for start in range(len(turns))]
    whole = next((each for each in suffixes if system_tokens + tokens_of(log, each) <= budget), [])
    kept = {item_id for row in rows if row.state == "kept" for item_id in row.item_ids}

    assume(whole)
    assert ids_of(rows, "stable-prefix") == {log[at].id for unit in whole for at in unit.members} - kept


ASK, ANSWER = message("user", ["Ask."]), message("assistant", ["Answer."])
THINK: Raw = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]}
SEARCH: Raw = {"type": "web_search_call", "action": {"type": "search", "query": "weather"}}
COMPACTION: Raw = {"type": "compaction", "encrypted_content": "..."}
GIANT = message("user", ["y" * 900])


def log_of(*raw: Raw) -> list[Item]:
    return to_log([{"id": item_id(each, at), "status": "completed", **each} for at, each in enumerate(raw)], characters)


LOOSE_ENDS = log_of(
    message("system", ["Be brief."]),
    ANSWER,
    ASK,
    output("call_9"),
    THINK,
    call("call_1"),
    output("call_1"),
    call("call_8"),
    SEARCH,
    message("developer", ["Now in French."]),
    COMPACTION,
    ASK,
    ANSWER,
    THINK,
    ASK,
    call("call_2"),
)
CASES: dict[str, tuple[list[Item], dict[str, Any], list[tuple[str, str, str]]]] = {
    "loose ends": (
        LOOSE_ENDS,
        {"budget": 10**6},
        [
            ("", "prompt", "prompt"),
            ("0", "pinned", "head"),
            ("1", "omitted", "before-first-user-message"),
            ("2", "kept", "fits"),
            ("3", "omitted", "orphan-output"),
            ("4 5 6", "kept", "fits"),
            ("7", "omitted", "unanswered-call"),
            ("8", "kept", "unsupported"),
            ("9", "pinned", "system-message"),
            ("10", "pinned", "unsupported"),
            ("11", "kept", "fits"),
            ("12", "kept", "fits"),
            ("13", "omitted", "dangling-reasoning"),
            ("14", "kept", "newest-user-message"),
            ("15", "kept", "open-call"),
        ],
    ),
    "the newest turn is thinned": (
        log_of(ASK, ANSWER, ASK, call("call_1", "x" * 200), output("call_1"), call("call_2"), output("call_2"), ANSWER),
        {"budget": 100},
        [
            ("", "prompt", "prompt"),
            ("0", "omitted", "over-budget"),
            ("1", "omitted", "over-budget"),
            ("2", "kept", "newest-user-message"),
            ("3 4", "omitted", "thinned"),
            ("5 6", "kept", "fits"),
            ("7", "kept", "last-unit"),
        ],
    ),
    "an older turn is thinned": (
        log_of(ASK, ANSWER, ASK, call("call_1", "x" * 200), output("call_1"), ANSWER, ASK),
        {"budget": 100},
        [
            ("", "prompt", "prompt"),
            ("0", "omitted", "over-budget"),
            ("1", "omitted", "over-budget"),
            ("2", "kept", "opens-window"),
            ("3 4", "omitted", "thinned"),
            ("5", "kept", "fits"),
            ("6", "kept", "newest-user-message"),
        ],
    ),
    "turns that a late output joined are cut between two messages": (
        log_of(GIANT, call("call_1"), ASK, ASK, output("call_1"), ANSWER),
        {"budget": 200},
        [
            ("", "prompt", "prompt"),
            ("0", "omitted", "thinned"),
            ("1 4", "kept", "fits"),
            ("2", "kept", "moved-to-front"),
            ("3", "kept", "newest-user-message"),
            ("5", "kept", "last-unit"),
        ],
    ),
    "no user": (
        log_of(ANSWER),
        {"budget": 100, "form": "anthropic"},
        [("", "prompt", "prompt"), ("", "prompt", "opening"), ("0", "kept", "last-unit")],
    ),
    "a stable prefix": (
        log_of(*[ASK, ANSWER] * 20),
        {"budget": 320, "stable_prefix": True},  # Steps of 106 tokens, turns of 19.
        [
            ("", "prompt", "prompt"),
            *((str(at), "omitted", "over-budget") for at in range(8)),
            *((str(at), "omitted", "stable-prefix") for at in range(8, 12)),
            *((str(at), "kept", "fits") for at in range(12, 38)),
            ("38", "kept", "newest-user-message"),
            ("39", "kept", "last-unit"),
        ],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_each_row_says_what_was_done_and_why(name: str) -> None:
    log, wanted, expected = CASES[name]
    rows = rows_of(log, **wanted)
    places = {item.id: str(at) for at, item in enumerate(log)}
    said = [(" ".join(places[each] for each in row.item_ids), row.state, row.reason) for row in rows]

    assert said == expected


def test_a_summary_stands_behind_what_it_covers() -> None:
    log = numbered(talk(8))
    note = to_log([{"id": "note", **message("user", ["They spoke."])}], characters)[0]
    summary = Summary(note._replace(kind=Kind.SUMMARY, seq=9), log[3].seq, log[3].id)
    entry = Entry(9, "", Kind.SUMMARY, summary=summary)
    answer = answered(held(advance(snapshot_of(log), HEADER._replace(version=9), [entry])), budget=10**6, explain=True)

    assert isinstance(answer, dict)
    assert [(len(row["item_ids"]), row["state"], row["reason"]) for row in answer["explanation"]["units"]] == [
        (0, "prompt", "prompt"),
        (1, "summarised", "covered-by-summary"),
        (2, "summarised", "covered-by-summary"),
        (1, "summarised", "covered-by-summary"),
        (0, "pinned", "summary"),
        (1, "kept", "newest-user-message"),
        (2, "kept", "fits"),
        (1, "kept", "last-unit"),
    ]


def test_the_oldest_of_many_rows_are_put_together() -> None:
    log = talk(ROWS_MAX * 4)
    rows = rows_of(log, 20_000)
    whole = rows_of(log, 10**6)

    assert len(rows) == len(whole) == ROWS_MAX
    assert [row.reason for row in rows[:5]] == ["prompt", "over-budget", "opens-window", "thinned", "fits"]
    assert len(rows[1].item_ids) > ROWS_MAX
    assert all(len(row.item_ids) < 3 for row in rows[5:])
    for each in (rows, whole):
        assert {item_id for row in each for item_id in row.item_ids} == {item.id for item in log}
