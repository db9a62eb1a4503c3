"""Recorded conversations with tool calls, at every prefix that ends before a model call, in every format."""

from pathlib import Path

import pytest

from scripts.proving.contexts.dialogues import read_dialogues
from scripts.proving.contexts.real_tokens import real_count
from scripts.proving.contexts.survey import survey

DATA = Path(__file__).parent / "data"


@pytest.mark.parametrize("budget", [1500, 3000, 8000])
@pytest.mark.parametrize("name", ["tau_airline_12", "swe_agent_marshmallow_1867"])
def test_real_dialogues_keep_every_promise(name: str, budget: int) -> None:
    (result,) = survey(read_dialogues(DATA / f"{name}.jsonl"), [budget], real_count)

    assert result.broken.total() == 0, result.broken
    assert result.refused_wrongly == 0
    assert result.prefixes > result.refused


def test_a_budget_is_filled_until_the_next_older_unit_does_not_fit() -> None:
    (result,) = survey(read_dialogues(DATA / "tau_airline_12.jsonl"), [3000], real_count)

    assert result.over > 20
    assert result.short == 0
