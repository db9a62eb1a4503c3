"""API keys: their form, and what a wrong one may cost."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import Unauthorized
from shared.request.caller import make_key, read_authorization, read_key


def test_a_new_key_names_its_tenant_and_hashes_as_a_whole() -> None:
    key = make_key("acme-2")
    caller = read_authorization(f"Bearer {key}")

    assert caller.tenant == "acme-2"
    assert caller.key_hash == sha256(key.encode()).hexdigest()
    assert make_key("acme-2") != key


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Basic abc",
        "Bearer",
        "Bearer ",
        "Bearer sk-123",
        "Bearer wt_acme",
        "Bearer wt__secret",
        "Bearer wt_A_12345",
    ],
)
def test_what_is_not_a_key_is_refused(header: str | None) -> None:
    with pytest.raises(Unauthorized):
        read_authorization(header)


@given(st.text())
def test_no_text_makes_reading_a_key_fail_otherwise(text: str) -> None:
    try:
        caller = read_key(text)
    except Unauthorized:
        return

    assert text.startswith(f"wt_{caller.tenant}_")
    assert ":" not in caller.tenant
