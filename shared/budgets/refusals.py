"""What the scripts of budgets refuse, as errors for the caller."""

from typing import Any, NoReturn

from shared.budgets.amounts import MICRO
from shared.budgets.shares import MILLION, POLICIES, note_share
from shared.config import Settings
from shared.errors import AlreadySettled, BudgetExceeded, InvalidValue, NotFound, ReservationEnded
from shared.store.refusals import raise_refusal

RESERVE_REFUSALS = frozenset({"over", "reservations", "unpriced", "ended", "reused"})
"""What `reserve` of reservation.lua replies when it sets nothing aside."""

SETTLE_REFUSALS = frozenset({"settled", "unpriced"})
"""What an append that settles replies besides what other appends do."""


def raise_budget_refusal(reply: list[Any], settings: Settings, reservation_id: str = "") -> NoReturn:
    """Raise the error that the *reply* of a script that spends stands for."""
    match reply[0]:
        case "over":
            raise _exceeded(*reply[1:])
        case "reservations":
            raise BudgetExceeded(
                f"{reply[1]} reservations are live; settle or release some.",
                "reservations",
                retry_after_s=1,
                limit=int(reply[1]),
            )
        case "unpriced":
            raise InvalidValue("model must have a price, since there is a budget in USD; or give usd.", param="model")
        case "unknown":
            raise unknown_reservation(reservation_id)
        case "settled":
            _, tokens, micro_usd, model = reply
            usd, of_model = int(micro_usd) / MICRO, "" if model == "-" else f" of {model}"
            raise AlreadySettled(
                f"The reservation was settled with {tokens} tokens{of_model} and {usd:.6f} USD; that stands, and "
                "nothing was stored.",
                settled_tokens=int(tokens),
                settled_usd=usd,
            )
        case "ended":
            raise ReservationEnded(
                f"The reservation {reply[1]} that this Idempotency-Key made is settled, released or expired; nothing "
                "was set aside.",
                param="Idempotency-Key",
                reservation=reply[1],
            )
        case _:
            raise_refusal(reply, reservation_id, settings)


def raise_settle_refusal(reply: list[Any], settings: Settings) -> NoReturn:
    """Raise the error that a *reply* of SETTLE_REFUSALS stands for: nothing was appended."""
    if reply[0] == "unpriced":
        raise InvalidValue(
            "The reservation was granted while the store was away, so its model is not known, and there is a budget in "
            "USD: settle it by itself, with model or usd. Nothing was stored.",
            param="reservation",
        )
    raise_budget_refusal(reply, settings)


def _exceeded(
    policy: str, limit: str, settled: str, reserved: str, asked: str, resets_at: str, wait_s: str
) -> BudgetExceeded:
    if policy in POLICIES:  # What a user or an agent has used is nobody's metric.
        note_share(policy, (int(settled) + int(reserved)) * MILLION // max(1, int(limit)))
    *kind, unit, window = policy.split("-")
    of = f" of each {kind[0]}" if kind else ""
    scale = MICRO if unit == "usd" else 1
    amounts = {
        name: int(value) / scale if scale > 1 else int(value)
        for name, value in (("limit", limit), ("settled", settled), ("reserved", reserved), ("asked", asked))
    }
    return BudgetExceeded(
        f"The budget{of} of {amounts['limit']} {unit} a {window} has {amounts['settled']} used and "
        f"{amounts['reserved']} reserved; {amounts['asked']} more do not fit. It resets in {wait_s} s.",
        policy,
        retry_after_s=int(wait_s),
        window=window,
        unit=unit,
        resets_at=int(resets_at),
        **amounts,
    )


def unknown_reservation(reservation_id: str) -> NotFound:
    return NotFound(f"There is no reservation {reservation_id[:64]!r}.", param="reservation_id")
