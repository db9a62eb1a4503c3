"""Documents for all tenants: their marks are no tenant's, and come by a command of their own beside the read."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from scripts.local.upstash import LocalUpstash
from tests.api_calls import PREPARED
from tests.bearers import CHANGES_SECRET
from tests.instances import client_of

READ_AGAIN = PREPARED["context_again"][0]


def mention(*paths: str) -> dict[str, object]:
    parts = [{"type": "input_file", "file_url": f"document:{path}"} for path in paths]
    return {"items": [{"role": "user", "content": parts}]}


@pytest.fixture
def put(documents_folder: Path, tenant: str) -> Callable[[str, str], str]:
    """Write a document of the tenant, or a shared one, and return its path."""

    def put(name: str, text: str) -> str:
        scope, _, within = name.rpartition("/")
        path = documents_folder / (scope or tenant) / within
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return name

    return put


@pytest.fixture
def shared(put: Callable[[str, str], str]) -> str:
    return put(f"shared/{uuid4().hex}.md", "for all")


def context(client: httpx.Client, conversation: str) -> httpx.Response:
    answer = client.get(f"/v1/conversations/{conversation}/context", params={"budget": 2_000, "format": "text"})
    assert answer.status_code == 200, answer.text
    return answer


def cost(upstash: LocalUpstash, billed_commands: Callable[[], int], call: Callable[[], object]) -> tuple[int, int]:
    """Return the requests and commands of a call, at their least: some also do what an earlier one left to do."""
    costs = []
    for _ in range(5):
        before = billed_commands()
        upstash.reset()
        call()
        costs.append((upstash.requests, billed_commands() - before))
    return min(costs)


def test_what_is_known_to_be_mentioned_is_asked_for_in_the_same_request(
    api: httpx.Client,
    make_service: Callable[[], str],
    key: str,
    upstash: LocalUpstash,
    billed_commands: Callable[[], int],
    put: Callable[[str, str], str],
    shared: str,
) -> None:
    own = put("own.md", "mine")
    nothing, only_own, both = (
        api.post("/v1/conversations", json=body).json()["id"]
        for body in ({"items": [{"role": "user", "content": "hi"}]}, mention(own), mention(own, shared))
    )
    for each in (nothing, only_own, both):
        context(api, each)
    costs = [cost(upstash, billed_commands, partial(context, api, each)) for each in (nothing, only_own, both)]
    with client_of(make_service(), key) as cold:
        upstash.reset()
        assert cold.get(f"/v1/conversations/{both}/items").status_code == 200
        first = upstash.requests
        upstash.reset()
        assert cold.get(f"/v1/conversations/{both}/items").status_code == 200
        second = upstash.requests

    assert costs == [(1, READ_AGAIN), (1, READ_AGAIN + 1), (1, READ_AGAIN + 2)]
    assert (first, second) == (2, 1), "once more, to learn of the shared one"


def test_all_instances_see_a_shared_document_change_with_their_next_request(
    api: httpx.Client, make_service: Callable[[], str], key: str, put: Callable[[str, str], str], shared: str
) -> None:
    conversation = api.post("/v1/conversations", json=mention(shared)).json()["id"]
    with client_of(make_service(), key) as other:
        for client in (api, other):
            assert "for all" in context(client, conversation).json()["text"]
        put(shared, "for everybody")
        notice = {"changes": [{"path": shared}]}
        secret = {"authorization": f"Bearer {CHANGES_SECRET}"}
        assert api.post("/v1/changes", json=notice, headers=secret).json()["kept"] == 1

        for client in (other, api):
            assert "for everybody" in context(client, conversation).json()["text"]


def test_a_shared_document_that_another_instance_was_told_of_is_shown(
    api: httpx.Client, make_service: Callable[[], str], key: str, put: Callable[[str, str], str], shared: str
) -> None:
    later = put(f"shared/{uuid4().hex}.md", "told elsewhere")
    conversation = api.post("/v1/conversations", json=mention(shared)).json()["id"]
    context(api, conversation)
    with client_of(make_service(), key) as other:
        assert other.post(f"/v1/conversations/{conversation}/items", json=mention(later)).status_code == 200
        context(other, conversation)
    answer = context(api, conversation).json()

    assert [each["status"] for each in answer["documents"]] == ["whole", "whole"]
    assert "for all" in answer["text"]
    assert "told elsewhere" in answer["text"]


def test_a_page_brings_the_marks_that_a_context_under_max_age_goes_by(
    api: httpx.Client, make_service: Callable[[], str], key: str, put: Callable[[str, str], str], shared: str
) -> None:
    conversation = api.post("/v1/conversations", json=mention(shared)).json()["id"]
    context(api, conversation)
    with client_of(make_service(), key) as other:
        put(shared, "changed")
        notice = {"changes": [{"path": shared}]}
        secret = {"authorization": f"Bearer {CHANGES_SECRET}"}
        assert other.post("/v1/changes", json=notice, headers=secret).json()["kept"] == 1
    assert api.get(f"/v1/conversations/{conversation}/items").status_code == 200
    under_age = {"cache-control": "max-age=60"}
    path = f"/v1/conversations/{conversation}/context?budget=2000&format=text"
    answer = api.get(path, headers=under_age)

    assert "hit" in answer.headers["cache-status"]
    assert "changed" in json.loads(answer.text)["text"]
