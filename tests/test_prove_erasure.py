"""`scripts/prove erasure` in short: nothing of a user is left; and what is left is found, wherever it is."""

import re

import pytest

from scripts.proving.erasure.dump import found_in
from scripts.proving.erasure.experiment import PLANTS, Report, experiment
from scripts.proving.erasure.making import places_of, replaced

pytestmark = pytest.mark.unmeasured

CONVERSATIONS = 120
FOUND = {
    "l1": r"instance 1 shows conv_.+ after",
    "member": r"left: .+:of:user:",
    "row": r"left: .+:rows[^>]* > conv_",
    "attempt": r"the store's file holds zq",
    "log": r"a log holds zq",
}
"""What names each plant, and no other: all of them are left after one run."""


@pytest.fixture(scope="module")
def of_what_is_left() -> Report:
    return experiment(20, PLANTS, seed=2)


def test_nothing_of_a_user_is_left() -> None:
    report = experiment(CONVERSATIONS, [], seed=1)

    assert report.violations == []
    _did_something(report)


@pytest.mark.parametrize("plant", PLANTS)
def test_what_is_left_is_found(plant: str, of_what_is_left: Report) -> None:
    assert any(re.match(FOUND[plant], line) for line in of_what_is_left.violations), of_what_is_left.violations


def _did_something(report: Report) -> None:
    """It erased what was read and written meanwhile, and most of the canaries were somewhere."""
    rows = dict(report.rows)
    canaries, refused = rows["canaries, each in a field of its own"], rows["of these refused by the service"]
    assert isinstance(canaries, int)
    assert isinstance(refused, int)
    assert canaries - refused > 150
    for name in ("read 200", "read 404", "append to what stays 200"):
        assert rows[name], rows
    # Refused while it went, or when it was gone: how long it takes to go is the machine's to say.
    assert any(f"append to what is erased {status}" in rows for status in (404, 409)), rows


def test_a_canary_takes_the_place_of_every_text() -> None:
    sample = {"type": "function_call", "arguments": '{"a": 1}', "more": [{"text": "b"}, 7]}
    places = list(places_of(sample))

    assert places == [("type",), ("arguments",), ("more", 0, "text")]
    assert replaced(sample, ("more", 0, "text"), "zq")["more"] == [{"text": "zq"}, 7]
    assert replaced(sample, ("arguments",), "zq")["arguments"] == '{"said":"zq"}'
    assert sample["more"] == [{"text": "b"}, 7]


def test_a_canary_is_found_among_bytes() -> None:
    assert found_in(b"\x00\xff zq-1 \x00", ["zq", "none"]) == ["zq at byte 3: …b'\\x00\\xff zq-1 \\x00'…"]
