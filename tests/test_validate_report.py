"""The page of a validation: stable, whole or said to be partial; its plots; whether two runs agree; a live fleet."""

import re
from pathlib import Path
from typing import Any

import orjson
import pytest
from prometheus_client.parser import text_string_to_metric_families

from scripts.validating import __main__ as command
from scripts.validating.against import compare, show
from scripts.validating.live import CONTEXTS, LiveError, fetch, live_validation
from scripts.validating.plots import PLOTS, write_plots
from scripts.validating.report import report
from scripts.validating.results import Results, ResultsError, read_results
from scripts.validating.rows import readings_of, validation
from tests.bearers import METRICS_SECRET
from tests.validations import RESULTS, changed

ROOT = Path(__file__).parents[1]


def document_of(results: Results) -> dict[str, Any]:
    return validation(results, readings_of(results))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, document in RESULTS.items():
        (tmp_path / f"{name}.json").write_bytes(orjson.dumps(document))
    return tmp_path


def test_the_same_results_make_the_same_page_values_and_plots(folder: Path, tmp_path: Path) -> None:
    made, again = tmp_path / "one", tmp_path / "two"
    assert command.main(["--from", str(folder), "--out", str(made)]) == 0
    again.mkdir()
    plots = [(title, name) for title, name, _ in PLOTS]
    one = write_plots({"load": {**RESULTS["load"], "speeds": {}}}, again)  # One of each is enough, and quick.

    assert sorted(path.name for path in made.iterdir()) == sorted(
        ["validation.md", "validation.json", *(name for _, name in plots)]
    )
    assert one == [("Latency against offered load", "throughput.svg")]
    assert (made / "throughput.svg").read_bytes() == (again / "throughput.svg").read_bytes()
    assert (made / "validation.md").read_text() == report(document_of(read_results(folder)), plots)


def test_a_page_names_commit_seed_machine_date_durations_and_each_criterion() -> None:
    document = document_of(RESULTS)
    page = report(document, [("Cost", "cost.svg")])

    for text in ("0123456789ab", "| seed | 1 |", "2026-01-02T03:04:05", "Example, 2 processors", "| 300 |", "cost.svg"):
        assert text in page
    for row in document["rows"]:
        assert row["title"] in page
    assert "PARTIAL" not in page


def test_a_page_of_what_was_interrupted_says_so() -> None:
    page = report(document_of({**RESULTS, "soak": {**RESULTS["soak"], "partial": True}}), [])
    unended = report(document_of({**RESULTS, "run": {**RESULTS["run"], "is_whole": False}}), [])

    assert "**PARTIAL" in page
    assert "Interrupted: soak." in page
    assert "**PARTIAL" in unended


def test_a_page_says_when_its_results_are_of_several_commits() -> None:
    page = report(document_of(changed("chaos.commit", "ba9876543210")), [])

    assert "| results of several commits | 0123456789ab, ba9876543210 |" in page


def test_the_links_of_what_did_not_help_lead_somewhere() -> None:
    from tests.pages import anchors

    text = (ROOT / "scripts/validating/learnings.md").read_text()
    links = re.findall(r"\]\(\.\./(docs/[\w.]+)#([\w-]+)\)", text)

    assert len(links) == text.count("](") > 5
    assert [link for link in links if link[1] not in anchors(link[0])] == []


def test_what_has_no_results_has_no_plots(tmp_path: Path) -> None:
    (tmp_path / "hits.svg").write_text("of an earlier run")

    assert write_plots({}, tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_results_that_are_none_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ResultsError):
        read_results(tmp_path)
    (tmp_path / "load.json").write_text("[]")

    assert command.main(["--from", str(tmp_path), "--out", str(tmp_path)]) == 2
    assert "load.json is no result" in capsys.readouterr().err


def test_a_run_agrees_with_itself() -> None:
    document = document_of(RESULTS)
    compared = compare(document, document)

    assert (compared.differ, compared.alone, compared.notes) == ([], [], [])
    assert compared.agree == sum(row["value"] is not None for row in document["rows"])


@pytest.mark.parametrize(
    ("path", "value", "differs"),
    [
        ("load.joined.designs.warmthread.hits.l1", 0.69, False),  # The intervals meet.
        ("load.joined.designs.warmthread.hits.l1", 0.45, True),  # They do not, though both are met.
        ("load.speeds.1.designs.warmthread.latency_ms.by_tier.L0.p95", 2.0, False),  # No interval: the same verdict.
        ("load.speeds.1.designs.warmthread.latency_ms.by_tier.L0.p95", 20.0, True),
        ("chaos.broken", ["lost: one"], True),
        ("lag", {}, False),  # Only one of them measured it.
    ],
)
def test_two_runs_agree_within_their_intervals(path: str, value: object, differs: bool) -> None:
    compared = compare(document_of(RESULTS), document_of(changed(path, value)))

    assert bool(compared.differ) is differs
    assert len(compared.alone) == (path == "lag")
    assert f"{len(compared.differ)} differ" in show(compared)


