"""
How much of its budgets a tenant has used, for who watches the fleet: noted with the invocation that learned it.
"""

from shared.request.invocation import CURRENT

POLICIES = ("tokens-day", "tokens-month", "usd-day", "usd-month")
"""In the order of LIMITS in budget.lua."""

MILLION = 1_000_000
NO_LIMIT = "-"


def note_shares(told: str) -> None:
    """Take note of what `shares` of budget.lua says: millionths of each limit, those of POLICIES."""
    for policy, share in zip(POLICIES, told.split(), strict=True):
        if share != NO_LIMIT:
            note_share(policy, int(share))


def note_share(policy: str, share: int) -> None:
    """Take note that *share*, in millionths, of a budget is used or reserved."""
    if (invocation := CURRENT.get()) is not None:
        invocation.budget_shares[policy] = share
