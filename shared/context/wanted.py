"""
What a context is asked for: its parameters, of a query or a body, and what follows from them together.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, NamedTuple

import orjson

from shared.context.render import FORMATS
from shared.errors import InvalidValue
from shared.items.counts import PRIMARY_ENCODING
from shared.request.parameters import boolean, choice, integer, read_object, refused, string, within
from shared.tokens.models import ENCODING, MODEL, Model, read_encoding

TOKENS_MAX = 100_000_000
KEPT_FOR, MARKING = ("5m", "1h"), ("anthropic",)
"""For how long beginnings may be kept, and the formats that have marks for it."""

TOOL_RESULTS = ("whole", "short")

RECALL_BUDGET_MAX, QUERY_CHARS_MAX = 75, 4_000
ITEM_ID = "[A-Za-z0-9_-]{1,64}"

PARAMETERS = (
    MODEL._replace(text="whose tokens are counted; or `encoding`; the encoding `o200k_base` when neither is given"),
    ENCODING,
    integer(
        "budget",
        1,
        TOKENS_MAX,
        "tokens that the answer may count; by default the model's window less `reserve_output`",
    ),
    integer(
        "reserve_output",
        0,
        TOKENS_MAX,
        "tokens of the window kept free for the model's answer; by default its longest answer, at most half the window",
    ),
    integer(
        "overhead_tokens",
        0,
        TOKENS_MAX,
        "what the caller adds itself, tool schemas for instance; taken from the budget first",
        default=0,
    ),
    choice("format", FORMATS, "the shape of the answer; `items` is the Responses API's input", default="items"),
    integer("document_budget", 0, 90, "the percentage of the budget that documents may take", default=40),
    boolean(
        "stable_prefix",
        "`true`: the window starts at anchors a third of the budget apart, so that the beginning stays the same over "
        "many calls and providers' prompt caches hit",
    ),
    boolean(
        "cache_control",
        "`true`, with the format `anthropic`: the beginnings that later contexts have as well are marked for the "
        "provider to cache, at most four",
    ),
    integer(
        "since",
        0,
        TOKENS_MAX,
        "the version of the context that was sent last, asked for alike: `cache.tokens` says how many of the first "
        "tokens are the same as then, with `stable_prefix`",
    ),
    choice("cache_ttl", KEPT_FOR, "how long it is to keep them, five minutes or an hour", default=KEPT_FOR[0]),
    choice(
        "tool_results",
        TOOL_RESULTS,
        "`short`: results older than the newest few are shown by their beginning, one of more than a quarter of the "
        "budget by beginning and end; `shortened` says which",
        default=TOOL_RESULTS[0],
    ),
    integer(
        "recall_budget",
        0,
        RECALL_BUDGET_MAX,
        "the percentage of the budget for older items that match the newest user message, quoted directly before it",
        default=0,
    ),
    string("query", "what they should match, in place of the newest user message", chars=(1, QUERY_CHARS_MAX)),
    string(
        "include",
        "ids of items that are quoted before all others, with commas: what a retriever of your own found",
        pattern=rf"{ITEM_ID}(,{ITEM_ID}){{0,99}}",
        of="at most 100 ids of items, with commas between them",
    ),
    boolean(
        "explain",
        "`true`: the answer says of every unit of the conversation whether it is there, what it counts, and why; all "
        "of the conversation is read for that",
    ),
)
"""Of a query or a body."""

BESIDE_ITEMS = (
    *PARAMETERS,
    refused("reserve", "a reservation is made with `POST …/context`, before the model call that it is for"),
)
"""Of the member `context` of a body that appends."""


class ContextRequest(NamedTuple):
    """
    What a context is wanted for. Of the budget, the caller fills *overhead_tokens* itself.

    Documents take at most *document_budget_percent* of what is then left. *explain*: the choice is to be explained.
    *cached_for*: how long the provider is to keep the beginnings that later contexts have as well, "" where that is not
    to be said. *since*: the version of the last context, None where nobody wants to know what is the same as then.
    *short_results*: old and very large results are shown in part.
    """

    model: Model | None
    encoding: str
    budget_tokens: int
    overhead_tokens: int
    stable_prefix: bool
    format: str
    document_budget_percent: int
    explain: bool
    cached_for: str
    since: int | None
    short_results: bool
    recall_percent: int
    query: str
    include: tuple[str, ...]

    @property
    def available_tokens(self) -> int:
        return self.budget_tokens - self.overhead_tokens

    @property
    def recall_tokens(self) -> int:
        """What recalled items may count; the window gets the rest whether or not they do."""
        return self.available_tokens * self.recall_percent // 100

    @property
    def digest(self) -> str:
        """Eight hexadecimal digits that name the parameters, for entity tags."""
        model = self.model.name if self.model else None
        return sha256(orjson.dumps([model, *self[1:]])).hexdigest()[:8]


def read_context_request(values: Mapping[str, Any]) -> ContextRequest:
    """Return the request that *values* of PARAMETERS describe. Raises InvalidValue, which names the field."""
    model, encoding = read_encoding(values, default=PRIMARY_ENCODING)
    overhead, budget = values["overhead_tokens"], values["budget"]
    if budget is None:
        if model is None or model.window_tokens is None:
            raise InvalidValue(
                "budget is required: without a model whose window is known there is none to derive it from.",
                param="budget",
            )
        budget = model.window_tokens - answer_tokens(model, values["reserve_output"])
        if budget < 1:
            raise InvalidValue(
                f"reserve_output must be less than the model's window of {model.window_tokens} tokens.",
                param="reserve_output",
            )
    if overhead >= budget:
        raise InvalidValue(
            f"overhead_tokens must be less than the budget of {budget}, not {overhead}.", param="overhead_tokens"
        )
    cached_for = values["cache_ttl"] if values["cache_control"] else ""
    if cached_for and values["format"] not in MARKING:
        raise InvalidValue(
            f"cache_control is for the format {MARKING[0]}; what other providers cache they find by themselves.",
            param="cache_control",
        )
    return ContextRequest(
        model,
        encoding,
        budget,
        overhead,
        values["stable_prefix"],
        values["format"],
        values["document_budget"],
        values["explain"],
        cached_for,
        values["since"],
        values["tool_results"] == "short",
        values["recall_budget"],
        values["query"] or "",
        tuple(values["include"].split(",")) if values["include"] else (),
    )


def read_context_member(value: object, name: str) -> ContextRequest:
    """Return the request that *value*, the member *name* of a body, describes. Raises as `read_context_request`."""
    values = read_object(BESIDE_ITEMS, value, name)
    with within(name):
        return read_context_request(values)


def answer_tokens(model: Model | None, reserve_output: int | None) -> int:
    """Return how many tokens the model's answer may take."""
    return (model.reserve_tokens if model else 0) if reserve_output is None else reserve_output
