"""
Settings of one function instance: read from the environment once, in lifespan, and frozen.

The only reader of the environment in the bundle. A wrong value stops the instance with the variable's name. Each
setting is declared once, with its default, its bounds and its meaning: checks and the table of the docs come from that.
A named tuple and neither a pydantic model nor a dataclass: for so many fields these cost a cold start 50 ms and 2 ms.
"""

import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, cast
from urllib.parse import urlsplit


class ConfigError(Exception):
    """A variable is missing or has a value outside its bounds; the text names it."""


class Secret(str):
    """A string that does not print itself."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret(***)"


NO_SECRET = Secret("")
SECRET_CHARS_MIN = 16


class Setting(NamedTuple):
    """
    What a setting is when nobody says (None: somebody has to), what it may be, and what it means (Markdown).

    *variables*: its names in the environment, of which the first that is set wins; none: WARMTHREAD_<FIELD>. A number
    has *low* and *high*, a word *choices*, a secret *chars_min*.
    """

    default: Any
    text: str
    low: float = 0
    high: float = 0
    choices: tuple[str, ...] = ()
    chars_min: int = 0
    variables: tuple[str, ...] = ()
    read: Callable[[str, str], str] | None = None
    """Checks a word, and returns it as it is kept; takes the variable that it may have to name."""

    def names(self, field: str) -> tuple[str, ...]:
        """Return the variables of the setting that is called *field*."""
        return self.variables or (f"WARMTHREAD_{field.upper()}",)


def number[N: (int, float)](default: N, low: float, high: float, text: str) -> N:
    """Declare a number; one that is written with a point by default may have a fraction."""
    return cast(N, Setting(default, text, low, high))


def choice(choices: tuple[str, ...], text: str) -> str:
    """Declare one of some words, by default the first."""
    return cast(str, Setting(choices[0], text, choices=choices))


def words(default: str, text: str, *variables: str, read: Callable[[str, str], str] | None = None) -> str:
    """Declare an address or a name."""
    return cast(str, Setting(default, text, variables=variables, read=read))


def secret(text: str, variable: str, *, chars_min: int = SECRET_CHARS_MIN) -> Secret:
    """Declare a secret; what is shorter than *chars_min* is refused, since it may be guessed."""
    return cast(Secret, Setting(NO_SECRET, text, chars_min=chars_min, variables=(variable,)))


def required(text: str, variables: tuple[str, ...]) -> Any:
    """Declare what has no default."""
    return Setting(None, text, variables=variables)


def _read_folder(variable: str, value: str) -> str:
    scheme, separator, _ = value.partition("://")
    if separator and scheme not in DOCUMENT_SCHEMES:
        raise ConfigError(f"{variable} is neither a folder nor one of {', '.join(DOCUMENT_SCHEMES)}")
    return value


def _read_address(variable: str, value: str) -> str:
    return value.rstrip("/") if "://" in value else f"https://{value}"


STORE_VARIABLES = (
    ("UPSTASH_REDIS_REST_URL", "UPSTASH_REDIS_REST_TOKEN"),
    ("KV_REST_API_URL", "KV_REST_API_TOKEN"),
)
"""The two pairs of names: Upstash's own, and those that Vercel's integration sets."""

STORE_URLS, STORE_TOKENS = zip(*STORE_VARIABLES, strict=True)
DOCUMENT_SCHEMES = ("s3", "file", "memory")


class Settings(NamedTuple):
    """Every limit and address."""

    store_url: str = required("the store: the address of its REST API", STORE_URLS)
    store_token: Secret = required(
        "its token; the second of each two is what Vercel's integration of Upstash sets", STORE_TOKENS
    )
    store_timeout_s: float = number(2.0, 0.05, 30, "the longest that one request to the store may take")
    store_connect_timeout_s: float = number(1.0, 0.05, 30, "of which connecting")
    store_reply_bytes_max: int = number(
        4_000_000, 1_000, 9_000_000, "stored bytes in one reply; what exceeds it is read by further requests"
    )
    store_request_bytes_max: int = number(8_000_000, 10_000, 10_000_000, "bytes of one request to the store")
    body_bytes_max: int = number(4_500_000, 1_000, 4_500_000, "bytes of a request's body")
    body_s: float = number(
        5.0,
        0.1,
        60,
        "seconds in which a body has to come, and one more for each megabyte that came; then the request is refused",
    )
    body_structure_max: int = number(
        60_000, 1_000, 60_000, "commas, colons and opening brackets outside the strings of a body"
    )
    strangers_max: int = number(
        16,
        1,
        256,
        "requests at work at once of callers whose key an instance has not had confirmed in the last 5 s, and never "
        "more than every second of all",
    )
    list_scan_max: int = number(
        1_000, 1, 1_000, "conversations that a list with a filter looks at in one step; 10 of which find one or give up"
    )
    batch_items_max: int = number(100, 1, 100, "items of one append")
    item_bytes_max: int = number(1_048_576, 1_000, 1_048_576, "bytes of one item's JSON")
    item_structure_max: int = number(
        20_000, 100, 20_000, "commas, colons and opening brackets outside the strings of an item"
    )
    conversation_entries_max: int = number(
        100_000, 10, 100_000, "entries of a conversation: items, deletions, changes of metadata"
    )
    conversation_bytes_max: int = number(64 * 1_048_576, 10_000, 80 * 1_048_576, "bytes of a conversation")
    tenant_bytes_max: int = number(
        10 * 1_073_741_824,
        0,
        10_240 * 1_073_741_824,
        "bytes of all conversations of a tenant without a limit of its own (`scripts/keys set --bytes`); counted to "
        "within a percent, and added up by every sweep",
    )
    metadata_bytes_max: int = number(8_192, 100, 8_192, "bytes of a conversation's metadata, as JSON")
    index_shard_bytes_max: int = number(
        30_000_000,
        1_000,
        30_000_000,
        "what one record of a tenant's list of conversations may take; past it the sweep spreads them over twice as "
        "many, up to 1,024",
    )
    conversation_expiry_s: int = number(
        30 * 86_400,
        0,
        3_650 * 86_400,
        "life of a conversation after its last use, when its creator says nothing; 0: for ever",
    )
    pinned_tokens_max: int = number(
        32_000, 0, 1_000_000, "tokens of all system and developer messages of a conversation"
    )
    idempotency_s: int = number(86_400, 60, 7 * 86_400, "how long an `Idempotency-Key` is remembered")
    l1_bytes_max: int = number(32 * 1_048_576, 0, 1_073_741_824, "what an instance remembers of conversations")
    l1_whole_bytes_max: int = number(
        262_144,
        0,
        4_000_000,
        "a conversation of at most so many bytes comes whole with the first read of its items, and is remembered",
    )
    pool_threads: int = number(4, 1, 32, "threads for counting, and for whatever large must not hold the loop")
    rate_outage: str = choice(
        ("closed", "open"),
        "while the store is away, tenants with a rate get only answers for which permits are held already; "
        "`open`: also those for which no permit could be taken",
    )
    budget_outage: str = choice(
        ("closed", "open"), "while the store is away nothing is reserved; `open`: everything is, unrecorded"
    )
    max_duration_s: int = number(
        30,
        2,
        1_800,
        "how long the platform lets an invocation run, as `maxDuration` in vercel.json, where its runtime does not say",
    )
    reservation_s: int = number(600, 1, 3_600, "life of a reservation")
    reservation_kept_s: int = number(86_400, 3_600, 30 * 86_400, "how long after its end a reservation can be settled")
    reservations_max: int = number(10_000, 1, 100_000, "live reservations of a tenant")
    documents_url: str = words(
        ".warmthread/documents",
        "where documents come from: a folder, `file:///folder`, `memory:///`, or `s3://bucket/prefix` with the "
        "usual `AWS_…` variables and, for R2 or MinIO, `AWS_ENDPOINT_URL`",
        read=_read_folder,
    )
    document_bytes_max: int = number(
        1_048_576, 1_000, 1_048_576, "what the tiers keep of one document; of a larger one, its beginning"
    )
    document_l1_bytes_max: int = number(16 * 1_048_576, 0, 1_073_741_824, "what an instance remembers of documents")
    document_fresh_s: int = number(60, 1, 86_400, "a copy is an answer for so long after its source was asked")
    document_missing_s: int = number(5, 1, 3_600, "the same for a document that does not exist")
    document_stale_s: int = number(86_400, 0, 30 * 86_400, "the same while the source is away")
    document_expiry_s: int = number(
        7 * 86_400, 60, 365 * 86_400, "the store forgets a document that its source was not asked about for so long"
    )
    document_timeout_s: float = number(3.0, 0.05, 20, "the longest that one request to the source may take")
    document_lease_s: float = number(4.0, 0.1, 30, "after so long another instance loads a document whose loader died")
    documents_max: int = number(
        10_000, 1, 100_000, "documents of a tenant that the store keeps; others are loaded each time"
    )
    conversation_documents_max: int = number(64, 0, 256, "documents that a conversation may mention")
    changes_max: int = number(1_000, 1, 10_000, "paths of one change notice")
    cron_s: int = number(
        50,
        1,
        300,
        "how long a cron may work, at most until 8 s before the platform would end it; the next one goes on where "
        "it stopped",
    )
    warm_documents_max: int = number(2_000, 0, 10_000, "documents that one run of the warming cron looks at")
    changes_secret: Secret = secret(
        "what change notices have to show; `/v1/changes` is closed without it", "WARMTHREAD_CHANGES_SECRET"
    )
    cron_secret: Secret = secret(
        "what crons have to show, as Vercel sends it; their routes are closed without it", "CRON_SECRET"
    )
    own_url: str = words(
        "",
        "where the warming cron finds the conversations' function",
        "WARMTHREAD_OWN_URL",
        "VERCEL_URL",
        read=_read_address,
    )
    bypass_secret: Secret = secret(
        "lets that call through the platform's protection of deployments",
        "VERCEL_AUTOMATION_BYPASS_SECRET",
        chars_min=0,
    )
    metrics_flush_s: int = number(10, 0, 3_600, "after so long an instance hands over what it counted; 0: never")
    metrics_secret: Secret = secret(
        "what whoever reads metrics has to show; `/api/metrics` is closed without it", "WARMTHREAD_METRICS_SECRET"
    )
    memory_bytes_max: int = number(
        0,
        0,
        16 * 1_073_741_824,
        "memory of the function; 0: the least of what the cgroup and `AWS_LAMBDA_FUNCTION_MEMORY_SIZE` say",
    )
    function_memory_mb: str = words(
        "", "memory of the function, where the platform says it", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE"
    )
    deployment: str = words(
        "local", "what answers and metrics name the deployment by; the platform sets it", "VERCEL_DEPLOYMENT_ID"
    )


SETTINGS: dict[str, Setting] = Settings._field_defaults
"""Each setting's declaration."""

