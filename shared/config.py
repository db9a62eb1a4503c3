"""
Settings of one function instance: read from the environment once, in lifespan, and frozen.

The only reader of the environment in the bundle. A wrong value stops the instance with the variable's name.
A dataclass and not a pydantic model: reads never need pydantic, and importing it costs a cold start 50 ms,
more than half of what Starlette costs.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from urllib.parse import urlsplit


class ConfigError(Exception):
    """A variable is missing or has a value outside its bounds; the text names it."""


class Secret(str):
    """A string that does not print itself."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret(***)"


NO_SECRET = Secret("")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every limit and address; the names in the environment are WARMTHREAD_<FIELD>, but for the store's two."""

    store_url: str
    store_token: Secret
    store_timeout_s: float = 2.0
    store_connect_timeout_s: float = 1.0
    store_reply_bytes_max: int = 4_000_000
    store_request_bytes_max: int = 8_000_000
    body_bytes_max: int = 4_500_000
    body_structure_max: int = 60_000
    batch_items_max: int = 100
    item_bytes_max: int = 1_048_576
    item_structure_max: int = 20_000
    conversation_entries_max: int = 100_000
    conversation_bytes_max: int = 64 * 1_048_576
    conversation_expiry_s: int = 30 * 86_400
    pinned_tokens_max: int = 32_000
    idempotency_s: int = 86_400
    l1_bytes_max: int = 32 * 1_048_576
    pool_threads: int = 4
    rate_outage: str = "closed"
    budget_outage: str = "closed"
    max_duration_s: int = 30
    reservation_s: int = 600
    reservation_kept_s: int = 86_400
    reservations_max: int = 10_000
    documents_url: str = ".warmthread/documents"
    document_bytes_max: int = 1_048_576
    document_l1_bytes_max: int = 16 * 1_048_576
    document_fresh_s: int = 60
    document_missing_s: int = 5
    document_stale_s: int = 86_400
    document_expiry_s: int = 7 * 86_400
    document_timeout_s: float = 3.0
    document_lease_s: float = 4.0
    documents_max: int = 10_000
    conversation_documents_max: int = 64
    changes_max: int = 1_000
    cron_s: int = 50
    warm_documents_max: int = 2_000
    changes_secret: Secret = NO_SECRET
    cron_secret: Secret = NO_SECRET
    own_url: str = ""
    bypass_secret: Secret = NO_SECRET
    metrics_flush_s: int = 10
    metrics_secret: Secret = NO_SECRET
    memory_bytes_max: int = 0
    function_memory_mb: str = ""
    deployment: str = "local"


STORE_VARIABLES = (
    ("UPSTASH_REDIS_REST_URL", "UPSTASH_REDIS_REST_TOKEN"),
    ("KV_REST_API_URL", "KV_REST_API_TOKEN"),
)
"""The two pairs of names: Upstash's own, and those that Vercel's integration sets."""

BOUNDS: dict[str, tuple[float, float]] = {
    "store_timeout_s": (0.05, 30),
    "store_connect_timeout_s": (0.05, 30),
    "store_reply_bytes_max": (1_000, 9_000_000),
    "store_request_bytes_max": (10_000, 10_000_000),
    "body_bytes_max": (1_000, 4_500_000),
    "body_structure_max": (1_000, 60_000),
    "batch_items_max": (1, 100),
    "item_bytes_max": (1_000, 1_048_576),
    "item_structure_max": (100, 20_000),
    "conversation_entries_max": (10, 100_000),
    "conversation_bytes_max": (10_000, 96 * 1_048_576),
    "conversation_expiry_s": (0, 3_650 * 86_400),
    "pinned_tokens_max": (0, 1_000_000),
    "idempotency_s": (60, 7 * 86_400),
    "l1_bytes_max": (0, 1_073_741_824),
    "pool_threads": (1, 32),
    "max_duration_s": (2, 1_800),
    "memory_bytes_max": (0, 16 * 1_073_741_824),
    "metrics_flush_s": (0, 3_600),
    "reservation_s": (1, 3_600),
    "reservation_kept_s": (3_600, 30 * 86_400),
    "reservations_max": (1, 100_000),
    "document_bytes_max": (1_000, 1_048_576),
    "document_l1_bytes_max": (0, 1_073_741_824),
    "document_fresh_s": (1, 86_400),
    "document_missing_s": (1, 3_600),
    "document_stale_s": (0, 30 * 86_400),
    "document_expiry_s": (60, 365 * 86_400),
    "document_timeout_s": (0.05, 20),
    "document_lease_s": (0.1, 30),
    "documents_max": (1, 100_000),
    "conversation_documents_max": (0, 256),
    "changes_max": (1, 10_000),
    "cron_s": (1, 300),
    "warm_documents_max": (0, 10_000),
}

