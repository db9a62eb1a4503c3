"""What tests of erasures have in common: a user with conversations, and the calls of an erasure until it is done."""

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import httpx

Erase = Callable[..., dict[str, Any]]


def erase_once(api: httpx.Client, user: str) -> dict[str, Any]:
    """Call the erasure of *user* once, and return what was answered."""
    answer = api.delete(f"/v1/users/{quote(user, safe='')}")
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json() | {"wait_s": int(answer.headers.get("retry-after", "0"))}
    return told


def erase(api: httpx.Client, user: str, calls_max: int = 60) -> dict[str, Any]:
    """Erase *user*, as a client does, and return the last answer."""
    for _ in range(calls_max):
        told = erase_once(api, user)
        if told["done"]:
            return told
        assert told["receipt"] is None
        time.sleep(told["wait_s"])
    raise AssertionError("the erasure does not end")


def create(api: httpx.Client, user: str, text: str = "hello", **more: Any) -> str:
    """Make a conversation of *user*; return its id."""
    body = {"items": [{"role": "user", "content": text}], "user": user, **more}
    answer = api.post("/v1/conversations", json=body)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])
