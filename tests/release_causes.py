"""
Why scripts/release refuses: what is done to a small repository (release_repository.py), and what is said of it.
"""

import re
from collections.abc import Callable, Sequence

from tests.release_repository import CHANGELOG, Small

NEXT, TAG = "1.1.0", "v1.1.0"


def branch(small: Small) -> None:
    small.git("checkout", "-q", "-b", "feature")


def detached(small: Small) -> None:
    small.git("checkout", "-q", "--detach")


def unclean(small: Small) -> None:
    small.replace("docs/typescript.md", "npm", "pnpm")
    small.write("new.txt", "new\n")


def merging(small: Small) -> None:
    (small.root / ".git/MERGE_HEAD").write_text(small.git("rev-parse", "HEAD") + "\n")


def behind(small: Small) -> None:
    small.git("checkout", "-q", "-b", "upstream")
    small.git("commit", "-q", "--allow-empty", "-m", "Newer")
    small.git("checkout", "-q", "main")
    small.git("branch", "-q", "--set-upstream-to=upstream")


def disagreeing(small: Small) -> None:
    small.replace("clients/typescript/package.json", "1.0.0", "1.0.1")
    small.commit()


def without_version(small: Small) -> None:
    small.replace("clients/python/pyproject.toml", "version", "edition")
    small.commit()


def without_news(small: Small) -> None:
    small.write("CHANGELOG.md", re.sub(r"### Added.*?(?=## 1)", "", CHANGELOG, count=1, flags=re.DOTALL))
    small.commit()


def without_section(small: Small) -> None:
    small.replace("CHANGELOG.md", "## Unreleased", "## Next")
    small.commit()


def odd_heading(small: Small) -> None:
    small.replace("CHANGELOG.md", "### Fixed", "### Repaired")
    small.commit()


def breaking(small: Small) -> None:
    small.replace("CHANGELOG.md", "- Another", "- **Breaking** Another")
    small.commit()


def tagged(small: Small) -> None:
    small.git("tag", TAG)


def as_it_is(small: Small) -> None:
    pass


CASES: Sequence[tuple[Callable[[Small], None], str, str]] = [
    (branch, NEXT, "releases are made on main, and the branch feature is checked out"),
    (detached, NEXT, "releases are made on main, and no branch is checked out"),
    (unclean, NEXT, "the work tree is not clean: M docs/typescript.md, ?? new.txt"),
    (merging, NEXT, "something is under way that git keeps in MERGE_HEAD"),
    (behind, NEXT, "main lacks 1 commits of its upstream"),
    (disagreeing, NEXT, "the versions do not agree: shared/version.py 1.0.0"),
    (without_version, NEXT, "no version is found in clients/python/pyproject.toml"),
    (without_news, NEXT, "has no entry below '## Unreleased'"),
    (without_section, NEXT, "has to have one section '## Unreleased'"),
    (odd_heading, NEXT, "has the heading 'Repaired'"),
    (breaking, NEXT, "too small a step from 1.0.0: the changelog's entries ask for 2.0.0 or more"),
    (tagged, NEXT, f"there is a tag {TAG} already"),
    (as_it_is, "1.0.1", "too small a step from 1.0.0: the changelog's entries ask for 1.1.0 or more"),
    (as_it_is, "0.9.0", "0.9.0 is not newer than 1.0.0, which the code has"),
    (as_it_is, "1.0.0", "has a section 1.0.0 already"),
]
"""What is done, the version that is asked for, what is said."""