def test_times_of_two_machines_are_compared_by_their_verdicts_only() -> None:
    other = {**document_of(changed("load.speeds.1.designs.warmthread.curve_ms", [(0.5, 80.0), (0.999, 81.0)]))}
    here = document_of(RESULTS)
    elsewhere = {**other, "machine": {**other["machine"], "processor": "Another"}}

    assert [each.title for each in compare(here, other).differ] != []
    assert not any(each.title.startswith("p95 of a turn") for each in compare(here, elsewhere).differ)
    assert "The machines differ" in show(compare(here, elsewhere))


def test_against_exits_by_what_it_finds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, other = tmp_path / "out", tmp_path / "other.json"
    out.mkdir()
    (out / "validation.json").write_bytes(orjson.dumps(document_of(RESULTS)))
    other.write_bytes(orjson.dumps(document_of(changed("chaos.broken", ["lost: one"]))))

    assert command.main(["--out", str(out), "--against", str(out / "validation.json")]) == 0
    assert command.main(["--out", str(out), "--against", str(other)]) == 1
    assert "Acknowledged items that were lost" in capsys.readouterr().out
    other.write_text("{}")
    assert command.main(["--out", str(out), "--against", str(other)]) == 2


def exposition(*, late: int = 0, wrong: int = 0) -> str:
    return f"""# TYPE warmthread_requests_total counter
warmthread_requests_total{{route="/v1/conversations",status="2xx"}} 90
warmthread_requests_total{{route="/v1/conversations",status="5xx"}} {wrong}
# TYPE warmthread_reads_total counter
warmthread_reads_total{{tier="L0"}} 20
warmthread_reads_total{{tier="L1"}} 40
warmthread_reads_total{{tier="L2"}} 39
warmthread_reads_total{{tier="STALE"}} 1
# TYPE warmthread_request_duration_seconds histogram
warmthread_request_duration_seconds_bucket{{route="/v1/conversations/{{conversation_id}}/context",le="0.02"}} 90
warmthread_request_duration_seconds_bucket{{route="/v1/conversations/{{conversation_id}}/context",le="0.04"}} 100
warmthread_request_duration_seconds_bucket{{route="/v1/conversations/{{conversation_id}}/context",le="+Inf"}} 100
# TYPE warmthread_loop_lag_seconds histogram
warmthread_loop_lag_seconds_bucket{{le="0.01"}} {1_000 - late}
warmthread_loop_lag_seconds_bucket{{le="+Inf"}} 1000
"""


def test_the_table_of_a_fleet_in_use_holds_what_its_metrics_know_and_no_more() -> None:
    text = exposition()
    assert list(text_string_to_metric_families(text))
    rows = {row["name"]: row for row in live_validation(text)["rows"]}

    assert {name for name, row in rows.items() if row["value"] is not None} == {
        "total", "l1", "l2", "p95", "lag", "errors",
    }  # fmt: skip
    assert rows["total"]["value"] == pytest.approx(0.99)
    assert rows["l1"]["value"] == pytest.approx(0.60)
    assert rows["l2"]["value"] == pytest.approx(39 / 40)
    assert rows["p95"]["value"] == pytest.approx(30)
    assert rows["lost"]["beside"] == "metrics of a fleet do not say"


def test_what_metrics_cannot_tell_apart_is_not_measured() -> None:
    rows = {row["name"]: row for row in live_validation(exposition(late=3, wrong=2))["rows"]}

    assert rows["errors"]["verdict"] == rows["lag"]["verdict"] == "not measured"
    assert "0.30%" in rows["lag"]["beside"]


def test_the_metrics_of_the_service_are_read_with_its_secret(service_url: str) -> None:
    document = live_validation(fetch(service_url, METRICS_SECRET))

    assert document["form"] == "a fleet in use, by its metrics"
    assert "a fleet in use" in report(document, [])
    assert CONTEXTS in orjson.loads((ROOT / "public/openapi.json").read_bytes())["paths"]
    with pytest.raises(LiveError, match="answered 401"):
        fetch(service_url, "another")


def test_the_secret_of_metrics_goes_nowhere_without_tls() -> None:
    with pytest.raises(LiveError, match="https only"):
        fetch("http://example.com", "secret")
    with pytest.raises(LiveError, match="https only"):
        fetch("http://localhost.example.com", "secret")
