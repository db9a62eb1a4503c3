"""A path that leads nowhere is a problem like others, and says what was probably meant."""

import httpx
import pytest

from scripts.local.upstash import LocalUpstash
from shared.http.unrouted import PATH_CHARS_MAX


@pytest.mark.parametrize(
    ("path", "wanted", "why"),
    [
        ("/v1/v1/conversations", "/v1/conversations", "twice"),
        ("/v1/v1/v1/conversations/conv_1/items", "/v1/conversations/conv_1/items", "twice"),
        ("/v1/v1/openapi.json", "/v1/openapi.json", "twice"),
        ("/conversations", "/v1/conversations", "lacks /v1"),
        ("/conversations/conv_1/context", "/v1/conversations/conv_1/context", "lacks /v1"),
        ("/usage/", "/v1/usage", "lacks /v1"),
        ("/changes", "/v1/changes", "lacks /v1"),
        ("/documents/a%20b.txt", "/v1/documents/a%20b.txt", "lacks /v1"),
        ("/v1/conversations/", "/v1/conversations", "slash"),
        ("/v1/conversations/conv_1/items/", "/v1/conversations/conv_1/items", "slash"),
        ("/v1//conversations", "/v1/conversations", "slash"),
        ("/v1/tokens/count/", "/v1/tokens/count", "slash"),
        ("/v1/usage/", "/v1/usage", "slash"),
        ("/v1/changes/", "/v1/changes", "slash"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_what_was_meant_is_said(service_url: str, method: str, path: str, wanted: str, why: str) -> None:
    answer = httpx.request(method, service_url + path)
    problem = answer.json()

    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert (problem["type"], problem["did_you_mean"]) == ("urn:warmthread:problem:not-found", wanted)
    assert why in problem["detail"]
    assert wanted in problem["detail"]
    assert problem["error"] == {
        "message": problem["detail"],
        "type": "invalid_request_error",
        "param": None,
        "code": "not_found",
    }


@pytest.mark.parametrize(
    "path",
    [
        *("/v1", "/v1/", "/v1/v1", "/v1/chat/completions", "/v1/conversations/conv_1/nothing", "/v1/tokens/counts"),
        "/usage/" + "x" * PATH_CHARS_MAX,
    ],
)
def test_what_nobody_knows_is_sent_to_the_list_of_paths(service_url: str, path: str) -> None:
    problem = httpx.post(service_url + path, json={}).json()

    assert "did_you_mean" not in problem or path.startswith("/usage")
    assert "/v1/openapi.json" in problem["detail"]
    assert len(problem["detail"]) < 2 * PATH_CHARS_MAX


def test_files_and_paths_that_are_not_ours_are_the_platforms(service_url: str) -> None:
    assert httpx.get(f"{service_url}/openapi.json").json()["openapi"] == "3.1.0"
    assert httpx.get(f"{service_url}/v1/openapi.json").json()["openapi"] == "3.1.0"
    assert httpx.get(f"{service_url}/robots.txt").status_code == 200
    assert httpx.get(f"{service_url}/nothing").json()["type"] == "about:blank"


def test_a_hint_needs_no_store_and_no_key(service_url: str, upstash: LocalUpstash) -> None:
    upstash.reset()
    answer = httpx.get(f"{service_url}/v1/v1/conversations", headers={"authorization": "Bearer wt_x_wrong"})

    assert (answer.status_code, upstash.requests) == (404, 0)
