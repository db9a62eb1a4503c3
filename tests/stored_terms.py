"""The index of terms as it is stored, and as it has to be: what the tests of it share."""

from typing import Any

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
