"""`scripts/prove export` in short: no read of an import differs from the original; and one that does is found."""

import random
from pathlib import Path

import httpx
import pytest

from scripts.proving.borders.conversation import Conversation
from scripts.proving.contexts.dialogues import read_dialogues
from scripts.proving.exports import copying
from scripts.proving.exports.command import of_recorded, outcome, survey
from scripts.proving.exports.copying import differences, make, pages, restore

DATA = Path(__file__).parent / "data"
LOGS = 42

pytestmark = pytest.mark.unmeasured


def test_no_read_of_an_import_differs(api: httpx.Client, other_api: httpx.Client) -> None:
    [first, *_] = read_dialogues(DATA / "tau_airline_12.jsonl")
    found = survey(api, other_api, of_recorded([first.messages]), LOGS, seed=1)

    assert found.keys() <= {"exported", "not taken"}, found
    assert found["exported"] > LOGS // 2
    assert found.total() == LOGS + 3


def test_a_read_that_differs_is_found(api: httpx.Client, other_api: httpx.Client) -> None:
    drawn = Conversation([{"items": [{"role": "user", "content": f"message {n}"} for n in range(3)]}])
    made = make(api, drawn, random.Random(5))
    assert made is not None
    exported = pages(api, made.id)
    restore(other_api, exported)
    assert [*differences(api, other_api, made, exported)] == []
    path = f"/v1/conversations/{made.id}"
    other_api.post(path, json={"metadata": {"of": "a third"}})
    contexts = [f"/context?{query}" for query in copying.QUERIES]  # They name the version that they are of.
    recalling = [f"/context?{query} (compacted)" for query in copying.RECALLING]
    found = [*differences(api, other_api, made, exported)]
    assert found == [
        "",
        *contexts,
        " (compacted)",
        *(f"{each} (compacted)" for each in contexts),
        *recalling,
        "/export",
    ]
    other_api.post(f"{path}/items", json={"items": [{"role": "user", "content": "more"}]})
    assert len([*differences(api, other_api, made, exported)]) > len(copying.QUERIES)


def test_what_the_service_refuses_in_an_import_is_told(api: httpx.Client, other_api: httpx.Client) -> None:
    drawn = Conversation([{"items": [{"role": "user", "content": "hi"}]}])
    made = make(api, drawn, random.Random(5))
    assert made is not None
    other_api.post("/v1/conversations", json={"id": made.id})
    with pytest.raises(copying.Broken, match="409"):
        restore(other_api, pages(api, made.id))
    assert outcome(api, other_api, Conversation([{"items": []}]), random.Random(1)) == ["not taken"]
