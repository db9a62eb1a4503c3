"""Settings: read once, checked, and never printed with a secret in them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.openapi.routes import routes
from shared.config import SETTINGS, Settings
from shared.environment import read_configuration, read_settings
from shared.setting import ADDRESS, AREAS, EVERYTHING, ConfigError, Secret, is_address
from shared.store.transport import HttpTransport
from tests.examples import examples

STORE = {"UPSTASH_REDIS_REST_URL": "https://example.upstash.io/", "UPSTASH_REDIS_REST_TOKEN": "very-secret"}


def test_both_pairs_of_names_name_the_store() -> None:
    kv = {"KV_REST_API_URL": "https://kv.example", "KV_REST_API_TOKEN": "t"}

    assert read_settings(STORE).store_url == "https://example.upstash.io"
    assert read_settings(kv).store_url == "https://kv.example"
    assert read_settings({**kv, **STORE}).store_url == "https://example.upstash.io"


VALUE = "xyzzy-4711 \u00e9"
"""Malformed for every setting that can be, and not to be seen anywhere."""

VARIABLES = [
    (field, variable)
    for field, setting in SETTINGS.items()
    if setting.default is not None
    for variable in setting.names(field)
]
WORDS = {"documents_url": "ftp://host/x", "own_url": "ftp://host/x"}
"""Malformed values of what may be nearly any text."""


@pytest.mark.parametrize(("field", "variable"), VARIABLES)
def test_a_malformed_value_is_one_sentence_with_variable_and_rule(field: str, variable: str) -> None:
    value = WORDS.get(field, VALUE)
    read, wrong = read_configuration({**STORE, variable: value})
    [found] = wrong

    assert found.variable == variable
    assert found.closes == SETTINGS[field].closes
    assert read == read_settings(STORE)
    assert found.sentence.startswith(f"{variable} must ")
    assert found.sentence.endswith(f"; until then {AREAS[found.closes]}." if found.closes else f"{found.rule}.")
    assert found.sentence.count(".") == 1 + found.rule.count(".")
    assert value not in found.sentence
    if not found.closes:
        return
    with pytest.raises(ConfigError) as refused:
        read_settings({**STORE, variable: value})
    assert str(refused.value) == found.sentence


@pytest.mark.parametrize(
    ("variable", "values", "rule"),
    [
        (
            "WARMTHREAD_BATCH_ITEMS_MAX",
            ["many", "101", "0", "-1", "1.5", "1e2", "9" * 5_000],
            "a whole number from 1 to 100",
        ),
        ("WARMTHREAD_STORE_TIMEOUT_S", ["0", "nan", "inf", "1,5"], "a number from 0.05 to 30"),
        ("WARMTHREAD_L1_BYTES_MAX", ["abc", "-5"], "a whole number from 0 to 1,073,741,824"),
        ("WARMTHREAD_RATE_OUTAGE", ["ajar", "CLOSED"], "closed or open"),
        ("CRON_SECRET", ["abc", "x" * 15, "x" * 20 + "\n" + "y", "\u0441" * 20], "at least 16 characters"),
        (
            "WARMTHREAD_DOCUMENTS_URL",
            ["ftp://x", "s3://", "s3:///", "file://folder", "http://[x"],
            "s3://bucket/prefix",
        ),
        ("WARMTHREAD_OWN_URL", ["ftp://x", "http://[x", "http://x:70000", "a b"], "begins with https:// or http://"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", ["\u00b2", "-1", "1GB"], "a whole number of megabytes"),
        ("VERCEL_DEPLOYMENT_ID", ["a\nb", "\u00e9"], "visible ASCII"),
    ],
)
def test_what_breaks_a_rule_is_told_the_rule(variable: str, values: list[str], rule: str) -> None:
    for value in values:
        [found] = read_configuration({**STORE, variable: value}).wrong

        assert rule in found.sentence, value


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        ({}, "UPSTASH_REDIS_REST_URL or KV_REST_API_URL must be set, with its token"),
        (
            {"UPSTASH_REDIS_REST_URL": "https://x"},
            "UPSTASH_REDIS_REST_TOKEN must be set, because UPSTASH_REDIS_REST_URL is",
        ),
        ({"KV_REST_API_TOKEN": "t"}, "KV_REST_API_URL must be set, because KV_REST_API_TOKEN is"),
        *(
            (
                STORE | {"UPSTASH_REDIS_REST_URL": url},
                "UPSTASH_REDIS_REST_URL must be an address that begins with https:// or http://",
            )
            for url in (
                "redis://x",
                "x.upstash.io",
                "http://[",
                "https://x:99999",
                "https://u:p@x",
                "https://a b",
                "https://xn--.io",
            )
        ),
        (
            STORE | {"UPSTASH_REDIS_REST_TOKEN": "a\nb"},
            "UPSTASH_REDIS_REST_TOKEN must have visible ASCII characters only",
        ),
    ],
)
def test_a_store_that_is_not_named_rightly_closes_everything(environ: dict[str, str], sentence: str) -> None:
    read, [found] = read_configuration(environ)

    assert found.sentence == f"{sentence}; until then everything is closed."
    assert read.store_url == "https://store.invalid"
    assert read.metrics_flush_s == 0
    with pytest.raises(ConfigError, match="everything is closed"):
        read_settings(environ, only=EVERYTHING)


@settings(max_examples=examples(300), deadline=None, database=None)
@given(st.from_regex(ADDRESS, fullmatch=True).filter(is_address))
async def test_the_client_takes_every_address_that_the_rule_takes(address: str) -> None:
    read = read_settings({**STORE, "UPSTASH_REDIS_REST_URL": address})
    await HttpTransport(read).close()


def test_a_name_that_is_no_setting_is_told_the_nearest_and_closes_nothing() -> None:
    names = {"WARMTHREAD_L1_BYTES": "abc", "WARMTHREAD_COLOUR": "red", "WARMTHREAD_LIVE_STORE_URL": "x"}
    read, wrong = read_configuration({**STORE, **names})

    assert [each.sentence for each in wrong] == [
        "WARMTHREAD_COLOUR is no setting.",
        "WARMTHREAD_L1_BYTES is no setting, but WARMTHREAD_L1_BYTES_MAX is.",
    ]
    assert read == read_settings({**STORE, **names}) == read_settings(STORE)


def test_an_empty_value_says_nothing() -> None:
    assert read_settings({**STORE, **{variable: " " for _, variable in VARIABLES}}) == read_settings(STORE)


def test_what_needs_only_the_store_is_not_stopped_by_the_rest() -> None:
    environ = {**STORE, "CRON_SECRET": "abc", "WARMTHREAD_BATCH_ITEMS_MAX": "x"}

    assert read_settings(environ, only=EVERYTHING) == read_settings(STORE)


def test_every_area_is_that_of_a_setting_and_of_a_route() -> None:
    assert set(AREAS) == {setting.closes for setting in SETTINGS.values()} - {""}
    assert set(AREAS) <= {area for route in routes() for area in route.areas}


def test_a_value_from_the_environment_wins_over_the_default() -> None:
    read = read_settings({**STORE, "WARMTHREAD_PINNED_TOKENS_MAX": "500", "WARMTHREAD_STORE_TIMEOUT_S": "0.5"})

    assert (read.pinned_tokens_max, read.store_timeout_s) == (500, 0.5)


def test_the_deployment_knows_its_own_address() -> None:
    assert read_settings(STORE).own_url == ""
    assert read_settings({**STORE, "VERCEL_URL": "x.vercel.app"}).own_url == "https://x.vercel.app"
    assert read_settings({**STORE, "VERCEL_URL": "x", "WARMTHREAD_OWN_URL": "http://y/"}).own_url == "http://y"


def test_secrets_are_not_printed() -> None:
    cron = "cron-is-very-secret"

    assert read_settings({**STORE, "CRON_SECRET": cron}).cron_secret == cron
    assert "very-secret" not in repr(read_settings({**STORE, "CRON_SECRET": cron}))


def test_every_setting_is_declared_and_its_default_is_within_its_bounds() -> None:
    assert list(SETTINGS) == list(Settings._fields)
    for name, setting in SETTINGS.items():
        assert setting.text, name
        if isinstance(setting.default, int | float):
            assert setting.low <= setting.default <= setting.high
            assert setting.low < setting.high
        else:
            assert setting.default in (setting.choices or (setting.default,))
    assert Settings("https://x", Secret("t")) == read_settings(
        {**STORE, "UPSTASH_REDIS_REST_URL": "https://x"}
    )._replace(store_token=Secret("t"))


def test_a_setting_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        read_settings(STORE).batch_items_max = 7  # type: ignore[misc]  # that it is refused is the test.
