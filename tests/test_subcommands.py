"""Scripts of many parts import the part that is asked for."""

from pathlib import Path

import pytest

from scripts.measuring.subcommands import run

GOOD = '''
"""
Does good.

More of it.
"""

def add_arguments(parser):
    parser.add_argument("--status", type=int)

def run(arguments):
    return arguments.status
'''
BROKEN = '"""Does harm."""\n\nraise RuntimeError\n'
PARTS = {"good": "part_good", "broken": "part_broken"}


@pytest.fixture(autouse=True)
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "part_good.py").write_text(GOOD)
    (tmp_path / "part_broken.py").write_text(BROKEN)
    monkeypatch.syspath_prepend(tmp_path)


def test_a_subcommand_runs_though_another_cannot_be_imported() -> None:
    assert run("scripts/x", None, PARTS, ["good", "--status", "3"]) == 3


def test_help_names_all_and_says_more_of_one(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run("scripts/x", None, PARTS, ["--help"])
    of_all = capsys.readouterr().out
    with pytest.raises(SystemExit):
        run("scripts/x", None, PARTS, ["good", "--help"])
    of_one = capsys.readouterr().out

    assert "Does good.\n" in of_all
    assert "Does harm.\n" in of_all
    assert "More of it." not in of_all
    assert "More of it." in of_one
    assert "--status" in of_one
