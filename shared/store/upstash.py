"""
The durable tier: Upstash Redis over HTTP.

One call is one HTTP request. Each has a deadline (Settings.store_timeout_s); none is sent twice, because a
request whose answer was lost may have been carried out. Whatever keeps an answer from arriving becomes
StoreUnavailable, with `outcome_unknown` telling whether a write may have happened.
"""

import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import orjson
from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import ConnectError, PyreqwestError

from shared.config import Settings
from shared.errors import StoreUnavailable, TooLarge
from shared.store.script import script

log = logging.getLogger("warmthread.store")

IDLE_S = 90.0
"""Connections outlive a pause in traffic: a warm function would else pay TCP and TLS again after 5 s."""

RETRY_AFTER_S = 1


class Store:
    """A connection pool to one database. Make it in a running loop and `close` it there."""

    def __init__(self, settings: Settings) -> None:
        self._request_bytes_max = settings.store_request_bytes_max
        self._client: Client = (
            ClientBuilder()
            .base_url(settings.store_url + "/")
            .default_headers({"authorization": f"Bearer {settings.store_token}", "content-type": "application/json"})
            .timeout(timedelta(seconds=settings.store_timeout_s))
            .connect_timeout(timedelta(seconds=settings.store_connect_timeout_s))
            .pool_idle_timeout(timedelta(seconds=IDLE_S))
            .http1_only()
            .follow_redirects(False)
            .build()
        )

    async def eval(self, name: str, keys: Sequence[str], arguments: Sequence[str | int]) -> list[Any]:
        """
        Run the script *name* in one request and return its reply.

        Raises:   StoreUnavailable: nothing is known of the outcome unless it says otherwise.
                  TooLarge: the request would exceed the store's limit; nothing was sent.
        """
        reply = await self.command("EVAL", script(name), len(keys), *keys, *arguments)
        if not isinstance(reply, list) or not reply:
            raise _unavailable("its reply is not one of ours", outcome_unknown=True)
        return reply

    async def command(self, *command: str | int) -> Any:
        """Send one command and return its result: None, str, int or nested lists. Raises as `eval`."""
        body = orjson.dumps(command)
        if len(body) > self._request_bytes_max:
            raise TooLarge(
                f"The request takes {len(body)} bytes on its way to the store; the limit is {self._request_bytes_max}.",
                limit_bytes=self._request_bytes_max,
            )
        try:
            response = await self._client.post("").body_bytes(body).build().send()
            raw = await response.bytes()
        except ConnectError as error:
            raise _unavailable(f"no connection ({type(error).__name__})", outcome_unknown=False) from error
        except PyreqwestError as error:
            raise _unavailable(f"no answer ({type(error).__name__})", outcome_unknown=True) from error
        return _read_reply(response.status, raw.to_bytes())

    async def close(self) -> None:
        """Close every connection."""
        await self._client.close()


def _read_reply(status: int, raw: bytes) -> Any:
    try:
        reply = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise _unavailable(f"status {status} with an unreadable body", outcome_unknown=True) from error
    if isinstance(reply, dict) and "result" in reply and status == 200:
        return reply["result"]
    reason = str(reply.get("error", "no reason given")) if isinstance(reply, dict) else "no reason given"
    # A refusal (401, 400, quota) was not carried out; a failure of the service may have been.
    raise _unavailable(f"status {status}: {reason[:200]}", outcome_unknown=status >= 500)


def _unavailable(reason: str, *, outcome_unknown: bool) -> StoreUnavailable:
    log.warning("store: %s", reason)
    known = "It is not known whether anything was stored." if outcome_unknown else "Nothing was stored."
    return StoreUnavailable(
        f"The store did not answer as it should. {known}",
        retry_after_s=RETRY_AFTER_S,
        outcome_unknown=outcome_unknown,
    )
