"""The index of terms as it is stored, and as it has to be: what the tests of it share."""

import random
from typing import Any

import httpx

from shared.recall.terms import ALPHABET, pack

WORDS = ["Rome", "flights", "KX-4471", "/var/tmp/report.csv", "naïve", "東京都", "booking", "2026-11-30", "don't", "ok"]


def number(characters: str) -> int:
    value = 0
    for character in characters:
        value = value * 64 + ALPHABET.index(character)
    return value


def read_index(fields: dict[str, str]) -> tuple[dict[int, dict[str, int]], list[str]]:
    """Return the terms by place that the store has, each with how often, and the index's own facts."""
    if "ti" not in fields:
        return {}, []
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


def live_on(
    draw: random.Random,
    through: httpx.Client,
    what: str,
    conversation: str,
    live: list[dict[str, Any]],
    more: list[dict[str, Any]],
) -> tuple[str, list[dict[str, Any]]]:
    """
    Do *what* to a conversation: append *more*, delete some of its *live* items, fork it at one of them, compact it.
    Return the conversation that goes on, and its live items.
    """
    path = f"/v1/conversations/{conversation}"
    match what:
        case "append":
            live = live + through.post(f"{path}/items", json={"items": more}).json()["data"]
        case "delete":
            live = [*live]
            for _ in range(min(len(live), draw.randint(1, 12))):
                gone = live.pop(draw.randrange(len(live)))
                assert through.delete(f"{path}/items/{gone['id']}").status_code == 200
        case "fork" if live:
            last = draw.randrange(len(live))
            forked = through.post(f"{path}/fork", json={"after": live[last]["id"]})
            conversation, live = str(forked.json()["id"]), live[: last + 1]
        case "compact":
            assert through.post(f"{path}/compact").status_code == 200
    return conversation, live