CHOICES = {"rate_outage": ("closed", "open"), "budget_outage": ("closed", "open")}
"""`open`: what the store cannot be asked about is allowed."""

NAMED = {
    "documents_url": "WARMTHREAD_DOCUMENTS_URL",
    "changes_secret": "WARMTHREAD_CHANGES_SECRET",
    "cron_secret": "CRON_SECRET",
    "metrics_secret": "WARMTHREAD_METRICS_SECRET",
    "bypass_secret": "VERCEL_AUTOMATION_BYPASS_SECRET",
}
"""The settings that are text, and their variables."""

OWN_URL_VARIABLES = ("WARMTHREAD_OWN_URL", "VERCEL_URL")
"""Where the deployment finds itself, the first that is set."""

DOCUMENT_SCHEMES = ("s3", "file", "memory")
SECRET_CHARS_MIN = 16


def read_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """
    Return the settings that *environ* (the process's own by default) describes.

    Raises:   ConfigError: no store is named, or a value does not parse or is out of bounds.
    """
    environ = os.environ if environ is None else environ
    url, token = _read_store(environ)
    values: dict[str, object] = {}
    for field in fields(Settings):
        raw = environ.get(f"WARMTHREAD_{field.name.upper()}")
        if field.name in BOUNDS and raw is not None:
            convert = float if isinstance(field.default, float) else int
            values[field.name] = _read_number(field.name, raw, convert)
        elif field.name in CHOICES and raw is not None:
            values[field.name] = _read_choice(field.name, raw)
    values |= _read_texts(environ)
    deployment = environ.get("VERCEL_DEPLOYMENT_ID") or "local"
    values["function_memory_mb"] = environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "")
    return Settings(store_url=url, store_token=Secret(token), deployment=deployment, **values)  # type: ignore[arg-type]  # each value was converted for its field above.


def _read_texts(environ: Mapping[str, str]) -> dict[str, object]:
    texts: dict[str, object] = {}
    for name, variable in NAMED.items():
        value = environ.get(variable, "").strip()
        if value:
            texts[name] = Secret(value) if name.endswith("_secret") else value
        if name in ("changes_secret", "cron_secret", "metrics_secret") and 0 < len(value) < SECRET_CHARS_MIN:
            raise ConfigError(f"{variable} has fewer than {SECRET_CHARS_MIN} characters")
    scheme, separator, _ = str(texts.get("documents_url", "")).partition("://")
    if separator and scheme not in DOCUMENT_SCHEMES:
        raise ConfigError(f"{NAMED['documents_url']} is neither a folder nor one of {', '.join(DOCUMENT_SCHEMES)}")
    if host := next(filter(None, map(environ.get, OWN_URL_VARIABLES)), ""):
        texts["own_url"] = host.rstrip("/") if "://" in host else f"https://{host}"
    return texts


def _read_store(environ: Mapping[str, str]) -> tuple[str, str]:
    for url_name, token_name in STORE_VARIABLES:
        url, token = environ.get(url_name, "").strip(), environ.get(token_name, "").strip()
        if url and token:
            parts = urlsplit(url)
            if parts.scheme not in ("https", "http") or not parts.hostname:
                raise ConfigError(f"{url_name} is not an http(s) address")
            return url.rstrip("/"), token
        if url or token:
            raise ConfigError(f"{url_name} and {token_name} go together; one of them is missing")
    names = " or ".join(url for url, _ in STORE_VARIABLES)
    raise ConfigError(f"no store is configured: set {names}, with its token")


def _read_number(name: str, raw: str, convert: Callable[[str], float]) -> float:
    variable = f"WARMTHREAD_{name.upper()}"
    low, high = BOUNDS[name]
    try:
        value = convert(raw)
    except ValueError:
        raise ConfigError(f"{variable} is not a number: {raw[:40]!r}") from None
    if not low <= value <= high:
        raise ConfigError(f"{variable} is {raw}; it goes from {low:g} to {high:g}")
    return value


def _read_choice(name: str, raw: str) -> str:
    if raw not in CHOICES[name]:
        raise ConfigError(f"WARMTHREAD_{name.upper()} is {raw[:40]!r}; it is one of {', '.join(CHOICES[name])}")
    return raw
