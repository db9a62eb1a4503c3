"""
The commands of Upstash's own client, typed, over our transport: its deadline, its breaker, its one pipeline a turn.

    redis = TypedCommands(store)
    await redis.hset("key", "field", "value")

For scripts only: importing that client brings its own HTTP library, which doubles a cold start, so the bundle sends
commands by `Store.command`.
"""

import json
from typing import Any

from upstash_redis.commands import AsyncCommands
from upstash_redis.format import cast_response

from shared.store.upstash import Store


class TypedCommands(AsyncCommands):
    """Every command as a method; a failing one raises StoreUnavailable."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def execute(self, command: list[Any]) -> Any:
        """Send *command* and return its result as that client's own types."""
        # Other values are stored as their JSON, in the form that the client itself gives it.
        parts = [part if isinstance(part, str | int | float) else json.dumps(part) for part in command]
        return cast_response(command, await self._store.command(*parts), self)
