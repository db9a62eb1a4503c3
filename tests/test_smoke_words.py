"""What scripts/check-deployment takes, and how it says what an answer is that was not wanted."""

import asyncio
from collections.abc import Mapping

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.smoke.__main__ import main
from scripts.smoke.access import VARIABLES, Access, WrongUse, read_access, read_url
from scripts.smoke.caller import SHOWN_CHARS, Answer, explain, shown
from scripts.smoke.deployment import check_deployment
from shared.setting import Secret

SECRET = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=5, max_size=8)


@pytest.mark.parametrize(
    ("given_url", "origin"),
    [
        ("https://memory.example.com/", "https://memory.example.com"),
        ("memory-git-next-acme.vercel.app", "https://memory-git-next-acme.vercel.app"),
        ("http://127.0.0.1:3000", "http://127.0.0.1:3000"),
        ("http://[::1]:3000/", "http://[::1]:3000"),
    ],
)
def test_an_address_is_its_origin(given_url: str, origin: str) -> None:
    assert read_url(given_url) == origin


@pytest.mark.parametrize(
    "url",
    [
        *("http://memory.example.com", "http://127.0.0.1.example.com", "ftp://memory.example.com", "https://", ""),
        *("https://user:pass@memory.example.com", "https://memory.example.com/v1", "https://memory.example.com?a=b"),
        *("https://memory.example.com:port", "https://[::1"),
    ],
)
def test_what_no_secret_may_be_sent_to_is_refused(url: str) -> None:
    with pytest.raises(WrongUse):
        read_url(url)
    with pytest.raises(WrongUse):
        asyncio.run(check_deployment(url, Access()))


def test_the_bypass_is_read_where_it_is_asked_for_alone() -> None:
    environ = {VARIABLES["key"]: "wt_acme_secret", VARIABLES["bypass"]: "of-the-platform"}

    assert read_access(environ, with_bypass=False) == Access(key=Secret("wt_acme_secret"))
    assert read_access(environ, with_bypass=True).bypass == "of-the-platform"
    with pytest.raises(WrongUse, match="VERCEL_AUTOMATION_BYPASS_SECRET"):
        read_access({}, with_bypass=True)


@pytest.mark.parametrize("variable", VARIABLES.values())
def test_a_secret_that_no_header_carries_is_named_and_not_shown(variable: str) -> None:
    with pytest.raises(WrongUse, match=variable) as refused:
        read_access({variable: "copied-with-its-end\n"}, with_bypass=True)

    assert "copied" not in str(refused.value)


@given(key=SECRET, metrics=SECRET, texts=st.lists(st.text(max_size=5), max_size=3))
def test_no_secret_is_left_in_what_is_shown(key: str, metrics: str, texts: list[str]) -> None:
    access = Access(key=Secret(key), metrics=Secret(metrics))
    text = f"{key}{metrics}".join([*texts, key, metrics])

    assert key not in access.hide(text)
    assert metrics not in access.hide(text)


@given(st.text() | st.binary())
def test_what_is_shown_is_short_and_has_nothing_that_a_terminal_obeys(value: str | bytes) -> None:
    text = shown(value)

    assert len(text) <= SHOWN_CHARS + 1
    assert all(each.isprintable() or each.isspace() for each in text) or not text.isascii()
    assert not set(text) & {chr(code) for code in (*range(32), *range(127, 160))}


def problem(status: int, slug: str, detail: str) -> Answer:
    body = orjson.dumps({"type": f"urn:warmthread:problem:{slug}", "detail": detail})
    return Answer(status, {"content-type": "application/problem+json", "warmthread-deployment": "dpl_1"}, body)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer(404, {"x-vercel-error": "DEPLOYMENT_NOT_FOUND"}, b""), "no deployment at this address"),
        (Answer(404, {"x-vercel-error": "NOT_FOUND"}, b""), "vercel.json"),
        (Answer(500, {"x-vercel-error": "FUNCTION_INVOCATION_FAILED"}, b""), "its log on Vercel says why"),
        (Answer(429, {"x-vercel-mitigated": "challenge"}, b"<html>"), "firewall says challenge"),
        (Answer(418, {"x-vercel-error": "NEW_ONE"}, b""), "418 NEW_ONE: the platform refused"),
        (Answer(307, {"location": "https://vercel.com/sso-api?url=x&nonce=1"}, b""), "https://vercel.com/sso-api:"),
        (Answer(401, {"content-type": "text/html"}, b"<html>"), "give --bypass"),
        (Answer(502, {"content-type": "text/html"}, b"<html>"), "502 text/html, which is no answer of Warmthread"),
        (problem(503, "misconfigured", "CRON_SECRET must …"), "503 misconfigured: CRON_SECRET must …"),
        (problem(401, "unauthorized", "No such key."), "made in the store of this deployment?"),
    ],
)
def test_an_answer_that_was_not_wanted_is_explained(answer: Answer, said: str) -> None:
    assert said in explain(answer, "wt_acme_secret")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["http://memory.example.com"], "https only"),
        (["https://memory.example.com", "--timeout", "0"], "at most 300 seconds"),
        (["https://memory.example.com", "--bypass"], "VERCEL_AUTOMATION_BYPASS_SECRET"),
        (["https://memory.example.com", "--without", "everything"], "invalid choice"),
    ],
)
def test_a_wrong_call_is_refused_with_the_usage(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in VARIABLES.values():
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(SystemExit) as ended:
        main(arguments)

    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_headers_are_read_whatever_their_case() -> None:
    headers: Mapping[str, str] = {"content-type": "Application/Problem+JSON; charset=utf-8"}

    assert Answer(400, headers, b'{"detail":"x"}').problem == {"detail": "x"}
    assert Answer(400, headers, b"[]").problem == {}
    assert Answer(400, headers, b"no").code == ""
