"""scripts/look: what a person sees of conversations in a real store, which stays as it is."""

import io
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from rich.console import Console

from scripts.looking.__main__ import main
from scripts.looking.showing import SIGNS, bar
from shared.context.explained import STATES
from shared.request.caller import read_key
from shared.store import keys
from tests.role_requests import key_with

pytestmark = pytest.mark.unmeasured

DIALOGUE: list[dict[str, Any]] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "What is the weather in Rome? " * 20},
    {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "c1", "output": "Sunny"},
    {"role": "assistant", "content": "Sunny \x1b[31mand\x1b[0m warm."},
    {"role": "user", "content": "And in [bold]Paris[/bold]?"},
]


@pytest.fixture
def conversation(api: httpx.Client) -> str:
    answer = api.post(
        "/v1/conversations", json={"items": DIALOGUE, "metadata": {"a": "b"}, "expires_after_s": 3_600, "user": "anna"}
    )
    return str(answer.json()["id"])


@pytest.fixture
def look(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run it, which has to end with *status*; return what it printed."""

    def run(*arguments: str, status: int = 0) -> str:
        capsys.readouterr()
        assert main([*arguments]) == status
        printed = capsys.readouterr()
        return printed.err if status else printed.out

    return run


def test_what_a_budget_keeps_is_shown_with_its_reasons(
    look: Callable[..., str], tenant: str, conversation: str
) -> None:
    shown = look(conversation, "--budget", "40", "--model", "gpt-4o")

    assert f"{conversation} of {tenant}" in shown
    assert "6 items" in shown
    for said in ("# pinned", "= kept", ". omitted", "head", "newest-user-message", "system: Be brief.", "weather {}"):
        assert said in shown
    assert "\x1b" not in shown
    assert "[bold]Paris[/bold]" in shown


def test_without_a_budget_there_is_room_for_all(look: Callable[..., str], conversation: str) -> None:
    shown = look(conversation, "--tail", "2")

    assert "the last 2 items" in shown
    assert "0 omitted" in shown


def test_json_holds_the_context_that_the_service_answers(
    look: Callable[..., str], api: httpx.Client, tenant: str, conversation: str
) -> None:
    looked = json.loads(look(conversation, "--tenant", tenant, "--budget", "40", "--format", "anthropic", "--json"))
    query: dict[str, str | int] = {"budget": 40, "format": "anthropic", "explain": "true"}

    assert looked["context"] == api.get(f"/v1/conversations/{conversation}/context", params=query).json()
    assert looked["conversation"]["metadata"] == {"a": "b"}
    assert (looked["conversation"]["user"], looked["conversation"]["agent"]) == ("anna", None)
    assert looked["tail"][-1]["content"][0]["text"] == "And in [bold]Paris[/bold]?"


def test_a_tenants_conversations_are_listed_newest_first(
    look: Callable[..., str], api: httpx.Client, tenant: str, conversation: str
) -> None:
    later = api.post("/v1/conversations", json={"items": DIALOGUE[:2]}).json()["id"]
    rows = json.loads(look("--tenant", tenant, "--json"))["conversations"]
    shown = look("--tenant", tenant, "--limit", "1")

    assert [row["id"] for row in rows] == [later, conversation]
    assert (rows[1]["items"], rows[1]["expires_at"]) == (6, rows[1]["used_at"] + 3_600)
    assert rows[0]["tokens"] == sum(
        row["tokens"]
        for row in json.loads(look(later, "--json"))["context"]["explanation"]["units"]
        if row["state"] != "prompt"
    )
    assert rows[0]["bytes"] > 0
    assert later in shown
    assert conversation not in shown


def test_looking_changes_nothing(
    look: Callable[..., str], run: Callable[..., Any], tenant: str, conversation: str
) -> None:
    names = [keys.tenant_key(tenant), keys.conversation_key(tenant, conversation), keys.rows_key(tenant, 0)]
    before = [sorted(run("HGETALL", name)) for name in names], run("PEXPIRETIME", names[1])
    look(conversation, "--budget", "100", "--model", "gpt-4")
    look("--tenant", tenant)

    assert ([sorted(run("HGETALL", name)) for name in names], run("PEXPIRETIME", names[1])) == before


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["conv_unknown"], 1, "there is no conversation conv_unknown"),
        (["--tenant", "nobody-at-all"], 1, "there is no tenant nobody-at-all"),
        (["conv_unknown", "--tenant", "nobody-at-all"], 1, "there is no tenant nobody-at-all"),
        (["conv_x", "--model", "no-such-model"], 2, "'no-such-model' is not known here"),
        (["conv_x", "--budget", "0"], 2, "--budget"),
    ],
)
def test_what_is_wrong_is_said(
    look: Callable[..., str], upstash: object, arguments: list[str], status: int, said: str
) -> None:
    assert said in look(*arguments, status=status)


def test_a_budget_that_is_too_small_says_what_would_do(look: Callable[..., str], conversation: str) -> None:
    assert "could not look" in look(conversation, "--budget", "5", status=1)


def test_nothing_to_look_at_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([])

    assert ended.value.code == 2
    assert "name a conversation, or --tenant" in capsys.readouterr().err


def test_the_bar_has_a_letter_and_a_colour_for_each_state() -> None:
    rows = [{"tokens": 10, "state": state} for state in STATES]
    file = io.StringIO()
    Console(file=file, force_terminal=True, color_system="standard", width=200).print(bar(rows, width=80))

    assert SIGNS.keys() >= {*STATES}
    assert bar(rows, width=80).plain == "".join(SIGNS[state].letter * 10 for state in STATES)
    assert "\x1b[32m" in file.getvalue()
    assert bar([], width=80).plain == ""


def test_a_key_of_any_role_that_is_known_will_do(
    look: Callable[..., str], tenant: str, conversation: str, key: str, run: Callable[..., Any]
) -> None:
    key_with(run, tenant, "superuser")
    run("HDEL", keys.tenant_key(tenant), f"k:{read_key(key).key_hash}")
    refused = look(conversation, "--budget", "40", status=1)
    key_with(run, tenant, "read")

    assert f"the tenant {tenant} has no valid key" in refused
    assert f"{conversation} of {tenant}" in look(conversation, "--budget", "40")
