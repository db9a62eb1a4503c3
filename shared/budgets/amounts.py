"""
What a caller asks for, or has used: tokens, or a model with its input and output, and money where it is known.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from shared.errors import InvalidValue
from shared.request.owners import Owners
from shared.request.parameters import integer, number, owner, string

TOKENS_MAX = 1_000_000_000
USD_MAX = 1_000_000
MICRO = 1_000_000

FIELDS = (
    integer("tokens", 0, TOKENS_MAX, "all tokens, where it is not known which are the answer's"),
    number("usd", 0, USD_MAX, "what they cost, where the tenant's prices do not say it"),
    string("model", "whose price holds", pattern="[A-Za-z0-9._:/-]{1,100}", of="the name of a model"),
    integer("input_tokens", 0, TOKENS_MAX, "tokens of the prompt"),
)
OWNERS = (
    owner("user", "for whom: the limits of each user hold as well, and it counts as theirs"),
    owner("agent", "the same of an agent"),
)
OF = (owner("user", "of this user alone"), owner("agent", "of this agent alone"))
RESERVE_FIELDS = (*FIELDS, integer("max_output_tokens", 0, TOKENS_MAX, "tokens that the answer may have"), *OWNERS)
SETTLE_FIELDS = (*FIELDS, integer("output_tokens", 0, TOKENS_MAX, "tokens of the answer"))


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


def read_owners(values: Mapping[str, Any]) -> Owners:
    """Return whom the *values* of RESERVE_FIELDS, or those of OF, name."""
    return Owners(values["user"] or "", values["agent"] or "")


def read_amount(values: Mapping[str, Any], output_field: str) -> Amount:
    """Return the amount that *values* of RESERVE_FIELDS or SETTLE_FIELDS name. Raises InvalidValue: too many or few."""
    model, usd, tokens = values["model"], values["usd"], values["tokens"]
    given, output = values["input_tokens"], values[output_field]
    micro_usd = None if usd is None else math.ceil(round(usd * MICRO, 3))
    if tokens is not None:
        if given is not None or output is not None:
            raise InvalidValue(f"tokens must be alone, not beside input_tokens or {output_field}.", param="tokens")
        return Amount(model, tokens, None, micro_usd)
    if given is None or output is None:
        missing = "input_tokens" if given is None else output_field
        raise InvalidValue(f"{missing} is required, unless tokens is given.", param=missing)
    return Amount(model, given, output, micro_usd)


def as_json(tokens: int, micro_usd: int) -> dict[str, Any]:
    """Return an amount as every answer words it."""
    return {"tokens": tokens, "usd": micro_usd / MICRO}


def priced(price: str, input_tokens: int, output_tokens: int) -> int:
    """
    Return what tokens cost in micro-USD by a *price*, `<input> <output>` for a million of each, rounded up: the same as
    `priced` of budget.lua.
    """
    input_price, output_price = map(int, price.split())
    return -(-(input_tokens * input_price + output_tokens * output_price) // MICRO)
