"""Settings: read once, checked, and never printed with a secret in them."""

import pytest

from shared.config import SETTINGS, ConfigError, Secret, Settings, read_settings

STORE = {"UPSTASH_REDIS_REST_URL": "https://example.upstash.io/", "UPSTASH_REDIS_REST_TOKEN": "very-secret"}


def test_both_pairs_of_names_name_the_store() -> None:
    kv = {"KV_REST_API_URL": "https://kv.example", "KV_REST_API_TOKEN": "t"}

    assert read_settings(STORE).store_url == "https://example.upstash.io"
    assert read_settings(kv).store_url == "https://kv.example"
    assert read_settings({**kv, **STORE}).store_url == "https://example.upstash.io"


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({}, "UPSTASH_REDIS_REST_URL"),
        ({"UPSTASH_REDIS_REST_URL": "https://x"}, "UPSTASH_REDIS_REST_TOKEN"),
        ({**STORE, "UPSTASH_REDIS_REST_URL": "redis://x"}, "UPSTASH_REDIS_REST_URL"),
        ({**STORE, "WARMTHREAD_BATCH_ITEMS_MAX": "many"}, "WARMTHREAD_BATCH_ITEMS_MAX"),
        ({**STORE, "WARMTHREAD_BATCH_ITEMS_MAX": "101"}, "WARMTHREAD_BATCH_ITEMS_MAX"),
        ({**STORE, "WARMTHREAD_STORE_TIMEOUT_S": "0"}, "WARMTHREAD_STORE_TIMEOUT_S"),
        ({**STORE, "WARMTHREAD_STORE_TIMEOUT_S": "nan"}, "WARMTHREAD_STORE_TIMEOUT_S"),
        ({**STORE, "WARMTHREAD_RATE_OUTAGE": "ajar"}, "WARMTHREAD_RATE_OUTAGE"),
        ({**STORE, "WARMTHREAD_DOCUMENTS_URL": "ftp://host/x"}, "WARMTHREAD_DOCUMENTS_URL"),
        ({**STORE, "CRON_SECRET": "short"}, "CRON_SECRET"),
        ({**STORE, "WARMTHREAD_CHANGES_SECRET": "short"}, "WARMTHREAD_CHANGES_SECRET"),
    ],
)
def test_a_wrong_value_stops_the_instance_with_its_name(environ: dict[str, str], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        read_settings(environ)


def test_a_value_from_the_environment_wins_over_the_default() -> None:
    settings = read_settings({**STORE, "WARMTHREAD_PINNED_TOKENS_MAX": "500", "WARMTHREAD_STORE_TIMEOUT_S": "0.5"})

    assert (settings.pinned_tokens_max, settings.store_timeout_s) == (500, 0.5)


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
