"""
Finishing a release that was cut off where no signal can be held back: a power cut, or SIGKILL, within its last step.

What may be left then is one of these, and each leads to the same end, the branch and the tag at one commit and the tree
with it:

    the tag without the branch     the branch is moved to the commit that the tag names
    the branch without the tag     the tag is made
    both, and the tree of before   the tree is brought along
"""

from scripts.versioning import changelog
from scripts.versioning.checks import BRANCH, FILES, subject_of, tag_of
from scripts.versioning.repository import Repository
from scripts.versioning.versions import PLACES, Version, WrongVersion, agreed


def finish(repository: Repository, version: Version) -> str:
    """Return what of the release of *version* was left and is done now, "" where nothing is. Raises GitFailed."""
    if repository.branch() != BRANCH:
        return ""
    head, tag = repository.head(), tag_of(version)
    tagged = repository.resolved(f"refs/tags/{tag}")
    if tagged is not None and _is_release(repository, tagged, version):
        parent = repository.git("rev-parse", f"{tagged}^")
        if head == parent and repository.holds(parent):
            repository.move(BRANCH, parent, tagged)
            return f"{BRANCH} was moved to {tag}"
    if not _is_release(repository, head, version):
        return ""
    done = []
    if tagged is None:
        repository.git("update-ref", f"refs/tags/{tag}", repository.tag(head, tag, subject_of(version)), "")
        done.append(f"the tag {tag} was made")
    parent = repository.git("rev-parse", f"{head}^")
    if not repository.holds(head) and repository.holds(parent):
        repository.follow(parent, head)
        done.append("the work tree was brought along")
    return " and ".join(done)


def _is_release(repository: Repository, commit: str, version: Version) -> bool:
    """Return whether *commit* is what a release of *version* makes: its subject, its files and nothing else."""
    parent = repository.resolved(f"{commit}^")
    if repository.subject(commit) != subject_of(version) or parent is None:
        return False
    changed = repository.git("diff-tree", "-r", "--name-only", parent, commit).splitlines()
    try:
        named = agreed(repository.texts(commit, PLACES))
    except WrongVersion:
        return False
    return named == version and changelog.PATH in changed and {*changed} <= {*FILES}
