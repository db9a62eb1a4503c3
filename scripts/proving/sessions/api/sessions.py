"""
A store of sessions, as agent frameworks have one: the rival of the service that loses no history.

Keys, fields and values are those of openai-agents' RedisSession; the commands travel by upstash-redis's own client. A
turn is one transaction that appends and reads the whole list: RedisSession would take two, so this flatters it. All of
the history is sent and counted anew by tiktoken at each call, and `json` reads and writes on the event loop, as in the
naive design, whose answers it shares. Nothing is held in memory, and no budget is kept: that is left to the agent.
"""

import json
import time
import uuid
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from upstash_redis.asyncio import Redis

from scripts.proving.baseline.api.naive import WATCH, answered, said_in, tokens_of

REDIS = Redis.from_env(allow_telemetry=False)
EXPIRY_S = 30 * 86_400


async def exchange(session: str, items: list[dict[str, Any]], *, is_read: bool) -> tuple[list[dict[str, Any]], int]:
    """Append *items* and return the history, which is empty unless *is_read*, and its length."""
    key, now = f"agents:session:{session}", str(int(time.time()))
    commands = REDIS.multi()
    if items:
        commands.hset(key, values={"session_id": session, "updated_at": now})
        commands.hsetnx(key, "created_at", now)
        commands.rpush(f"{key}:messages", *(json.dumps(each, separators=(",", ":")) for each in items))
        for each in (key, f"{key}:messages", f"{key}:counter"):
            commands.expire(each, EXPIRY_S)
    if is_read:
        commands.lrange(f"{key}:messages", 0, -1)
    else:
        commands.llen(f"{key}:messages")
    found = (await commands.exec())[-1]
    if not is_read:
        return [], found
    return [json.loads(each) for each in found], len(found)


async def create(request: Request) -> Response:
    began_s = time.perf_counter()
    with WATCH.request():
        session = f"conv_{uuid.uuid4().hex}"
        _, length = await exchange(session, said_in(json.loads(await request.body())), is_read=False)
        return answered(began_s, {"id": session}, length)


async def append(request: Request) -> Response:
    began_s = time.perf_counter()
    with WATCH.request():
        body = json.loads(await request.body())
        is_read = "context" in body
        history, length = await exchange(request.path_params["conversation"], said_in(body), is_read=is_read)
        if not is_read:
            return answered(began_s, {}, length)
        return answered(began_s, {"tokens": tokens_of(history), "messages": history}, length)


async def context(request: Request) -> Response:
    began_s = time.perf_counter()
    with WATCH.request():
        history, length = await exchange(request.path_params["conversation"], [], is_read=True)
        return answered(began_s, {"tokens": tokens_of(history), "messages": history}, length)


app = Starlette(
    routes=[
        Route("/v1/conversations", create, methods=["POST"]),
        Route("/v1/conversations/{conversation}/items", append, methods=["POST"]),
        Route("/v1/conversations/{conversation}/context", context),
    ]
)
