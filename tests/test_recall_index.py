"""The index of terms in the store is that of the items that live, whatever became of the conversation."""

import random
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from shared.recall.terms import query_codes, words_of
from tests.stored_terms import WORDS, expected, live_on, read_index


@pytest.mark.parametrize("seed", range(8))
def test_the_index_is_that_of_the_live_items(
    api: httpx.Client, run: Callable[..., Any], key_of: Callable[[str], str], seed: int
) -> None:
    draw = random.Random(seed)
    conversation = str(api.post("/v1/conversations", json={}).json()["id"])
    live: list[dict[str, Any]] = []
    for _ in range(14):
        said = [" ".join(draw.choices(WORDS, k=draw.randint(0, 5))) for _ in range(draw.randint(1, 100))]
        more = [{"role": draw.choice(["user", "assistant"]), "content": each or "!"} for each in said]
        what = draw.choice(["append", "append", "append", "delete", "fork", "compact"])
        conversation, live = live_on(draw, api, what, conversation, live, more)
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
