"""A budget around a model call: reserved with the context that is read, settled with the answer that is appended."""

import time
from typing import Any

import httpx
import openai
import pytest

from scripts.local.upstash import LocalUpstash
from tests.budget_calls import reserve, tokens

QUESTION = {"role": "user", "content": "Which gate does the flight leave from?"}
ANSWER = {"items": [{"role": "assistant", "content": "Gate 12."}]}
FOR_CALL = {"model": "gpt-4o", "budget": 1_000, "reserve_output": 200, "format": "chat", "reserve": True}


@pytest.fixture
def path(api: httpx.Client) -> str:
    return f"/v1/conversations/{api.post('/v1/conversations', json={'items': [QUESTION]}).json()['id']}"


def test_a_context_reserves_its_tokens_and_the_answers_and_no_more(
    api: httpx.Client, upstash: LocalUpstash, path: str, budget: Any
) -> None:
    budget(tokens_day="1500")
    upstash.reset()
    context = api.post(f"{path}/context", json=FOR_CALL).json()
    reservation = context["reservation"]

    assert reservation["tokens"] == context["tokens"] + 200
    give_up_at_s = time.monotonic() + 5
    while tokens(api) == (0, 1_200, 0) and time.monotonic() < give_up_at_s:
        time.sleep(0.01)  # The surplus is given back after the response.
    assert tokens(api) == (0, context["tokens"] + 200, 0)
    assert context["messages"] == api.get(f"{path}/context?budget=1000&format=chat").json()["messages"]


def test_a_context_over_the_budget_is_refused(api: httpx.Client, path: str, budget: Any) -> None:
    budget(tokens_day="1199")
    refused = api.post(f"{path}/context", json=FOR_CALL)

    assert (refused.status_code, refused.json()["violated-policies"]) == (429, ["tokens-day"])
    assert tokens(api) == (0, 0, 0)


def test_every_context_with_a_reservation_has_its_own(api: httpx.Client, path: str) -> None:
    headers = {"cache-control": "max-age=60"}
    made = [api.post(f"{path}/context", json=FOR_CALL, headers=headers).json()["reservation"]["id"] for _ in range(2)]

    assert len(set(made)) == 2


def test_a_posted_context_without_reserve_is_that_of_a_get(api: httpx.Client, path: str) -> None:
    body = {name: value for name, value in FOR_CALL.items() if name != "reserve"}
    got = api.get(f"{path}/context", params={name: str(value) for name, value in body.items()})

    assert api.post(f"{path}/context", json=body).content == got.content


@pytest.mark.parametrize(
    "usage",
    [
        {"input_tokens": 20, "output_tokens": 5, "total_tokens": 25, "output_tokens_details": {"reasoning_tokens": 0}},
        {"prompt_tokens": 20, "completion_tokens": 5, "total_tokens": 25},
    ],
)
def test_usage_on_an_appended_answer_settles_its_reservation_once(
    api: httpx.Client, path: str, usage: dict[str, Any], budget: Any
) -> None:
    budget(price=["gpt-4o=2.5,10"])
    reservation = api.post(f"{path}/context", json=FOR_CALL).json()["reservation"]["id"]
    body = {**ANSWER, "reservation": reservation, "usage": usage}
    same = {"idempotency-key": "8e03978e-40d5-43dd-bc93-6894a57f9324"}
    answers = [api.post(f"{path}/items", json=body, headers=same) for _ in range(2)]
    shown = api.get("/v1/usage").json()

    assert [answer.status_code for answer in answers] == [200, 200]
    assert tokens(api) == (25, 0, 0)
    assert shown["models"] == {"gpt-4o": {"input_tokens": 20, "output_tokens": 5, "usd": 0.0001, "settlements": 1}}


def test_an_openai_client_settles_with_an_extra_body(service_url: str, api: httpx.Client, key: str, path: str) -> None:
    reservation = reserve(api, 100).json()["id"]
    usage = {"input_tokens": 30, "output_tokens": 12}
    extra = {"reservation": reservation, "usage": usage}
    with openai.OpenAI(base_url=f"{service_url}/v1", api_key=key) as client:
        client.conversations.items.create(path.rpartition("/")[2], items=ANSWER["items"], extra_body=extra)  # type: ignore[arg-type]  # plain dicts do.

    assert tokens(api) == (42, 0, 0)


def test_an_append_that_is_refused_settles_nothing(api: httpx.Client, path: str) -> None:
    reservation = reserve(api, 100).json()["id"]
    body = {**ANSWER, "reservation": reservation, "usage": {"input_tokens": 1, "output_tokens": 1}}
    refused = api.post("/v1/conversations/conv_nothing/items", json=body)

    assert refused.status_code == 404
    assert tokens(api) == (0, 100, 0)


def test_an_unknown_reservation_keeps_the_append_from_happening(api: httpx.Client, path: str) -> None:
    body = {**ANSWER, "reservation": "rsv_7ccc0_r" + "0" * 32, "usage": {"input_tokens": 1, "output_tokens": 1}}
    refused = api.post(f"{path}/items", json=body)

    assert (refused.status_code, refused.json()["param"]) == (404, "reservation")
    assert len(api.get(f"{path}/items").json()["data"]) == 1


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"usage": {"input_tokens": 1, "output_tokens": 1}}, "reservation"),
        ({"reservation": "rsv_7ccc0_r" + "0" * 32}, "usage"),
        ({"reservation": "rsv_7ccc0_r" + "0" * 32, "usage": {"input_tokens": 1}}, "usage.output_tokens"),
        (
            {"reservation": "rsv_7ccc0_r" + "0" * 32, "usage": {"input_tokens": -1, "output_tokens": 1}},
            "usage.input_tokens",
        ),
        ({"reservation": 5, "usage": {}}, "reservation"),
    ],
)
def test_a_wrong_settlement_names_its_field(api: httpx.Client, path: str, members: Any, param: str) -> None:
    refused = api.post(f"{path}/items", json={**ANSWER, **members})

    assert (refused.status_code, refused.json()["param"]) == (400, param)


def test_a_context_that_does_not_fit_leaves_nothing_reserved(api: httpx.Client, path: str) -> None:
    refused = api.post(f"{path}/context", json={**FOR_CALL, "budget": 5})

    assert refused.status_code == 422
    assert tokens(api) == (0, 0, 0)
