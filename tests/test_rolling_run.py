"""A short run of `scripts/prove rolling` with real instances: rolled by share and one by one, nothing is lost."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.processes import left, start

pytestmark = pytest.mark.unmeasured


def test_a_short_run_is_rolled_twice_and_loses_nothing(tmp_path: Path) -> None:
    options = ("--seconds", "5", "--instances", "2", "--seed", "2", "--json", str(tmp_path / "rolling.json"))
    said, errors = start(tmp_path, "scripts.proving", "rolling", *options).communicate()
    found: dict[str, Any] = orjson.loads((tmp_path / "rolling.json").read_bytes())

    assert found["broken"] == [], said + errors[-2_000:]
    assert (found["what"], found["partial"], len(found["checked"]["steps"])) == ("rolling", False, 6)
    assert found["checked"]["requests"] == found["checked"]["lines_of_requests"] > 50
    assert set(found["checked"]["answered_by"]) == {"dpl_first", "dpl_second", "dpl_third"}
    assert left(tmp_path) == []
