"""
Reading the settings (config.py) from the environment: the only reader of it in the bundle.

A wrong value closes what needs it, with a sentence that names the variable and its rule.
"""

import os
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from shared.config import SETTINGS, STORE_URLS, STORE_VARIABLES, Settings
from shared.setting import (
    EVERYTHING,
    PREFIX,
    RESP_ADDRESS,
    RESP_VARIABLE,
    VISIBLE,
    ConfigError,
    Secret,
    Wrong,
    is_address,
    read_value,
)

TEST_PREFIX = "WARMTHREAD_LIVE_"
"""What the tests of a real store are told by."""


class Configuration(NamedTuple):
    """The *settings*, with the default in the place of each value that is *wrong*."""

    settings: Settings
    wrong: tuple[Wrong, ...]


NO_STORE = ("https://store.invalid", Secret("none"))
"""What settings without a store have; nobody asks it anything."""


def read_configuration(environ: Mapping[str, str] | None = None) -> Configuration:
    """Return what *environ* (the process's own by default) describes, right or wrong."""
    environ = os.environ if environ is None else environ
    values: dict[str, Any] = {}
    wrong: list[Wrong] = []
    store = _read_store(environ)
    if isinstance(store, Wrong):
        wrong.append(store)
        store = NO_STORE
    values["store_url"], values["store_token"] = store
    for field, setting in SETTINGS.items():
        if setting.default is None:
            continue
        for variable in setting.names(field):
            raw = environ.get(variable, "").strip()
            if not raw:
                continue  # Forms of settings cannot always leave a variable away.
            try:
                values[field] = read_value(setting, raw)
            except ConfigError as error:
                wrong.append(Wrong(variable, str(error), setting.closes))
            break
    if values["store_url"] == NO_STORE[0]:
        values["metrics_flush_s"] = 0
    wrong += _unknown(environ)
    return Configuration(Settings(**values), tuple(wrong))


def read_settings(environ: Mapping[str, str] | None = None, *, only: str | None = None) -> Settings:
    """
    Return the settings that *environ* (the process's own by default) describes.

    Raises:   ConfigError: one is wrong that closes something; with *only*, one that closes that area.
    """
    settings, wrong = read_configuration(environ)
    if found := [each.sentence for each in wrong if each.closes and only in (None, each.closes)]:
        raise ConfigError(" ".join(found))
    return settings


def _read_store(environ: Mapping[str, str]) -> tuple[str, Secret] | Wrong:
    if raw := environ.get(RESP_VARIABLE, "").strip():
        return _read_resp(raw)
    for url_name, token_name in STORE_VARIABLES:
        url, token = environ.get(url_name, "").strip(), environ.get(token_name, "").strip()
        if not url and not token:
            continue
        if not url or not token:
            there, missing = (token_name, url_name) if token else (url_name, token_name)
            return Wrong(missing, f"must be set, because {there} is", EVERYTHING)
        if not is_address(url):
            return Wrong(url_name, "must be an address that begins with https:// or http://", EVERYTHING)
        if not VISIBLE.fullmatch(token):
            return Wrong(token_name, "must have visible ASCII characters only", EVERYTHING)
        return url.rstrip("/"), Secret(token)
    return Wrong(STORE_URLS[0], f"or {STORE_URLS[1]} must be set, with its token", EVERYTHING)


def _read_resp(raw: str) -> tuple[str, Secret] | Wrong:
    """Return address and login of a store that speaks Redis' own protocol: what is shown has no password in it."""
    found = RESP_ADDRESS.fullmatch(raw)
    if found is None or int(found["port"] or 1) > 65_535 or (found["cluster"] and found["database"].strip("0")):
        rule = "must be redis(s)://[user:password@]host:port[/database], or end in ?cluster without a database"
        return Wrong(RESP_VARIABLE, rule, EVERYTHING)
    from importlib.util import find_spec  # Who has another store is spared the import.

    if find_spec("libvalkey") is None:
        return Wrong(RESP_VARIABLE, "needs what requirements-resp.txt names, which is not installed", EVERYTHING)
    login = found["login"] or ""
    return raw.replace(f"{login}@", "", 1), Secret(login)


def _unknown(environ: Mapping[str, str]) -> Iterator[Wrong]:
    """Yield what was meant as a setting, and is none."""
    known = {variable for field, setting in SETTINGS.items() for variable in setting.names(field)}
    for variable in sorted(environ):
        if variable.startswith(PREFIX) and variable not in known and not variable.startswith(TEST_PREFIX):
            from difflib import get_close_matches  # Who makes no mistake is spared the import.

            names = [each.removeprefix(PREFIX) for each in known if each.startswith(PREFIX)]
            near = get_close_matches(variable.removeprefix(PREFIX), names, 1, 0.7)
            yield Wrong(variable, f"is no setting{f', but {PREFIX}{near[0]} is' if near else ''}", "")