# What a Settings is made with where nobody says: the declared values, and for the store nothing.
Settings.__new__.__defaults__ = tuple(each.default for each in SETTINGS.values() if each.default is not None)


def read_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """
    Return the settings that *environ* (the process's own by default) describes.

    Raises:   ConfigError: no store is named, or a value does not parse or is out of bounds.
    """
    environ = os.environ if environ is None else environ
    values: dict[str, Any] = dict(zip(("store_url", "store_token"), _read_store(environ), strict=True))
    for field, setting in SETTINGS.items():
        if setting.default is None:
            continue
        for variable in setting.names(field):
            raw = environ.get(variable)
            if raw is not None and (value := _read(setting, variable, raw)) is not None:
                values[field] = value
                break
    return Settings(**values)


def _read(setting: Setting, variable: str, raw: str) -> Any:
    """Return what *raw* says, None where it says nothing. Raises ConfigError."""
    if isinstance(setting.default, int | float):
        return _read_number(setting, variable, raw)
    if setting.choices:
        if raw not in setting.choices:
            raise ConfigError(f"{variable} is {raw[:40]!r}; it is one of {', '.join(setting.choices)}")
        return raw
    value = raw.strip()
    if value and len(value) < setting.chars_min:
        raise ConfigError(f"{variable} has fewer than {setting.chars_min} characters")
    if not value:
        return None
    return setting.read(variable, value) if setting.read else type(setting.default)(value)


def _read_number(setting: Setting, variable: str, raw: str) -> float:
    try:
        value: float = type(setting.default)(raw)
    except ValueError:
        raise ConfigError(f"{variable} is not a number: {raw[:40]!r}") from None
    if not setting.low <= value <= setting.high:
        raise ConfigError(f"{variable} is {raw}; it goes from {setting.low:g} to {setting.high:g}")
    return value


def _read_store(environ: Mapping[str, str]) -> tuple[str, Secret]:
    for url_name, token_name in STORE_VARIABLES:
        url, token = environ.get(url_name, "").strip(), environ.get(token_name, "").strip()
        if url and token:
            parts = urlsplit(url)
            if parts.scheme not in ("https", "http") or not parts.hostname:
                raise ConfigError(f"{url_name} is not an http(s) address")
            return url.rstrip("/"), Secret(token)
        if url or token:
            raise ConfigError(f"{url_name} and {token_name} go together; one of them is missing")
    raise ConfigError(f"no store is configured: set {' or '.join(STORE_URLS)}, with its token")
