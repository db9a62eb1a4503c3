"""
The queries of the dashboards, and those that docs/operating.md shows, as they are asked in a rehearsal.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from scripts.proving.alerts.rules import ROOT

DASHBOARDS = ROOT / "ops" / "grafana"
PAGE = ROOT / "docs" / "operating.md"
PROMQL = re.compile(r"^```promql\n(.*?)^```$", re.MULTILINE | re.DOTALL)
VARIABLE = re.compile(r"\$\{?(\w+)\}?")

WINDOW = "60s"
"""What a window of a query is in a rehearsal: long enough for all that happened lately."""

GIVEN = {"__rate_interval": WINDOW, "__range": WINDOW, "__interval": WINDOW, "deployment": ".*"}
"""What Grafana puts in the place of these."""

WINDOWS = re.compile(r"\[[0-9]+[smhdw](:[0-9]*[smhd]?)?\]")


class Query(NamedTuple):
    """*where* says where it stands: a file and a panel, or a page."""

    where: str
    expression: str


def queries() -> list[Query]:
    """Return all there are, ready to be asked."""
    return [*of_dashboards(), *of_page()]


def of_dashboards(folder: Path = DASHBOARDS) -> Iterator[Query]:
    for path in sorted(folder.glob("*.json")):
        board = json.loads(path.read_text())
        variables = board["templating"]["list"]
        given = GIVEN | {each["name"]: each["query"] for each in variables if each["type"] == "textbox"}
        for panel in board["panels"]:
            for target in panel.get("targets", ()):
                yield Query(f"{path.name}: {panel['title']}", _filled(target["expr"], given))
        for variable in variables:
            if variable["type"] == "query":
                yield Query(f"{path.name}: ${variable['name']}", _asked_for(variable["query"]))


def of_page(page: Path = PAGE) -> Iterator[Query]:
    for number, text in enumerate(PROMQL.findall(page.read_text()), start=1):
        for line in filter(None, text.splitlines()):
            yield Query(f"{page.name}: block {number}", WINDOWS.sub(f"[{WINDOW}]", line))


def _filled(expression: str, given: dict[str, str]) -> str:
    return VARIABLE.sub(lambda match: given[match[1]], expression)


def _asked_for(query: Any) -> str:
    """Return the series that `label_values(series, label)` looks at."""
    match = re.fullmatch(r"label_values\((.+), \w+\)", query["query"])
    assert match is not None, query
    return match[1]
