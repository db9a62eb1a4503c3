"""scripts/release, in a real repository: what it makes, what it refuses, and what is left when it is ended half-way."""

import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scripts.versioning.__main__ import ENDING, main
from scripts.versioning.versions import PLACES, agreed
from shared.version import VERSION
from tests import release_causes as causes
from tests.release_causes import CASES, NEXT, TAG
from tests.release_repository import CHANGELOG, FILES, IDENTITY, Small

pytestmark = pytest.mark.unmeasured

ROOT = Path(__file__).parents[1]
GIT = shutil.which("git") or "git"
PATIENCE_S = 60


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template")
    Small(folder).make()
    return folder


@pytest.fixture
def small(template: Path, tmp_path: Path) -> Small:
    shutil.copytree(template, tmp_path / "small")
    return Small(tmp_path / "small")


@pytest.fixture
def green(small: Small) -> Small:
    """A repository whose commit has passed."""
    commit = small.git("rev-parse", "HEAD")
    note = {"commit": commit, "command": ".ci/run", "ended_at": "2026-01-02T03:04:05Z", "duration_s": 1, "python": "3"}
    small.write(f".warmthread/green/{commit}", json.dumps(note))
    return small


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """
    Run scripts/release in this process, for each of its own would start an interpreter; it has to end with *status*.
    Return what it printed.
    """
    before = {number: signal.getsignal(number) for number in ENDING}

    def run(small: Small, *arguments: str, status: int = 0) -> str:
        monkeypatch.chdir(small.root)
        for name, value in IDENTITY.items():
            monkeypatch.setenv(name, value)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            ended = main([*arguments])
        assert ended == status, printed.getvalue()
        return printed.getvalue()

    yield run
    for number, handler in before.items():
        signal.signal(number, handler)


def released(small: Small) -> None:
    """Hold *small* to what a release leaves, all of it."""
    state = small.state()
    assert state.changes == ""
    assert small.git("rev-parse", f"{TAG}^{{commit}}") == state.main
    assert small.git("cat-file", "-t", TAG) == "tag"
    assert (
        small.git("log", "-1", "--format=%s") == small.git("tag", "-l", "--format=%(subject)", TAG) == "Release 1.1.0"
    )
    assert str(agreed({path: (small.root / path).read_text() for path in PLACES})) == NEXT


def test_a_release_is_a_commit_and_a_tag_with_version_and_changelog(small: Small) -> None:
    before = small.git("rev-parse", "main")
    said = small.release(NEXT)

    released(small)
    assert small.git("rev-parse", "main^") == before
    assert {*small.git("diff", "--name-only", before, "main").splitlines()} == {"CHANGELOG.md", *PLACES}
    today = time.strftime("%Y-%m-%d", time.gmtime())
    assert (small.root / "CHANGELOG.md").read_text() in (
        CHANGELOG.replace("## Unreleased\n", f"## Unreleased\n\n## {NEXT} - {day}\n") for day in (today, yesterday())
    )
    assert small.runs() == 1
    assert f"git push --atomic origin main {TAG}" in said
    assert os.access(small.root / ".ci/run", os.X_OK)
    # What passed is kept for the commit that passed, and for no other.
    assert f"there is a tag {TAG} already" in small.release(NEXT, status=1)


def yesterday() -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(time.time() - 86_400))


def test_a_dry_run_shows_what_would_change_and_changes_nothing(here: Callable[..., str], small: Small) -> None:
    before, objects = small.state(), small.git("count-objects")
    said = here(small, NEXT, "--dry-run")

    assert (small.state(), small.git("count-objects"), small.runs()) == (before, objects, 0)
    assert '-VERSION = "1.0.0"\n+VERSION = "1.1.0"\n' in said
    assert f"+## {NEXT} - " in said
    assert f".ci/run would be run first; then a commit 'Release {NEXT}' on main and the tag {TAG}." in said


def test_what_passed_on_a_commit_is_not_run_again_on_it(small: Small) -> None:
    (small.folder / "ci").write_text("exit 3\n")
    before = small.state()
    assert "not released: .ci/run ended with status 3" in small.release(NEXT, status=1)
    assert small.state() == before

    (small.folder / "ci").write_text("exit 0\n")
    small.release(NEXT)
    assert small.runs() == 2
    small.write("more.txt", "more\n")
    small.replace("CHANGELOG.md", "## Unreleased\n", "## Unreleased\n\n### Fixed\n\n- More.\n")
    small.commit()
    assert ".ci/run would be run first" in small.release("1.1.1", "--dry-run")


@pytest.mark.parametrize(
    ("cause", "version", "said"),
    CASES,
    ids=lambda each: getattr(each, "__name__", None),
)
def test_what_does_not_hold_is_said_and_nothing_changes(
    here: Callable[..., str], green: Small, cause: Callable[[Small], None], version: str, said: str
) -> None:
    cause(green)
    before = green.state()

    assert said in here(green, version, status=1)
    assert (green.state(), green.runs()) == (before, 0)


