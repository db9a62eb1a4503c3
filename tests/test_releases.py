"""Proofs of two releases and of a rolling change: what they take out, who is asked, and what they must find."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.proving.chaos.answers import DEPLOYMENT_HEADER, NO_ANSWER, ROUTER, Answer
from scripts.proving.releases import release
from scripts.proving.releases.pair import KINDS, Pair
from scripts.proving.releases.release import ReleaseError, checked_out, read_schema, requirements_of
from scripts.proving.releases.samples import EVERY_TYPE
from scripts.proving.releases.traffic import refused
from scripts.proving.rolling.answered import broken_once, read_line
from scripts.proving.rolling.plan import FIRST, SECOND, THIRD, steps
from shared.items.types import ITEM_TYPES
from shared.store.keys import SCHEMA
from tests.examples import examples

pytestmark = pytest.mark.unmeasured

KEYS = 'SCHEMA = "{}"\n'


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Commit files into a repository of the test's own, which stands for this one; return the commit."""
    root = tmp_path / "repository"
    root.mkdir()
    monkeypatch.setattr(release, "ROOT", root)

    def git(*arguments: str) -> str:
        identity = ("-c", "user.name=tests", "-c", "user.email=tests@localhost", "-c", "commit.gpgsign=false")
        done = subprocess.run(["git", *identity, *arguments], cwd=root, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    git("init", "-q")

    def commit(tag: str = "", **files: str) -> str:
        for name, text in {"vercel.json": "{}", "requirements.txt": "a==1\n", **files}.items():
            path = root / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        git("add", "-A")
        git("commit", "-q", "--allow-empty", "-m", "change")
        if tag:
            git("tag", tag)
        return git("rev-parse", "HEAD")

    return commit


def test_an_old_release_is_taken_out_and_runs_in_what_is_installed_where_it_needs_no_more(
    repository: Callable[..., str],
) -> None:
    old = repository(**{"shared__store__keys.py": KEYS.format(SCHEMA), "api__a.py": "old"})
    repository(**{"api__a.py": "new", "docs__page.md": "text"})

    with checked_out(old[:9]) as taken:
        assert (taken.commit, taken.python) == (old, sys.executable)
        assert (taken.folder / "api/a.py").read_text() == "old"
        assert not (taken.folder / "docs").exists()
        assert taken.deployment("dpl_old", {}).project == taken.folder
    assert not taken.folder.exists()


@pytest.mark.parametrize("ref", ["nothing", "--help", "HEAD:api"])
def test_what_is_no_commit_is_refused_in_a_sentence(ref: str, repository: Callable[..., str]) -> None:
    repository(**{"shared__store__keys.py": KEYS.format(SCHEMA)})

    with pytest.raises(ReleaseError, match=f"there is no commit {ref} in this clone"), checked_out(ref):
        pass


def test_a_release_with_another_schema_is_refused(repository: Callable[..., str]) -> None:
    repository(**{"shared__store__keys.py": KEYS.format("wt1")})

    with pytest.raises(ReleaseError, match=f"under wt1, this release under {SCHEMA}"), checked_out("HEAD"):
        pass
    assert read_schema("nothing") == ""


def test_without_a_tag_the_oldest_that_can_is_taken_and_else_the_newest(repository: Callable[..., str]) -> None:
    repository(**{"shared__store__keys.py": KEYS.format(SCHEMA)})
    assert release.default_ref() == release.OLDEST

    for tag in ("v1", "v2"):
        repository(tag=tag)
    repository()
    assert release.default_ref() == "v2"


def test_what_has_to_be_installed_are_the_pins_and_what_launches(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("b==2\n# why\na==1\n")
    (tmp_path / "requirements-dev.txt").write_text("-r requirements.txt\nvercel-runtime==3\nruff==9\nuvicorn==4\n")

    assert requirements_of(tmp_path) == ["a==1", "b==2", "uvicorn==4", "vercel-runtime==3"]


def test_the_samples_are_of_every_type() -> None:
    assert {each["type"] for each in EVERY_TYPE} == set(ITEM_TYPES)


def asked(method: str, path: str, by: str, status: int = 200, made: str = "") -> tuple[httpx.Request, httpx.Response]:
    request = httpx.Request(method, f"http://x{path}")
    headers = {"x-fleet-instance": f"{by}/api/a#1"}
    return request, httpx.Response(status, headers=headers, json={"id": made}, request=request)


def test_requests_go_to_both_unless_one_is_named() -> None:
    pair = Pair(("dpl_old", "dpl_new"), 1)
    request, _ = asked("GET", "/v1/usage", "")

    assert {pair.choose(request) for _ in range(100)} == {"dpl_old", "dpl_new"}
    pair.always = "dpl_old"
    assert {pair.choose(request) for _ in range(100)} == {"dpl_old"}
    request.headers[DEPLOYMENT_HEADER] = "dpl_new"
    assert pair.choose(request) == ""


def test_a_direction_in_which_nobody_went_on_is_missing() -> None:
    pair = Pair(("old", "new"), 1)
    assert len(list(pair.missing())) == 2 * len(KINDS)

    for writer, reader in (("old", "new"), ("new", "old")):
        pair.hear(*asked("POST", "/v1/conversations", writer, made=f"c-{writer}"))
        pair.hear(*asked("GET", f"/v1/conversations/c-{writer}/items", reader))
        pair.hear(*asked("POST", "/v1/reservations", writer, made=f"r-{writer}"))
        pair.hear(*asked("POST", f"/v1/reservations/r-{writer}/settle", reader, status=503))
        pair.hear(*asked("POST", "/v1/changes", writer))
    pair.hear(*asked("GET", "/v1/documents/a.txt", "old"))

    assert list(pair.missing()) == [
        "unproved: no reservations that old wrote were then read by new",
        "unproved: no reservations that new wrote were then read by old",
    ]
    assert pair.handed["conversations", "old", "new"] == 1


def answer(name: str, status: int, by: str = "dpl/api/a#1") -> Answer:
    return Answer("GET a", 0, 1, status, by, request_id=name)


done = st.dictionaries(st.text("abcdef", min_size=1, max_size=4), st.sampled_from([200, 404, 429]), min_size=1)


@given(done, st.data())
@settings(max_examples=examples(200))
def test_what_was_done_twice_or_answered_to_nobody_is_found(lines: dict[str, int], data: st.DataObject) -> None:
    answers = [answer(name, status) for name, status in lines.items()]
    logged = list(lines.items())
    aside = [answer("", 502, ROUTER), answer("", 0, NO_ANSWER)]
    victim = data.draw(st.sampled_from(sorted(lines)))
    without = [each for each in answers if each.request_id != victim]

    assert broken_once([*answers, *aside], data.draw(st.permutations(logged))) == []
    assert any(victim in each for each in broken_once(answers, [*logged, (victim, lines[victim])]))
    assert any(victim in each for each in broken_once([*answers, answer(victim, lines[victim])], logged))
    assert any(each.startswith("lost") and victim in each for each in broken_once(without, logged))
    assert any(victim in each for each in broken_once(answers, [each for each in logged if each[0] != victim]))
    assert broken_once([*without, answer(victim, 500)], logged)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"request_id":"r","status":200,"message":"GET a 200"}', ("r", 200)),
        ('{"request_id":"r","message":"background: compaction failed"}', None),
        ("Traceback (most recent call last):", None),
        ("[1]", None),
    ],
)
def test_a_line_tells_of_a_request_or_not(line: str, told: object) -> None:
    assert read_line(line) == told


@pytest.mark.parametrize("instances", [2, 4, 8])
def test_a_rolling_change_goes_by_share_and_then_one_by_one(instances: int) -> None:
    by_share, by_one = steps(instances)[:4], steps(instances)[4:]

    assert [each.share for each in by_share] == [0.1, 0.25, 0.5, 1.0]
    assert {(each.to, each.away, each.ends_one) for each in by_share} == {(SECOND, FIRST, False)}
    assert [each.share for each in by_one] == [number / instances for number in range(1, instances + 1)]
    assert {(each.to, each.away, each.ends_one) for each in by_one} == {(THIRD, SECOND, True)}


def test_whatever_a_caller_would_have_to_ask_again_is_a_finding() -> None:
    fine = [answer("a", status) for status in (200, 304, 400, 404, 429)]
    wrong = [answer("b", 500), answer("c", 503), answer("d", 502, ROUTER), answer("e", 0, NO_ANSWER)]

    assert refused(fine) == []
    assert len(refused([*fine, *wrong])) == len(wrong)
