"""A route that lacks a setting says which one opens it, and nothing of what that or another holds."""

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.bearers import CHANGES_SECRET, CRON_SECRET, METRICS_SECRET

ROUTES = [
    ("POST", "/v1/changes", "WARMTHREAD_CHANGES_SECRET"),
    ("GET", "/api/cron/sweep", "CRON_SECRET"),
    ("POST", "/api/cron/warm", "CRON_SECRET"),
    ("POST", "/api/conversations", "CRON_SECRET"),
    ("GET", "/api/metrics", "WARMTHREAD_METRICS_SECRET"),
]


@pytest.mark.parametrize(("method", "path", "variable"), ROUTES)
def test_a_route_without_its_secret_names_the_variable_that_opens_it(
    make_service: Callable[[], str], monkeypatch: pytest.MonkeyPatch, method: str, path: str, variable: str
) -> None:
    monkeypatch.delenv(variable)
    url = make_service() + path

    for bearer in ("", "Bearer", "Bearer x", f"Bearer {CRON_SECRET}"):
        answer = httpx.request(method, url, headers={"authorization": bearer})

        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "route_closed")
        assert variable in answer.json()["detail"]
        assert not any(secret in answer.text for secret in (CHANGES_SECRET, CRON_SECRET, METRICS_SECRET))


@pytest.mark.parametrize(("method", "path", "variable"), ROUTES)
def test_an_open_route_says_nothing_of_its_variable(service_url: str, method: str, path: str, variable: str) -> None:
    answer = httpx.request(method, service_url + path, headers={"authorization": "Bearer x"})

    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_secret")
    assert variable not in answer.text


def test_documents_without_an_object_store_name_the_variable_that_says_where_they_are(
    make_api: Callable[[], httpx.Client], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".warmthread").write_text("where the folder would be made, were it allowed")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WARMTHREAD_DOCUMENTS_URL")
    answer = make_api().get("/v1/documents/a.txt")

    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "source_unavailable")
    assert "WARMTHREAD_DOCUMENTS_URL" in answer.json()["detail"]
    assert answer.headers["retry-after"] == "1"
