"""
Lua scripts written for Upstash, run by Valkey.

Upstash knows a flag of its own, `#!lua flags=allow-key-locking`: the script locks the keys it declares instead of
the whole database, and may touch no others. Valkey refuses a flag it does not know, so it is taken out of every
script on its way, and a prologue put in that refuses undeclared keys in Upstash's words and shifts the clock that
scripts see, by as much as a test wants. The script's SHA then differs from the one its author computes; the table here
leads from one to the other.

A script whose keys a cluster could have in two places is refused in a cluster's words, which Upstash's single databases
do not: the hash tags of all keys it declares have to be the same.
"""

import hashlib
import re

from scripts.local.resp import Failure, Reply, Status

FLAG = b"allow-key-locking"
SHEBANG_FLAGS = re.compile(rb"\A#!lua\b[^\r\n]*?(?P<flags>[ \t]+flags=(?P<names>[^\s]*))")
SCRIPTS_MAX = 1_000
WITH_KEYS = (b"EVAL", b"EVAL_RO", b"EVALSHA", b"EVALSHA_RO")
TAG = re.compile(rb"[^{]*\{([^}]+)\}")
CROSSSLOT = Failure(b"CROSSSLOT Keys in request don't hash to the same slot")

# How many of a command's arguments are keys, from the first on; -1: all of them. The server is asked about the
# others (COMMAND GETKEYS), which its statistics show: those that scripts use all the time stand here.
KEY_COUNTS = {
    0: "TIME PING ECHO SCAN PUBLISH",
    1: "GET SET GETDEL GETEX INCR INCRBY DECR DECRBY APPEND STRLEN GETRANGE SETRANGE TYPE PERSIST DUMP "
    "EXPIRE PEXPIRE EXPIREAT PEXPIREAT TTL PTTL EXPIRETIME PEXPIRETIME "
    "HGET HSET HSETNX HMGET HMSET HDEL HLEN HEXISTS HGETALL HKEYS HVALS HINCRBY HSTRLEN HSCAN "
    "ZADD ZREM ZSCORE ZMSCORE ZINCRBY ZCARD ZCOUNT ZRANK ZREVRANK ZRANGE ZREVRANGE ZRANGEBYSCORE "
    "ZREVRANGEBYSCORE ZREMRANGEBYSCORE ZREMRANGEBYRANK ZPOPMIN ZPOPMAX ZSCAN "
    "SADD SREM SISMEMBER SMEMBERS SCARD SPOP SSCAN LPUSH RPUSH LPOP RPOP LINDEX LRANGE LLEN LTRIM LSET LREM",
    2: "COPY RENAME RENAMENX SMOVE LMOVE RPOPLPUSH",
    -1: "DEL UNLINK EXISTS TOUCH MGET SUNION SINTER SDIFF",
}
# One line, so that the line numbers in a script's errors stay right.
PROLOGUE = " ".join(
    """
    local redis = (function(redis, KEYS)
      local declared, counts = {}, { COUNTS }
      for i = 1, #KEYS do declared[KEYS[i]] = true end
      local function undeclared(name, ...)
        if type(name) ~= 'string' then return nil end
        local count, keys = counts[string.upper(name)], nil
        if count == 0 then return nil end
        if not count then keys = redis.pcall('COMMAND', 'GETKEYS', name, ...)
        elseif count == 1 then keys = { (...) }
        else keys = { ... } end
        for i = 1, (count or -1) < 0 and #keys or count do
          if keys[i] and not declared[tostring(keys[i])] then
            return "ERR Dynamic keys are not allowed in Lua scripts when 'allow-key-locking' flag is set. Key was: "
              .. tostring(keys[i])
          end
        end
      end
      local shift = SHIFT
      local function call(...)
        local refused = undeclared(...)
        if refused then error({ err = refused }) end
        local reply = redis.call(...)
        if shift ~= 0 and string.upper((...)) == 'TIME' then
          local us = tonumber(reply[2]) + shift % 1 * 1000000
          reply = { string.format('%.0f', reply[1] + math.floor(shift) + math.floor(us / 1000000)),
            string.format('%.0f', us % 1000000) }
        end
        return reply
      end
      local function pcall(...)
        local refused = undeclared(...)
        if refused then return { err = refused } end
        return redis.pcall(...)
      end
      return setmetatable({ call = call, pcall = pcall }, { __index = redis })
    end)(redis, KEYS);
    """.replace(
        "COUNTS", ",".join(f"{name}={count}" for count, names in KEY_COUNTS.items() for name in names.split())
    ).split()
).encode()


def cross_slot(command: list[bytes]) -> Failure | None:
    """Return the error for a script whose keys have more than one hash tag, None for any other command."""
    if command[0].upper() not in WITH_KEYS or len(command) < 3 or not command[2].isdigit():
        return None
    return CROSSSLOT if len({_tag(key) for key in command[3 : 3 + int(command[2])]}) > 1 else None


class Scripts:
    """Rewrites the commands that carry a script or its SHA, and the one reply that is a SHA."""

    def __init__(self) -> None:
        self.clock_shift_s = 0.0
        self._stored_sha: dict[bytes, bytes] = {}

    def stored(self, command: list[bytes]) -> list[bytes]:
        """Return *command* as Valkey takes it."""
        name = command[0].upper()
        if name in (b"EVAL", b"EVAL_RO") and len(command) > 1:
            return [command[0], self._without_flag(command[1]), *command[2:]]
        if name in (b"EVALSHA", b"EVALSHA_RO") and len(command) > 1:
            return [command[0], self._sha(command[1]), *command[2:]]
        if name == b"SCRIPT" and len(command) > 2:
            if command[1].upper() == b"LOAD":
                return [*command[:2], self._without_flag(command[2]), *command[3:]]
            if command[1].upper() in (b"EXISTS", b"SHOW"):
                return [*command[:2], *map(self._sha, command[2:])]
        return command

    def reply(self, command: list[bytes], reply: Reply) -> Reply:
        """Return the reply that the caller expects: SCRIPT LOAD answers the SHA of the script as sent."""
        is_load = len(command) == 3 and command[0].upper() == b"SCRIPT" and command[1].upper() == b"LOAD"
        if is_load and isinstance(reply, bytes) and len(reply) == 40 and not isinstance(reply, Status):
            return _sha1(command[2])
        return reply

    def _sha(self, sha: bytes) -> bytes:
        return self._stored_sha.get(sha.lower(), sha)

    def _without_flag(self, script: bytes) -> bytes:
        shebang = SHEBANG_FLAGS.match(script)
        if shebang is None:
            return script
        names = shebang["names"].split(b",")
        if FLAG not in names:
            return script
        kept = b",".join(name for name in names if name != FLAG)
        start, end = shebang.span("flags")
        first_line, newline, rest = (script[:start] + (b" flags=" + kept if kept else b"") + script[end:]).partition(
            b"\n"
        )
        prologue = PROLOGUE.replace(b"SHIFT", repr(self.clock_shift_s).encode())
        stored = first_line + newline + prologue + b" " + rest
        if len(self._stored_sha) >= SCRIPTS_MAX:
            self._stored_sha.pop(next(iter(self._stored_sha)))
        self._stored_sha[_sha1(script)] = _sha1(stored)
        return stored


def _tag(key: bytes) -> bytes:
    """Return what of *key* decides its slot: what stands in its first braces, or all of it where that is nothing."""
    found = TAG.match(key)
    return found[1] if found else key


def _sha1(script: bytes) -> bytes:
    return hashlib.sha1(script, usedforsecurity=False).hexdigest().encode()
