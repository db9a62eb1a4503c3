"""
What a caller asks for, or has used: tokens, or a model with its input and output, and money where it is known.
"""

import math
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from shared.errors import InvalidValue
from shared.request.parameters import integer

TOKENS_MAX = 1_000_000_000
USD_MAX = 1_000_000
MICRO = 1_000_000
MODEL_PATTERN = re.compile(r"[A-Za-z0-9._:/-]{1,100}")

RESERVE_FIELDS = frozenset({"tokens", "usd", "model", "input_tokens", "max_output_tokens"})
SETTLE_FIELDS = frozenset({"tokens", "usd", "model", "input_tokens", "output_tokens"})


class Amount(NamedTuple):
    """
    Tokens of a model (None: not said) and what they cost (None: by the tenant's price of that model).

    Without *output_tokens* it is not known which were which: all of them cost what the dearer do.
    """

    model: str | None
    input_tokens: int
    output_tokens: int | None
    micro_usd: int | None

    @property
    def tokens(self) -> int:
        return self.input_tokens + (self.output_tokens or 0)

    def arguments(self, no_model: str) -> list[str | int]:
        """Return what the scripts take: model, input, output, micro-USD."""
        usd: str | int = "" if self.micro_usd is None else self.micro_usd
        output: str | int = "" if self.output_tokens is None else self.output_tokens
        return [self.model or no_model, self.input_tokens, output, usd]


def read_amount(body: Mapping[str, Any], output_field: str) -> Amount:
    """Return the amount that *body* names. Raises InvalidValue, which names the field."""
    model, usd = body.get("model"), body.get("usd")
    if model is not None and (not isinstance(model, str) or MODEL_PATTERN.fullmatch(model) is None):
        raise InvalidValue("model is not the name of a model.", param="model")
    micro_usd = None
    if usd is not None:
        is_number = isinstance(usd, int | float) and not isinstance(usd, bool)
        if not is_number or not 0 <= usd <= USD_MAX:
            raise InvalidValue(f"usd is no number from 0 to {USD_MAX}.", param="usd")
        micro_usd = math.ceil(round(usd * MICRO, 3))
    tokens = integer(body, "tokens", low=0, high=TOKENS_MAX)
    given = integer(body, "input_tokens", low=0, high=TOKENS_MAX)
    output = integer(body, output_field, low=0, high=TOKENS_MAX)
    if tokens is not None:
        if given is not None or output is not None:
            raise InvalidValue(f"Give tokens, or input_tokens and {output_field}, not both.", param="tokens")
        return Amount(model, tokens, None, micro_usd)
    if given is None or output is None:
        missing = "input_tokens" if given is None else output_field
        raise InvalidValue(f"{missing} is missing: give tokens, or input_tokens and {output_field}.", param=missing)
    return Amount(model, given, output, micro_usd)
