"""The OpenAPI document is that of the routes, and the service does what it says and nothing else."""

import json
import re
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis.errors import FlakyStrategyDefinition
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ensure_resource_availability,
    ignored_auth,
    missing_required_header,
    negative_data_rejection,
    positive_data_acceptance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
    use_after_free,
)

from scripts.local.functions import load_app
from scripts.local.routing import find_functions
from scripts.openapi.document import document
from tests.bearers import CHANGES_SECRET, CRON_SECRET, METRICS_SECRET
from tests.examples import examples

ROOT = Path(__file__).parents[1]

NO_SCHEMA_SAYS = {
    "duplicate_item": "ids have to differ within a batch and a conversation",
    "version_moved": "If-Match",
    "already_settled": "with other numbers",
    "reservation_ended": "made before with this Idempotency-Key, and over",
    "idempotency_key_reused": "with another body",
    "context_does_not_fit": "depends on what is stored",
    "insufficient_quota": "depends on what is used",
}
"""Codes of refusals of what is well-formed: they depend on other requests."""

RELATED = re.compile(
    r"(context\.)?(model|encoding|budget|overhead_tokens|reserve_output|cache_control)|agent|through|changes\[\d+\]\.path|If-Match"
)
"""
Fields whose values depend on each other in ways that JSON Schema cannot say, or on a table or names that grow; and
If-Match, for which schemathesis makes values that its pattern does not allow.
"""


def accepts_what_is_right(context: Any, answer: Any, case: Any) -> None:
    if 400 <= answer.status_code < 500:
        error = answer.json()["error"]
        if error["code"] in NO_SCHEMA_SAYS or RELATED.fullmatch(error["param"] or ""):
            return
        if error["message"].endswith("must be an integer, not a number."):
            return  # 1.0 in an item, an integer to JSON Schema; items are checked as OpenAI's own types are.
        if " must make at most " in error["message"]:
            return  # How many items messages make together: a schema counts the messages, or the parts of one.
    positive_data_acceptance(context, answer, case)


def refuses_what_is_wrong(context: Any, answer: Any, case: Any) -> None:
    sent = httpx.URL(answer.request.url)
    if case.operation.label == "GET /v1/conversations" and sent.query in (b"", b"after="):
        return  # A metadata filter that is no object has no form in a query: nothing of it was sent.
    if case.operation.label == "PUT /v1/documents/{path}":
        return  # Whatever is no string has become one by the time it is sent as a text.
    negative_data_rejection(context, answer, case)


CHECKS: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    refuses_what_is_wrong,
    accepts_what_is_right,
    missing_required_header,
    unsupported_method,
    ignored_auth,
    use_after_free,
    ensure_resource_availability,
]
SETTINGS = settings(deadline=None, database=None, print_blob=True, suppress_health_check=list(HealthCheck))
walked = schemathesis.openapi.from_dict(document())
walked.config.generation.update(modes=[GenerationMode.POSITIVE])

LINES = ["import_conversation"]
"""Whose body is lines of JSON with their hash, which nobody draws."""

LARGE = ["append", "create", "count"]
"""Operations whose bodies have so many forms that schemathesis thinks of thousands of examples by itself."""

WALKS_MAX, STEPS_MIN = 30, 200
WANTED = {"create 2", "append 2", "items 2", "reserve 2", "settle 2"}
"""When a walk along the links has seen enough: operations that succeeded."""

Headers = Callable[[Any], dict[str, str]]
schema = schemathesis.openapi.from_dict(document())
# Too much is refused as too large.
schema.config.checks.negative_data_rejection.expected_statuses.append("413")


@schema.hook
def filter_case(_: Any, case: Any) -> bool:
    """What no description can say of parameters: that one of two may be there."""
    is_usage = case.operation.definition.raw["operationId"] == "usage"
    return not (is_usage and {"user", "agent"} <= {*(case.query or {})})


def test_the_published_document_is_the_one_that_is_tested() -> None:
    assert json.loads((ROOT / "public" / "openapi.json").read_text()) == document()


def test_the_document_is_one_of_openapi() -> None:
    walked.validate()  # Raises what is wrong with it.


def test_the_document_has_every_route_and_no_other() -> None:
    documented = {f"{method.upper()} {path}" for path, each in document()["paths"].items() for method in each}
    served = set()
    for path, name in find_functions(ROOT).values():
        app: Any = load_app(ROOT, path, name)
        for route in app.routes:
            served |= {f"{method} {route.path.replace(':path', '')}" for method in route.methods - {"HEAD"}}

    assert documented == served


def test_the_document_is_served(api: httpx.Client) -> None:
    answer = api.get("/v1/openapi.json")

    assert (answer.status_code, answer.json()["openapi"]) == (200, "3.1.0")


@pytest.fixture
def headers(key: str) -> Headers:
    """Return the headers of a case: the key that its operation wants."""
    keys = {"key": key, "cron": CRON_SECRET, "changes": CHANGES_SECRET, "metrics": METRICS_SECRET}

    def with_key(case: Any) -> dict[str, str]:
        [wanted] = case.operation.definition.raw["security"] or [{}]
        return {"Authorization": f"Bearer {keys[next(iter(wanted))]}"} if wanted else {}

    return with_key


@schema.exclude(operation_id=[*LARGE, *LINES]).parametrize()
@settings(SETTINGS, max_examples=20, phases=[Phase.explicit, Phase.generate])
def test_the_service_does_what_the_document_says(
    case: Any, service_url: str, conversation: str, headers: Headers
) -> None:
    check(case, service_url, conversation, headers)


@schema.include(operation_id=LARGE).parametrize()
@settings(SETTINGS, max_examples=examples(40), phases=[Phase.generate])
def test_the_service_takes_items_and_messages_as_the_document_says(
    case: Any, service_url: str, conversation: str, headers: Headers
) -> None:
    check(case, service_url, conversation, headers)


def check(case: Any, service_url: str, conversation: str, headers: Headers) -> None:
    is_right = case.meta is not None and case.meta.generation.mode is GenerationMode.POSITIVE
    if is_right and "conversation_id" in (case.path_parameters or {}):
        case.path_parameters["conversation_id"] = conversation
    case.call_and_validate(base_url=service_url, headers=headers(case), checks=CHECKS)


def test_what_follows_from_an_answer_by_its_links_is_as_documented(service_url: str, headers: Headers) -> None:
    failures: list[str] = []
    followed: Counter[str] = Counter()

    class Caller(walked.exclude(operation_id=LINES).as_state_machine()):  # type: ignore[misc]  # a class that is made when asked for.
        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            return {"base_url": service_url, "headers": headers(case)}

        def validate_response(self, response: Any, case: Any, **rest: Any) -> None:
            followed[f"{case.operation.definition.raw['operationId']} {response.status_code // 100}"] += 1
            try:
                case.validate_response(
                    response, CHECKS, headers=headers(case), transport_kwargs=rest, recorder=self.recorder
                )
            except FailureGroup as failure:
                # Not raised: ids differ each time, so Hypothesis could not play it again.
                failures.append(str(failure))

    for _ in range(WALKS_MAX):
        # Where it goes next depends on what the service answers, and Hypothesis stops when that changes.
        with suppress(FlakyStrategyDefinition):
            Caller.run(settings=settings(SETTINGS, max_examples=10, stateful_step_count=10, phases=[Phase.generate]))
        if followed.total() >= STEPS_MIN and followed.keys() >= WANTED:
            break

    assert failures == []
    assert followed.total() >= STEPS_MIN
    assert followed.keys() >= {"create 2", "reserve 2"}  # The rest is a matter of luck.
