"""
Scripts that end half-way: what a request to the store becomes so that one of a script's writes is refused.

Redis rolls nothing back, and Upstash may refuse any command inside a script: a record over its limit, a full database,
a quota. Here a script is sent with a wrapper around `redis.call` that refuses its n-th write, in Upstash's words, and
carries out all others. Line numbers in errors stay right.
"""

import random
from collections.abc import Callable

from scripts.faults.wrapping import Command, on_one_line, rewritten, wrapped

WRITES = (
    "SET SETEX DEL UNLINK GETDEL EXPIRE PEXPIRE EXPIREAT PEXPIREAT PERSIST COPY RENAME RENAMENX "
    "HSET HSETNX HDEL HINCRBY ZADD ZREM ZINCRBY ZREMRANGEBYRANK ZREMRANGEBYSCORE SADD SREM INCRBY"
)
SHARE, WRITES_MAX = 0.3, 10
"""Of the scripts, and which of their writes at the most: few have so many, so that about every tenth ends half-way."""

REASON = "ERR max single record size exceeded"
WRAPPER = on_one_line(
    """
    local redis = (function(redis)
      local writes, left = { WRITES }, COUNT
      local function is_refused(name)
        if writes[string.upper(name)] then left = left - 1 end
        return writes[string.upper(name)] and left == 0
      end
      local function call(...)
        if is_refused((...)) then error({ err = 'REASON' }) end
        return redis.call(...)
      end
      local function pcall(...)
        if is_refused((...)) then return { err = 'REASON' } end
        return redis.pcall(...)
      end
      return setmetatable({ call = call, pcall = pcall }, { __index = redis })
    end)(redis);
    """.replace("WRITES", ",".join(f"{name}=true" for name in WRITES.split()))
)


def drawn(seed: object) -> Callable[[str], int]:
    """Return what draws, for each script, which of its writes is refused; the same for the same *seed*."""
    dice = random.Random(f"{seed} half-way")  # noqa: S311  # no secret.
    return lambda source: dice.randint(1, WRITES_MAX) if dice.random() < SHARE else 0


def end_half_way(body: bytes, nth_write: Callable[[str], int], reason: str = REASON) -> bytes:
    """
    Return a request *body*, one command or a pipeline, in which scripts are refused a write.

    *nth_write* is asked once for each script, by its source, which of its writes that is, from 1; 0: none. The store
    gives *reason* for it.
    """
    wrapper = WRAPPER.replace("REASON", reason)

    def refuse(command: Command) -> Command:
        if str(command[0]).upper() == "EVAL" and (count := nth_write(command[1])):
            return [command[0], wrapped(command[1], wrapper.replace("COUNT", str(count))), *command[2:]]
        return command

    return rewritten(body, refuse)
