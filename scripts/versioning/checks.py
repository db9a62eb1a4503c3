"""
What has to hold before a release, each as a question to one commit that changes nothing.

    wrong         every check that fails, as sentences: all at once, not the first
    changed       the files that the release changes, path -> text

Both are given the texts of FILES as the commit has them.
"""

from collections.abc import Iterator, Mapping

from scripts.versioning import changelog
from scripts.versioning.changelog import WrongChangelog
from scripts.versioning.repository import Repository
from scripts.versioning.versions import PLACES, Version, WrongVersion, agreed, written

BRANCH = "main"
FILES = (*PLACES, changelog.PATH)
SHOWN = 5


def tag_of(version: Version) -> str:
    return f"v{version}"


def subject_of(version: Version) -> str:
    return f"Release {version}"


def wrong(repository: Repository, files: Mapping[str, str], version: Version) -> list[str]:
    """Return why HEAD, which has *files*, cannot be released as *version*; [] when it can. Raises GitFailed."""
    return [*_wrong_place(repository), *_wrong_version(repository, files, version)]


def changed(files: Mapping[str, str], version: Version, date: str) -> dict[str, str]:
    """Return what the release makes of *files*. Raises WrongVersion, WrongChangelog."""
    made = {path: written(path, files[path], version) for path in PLACES}
    return made | {changelog.PATH: changelog.released(files[changelog.PATH], version, date)}


def _wrong_place(repository: Repository) -> Iterator[str]:
    """Yield what is wrong with where the release would be made."""
    branch = repository.branch()
    if branch != BRANCH:
        where = "no branch is checked out" if branch is None else f"the branch {branch} is checked out"
        yield f"releases are made on {BRANCH}, and {where}"
    for name in repository.under_way():
        yield f"something is under way that git keeps in {name}: finish or abort it"
    if changes := repository.changes():
        more = f" and {len(changes) - SHOWN} more" if len(changes) > SHOWN else ""
        told = ", ".join(line.strip() for line in changes[:SHOWN])
        yield f"the work tree is not clean: {told}{more}; commit, stash or ignore them"
    if behind := repository.commits_behind():
        yield f"{BRANCH} lacks {behind} commits of its upstream: bring them in first"


def _wrong_version(repository: Repository, files: Mapping[str, str], version: Version) -> Iterator[str]:
    """Yield what is wrong with the number, and with what the changelog says of it."""
    tag = tag_of(version)
    if repository.tells("rev-parse", "--verify", "--quiet", f"refs/tags/{tag}"):
        yield f"there is a tag {tag} already: {version} was released"
    current = None
    try:
        current = agreed(files)
    except WrongVersion as error:
        yield str(error)
    try:
        news = changelog.unreleased(files[changelog.PATH])
        changelog.released(files[changelog.PATH], version, "2000-01-01")
    except WrongChangelog as error:
        yield str(error)
        return
    if current is None:
        return
    # The first release may have the number that the code was begun with.
    least = changelog.least_version(current, news.part)
    if version <= current and (version, repository.git("tag", "--list", "v*")) != (current, ""):
        yield f"{version} is not newer than {current}, which the code has"
    elif version != current and version < least:
        yield f"{version} is too small a step from {current}: the changelog's entries ask for {least} or more"
