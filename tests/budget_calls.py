"""Reserving and settling over HTTP, as tests of budgets call it."""

import time
from collections.abc import Callable
from typing import Any

import httpx


def reserve(api: httpx.Client, tokens: int, **headers: str) -> httpx.Response:
    return api.post("/v1/reservations", json={"tokens": tokens}, headers=headers)


def reserve_for(api: httpx.Client, tokens: int, user: str = "", agent: str = "", **headers: str) -> httpx.Response:
    """Reserve for a user, or an agent, or both."""
    owners = {name: value for name, value in (("user", user), ("agent", agent)) if value}
    return api.post("/v1/reservations", json={"tokens": tokens, **owners}, headers=headers)


def settle(api: httpx.Client, reservation: Any, tokens: int) -> httpx.Response:
    return api.post(f"/v1/reservations/{reservation['id']}/settle", json={"tokens": tokens})


def tokens(api: httpx.Client, window: str = "day") -> tuple[int, int, int]:
    """Return what is settled, reserved and overrun."""
    return tokens_of(api, window)


def tokens_of(api: httpx.Client, window: str = "day", **of: str) -> tuple[int, int, int]:
    """Return the same of a `user` or an `agent`."""
    shown = api.get("/v1/usage", params=of).json()[window]["tokens"]
    return shown["settled"], shown["reserved"], shown["overrun"]


def wait_until(is_so: Callable[[], bool]) -> None:
    """Wait for what is done after a response."""
    give_up_at_s = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < give_up_at_s
        time.sleep(0.01)
