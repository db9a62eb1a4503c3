"""
Make a release: check, write the version and the changelog's section, commit, tag. Nothing is pushed.

    scripts/release 1.2.0 --dry-run     say what is wrong, or show what would change; nothing is changed or run
    scripts/release 1.2.0               check, run what CI runs unless it passed here on this commit, and release

Checked are: a clean tree on main with all of its upstream; a version that all files agree on, and a new one that is
newer by what the changelog's entries ask for (docs/releasing.md); entries below `## Unreleased`; .ci/run on this very
commit. When one does not hold nothing is changed. Commit and tag are made in one step: interrupted before it, nothing
has changed; interrupted within it, the same command finishes what is left.
"""

import argparse
import contextlib
import difflib
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import NoReturn

from scripts.versioning import green
from scripts.versioning.changelog import WrongChangelog
from scripts.versioning.checks import BRANCH, FILES, changed, subject_of, tag_of, wrong
from scripts.versioning.finishing import finish
from scripts.versioning.green import Red
from scripts.versioning.repository import GitFailed, Repository
from scripts.versioning.versions import Version, WrongVersion

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Refused(Exception):
    """There is no release; the text says why. Nothing has changed."""


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/release", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("version", help="the new version, as in 1.2.0")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be done")
    arguments = parser.parse_args(argv)
    for name in ENDING:  # SIGINT as well: what a shell starts in the background ignores it.
        signal.signal(name, _stop)
    try:
        return _release(Version.of(arguments.version), is_dry=arguments.dry_run)
    except (GitFailed, Red, Refused, WrongChangelog, WrongVersion) as error:
        print(f"not released: {error}", file=sys.stderr)
        return 2 if isinstance(error, WrongVersion) else 1
    except KeyboardInterrupt:
        print("\nstopped; nothing was released.", file=sys.stderr)
        return 130


def _release(version: Version, *, is_dry: bool) -> int:
    root = Repository(Path.cwd()).git("rev-parse", "--show-toplevel")
    repository, tag = Repository(Path(root)), tag_of(version)
    if not is_dry:
        with _undisturbed():
            finished = finish(repository, version)
        if finished:
            print(f"the release of {version} was interrupted; it is finished now: {finished}")
            return 0
    commit = repository.head()
    before = repository.texts(commit, FILES)
    if found := wrong(repository, before, version):
        raise Refused("\n".join(["", *(f"- {each}" for each in found)]))
    date = time.strftime("%Y-%m-%d", time.gmtime())
    files = changed(before, version, date)
    note = green.note_of(repository.root, commit)
    if is_dry:
        _show(before, files)
        passed = f"passed here at {note.ended_at}" if note else "would be run first"
        print(f"{green.COMMAND} {passed}; then a commit '{subject_of(version)}' on {BRANCH} and the tag {tag}.")
        return 0
    if note is None:
        _make_green(repository, commit)
    with _undisturbed():
        made = repository.commit(commit, files, f"{subject_of(version)}\n")
        tagged = repository.tag(made, tag, subject_of(version))
        repository.publish(BRANCH, commit, made, tag, tagged)
        _forget_signals()
    print(f"released {version}: commit {made[:12]}, tag {tag}. Nothing was pushed; this does:")
    print(f"    git push --atomic origin {BRANCH} {tag}")
    return 0


def _make_green(repository: Repository, commit: str) -> None:
    """Run what must pass on *commit*. Raises Red, Refused: it changed the tree, or somebody did meanwhile."""
    print(f"running {green.COMMAND} on {commit[:12]}", flush=True)
    duration_s = green.run(repository.root)
    if repository.head() != commit or (changes := repository.changes()):
        told = ", ".join(changes) if repository.head() == commit else "another commit is checked out"
        raise Refused(f"while {green.COMMAND} ran the tree changed: {told}")
    green.keep_note(repository.root, commit, duration_s)


def _show(before: Mapping[str, str], after: Mapping[str, str]) -> None:
    for path in after:
        old, new = (files[path].splitlines(keepends=True) for files in (before, after))
        sys.stdout.writelines(difflib.unified_diff(old, new, f"a/{path}", f"b/{path}", n=1))


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Let signals wait: this takes less than a second, and what it starts is not interrupted either."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _forget_signals() -> None:
    """Take those that wait: all is done, and there is nothing left for them to stop."""
    while waiting := signal.sigpending() & {*ENDING}:
        signal.sigwait(waiting)


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