@pytest.mark.parametrize("version", ["1.1", "v1.1.0", "1.1.0-rc1", "01.1.0", "one"])
def test_what_is_no_version_is_a_usage_error(here: Callable[..., str], small: Small, version: str) -> None:
    assert "is no version: it has to be MAJOR.MINOR.PATCH" in here(small, version, status=2)


def test_all_that_is_wrong_is_said_at_once(here: Callable[..., str], small: Small) -> None:
    causes.unclean(small)
    causes.branch(small)
    said = here(small, "0.1.0", status=1)

    assert [line[:12] for line in said.splitlines() if line.startswith("- ")] == [
        "- releases a",
        "- the work t",
        "- 0.1.0 is n",
    ]


def test_what_must_pass_may_not_change_the_tree(small: Small) -> None:
    (small.folder / "ci").write_text("echo more >>docs/typescript.md\n")

    assert "while .ci/run ran the tree changed: " in small.release(NEXT, status=1)
    assert small.git("tag") == ""


STEPS = ("hash-object", "commit-tree", "mktag", "update-ref", "read-tree -m")
"""Calls of git that write, in order; the last brings the work tree along."""


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_any_step_it_leaves_all_or_nothing_and_is_finished_by_the_same_command(
    here: Callable[..., str], green: Small, step: str, when: str
) -> None:
    before = green.state()
    green.release(NEXT, status=-signal.SIGKILL, environ=green.ending_git(step, when, "KILL", GIT))
    between = green.state()
    is_published = bool(between.tags)

    # Branch and tag move together.
    assert is_published == (between.main != before.main)
    if is_published:
        assert green.git("rev-parse", f"{TAG}^{{commit}}") == between.main
    else:
        assert between == before
    if is_published and not between.changes:
        assert f"there is a tag {TAG} already" in here(green, NEXT, status=1)
    else:
        here(green, NEXT)
    released(green)


@pytest.mark.parametrize("step", ["commit-tree", "update-ref", "read-tree -m"])
def test_a_signal_within_the_last_step_waits_until_it_is_done(green: Small, step: str) -> None:
    green.release(NEXT, environ=green.ending_git(step, "before", "TERM", GIT))

    released(green)


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_what_runs_and_leaves_nothing(small: Small, asked: signal.Signals) -> None:
    """While .ci/run runs, which goes on until it is ended, and notes that it was."""
    marks = small.folder
    (marks / "ci").write_text("trap 'touch ../ended; exit 1' TERM\ntouch ../began\nwhile :; do sleep 0.05; done\n")
    before = small.state()
    with subprocess.Popen(
        small.command(NEXT),
        cwd=small.root,
        env=small.environ(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        give_up_at_s = time.monotonic() + PATIENCE_S
        while not (marks / "began").exists():
            assert time.monotonic() < give_up_at_s
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(asked)
        said = process.communicate(timeout=PATIENCE_S)[0]

    assert process.returncode == 130
    assert "stopped; nothing was released." in said
    assert (marks / "ended").exists()
    assert small.state() == before


def test_the_tag_alone_or_the_branch_alone_is_finished(here: Callable[..., str], green: Small) -> None:
    """What a power cut within git's own transaction can leave: it renames one file after the other."""
    before = green.git("rev-parse", "main")
    here(green, NEXT)
    made = green.git("rev-parse", "main")

    green.git("reset", "-q", "--hard", before)
    assert "is finished now: main was moved to v1.1.0" in here(green, NEXT)
    released(green)
    green.git("tag", "-d", TAG)
    green.git("read-tree", "-m", "-u", made, before)
    assert "the tag v1.1.0 was made and the work tree was brought along" in here(green, NEXT)
    released(green)


def test_a_commit_that_only_looks_like_a_release_is_not_taken_for_one(green: Small) -> None:
    green.write("other.txt", "other\n")
    green.git("add", "-A")
    green.git("commit", "-q", "-m", f"Release {NEXT}")
    (green.folder / "ci").write_text("exit 1\n")

    assert ".ci/run ended with status 1" in green.release(NEXT, status=1)
    assert green.git("tag") == ""


def test_the_first_release_may_have_the_number_that_the_code_has(here: Callable[..., str], green: Small) -> None:
    green.write("CHANGELOG.md", CHANGELOG.partition("\n## 1.0.0")[0])
    for path in PLACES:
        green.replace(path, "1.0.0", "0.1.0")
    green.commit()

    assert "would be run first" in here(green, "0.1.0", "--dry-run")
    assert "would be run first" in here(green, "1.0.0", "--dry-run")
    green.git("tag", "v0.0.9")
    assert "0.1.0 is not newer than 0.1.0" in here(green, "0.1.0", "--dry-run", status=1)


def test_this_repository_names_one_version_everywhere_and_its_tests_one_like_it() -> None:
    assert str(agreed({path: (ROOT / path).read_text() for path in PLACES})) == VERSION
    assert {*PLACES} <= {*FILES}
