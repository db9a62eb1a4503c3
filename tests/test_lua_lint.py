"""The lint of Lua finds what is wrong in scripts as they are sent, and says in which file and line."""

from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.lua_lint import lint
from shared.store.script import FOLDER

Write = Callable[..., list[str]]

PART = "-- @part\n\nlocal function twice(n)\n  return 2 * n\nend\n\nlocal function half(n)\n  return n / 2\nend\n"


@pytest.fixture
def check(tmp_path: Path) -> Write:
    """Return what the lint says of a folder with these files, name -> text."""

    def check(**files: str) -> list[str]:
        (tmp_path / "any").mkdir()
        keys = {"authorise": "-- @part\nredis.call('GET', KEYS[1])", "admit": "-- @part\nlocal owner, rate = {}, {}"}
        for name, text in {"asks": "-- A keyed script.\nreturn {'ok'}", **keys, **files}.items():
            (tmp_path / "any" / f"{name}.lua").write_text(text)
        return lint(tmp_path)

    return check


def script(code: str) -> str:
    return f"-- A script.\n-- @keyless\n{code}\n"


def test_our_scripts_are_clean() -> None:
    assert lint(FOLDER) == []


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("local left = 1\nreturn 2", "mine.lua:3: left is never read."),
        ("local a, left = 1, 2\nreturn a", "mine.lua:3: left is never read."),
        ("local left = 1\nleft = 2\nreturn 3", "mine.lua:3: left is never read."),
        ("local left\nreturn 1", "mine.lua:3: left is never read."),
        ("local function left() return 1 end\nreturn 2", "mine.lua:3: left is never read."),
        ("return function(a, left) return a end", "mine.lua:3: left is never read."),
        ("for i, left in ipairs({}) do redis.call(i) end", "mine.lua:3: left is never read."),
        ("for left = 1, 2 do redis.call(1) end", "mine.lua:3: left is never read."),
        ("local a = 1\nif a then local left = a end", "mine.lua:4: left is never read."),
        ("return wrong", "mine.lua:3: wrong is not defined."),
        ("return redis.call(wrong.field)", "mine.lua:3: wrong is not defined."),
        ("return {[wrong] = 1}", "mine.lua:3: wrong is not defined."),
        ("return wrong:method()", "mine.lua:3: wrong is not defined."),
        ("local a = a\nreturn a", "mine.lua:3: a is not defined."),
        ("do local inner = 1; redis.call(inner) end\nreturn inner", "mine.lua:4: inner is not defined."),
        ("for i = 1, 2 do redis.call(i) end\nreturn i", "mine.lua:4: i is not defined."),
        ("repeat local a = 1 until a\nreturn a", "mine.lua:4: a is not defined."),
        ("wrong = 1", "mine.lua:3: wrong is a global, and is assigned to."),
        ("function wrong() return 1 end", "mine.lua:3: wrong is a global, and is assigned to."),
        ("local a = 1\nlocal function f(a) return a end\nreturn f(a)", "mine.lua:4: a hides another a."),
        ("return redis.call(", "mine.lua:3: does not parse."),
        ("local a = 1 +\n  redis.call('x')\nreturn ) a", "mine.lua:5: does not parse."),
        (f"return '{'x' * 112}'", "mine.lua:3: 121 characters; 120 are the limit."),
    ],
)
def test_what_is_wrong_is_found(check: Write, code: str, said: str) -> None:
    assert check(mine=script(code)) == [said]


@pytest.mark.parametrize(
    "code",
    [
        "local a = 1\nreturn {a = 2, b = a, [a] = 3}",
        "local function f(n) return n < 1 and 1 or f(n - 1) end\nreturn f(2)",
        "for _, each in ipairs({}) do redis.call(each.name, each:method()) end",
        "local total = 0\nwhile total < 3 do total = total + 1 end\nrepeat local a = total until a > 2",
        "local a\nif KEYS[1] then a = 1 else a = 2 end\nreturn a",
        "local t = {}\nt.x, t['y'] = 1, 2\nfunction t.z(n) return n end\nreturn t",
        f"return '{'x' * 111}'",
    ],
)
def test_what_is_right_is_not(check: Write, code: str) -> None:
    assert check(mine=script(code)) == []


def test_the_name_of_a_part_is_unused_where_no_script_reads_it(check: Write) -> None:
    files = {"part": PART, "one": "-- @keyless\n-- @include part\nreturn twice(1)", "two": "-- @include part\nreturn 1"}

    assert check(**files) == ["part.lua:7: half is never read."]


def test_a_name_that_a_script_forgot_to_include_is_not_defined(check: Write) -> None:
    files = {
        "part": PART,
        "one": "-- @keyless\n-- @include part\nreturn twice(half(1))",
        "two": "-- @keyless\nreturn half(1)",
    }

    assert check(**files) == ["two.lua:2: half is not defined."]


def test_a_part_that_nobody_includes_is_found(check: Write) -> None:
    assert check(part=PART) == ["part.lua:1: no script includes this part."]


def test_the_check_of_a_key_is_part_of_what_is_looked_at(check: Write) -> None:
    assert check(admit="-- @part\nlocal wait = 1\nlocal owner, rate = {}, {}") == ["admit.lua:2: wait is never read."]


def test_scripts_check_runs_it() -> None:
    assert "scripts.lua_lint" in (FOLDER.parents[2] / "scripts/check").read_text()
