"""
GET /api/health   200 when this deployment can reach its store, 503 when it cannot; needs no key
"""

import asyncio

from starlette.responses import Response

from shared.app import create_app
from shared.errors import StoreUnavailable
from shared.http.answers import json_response
from shared.http.serving import Asked
from shared.routes import Route
from shared.store.upstash import Store
from shared.version import VERSION

NO_EVICTION = "noeviction"
EVICTS = "The store evicts: when it is full it forgets conversations, budgets and keys. Turn eviction off."


async def health(asked: Asked) -> Response:
    state = asked.state
    # Both travel in one request.
    _, eviction = await asyncio.gather(state["store"].command("PING"), _eviction(state["store"]))
    warnings = [each.sentence for each in state["wrong"]] + ([EVICTS] if eviction == "on" else [])
    return json_response(
        {
            "status": "ok",
            "deployment": state["settings"].deployment,
            "version": VERSION,
            "store": {"eviction": eviction},
            "warnings": warnings,
        }
    )


async def _eviction(store: Store) -> str:
    """Return `on`, `off`, or `unknown` where the store does not say: no documentation promises that Upstash does."""
    try:
        told = str(await store.command("INFO", "memory"))
    except StoreUnavailable:
        return "unknown"
    found = dict(line.partition(":")[::2] for line in told.splitlines())
    policy = found.get("maxmemory_policy", "").strip()
    return ("off" if policy == NO_EVICTION else "on") if policy else "unknown"


ROUTES = (
    Route(
        "GET",
        "/api/health",
        health,
        "Whether the store answers",
        "200 when the store answers; needs no key. `version` is that of the code, `warnings` names settings that are "
        "wrong, and what is closed for it, and a store that evicts",
        "health",
        key="",
        billed="2",
    ),
)
app = create_app(ROUTES)
