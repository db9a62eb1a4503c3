"""
What a context is asked for: query parameters, checked.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, NamedTuple

import orjson

from shared.context.render import FORMATS
from shared.errors import InvalidValue
from shared.items.counts import PRIMARY_ENCODING
from shared.request.parameters import boolean, choice, integer
from shared.tokens.models import Model, read_encoding

DOCUMENT_BUDGET_PERCENT, DOCUMENT_BUDGET_PERCENT_MAX = 40, 90
TOKENS_MAX = 100_000_000
PARAMETERS = frozenset(
    {
        "model",
        "encoding",
        "budget",
        "reserve_output",
        "overhead_tokens",
        "stable_prefix",
        "format",
        "document_budget",
    }
)


class ContextRequest(NamedTuple):
    """
    What a context is wanted for. Of the budget, the caller fills *overhead_tokens* itself.

    Documents take at most *document_budget_percent* of what is then left.
    """

    model: Model | None
    encoding: str
    budget_tokens: int
    overhead_tokens: int
    stable_prefix: bool
    format: str
    document_budget_percent: int

    @property
    def available_tokens(self) -> int:
        return self.budget_tokens - self.overhead_tokens

    @property
    def digest(self) -> str:
        """Eight hexadecimal digits that name the parameters, for entity tags."""
        model = self.model.name if self.model else None
        return sha256(orjson.dumps([model, *self[1:]])).hexdigest()[:8]


def read_context_request(values: Mapping[str, Any]) -> ContextRequest:
    """Return the request that query parameters or a body describe. Raises InvalidValue, which names the field."""
    model, encoding = read_encoding(values, default=PRIMARY_ENCODING)
    overhead = integer(values, "overhead_tokens", low=0, high=TOKENS_MAX) or 0
    reserve = integer(values, "reserve_output", low=0, high=TOKENS_MAX)
    budget = integer(values, "budget", low=1, high=TOKENS_MAX)
    if budget is None:
        if model is None or model.window_tokens is None:
            raise InvalidValue("budget is needed: no window is known to derive it from.", param="budget")
        budget = model.window_tokens - (model.reserve_tokens if reserve is None else reserve)
        if budget < 1:
            raise InvalidValue(
                f"reserve_output leaves nothing of the window of {model.window_tokens}.",
                param="reserve_output",
            )
    share = integer(values, "document_budget", low=0, high=DOCUMENT_BUDGET_PERCENT_MAX)
    if overhead >= budget:
        raise InvalidValue(f"overhead_tokens leaves nothing of the budget of {budget}.", param="overhead_tokens")
    return ContextRequest(
        model,
        encoding,
        budget,
        overhead,
        boolean(values, "stable_prefix"),
        choice(values, "format", FORMATS, "items"),
        DOCUMENT_BUDGET_PERCENT if share is None else share,
    )
