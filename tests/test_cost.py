"""Costs: against sums done by hand, and what has to hold of any."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.measuring.subcommands import run
from scripts.proving.cost.bill import Assumed, TokenAssumptions, Usage, bill, token_lines, usage_of
from scripts.proving.cost.prices import SHIPPED, PriceError, read_prices
from scripts.proving.cost.show import cost, show

PRICES = read_prices()
FIGURES: dict[str, Any] = {
    "seconds": 100,
    "statuses": {"200": 1_000, "503": 7},
    "instances": {"cpu_s": 9.0, "mean": 2.0},
    "bytes": {"sent": 2_000_000, "received": 40_000_000},
    "store": {"commands": 7_000, "bytes_in": 6_000_000, "bytes_out": 4_000_000, "stored_bytes": 5_000_000},
    "context_tokens": 3_000_000,
}
"""A thousand answers, so that one takes 9 ms, 0.2 s of an instance, 7 commands, 3,000 tokens."""

USAGE = usage_of(FIGURES)


def document(**more: object) -> dict[str, Any]:
    naive = FIGURES | {"context_tokens": 12_000_000, "store": dict.fromkeys(FIGURES["store"], 0)}
    speeds = {"1": {"designs": {"warmthread": FIGURES, "naive": naive}}}
    return {"kind": "load", "is_whole": True, "commit": "abc", "speeds": speeds} | more


def test_usage_is_what_one_answer_took() -> None:
    assert Usage(0.009, 0.2, 2_000, 40_000, 7, 10_000, 5_000, 3_000) == USAGE


def test_ten_million_requests_by_hand() -> None:
    found = bill(USAGE, 10e6, PRICES, Assumed(memory_gb=2, kept_days=30))

    assert found == {
        "Vercel: active CPU": pytest.approx(25 * 0.128),  # 90,000 s.
        "Vercel: memory": pytest.approx(4_000_000 / 3_600 * 0.0106),
        "Vercel: invocations": pytest.approx(6.0),
        "Vercel: CDN requests": pytest.approx(20.0),
        "Vercel: Fast Data Transfer": pytest.approx(400 * 0.15),
        "Vercel: Fast Origin Transfer": pytest.approx(420 * 0.06),
        "Upstash: commands": pytest.approx(700 * 0.2),
        "Upstash: bandwidth": 0,  # 100 GB, of 200 that are free.
        "Upstash: storage": pytest.approx(49 * 0.25),  # 50 GB, of which one is free.
    }


def test_what_is_kept_for_a_week_takes_a_quarter_of_the_room() -> None:
    week = bill(USAGE, 10e6, PRICES, Assumed(kept_days=7))["Upstash: storage"]

    assert week == pytest.approx((50 * 7 / 30 - 1) * 0.25)


def test_tokens_by_hand() -> None:
    naive = USAGE._replace(context_tokens=12_000)
    assumed = TokenAssumptions(usd_million=2, estimate_error=0.3, prefix_before=0.6, prefix_after=0.25)
    found = token_lines(USAGE, naive, 1_000_000, assumed)

    assert found == {
        "prompts within the budget": pytest.approx(6_000),
        "exact counts instead of estimates": pytest.approx(1_800),
        "a stable beginning, from the provider's cache": pytest.approx(2_100),
        "a budget instead of the whole history": pytest.approx(18_000),
    }


@given(st.floats(0, 1e9), st.floats(0, 1e9))
def test_more_requests_never_cost_less(some: float, more: float) -> None:
    fewer, all_ = (bill(USAGE, requests, PRICES, Assumed()) for requests in (some, some + more))

    assert all(0 <= fewer[line] <= all_[line] for line in fewer)


def test_of_a_million_nothing_is_free() -> None:
    found = cost(document(), None, 10e6, PRICES, Assumed(), TokenAssumptions())

    assert found["designs"]["warmthread"]["usd_million"]["Upstash: bandwidth"] == pytest.approx(10 * 0.03)
    assert found["designs"]["naive"]["usd_million"]["Upstash: commands"] == 0
    assert found["tokens_usd_month"]["a budget instead of the whole history"] > 0


def test_every_price_has_a_public_source() -> None:
    priced = [price for name, price in PRICES._asdict().items() if name != "at"]

    assert all(each.source.startswith("https://") and each.usd > 0 for each in priced)


def test_prices_that_lack_one_are_refused_by_its_name(tmp_path: Path) -> None:
    raw = orjson.loads(SHIPPED.read_bytes())
    del raw["upstash"]["commands_100k"]
    path = tmp_path / "prices.json"
    path.write_bytes(orjson.dumps(raw))

    with pytest.raises(PriceError, match="commands_100k"):
        read_prices(path)


@pytest.mark.parametrize("broken", [{"speeds": {}}, {"speeds": {"1": {"designs": {"x": FIGURES | {"statuses": {}}}}}}])
def test_a_load_without_answers_has_no_cost(broken: dict[str, Any]) -> None:
    with pytest.raises((ValueError, StopIteration)):
        cost(document(**broken), None, 1e6, PRICES, Assumed(), TokenAssumptions())


def test_the_command_prints_what_an_interrupted_load_came_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "load.json", tmp_path / "cost.json"
    path.write_bytes(orjson.dumps(document(is_whole=False)))
    subcommands = {"cost": "scripts.proving.cost.command"}
    statuses = [
        run("scripts/prove", None, subcommands, ["cost", str(each), "--json", str(out)]) for each in (path, out)
    ]
    said = capsys.readouterr()

    assert statuses == [0, 2]
    assert "The load was interrupted" in said.out
    assert show(orjson.loads(out.read_bytes())) in said.out
    assert "cost.json is no result of a load" in said.err
