"""The index of terms in the store is that of the items that live, whatever became of the conversation."""

import random
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from shared.recall.terms import ALPHABET, pack, query_codes, words_of

WORDS = ["Rome", "flights", "KX-4471", "/var/tmp/report.csv", "naïve", "東京都", "booking", "2026-11-30", "don't", "ok"]


def number(characters: str) -> int:
    value = 0
    for character in characters:
        value = value * 64 + ALPHABET.index(character)
    return value


def read_index(fields: dict[str, str]) -> tuple[dict[int, dict[str, int]], list[str]]:
    """Return the terms by place that the store has, each with how often, and the index's own facts."""
    facts = fields["ti"].split(" ")
    found: dict[int, dict[str, int]] = {}
    for block in range(int(facts[2]), int(facts[3])):
        held = fields[f"t:{block}"]
        places = [number(held[at : at + 3]) for at in range(0, len(held), 5)]
        for bucket in ALPHABET:
            for line in fields.get(f"t:{block}:{bucket}", "").split("\n")[1:]:
                code, postings = bucket + line[:4], line[4:]
                for at in range(0, len(postings), 3):
                    place = places[number(postings[at : at + 2])]
                    found.setdefault(place, {})[code] = number(postings[at + 2])
    for line in fields["to"].split("\n")[1:]:
        terms = line[3:]
        found[number(line[:3])] = {terms[at : at + 5]: number(terms[at + 5]) for at in range(0, len(terms), 6)}
    return found, facts


def expected(items: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
    terms = {item["id"]: pack("\n" + item["content"][0]["text"]) for item in items}
    return {
        item_id: {packed[at : at + 5]: number(packed[at + 5]) for at in range(0, len(packed), 6)}
        for item_id, packed in terms.items()
        if packed
    }


@pytest.mark.parametrize("seed", range(8))
def test_the_index_is_that_of_the_live_items(
    api: httpx.Client, run: Callable[..., Any], key_of: Callable[[str], str], seed: int
) -> None:
    draw = random.Random(seed)
    conversation = str(api.post("/v1/conversations", json={}).json()["id"])
    live: list[dict[str, Any]] = []
    for _ in range(14):
        path = f"/v1/conversations/{conversation}"
        match draw.choice(["append", "append", "append", "delete", "fork", "compact"]):
            case "append":
                said = [" ".join(draw.choices(WORDS, k=draw.randint(0, 5))) for _ in range(draw.randint(1, 100))]
                items = [{"role": draw.choice(["user", "assistant"]), "content": each or "!"} for each in said]
                live += api.post(f"{path}/items", json={"items": items}).json()["data"]
            case "delete":
                for _ in range(min(len(live), draw.randint(1, 12))):
                    gone = live.pop(draw.randrange(len(live)))
                    assert api.delete(f"{path}/items/{gone['id']}").status_code == 200
            case "fork" if live:
                last = draw.randrange(len(live))
                forked = api.post(f"{path}/fork", json={"after": live[last]["id"]})
                conversation, live = str(forked.json()["id"]), live[: last + 1]
            case "compact":
                assert api.post(f"{path}/compact").status_code == 200
        if not live:
            continue
        flat = run("HGETALL", key_of(conversation))
        fields = dict(zip(flat[::2], flat[1::2], strict=True))
        places = {int(fields[f"i:{item['id']}"]): item["id"] for item in live}
        found, facts = read_index(fields)

        assert {places[place]: terms for place, terms in found.items()} == expected(live)
        assert facts[1] == fields["g"]
        assert int(facts[4]) == len(expected(live))
        assert int(facts[5]) == sum(sum(terms.values()) for terms in expected(live).values())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The flights were booked", ["flight", "book"]),
        ("KX-4471", ["kx-4471", "kx", "4471"]),
        ("/var/tmp/q3.csv", ["var/tmp/q3.csv", "var", "tmp", "q3", "csv"]),
        ("東京都", ["東京", "京都"]),
        ("Don\u2019t", []),
        ("naïve ÜBER", ["naïve", "über"]),
        ("", []),
    ],
)
def test_terms_of_a_text(text: str, words: list[str]) -> None:
    assert list(words_of(text)) == words


def test_of_a_long_question_the_most_telling_terms_are_asked() -> None:
    text = " ".join(f"word{'x' * at}" for at in range(60)) + " KX-4471"

    assert len(query_codes(text)) == 24 * 5
    assert query_codes(text)[:10] == query_codes("KX-4471")[:10]
