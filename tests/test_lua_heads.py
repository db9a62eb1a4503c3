"""A Lua file says itself what it is and needs; its name and its folder decide nothing."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.store.script import ScriptError, Scripts, scripts

Write = Callable[..., Scripts]

KEYED = "-- Lists documents.\n-- KEYS: tenant\nreturn {'ok'}\n"


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return the scripts of a folder that holds these files, name -> text, and those that check keys."""

    def write(**files: str) -> Scripts:
        files = {"authorise": "-- @part\n-- key", "admit": "-- @part\nlocal rate = {}", **files}
        for name, text in files.items():
            path = tmp_path / f"any_{len(name) % 2}" / f"{name}.lua"
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        return Scripts(tmp_path)

    return write


def code(found: Scripts, name: str) -> list[str]:
    return found.source(name).splitlines()[1:]


def test_a_script_is_keyed_and_writes_unless_it_says_otherwise(write: Write) -> None:
    found = write(
        document_list=KEYED, sweep="-- @keyless\nreturn 1", reader="-- @reads\nreturn 1", both="-- @reads\n-- @keyless"
    )
    names = ["document_list", "sweep", "reader", "both"]

    assert [found.asks_for_key(name) for name in names] == [True, False, True, False]
    assert [found.is_read(name) for name in names] == [False, False, True, True]


def test_the_flags_say_what_the_head_says(write: Write) -> None:
    found = write(document_list=KEYED, reader="-- @reads\nreturn 1")

    assert found.source("document_list").startswith("#!lua flags=allow-key-locking\n")
    assert found.source("reader").startswith("#!lua flags=no-writes,allow-key-locking\n")
    assert found.source("reader", takes_permits=True).startswith("#!lua flags=allow-key-locking\n"), "permits are taken"


def test_parts_come_once_each_before_what_needs_it(write: Write) -> None:
    found = write(
        top="-- @keyless\n-- @include b, c\nreturn top",
        a="-- @part\nlocal a",
        b="-- @part\n-- @include a\nlocal b",
        c="-- @part\n-- @include a, b\nlocal c",
    )

    assert code(found, "top") == ["local a", "local b", "local c", "return top"]


def test_the_check_of_the_key_comes_first(write: Write) -> None:
    found = write(authorise="-- @part\ncheck()", mine="-- @include more\nreturn 1", more="-- @part\nlocal more")

    assert code(found, "mine") == ["check()", "local more", "return 1"]
    assert found.source("mine", takes_permits=True).splitlines()[1:] == [
        "local rate = {}",
        "local function operate()",
        "local more",
        "return 1",
        "end",
        "return {operate(), rate, owner.erasures}",
    ]


def test_comments_indentation_and_empty_lines_are_not_sent(write: Write) -> None:
    found = write(mine="-- Mine.\n-- @keyless\n\ndo\n  local a = 1 -- one\n  -- two\nend\nreturn a\n")

    assert code(found, "mine") == ["do", "local a = 1 -- one", "end", "return a"]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"mine": "-- @reeds\nreturn 1"}, "mine.lua:1: @reeds is unknown; known are include, keyless, part, reads."),
        ({"mine": "-- Mine.\n-- @reads a\nreturn 1"}, "mine.lua:2: @reads stands in the first comment, once"),
        ({"mine": "-- @include\nreturn 1"}, "mine.lua:1: @include stands in the first comment, once"),
        ({"mine": "-- @reads\n-- @reads\nreturn 1"}, "mine.lua:2: @reads stands in the first comment, once"),
        ({"mine": "local a\n  -- @reads\nreturn 1"}, "mine.lua:2: @reads stands in the first comment, once"),
        ({"mine": "-- @include theirs\nreturn 1"}, "mine.lua includes theirs, and there is no theirs.lua."),
        ({"mine": "-- @include other\nreturn 1", "other": "return 1"}, "mine.lua includes other, which is no part."),
        ({"mine": "-- @part\nreturn 1"}, "mine.lua is a part, and no script."),
        ({"mine": "-- @part\n-- @keyless\nreturn 1"}, "mine.lua is a part: @keyless and @reads are for scripts."),
        ({}, "There is no mine.lua."),
        (
            {
                "mine": "-- @include a\nreturn 1",
                "a": "-- @part\n-- @include b\n",
                "b": "-- @part\n-- @include c\n",
                "c": "-- @part\n-- @include a\n",
            },
            "mine includes a includes b includes c includes a: a circle.",
        ),
    ],
)
def test_a_wrong_head_is_an_error_that_names_it(write: Write, files: dict[str, str], said: str) -> None:
    with pytest.raises(ScriptError, match=re.escape(said)):
        write(**files).source("mine")


def test_a_name_is_used_once(write: Write, tmp_path: Path) -> None:
    found = write(mine=KEYED)
    (tmp_path / "another").mkdir()
    (tmp_path / "another/mine.lua").write_text(KEYED)

    with pytest.raises(ScriptError, match=r"mine\.lua and .*mine\.lua have one name"):
        found.source("mine")


def test_only_the_files_of_scripts_that_are_used_are_read(write: Write, tmp_path: Path) -> None:
    found = write(mine=KEYED, wrong="-- @nonsense\n")
    before = found.source("mine")
    for path in tmp_path.glob("*/mine.lua"):
        path.unlink()

    assert found.source("mine") == before, "once"


def test_every_script_can_be_assembled() -> None:
    for name in scripts.names():
        assert scripts.source(name)
        if scripts.asks_for_key(name):
            assert scripts.source(name, takes_permits=True)


def test_scripts_without_a_key_are_known() -> None:
    """Whoever adds one says here that nobody needs a key to have it run."""
    keyless = [name for name in scripts.names() if not scripts.asks_for_key(name)]

    assert keyless == [
        *("document_begin", "document_count", "document_marks", "document_notice", "document_read"),
        *("document_store", "document_sweep", "document_written", "erase_documents", "erase_progress"),
        *("erase_tenant", "heat", "index_older", "key_uses", "lease"),
        *("metrics", "repair", "sweep_compact", "sweep_gone", "sweep_look", "sweep_page", "sweep_spread"),
    ]
