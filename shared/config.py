"""
Settings of one function instance: read from the environment once (environment.py), in lifespan, and frozen.

Each is declared once, with default, bounds, meaning and who needs it: checks and the docs' table come from it. A named
tuple and neither a pydantic model nor a dataclass: for so many fields these cost a cold start 50 ms and 2 ms.
"""

from typing import NamedTuple

from shared.setting import (
    EVERYTHING,
    RESP_VARIABLE,
    Secret,
    Setting,
    choice,
    number,
    read_address,
    read_digits,
    read_folder,
    read_pairs,
    read_visible,
    required,
    secret,
    words,
)

STORE_VARIABLES = (
    ("UPSTASH_REDIS_REST_URL", "UPSTASH_REDIS_REST_TOKEN"),
    ("KV_REST_API_URL", "KV_REST_API_TOKEN"),
)
"""The two pairs of names: Upstash's own, and those that Vercel's integration sets."""

STORE_URLS, STORE_TOKENS = zip(*STORE_VARIABLES, strict=True)


class Settings(NamedTuple):
    """Every limit and address."""

    store_url: str = required(
        "the store: the address of Upstash's REST API; the first of them, which wins, is for Redis 7, Valkey and their "
        "like: `redis(s)://[user:password@]host:port[/database]`, or `…host:port?cluster`; it needs `libvalkey`",
        (RESP_VARIABLE, *STORE_URLS),
    )
    store_token: Secret = required(
        "that API's token; the second of each two is what Vercel's integration of Upstash sets", STORE_TOKENS
    )
    store_timeout_s: float = number(2.0, 0.05, 30, "the longest that one request to the store may take")
    store_connect_timeout_s: float = number(1.0, 0.05, 30, "of which connecting")
    replicas_acknowledge: int = number(
        0, 0, 5, "with `WARMTHREAD_STORE_URL`: replicas that have a write before it is acknowledged"
    )
    store_reply_bytes_max: int = number(
        4_000_000,
        1_000,
        9_000_000,
        "stored bytes in one reply; what exceeds it is read by further requests",
        "conversations",
    )
    store_request_bytes_max: int = number(8_000_000, 10_000, 10_000_000, "bytes of one request to the store")
    body_bytes_max: int = number(4_500_000, 1_000, 4_500_000, "bytes of a request's body", "bodies")
    body_s: float = number(
        5.0,
        0.1,
        60,
        "seconds in which a body has to come, and one more for each megabyte that came; then the request is refused",
        "bodies",
    )
    body_structure_max: int = number(
        60_000, 1_000, 60_000, "commas, colons and opening brackets outside the strings of a body", "bodies"
    )
    strangers_max: int = number(
        16,
        1,
        256,
        "requests at work at once of callers whose key an instance has not had confirmed in the last 5 s, and never "
        "more than every second of all",
        "tenants",
    )
    list_scan_max: int = number(
        1_000,
        1,
        1_000,
        "conversations that a list with a filter looks at in one step; 10 of which find one or give up",
        "conversations",
    )
    batch_items_max: int = number(100, 1, 100, "items of one append", "writes")
    item_bytes_max: int = number(1_048_576, 1_000, 1_048_576, "bytes of one item's JSON", "writes")
    item_structure_max: int = number(
        20_000,
        100,
        20_000,
        "commas, colons and opening brackets outside the strings of an item",
        "writes",
    )
    conversation_entries_max: int = number(
        100_000, 10, 100_000, "entries of a conversation: items, deletions, changes of metadata", "writes"
    )
    conversation_bytes_max: int = number(64 * 1_048_576, 10_000, 80 * 1_048_576, "bytes of a conversation", "writes")
    tenant_bytes_max: int = number(
        10 * 1_073_741_824,
        0,
        10_240 * 1_073_741_824,
        "bytes of all conversations of a tenant without a limit of its own (`scripts/keys set --bytes`); counted to "
        "within a percent, and added up by every sweep",
        "writes",
    )
    metadata_bytes_max: int = number(8_192, 100, 8_192, "bytes of a conversation's metadata, as JSON", "writes")
    index_shard_bytes_max: int = number(
        30_000_000,
        1_000,
        30_000_000,
        "what one record of a tenant's list of conversations may take; past it the sweep spreads them over twice as "
        "many, up to 1,024",
        "cron",
    )
    conversation_expiry_s: int = number(
        30 * 86_400,
        0,
        3_650 * 86_400,
        "life of a conversation after its last use, when its creator says nothing; 0: for ever",
        "writes",
    )
    pinned_tokens_max: int = number(
        32_000,
        0,
        1_000_000,
        "tokens of all system and developer messages of a conversation",
        "writes",
    )
    idempotency_s: int = number(86_400, 60, 7 * 86_400, "how long an `Idempotency-Key` is remembered", "writes")
    l1_bytes_max: int = number(
        32 * 1_048_576, 0, 1_073_741_824, "what an instance remembers of conversations", "conversations"
    )
    l1_whole_bytes_max: int = number(
        262_144,
        0,
        4_000_000,
        "a conversation of at most so many bytes comes whole with the first read of its items, and is remembered",
        "conversations",
    )
    pool_threads: int = number(4, 1, 32, "threads for counting, and for whatever large must not hold the loop")
    rate_outage: str = choice(
        ("closed", "open"),
        "while the store is away, tenants with a rate get only answers for which permits are held already; "
        "`open`: also those for which no permit could be taken",
        "tenants",
    )
    budget_outage: str = choice(
        ("closed", "open"),
        "while the store is away nothing is reserved; `open`: everything is, unrecorded",
        "budgets",
    )
    max_duration_s: int = number(
        30,
        2,
        1_800,
        "how long the platform lets an invocation run, as `maxDuration` in vercel.json, where its runtime does not say",
    )
    reservation_s: int = number(600, 1, 3_600, "life of a reservation", "budgets")
    reservation_kept_s: int = number(
        86_400, 3_600, 30 * 86_400, "how long after its end a reservation can be settled", "budgets"
    )
    reservations_max: int = number(10_000, 1, 100_000, "live reservations of a tenant", "budgets")
    documents_url: str = words(
        ".warmthread/documents",
        "where documents come from: a folder, `file:///folder`, `memory:///`, or `s3://bucket/prefix` with the "
        "usual `AWS_…` variables and, for R2 or MinIO, `AWS_ENDPOINT_URL`",
        "documents",
        read=read_folder,
    )
    document_bytes_max: int = number(
        1_048_576,
        1_000,
        1_048_576,
        "what the tiers keep of one document, of a larger one its beginning; and what tenants may write as one",
        "documents",
    )
    document_l1_bytes_max: int = number(
        16 * 1_048_576, 0, 1_073_741_824, "what an instance remembers of documents", "documents"
    )
    document_fresh_s: int = number(
        60, 1, 86_400, "a copy is an answer for so long after its source was asked", "documents"
    )
    document_missing_s: int = number(5, 1, 3_600, "the same for a document that does not exist", "documents")
    document_stale_s: int = number(86_400, 0, 30 * 86_400, "the same while the source is away", "documents")
    document_expiry_s: int = number(
        7 * 86_400,
        60,
        365 * 86_400,
        "the store forgets a document that its source was not asked about for so long",
        "documents",
    )
    document_timeout_s: float = number(
        3.0, 0.05, 20, "the longest that one request to the source may take", "documents"
    )
    document_lease_s: float = number(
        4.0, 0.1, 30, "after so long another instance loads a document whose loader died", "documents"
    )
    documents_max: int = number(
        10_000,
        1,
        100_000,
        "documents of a tenant that the store keeps; others are loaded each time",
        "documents",
    )
    conversation_documents_max: int = number(64, 0, 256, "documents that a conversation may mention", "writes")
    recall: str = choice(
        ("on", "off"), "`on`: the words of what is appended are kept, so that contexts can recall older items", "writes"
    )
    changes_max: int = number(1_000, 1, 10_000, "paths of one change notice", "changes")
    cron_s: int = number(
        50,
        1,
        300,
        "how long a cron may work, at most until 8 s before the platform would end it; the next one goes on where "
        "it stopped",
        "cron",
    )
    warm_documents_max: int = number(2_000, 0, 10_000, "documents that one run of the warming cron looks at", "warm")
    changes_secret: Secret = secret(
        "what change notices have to show; `/v1/changes` is closed without it", "changes", "WARMTHREAD_CHANGES_SECRET"
    )
    cron_secret: Secret = secret(
        "what crons have to show, as Vercel sends it; their routes are closed without it", "cron", "CRON_SECRET"
    )
    receipt_secret: Secret = secret(
        "what receipts of erasures are signed with; without it they are not, and say so",
        "receipts",
        "WARMTHREAD_RECEIPT_SECRET",
    )
    own_url: str = words(
        "",
        "where the warming cron finds the conversations' function",
        "warm",
        "WARMTHREAD_OWN_URL",
        "VERCEL_URL",
        read=read_address,
    )
    bypass_secret: Secret = secret(
        "lets that call through the platform's protection of deployments",
        "warm",
        "VERCEL_AUTOMATION_BYPASS_SECRET",
        chars_min=0,
    )
    metrics_flush_s: int = number(
        10, 0, 3_600, "after so long an instance hands over what it counted; 0: never", "metrics"
    )
    metrics_hold_s: float = number(
        10.0,
        0,
        60,
        "for at most so long one invocation of an instance stays open behind its answer, so that what was counted is "
        "handed over though no further request comes; 0: it does not",
        "metrics",
    )
    metrics_secret: Secret = secret(
        "what whoever reads metrics has to show; `/api/metrics` is closed without it",
        "metrics",
        "WARMTHREAD_METRICS_SECRET",
    )
    log_level: str = choice(
        ("info", "warning", "error", "off"),
        "what is written to stdout: `info` is a line for each request as well",
        "",
    )
    otlp_endpoint: str = words(
        "",
        "where spans go, by OTLP as JSON over HTTP: `/v1/traces` below it; without it and the next one there are none",
        "",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        read=read_address,
    )
    otlp_traces_endpoint: str = words(
        "",
        "the same as a whole address; it comes first",
        "",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        read=read_address,
    )
    otlp_headers: str = words(
        "",
        "headers that go with them, as `name=value,name=value`, percent-encoded; a secret",
        "",
        "OTEL_EXPORTER_OTLP_HEADERS",
        read=read_pairs,
    )
    service_name: str = words(
        "", "what spans name the service by; `warmthread` without it", "", "OTEL_SERVICE_NAME", read=read_visible
    )
    resource_attributes: str = words(
        "",
        "what else they say of it, as `name=value,name=value`",
        "",
        "OTEL_RESOURCE_ATTRIBUTES",
        read=read_pairs,
    )
    traces_sampler: str = choice(
        (
            "parentbased_always_on",
            "parentbased_traceidratio",
            "parentbased_always_off",
            "traceidratio",
            "always_on",
            "always_off",
        ),
        "which requests have spans; `parentbased_…`: as the caller's `traceparent` says, if there is one",
        "",
        "OTEL_TRACES_SAMPLER",
    )
    traces_sampler_arg: float = number(
        1.0, 0, 1, "the share of traces, for `traceidratio`", "", "OTEL_TRACES_SAMPLER_ARG"
    )
    spans_delay_ms: int = number(
        5_000,
        0,
        600_000,
        "milliseconds between two requests with spans, unless there are 512",
        "",
        "OTEL_BSP_SCHEDULE_DELAY",
    )
    memory_bytes_max: int = number(
        0,
        0,
        16 * 1_073_741_824,
        "memory of the function; 0: the least of what the cgroup and `AWS_LAMBDA_FUNCTION_MEMORY_SIZE` say",
    )
    function_memory_mb: str = words(
        "",
        "memory of the function, where the platform says it",
        EVERYTHING,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        read=read_digits,
    )
    deployment: str = words(
        "local",
        "what answers and metrics name the deployment by; the platform sets it",
        EVERYTHING,
        "VERCEL_DEPLOYMENT_ID",
        read=read_visible,
    )


SETTINGS: dict[str, Setting] = Settings._field_defaults
"""Each setting's declaration."""

# What a Settings is made with where nobody says: the declared values, and for the store nothing.
Settings.__new__.__defaults__ = tuple(each.default for each in SETTINGS.values() if each.default is not None)
