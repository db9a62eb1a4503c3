"""A store as text and back is the same store, and what is no fixture is said to be none."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.local.upstash import LocalUpstash
from scripts.proving.past import Past
from scripts.storing import __main__ as program
from scripts.storing.families import families_of
from scripts.storing.lines import dump, load
from shared.store import keys
from tests.examples import examples

pytestmark = pytest.mark.unmeasured

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
members = st.lists(texts, min_size=1, max_size=5, unique=True)
scores = st.integers(-(10**15), 10**15) | st.floats(-1e6, 1e6).map(lambda score: round(score, 3))
values = st.one_of(
    st.tuples(st.just("string"), texts),
    st.tuples(st.just("hash"), st.dictionaries(texts, texts, min_size=1, max_size=5)),
    st.tuples(st.just("set"), members),
    st.tuples(st.just("zset"), st.dictionaries(texts, scores, min_size=1, max_size=5)),
)
stores = st.dictionaries(texts.filter(bool), st.tuples(values, st.sampled_from([-1, 60_000])), max_size=4)


@pytest.fixture(scope="module")
def run() -> Iterator[Callable[..., Any]]:
    with LocalUpstash() as store:
        past = Past(store.url, store.token)
        yield past.run
        past.close()


def write(run: Callable[..., Any], name: str, kind: str, value: Any) -> None:
    match kind:
        case "string":
            run("SET", name, value)
        case "hash":
            run("HSET", name, *(part for pair in value.items() for part in pair))
        case "set":
            run("SADD", name, *value)
        case "zset":
            run("ZADD", name, *(part for member, score in value.items() for part in (score, member)))


def without_lives(lines: list[bytes]) -> list[dict[str, Any]]:
    """Return what *lines* say, of the time to live only whether there is one."""
    return [{**said, "ttl_ms": said["ttl_ms"] >= 0} for said in map(orjson.loads, lines)]


@given(stores)
@settings(max_examples=examples(100))
def test_a_store_that_was_written_down_is_loaded_as_it_was(
    run: Callable[..., Any], store: dict[str, tuple[tuple[str, Any], int]]
) -> None:
    run("FLUSHALL")
    for name, ((kind, value), ttl_ms) in store.items():
        write(run, name, kind, value)
        if ttl_ms >= 0:
            run("PEXPIRE", name, ttl_ms)
    lines = list(dump(run))
    run("FLUSHALL")

    assert load(run, lines) == sorted(store)
    assert without_lives(list(dump(run))) == without_lives(lines)
    assert {said["key"] for said in without_lives(lines) if said["ttl_ms"]} == {
        name for name, (_, ttl_ms) in store.items() if ttl_ms >= 0
    }


def test_what_no_family_is_can_neither_be_written_down_nor_loaded(run: Callable[..., Any]) -> None:
    run("FLUSHALL")
    run("LPUSH", "a", "b")

    with pytest.raises(ValueError, match="a is a list"):
        list(dump(run))
    with pytest.raises(ValueError, match="a is a list"):
        load(run, [b'{"key":"a","type":"list","ttl_ms":-1,"value":["b"]}'])


@given(st.text("abc:{}", min_size=1, max_size=8))
@settings(max_examples=examples(100))
def test_a_name_belongs_to_the_family_that_made_it(word: str) -> None:
    made = {
        "tenant_key": keys.tenant_key(word),
        "built_key": keys.built_key(word),
        "activity_key": keys.activity_key(word, 3),
        "rows_key": keys.rows_key(word, 12),
        "reservations_key": keys.reservations_key(word),
        "document_marks_key": keys.document_marks_key(word),
        "cron_key": keys.cron_key(word),
        "METRICS_KEY": keys.METRICS_KEY,
    }

    if not set("{}:") & set(word):  # As of every tenant's name (shared/request/caller.py).
        assert families_of(made.values()) == {family: {name} for family, name in made.items()}
    assert "" not in families_of(made.values())


@pytest.mark.parametrize(("arguments", "said"), [(["No Version"], "is no version"), (["v1"], "has a fixture")])
def test_a_wrong_version_and_one_that_has_a_fixture_are_refused(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "v1").mkdir()
    monkeypatch.setattr("sys.argv", ["stored", "--folder", str(tmp_path), *arguments])

    assert program.main() == 2
    assert said in capsys.readouterr().err
    assert list((tmp_path / "v1").iterdir()) == []
