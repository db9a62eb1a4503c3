"""
The alerts and the dashboards in ops/: what they ask for exists, each alert says what to do, and Prometheus' own tool
finds nothing wrong with them. That they fire for real is what `scripts/check-alerts` sees.
"""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from scripts.grafana.__main__ import files
from scripts.proving.alerts.causes import CAUSES
from scripts.proving.alerts.prometheus import MISSING, find
from scripts.proving.alerts.queries import queries
from scripts.proving.alerts.rules import ROOT, RULES, alert_names, scaled
from shared.problem_types import refusal_reasons
from shared.telemetry.metrics import METRICS, Kind
from shared.telemetry.series import TIERS
from tests.pages import anchors

pytestmark = pytest.mark.unmeasured

OPS = ROOT / "ops"
PAGE = "docs/operating.md"
CASES = [path.read_text() for path in sorted(OPS.glob("*_test.yml"))]
SELECTOR = re.compile(r"\b(warmthread_[a-z0-9_]+)(?:\{([^}]*)\})?")
LABEL = re.compile(r"(\w+) *=~?\"")
OF_PROMETHEUS = frozenset({"job", "instance", "deployment", "le"})
METRIC_LABELS = {metric.name: {*metric.labels} | OF_PROMETHEUS for metric in METRICS.values()}


@pytest.fixture(scope="module")
def promtool() -> str:
    program = find("promtool")
    if program is None:
        pytest.skip(MISSING)
    return program


def run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said


def names_of(metric: str) -> str:
    """Return the declared name of *metric*: of the series of a histogram, that of the histogram."""
    histograms = {each.name for each in METRICS.values() if each.kind is Kind.HISTOGRAM}
    stem = re.sub(r"_(bucket|sum|count)$", "", metric)
    return stem if stem in histograms else metric


def asked_for() -> list[tuple[str, str, set[str]]]:
    """Return where a series is asked for, its metric, and the labels that are named."""
    texts = [("alerts.yml", RULES.read_text()), *queries()]
    return [
        (where, names_of(metric), set(LABEL.findall(labels)))
        for where, text in texts
        for metric, labels in SELECTOR.findall(text)
    ]


def test_prometheus_takes_the_rules_and_the_example(promtool: str, tmp_path: Path) -> None:
    for name in ("alerts.yml", "prometheus.yml"):
        shutil.copy(OPS / name, tmp_path)
    (tmp_path / "metrics-secret").write_text("secret")

    assert "SUCCESS" in run(promtool, "check", "config", tmp_path / "prometheus.yml")


def test_each_alert_fires_in_its_case_and_in_no_near_one(promtool: str) -> None:
    run(promtool, "test", "rules", *sorted(OPS.glob("*_test.yml")))


def test_each_alert_has_its_case_and_its_cause() -> None:
    names = alert_names(RULES.read_text())
    fired = {name for cases in CASES for name in re.findall(r"alertname=\"(\w+)\"", cases)}

    assert {*names} == fired
    assert {*names} == {name for cause in CAUSES.values() for name in cause.alerts}


def test_a_case_is_not_passed_by_any_rules(promtool: str, tmp_path: Path) -> None:
    for path in OPS.glob("*.yml"):
        shutil.copy(path, tmp_path)
    rules = tmp_path / "alerts.yml"
    rules.write_text(rules.read_text().replace("> 0.05", "> 0.03"))
    done = subprocess.run(
        [promtool, "test", "rules", tmp_path / "alerts_test.yml"], capture_output=True, timeout=60, check=False
    )

    assert done.returncode == 1


def test_each_alert_names_a_heading_of_its_own() -> None:
    rules = RULES.read_text().split("      - alert: ")[1:]
    links = [match[1] for rule in rules if (match := re.search(r"runbook_url: (\S+)", rule))]
    headings = {f"{PAGE}#{name.lower()}" for name in alert_names(RULES.read_text())}

    assert {*links} == headings
    assert {link.partition("#")[2] for link in links} <= anchors(PAGE)


def test_what_is_asked_for_is_counted() -> None:
    unknown = [(where, metric) for where, metric, _ in asked_for() if metric not in METRIC_LABELS]
    wrong = [each for each in asked_for() if each[1] in METRIC_LABELS and not each[2] <= METRIC_LABELS[each[1]]]

    assert unknown == []
    assert wrong == []


def test_tiers_and_reasons_that_are_asked_for_exist() -> None:
    rules = RULES.read_text()
    reasons = {each for found in re.findall(r"reason=~?\"([^\"]+)\"", rules) for each in found.split("|")}
    tiers = {each for found in re.findall(r"tier!?=?~?\"([^\"]+)\"", rules) for each in found.split("|")}

    assert reasons
    assert reasons <= refusal_reasons()
    assert tiers
    assert tiers <= TIERS


def test_time_lapse_shortens_windows_and_waits_and_nothing_else() -> None:
    rules = "expr: increase(a_10m[10m] offset 26h) > 0.05 * 10\nfor: 30s\n"

    assert scaled(rules, 60) == "expr: increase(a_10m[10s] offset 1560s) > 0.05 * 10\nfor: 1s\n"


def test_dashboards_are_what_their_descriptions_say() -> None:
    assert {path.name: path.read_text() for path in files()} == {path.name: text for path, text in files().items()}
    assert {*(OPS / "grafana").iterdir()} == {*files()}


@pytest.mark.parametrize("path", sorted(files()), ids=lambda path: path.stem)
def test_a_dashboard_is_of_few_panels_each_of_which_asks_a_question(path: Path) -> None:
    board = json.loads(path.read_text())
    places = [tuple(panel["gridPos"].values()) for panel in board["panels"]]

    assert len(board["panels"]) <= 12
    assert all(panel["title"].endswith("?") and panel["description"] for panel in board["panels"])
    assert all(panel["fieldConfig"]["defaults"]["unit"] for panel in board["panels"])
    assert all(left + width <= 24 for left, _, width, _ in places)
    assert len({place[:2] for place in places}) == len(places)
    assert len(board["panels"]) == len({panel["title"] for panel in board["panels"]})


def test_queries_are_those_of_panels_variables_and_the_page() -> None:
    asked = queries()

    assert not any("$" in query.expression for query in asked)
    assert {query.where.partition(":")[0] for query in asked} == {"operating.md", *(path.name for path in files())}
