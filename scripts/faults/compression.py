"""
A store whose time runs faster: what is to expire in a week does in minutes.

    lives       EXPIRE, PEXPIRE, EXPIREAT, PEXPIREAT, SETEX, PSETEX, and what SET and GETEX are given (EX, PX, EXAT,
                PXAT), are divided, to no less than a millisecond
    the clock   TIME, TTL and PTTL answer in compressed time
    timeouts    stay as they are: SET with NX and a life is a lease, which bounds work that takes real time

Both inside of scripts, which are sent with a wrapper around `redis.call`, and alone: a command that has to do with time
becomes a script of itself, so that there is one rule. EXPIRE's NX, XX, GT and LT stay behind.
"""

import time
from typing import NamedTuple

from scripts.faults.wrapping import Command, on_one_line, rewritten, wrapped

TIMED = "EXPIRE PEXPIRE EXPIREAT PEXPIREAT SETEX PSETEX SET GETEX TIME TTL PTTL"
WRAPPER = on_one_line(
    """
    local redis = (function(redis)
      local factor, real_s, clock_s, timed = FACTOR, REAL, CLOCK, { TIMED }
      local lives = {
        EXPIRE = { 'PEXPIRE', 3, 1000 }, PEXPIRE = { 'PEXPIRE', 3, 1 },
        SETEX = { 'PSETEX', 3, 1000 }, PSETEX = { 'PSETEX', 3, 1 },
        EXPIREAT = { 'PEXPIREAT', 3, 1000, true }, PEXPIREAT = { 'PEXPIREAT', 3, 1, true }
      }
      local options = {
        EX = { 'PX', 1, 1000 }, PX = { 'PX', 1, 1 }, EXAT = { 'PXAT', 1, 1000, true }, PXAT = { 'PXAT', 1, 1, true }
      }
      local function short(given, unit_ms, is_moment)
        local value = tonumber(given)
        if not value or value <= 0 then return given end
        local ms = value * unit_ms
        if is_moment then ms = real_s * 1000 + (ms - clock_s * 1000) / factor
        else ms = math.max(1, ms / factor) end
        return string.format('%.0f', ms)
      end
      local function told(upper, ...)
        local parts = { ... }
        local life = lives[upper]
        if life and parts[life[2]] then
          parts[1], parts[life[2]] = life[1], short(parts[life[2]], life[3], life[4])
        elseif upper == 'SET' or upper == 'GETEX' then
          local is_lease = false
          for i = 4, #parts do is_lease = is_lease or string.upper(parts[i]) == 'NX' end
          for i = upper == 'SET' and 4 or 3, is_lease and 0 or #parts - 1 do
            local option = options[string.upper(parts[i])]
            if option then parts[i], parts[i + 1] = option[1], short(parts[i + 1], option[3], option[4]) break end
          end
        elseif upper == 'TTL' then parts[1] = 'PTTL' end
        return unpack(parts)
      end
      local function heard(upper, reply)
        if type(reply) == 'table' and reply.err then return reply end
        if upper == 'TIME' then
          local passed = (reply[1] - real_s + reply[2] / 1000000) * factor
          local whole = math.floor(passed)
          local us = math.floor((passed - whole) * 1000000)
          return { string.format('%.0f', clock_s + whole), string.format('%.0f', us) }
        end
        if (upper == 'TTL' or upper == 'PTTL') and tonumber(reply) and reply >= 0 then
          return math.floor(reply * factor / (upper == 'TTL' and 1000 or 1) + 0.5)
        end
        return reply
      end
      local function call(...)
        local upper = string.upper((...))
        if not timed[upper] then return redis.call(...) end
        return heard(upper, redis.call(told(upper, ...)))
      end
      local function pcall(...)
        local upper = string.upper((...))
        if not timed[upper] then return redis.pcall(...) end
        return heard(upper, redis.pcall(told(upper, ...)))
      end
      return setmetatable({ call = call, pcall = pcall }, { __index = redis })
    end)(redis);
    """.replace("TIMED", ",".join(f"{name}=true" for name in TIMED.split()))
)
ITSELF = "return redis.call(unpack(ARGV))"


class Compression(NamedTuple):
    """
    Time that runs *factor* times as fast since *real_unix_s*, when it was *clock_unix_s*; both are whole seconds, as
    the scripts are the same for as long as it is.
    """

    factor: float
    real_unix_s: float
    clock_unix_s: float

    def at(self, real_unix_s: float) -> float:
        """Return the compressed Unix time of a real one."""
        return self.clock_unix_s + (real_unix_s - self.real_unix_s) * self.factor

    def now(self) -> float:
        return self.at(time.time())

    def compress(self, body: bytes) -> bytes:
        """Return a request *body* whose commands live in this time."""
        wrapper = WRAPPER
        for name, value in (("FACTOR", self.factor), ("REAL", self.real_unix_s), ("CLOCK", self.clock_unix_s)):
            wrapper = wrapper.replace(name, repr(value))

        def compressed(command: Command) -> Command:
            name = str(command[0]).upper()
            if name == "EVAL":
                return [command[0], wrapped(command[1], wrapper), *command[2:]]
            return ["EVAL", wrapped(ITSELF, wrapper), 0, *command] if name in TIMED.split() else command

        return rewritten(body, compressed)
