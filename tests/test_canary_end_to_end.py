"""A canary that errs, on real instances: its traffic, the load that the driver sends, its way back."""

import io
import json
from pathlib import Path

import pytest

from scripts.releasing.proof.experiment import Plan, experiment

pytestmark = pytest.mark.unmeasured

PLAN = Plan(
    "erring",
    rate_per_s=5,
    shadow_per_s=20,
    stage_s=1,
    stage_max_s=120,
    look_every_s=0.5,
    fault_share=0.5,
    requests_min=200,
    instances=1,
    is_checked=False,
)
"""It errs more than that of `scripts/prove canary`, so few requests will do; test_canary_killed.py has its checks."""


async def test_a_canary_that_errs_is_rolled_back_by_its_metrics(tmp_path: Path) -> None:
    said = io.StringIO()
    result = await experiment(PLAN, tmp_path, said)
    events = [json.loads(line) for line in (tmp_path / "erring.log").read_text().splitlines()]

    assert (result.outcome, result.percentage, result.is_right) == ("rolled back", 10, True), said.getvalue()
    assert result.reason.startswith(("errors", "ceiling"))
    assert result.shadow > 0
    assert "sending shadow load to both sides" in said.getvalue()
    assert "this script itself sent" in said.getvalue()
    assert [each["step"] for each in events if each["event"] == "step"] == [
        *("configure", "start", "watch", "roll back", "ended"),
    ]
