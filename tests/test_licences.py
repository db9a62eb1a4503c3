"""Whose code is shipped is known, on terms that somebody has read, and each has its text with it."""

import re
from importlib import metadata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.deploy.bundle import Function
from scripts.deploy.packages import OURS, check_licences, differences
from scripts.deploy.report import CheckFailed
from scripts.licences.__main__ import main
from scripts.licences.packages import ALSO_OF_CRATES, ASKS, allows, crates, package_of, shipped
from tests.examples import examples
from tests.pages import table

pytestmark = pytest.mark.unmeasured

ROOT = Path(__file__).parents[1]
WORDS = {"AND": "and", "OR": "or"}
KNOWN = frozenset({"MIT", "Zlib"})
NAMES = st.sampled_from(["MIT", "Zlib", "GPL-3.0-only", "LGPL-2.1-or-later"])
EXPRESSIONS = st.recursive(
    NAMES, lambda inner: st.builds("({} {} {})".format, inner, st.sampled_from(["AND", "OR"]), inner)
)


def test_each_licence_of_what_is_shipped_has_been_read() -> None:
    assert [each for each in shipped() if not allows(each.licence)] == []
    known = ALSO_OF_CRATES | {*ASKS}
    found = [each for package in shipped() for each in crates(package.name)]

    assert [each for each in found if not allows(each.licence, known)] == []
    assert {each.package for each in found} == {"obstore", "orjson", "pydantic-core", "pyreqwest"}


def test_what_brings_no_text_is_in_the_notice_that_goes_along() -> None:
    without = {each.name for each in shipped() if not each.texts}

    assert without == set(re.findall(r"^([\w-]+) \(https://", (ROOT / "NOTICE").read_text(), re.MULTILINE))
    assert all(
        "NOTICE" not in glob for glob in re.findall(r'"excludeFiles": "(.*)"', (ROOT / "vercel.json").read_text())
    )


def test_the_page_lists_every_package_of_the_lock() -> None:
    """That its table is as it would be written now, test_tables.py holds."""
    rows = re.findall(r"^\| ([\w.-]+) \| ([\w.]+) \|", table("docs/licences.md", "licences"), re.MULTILINE)

    assert [row for row in rows if row[0] != "package"] == [(each.name, each.version) for each in shipped()]


def test_what_a_package_does_not_say_of_itself_is_not_made_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "silent-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: silent\nVersion: 1.0\n")
    (info / "RECORD").write_text("silent-1.0.dist-info/METADATA,,\nsilent-1.0.dist-info/LICENSE,,\n")
    (info / "LICENSE").write_text("All rights reserved.\n")
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(ValueError, match=r"silent 1\.0 does not say under which licence it is"):
        package_of("silent")
    (info / "LICENSE").write_text("MIT License\n\nCopyright …\n")
    assert package_of("silent").licence == "MIT"


@settings(max_examples=examples(200))
@given(EXPRESSIONS)
def test_an_expression_is_met_where_a_choice_of_known_licences_meets_it(expression: str) -> None:
    python = re.sub(r"[\w.-]+", lambda match: WORDS.get(match[0], str(match[0] in KNOWN)), expression)

    assert allows(expression, KNOWN) == eval(python)


@pytest.mark.parametrize("expression", ["", "MIT OR", "(MIT", "MIT Zlib", "none named", "AND"])
def test_what_is_no_expression_is_not_allowed(expression: str) -> None:
    assert not allows(expression, KNOWN)


def test_an_exception_takes_nothing_away() -> None:
    assert allows("GPL-2.0-only OR MIT WITH Some-exception AND Zlib", KNOWN)
    assert not allows("GPL-2.0-only WITH Classpath-exception-2.0", KNOWN)


def test_the_command_says_what_the_page_says(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "certifi " in capsys.readouterr().out
    assert main(["--crates"]) == 0
    assert "obstore: 1 under" in capsys.readouterr().out


@pytest.fixture
def function() -> Function:
    """One that carries what it has to, as a build would."""
    files = {name: ROOT / name for name in (*OURS, "requirements.lock")}
    for each in shipped():
        distribution = metadata.distribution(each.name)
        for path in distribution.files or ():
            if ".dist-info" in str(path):
                files[f"_vendor/{path}"] = Path(str(path.locate()))
    return Function("api/x", "x", 10, {}, files)


def test_a_function_without_a_licence_is_found(function: Function) -> None:
    check_licences([function])
    for gone, said in (
        ("LICENSE", "api/x lacks LICENSE"),
        (next(name for name in function.files if name.endswith("licenses/LICENSE") and "anyio" in name), "anyio 4"),
        ("NOTICE", "lacks NOTICE, the licence of obstore"),
    ):
        files = {name: path for name, path in function.files.items() if name != gone}
        with pytest.raises(CheckFailed, match=said):
            check_licences([Function("api/x", "x", 10, {}, files)])


def test_what_a_build_took_instead_of_the_locked_is_told(function: Function) -> None:
    assert differences(ROOT, [function]) == []
    files = {name.replace("idna-3.", "idna-4."): path for name, path in function.files.items()}
    files |= {
        "_vendor/more-1.0.dist-info/METADATA": ROOT / "NOTICE",
        "_vendor/pip-1.dist-info/METADATA": ROOT / "NOTICE",
    }
    files = {name: path for name, path in files.items() if "regex" not in name}

    [idna, more, regex] = differences(ROOT, [Function("api/x", "x", 10, {}, files)])
    assert (idna[:7], more, regex[:14]) == ("idna 4.", "more 1.0 for none", "regex missing ")


def test_clients_bring_our_licence_and_the_dashboard_loads_nobody_elses_code() -> None:
    ours = (ROOT / "LICENSE").read_text()
    assert {(ROOT / "clients" / name / "LICENSE").read_text() for name in ("python", "typescript")} == {ours}

    for file in (ROOT / "public").rglob("*"):
        if file.suffix in (".js", ".css", ".html"):
            text = file.read_text()
            loaded = re.findall(r"""(?:\bfrom|\bimport|\bsrc=|\burl\(|@import)\s*\(?["']([^"']+)["']""", text)
            assert [each for each in loaded if "//" in each] == [], file
