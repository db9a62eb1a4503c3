"""What a release makes of the changelog and of the files that hold the version, for any of them."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.versioning.changelog import (
    BY_SIZE,
    PART_OF,
    PATH,
    WrongChangelog,
    least_version,
    released,
    unreleased,
)
from scripts.versioning.versions import PARTS, PLACES, Version, WrongVersion, agreed, written
from tests.examples import examples

ROOT = Path(__file__).parents[1]
NUMBERS = st.integers(0, 99)
VERSIONS = st.builds(Version, NUMBERS, NUMBERS, NUMBERS)
ENTRIES = st.lists(st.text("abc *`#-", min_size=1, max_size=20).map(lambda text: f"- x{text}"), min_size=1, max_size=3)
SECTIONS = st.dictionaries(st.sampled_from(sorted(PART_OF)), ENTRIES, min_size=1, max_size=3)
EXAMPLES = settings(max_examples=examples(100))


def text_of(section: dict[str, list[str]]) -> str:
    return "".join(f"\n### {name}\n\n" + "\n".join(entries) + "\n" for name, entries in section.items())


def changelog(*sections: dict[str, list[str]]) -> str:
    """Return one whose first section is unreleased, and the others are 9.0.0, 8.0.0, …"""
    head, *older = sections
    rest = "".join(f"\n## {9 - at}.0.0 - 2026-01-0{at + 1}\n{text_of(section)}" for at, section in enumerate(older))
    return f"# Changelog\n\n## Unreleased\n{text_of(head)}{rest}"


@EXAMPLES
@given(st.lists(SECTIONS, min_size=1, max_size=3))
def test_a_release_moves_what_was_unreleased_and_nothing_else(sections: list[dict[str, list[str]]]) -> None:
    before = changelog(*sections)
    after = released(before, Version(10, 0, 0), "2026-11-29")
    head, _, rest = after.partition("\n## 10.0.0 - 2026-11-29\n")

    assert head == "# Changelog\n\n## Unreleased\n"
    assert f"## Unreleased\n{rest}" in before
    with pytest.raises(WrongChangelog, match="nothing to release"):
        unreleased(after)


@EXAMPLES
@given(SECTIONS, st.sampled_from(sorted(PART_OF)))
def test_what_asks_for_most_says_what_may_follow(section: dict[str, list[str]], name: str) -> None:
    asked = unreleased(changelog(section)).part
    more = unreleased(changelog(section | {name: ["- One more."]})).part

    assert asked == max((PART_OF[each] for each in section), key=BY_SIZE.index)
    assert BY_SIZE.index(more) >= BY_SIZE.index(asked)
    assert unreleased(changelog(section | {"Fixed": ["- **Breaking** It."]})).part == "major"


@EXAMPLES
@given(VERSIONS, st.sampled_from(PARTS))
def test_the_next_version_is_newer_and_the_least_of_its_part(version: Version, part: str) -> None:
    following = version.after(part)

    assert Version.of(str(following)) == following > version
    assert all(version < version.after(smaller) <= following for smaller in PARTS[PARTS.index(part) :])
    assert least_version(version, part) <= following


def test_before_the_first_major_version_what_breaks_moves_the_second_number() -> None:
    assert least_version(Version(0, 3, 4), "major") == least_version(Version(0, 3, 4), "minor") == Version(0, 4, 0)
    assert least_version(Version(0, 3, 4), "patch") == Version(0, 3, 5)


@EXAMPLES
@given(VERSIONS)
def test_a_version_is_written_everywhere_and_nothing_else_changes(version: Version) -> None:
    before = {path: (ROOT / path).read_text() for path in PLACES}
    current = agreed(before)
    after = {path: written(path, text, version) for path, text in before.items()}

    assert agreed(after) == version
    assert {path: written(path, text, current) for path, text in after.items()} == before


@pytest.mark.parametrize("path", PLACES)
def test_a_file_that_names_another_version_or_none_is_named(path: str) -> None:
    files = {each: (ROOT / each).read_text() for each in PLACES}

    with pytest.raises(WrongVersion, match=f"do not agree.*{path} 98.0.0"):
        agreed(files | {path: written(path, files[path], Version(98, 0, 0))})
    with pytest.raises(WrongVersion, match=f"no version is found in {path}"):
        agreed(files | {path: ""})


def test_the_changelog_of_this_repository_is_one_that_can_be_released() -> None:
    # Right after a release there is nothing that is unreleased.
    text = (ROOT / PATH).read_text().replace("## Unreleased\n", "## Unreleased\n\n### Added\n\n- More.\n")

    assert unreleased(text).entries >= 1


def test_entries_without_a_heading_are_refused() -> None:
    with pytest.raises(WrongChangelog, match="below no heading"):
        unreleased("## Unreleased\n\n- Something.\n\n### Added\n\n- More.\n")
