"""
A store as text, and back: a line for each key, in the order of their names.

    {"key": …, "type": "hash", "ttl_ms": 86400000, "value": {field: text, …}}       -1: it does not expire
    of a string its text, of a set its members, of a sorted set pairs of member and score

A time to live counts from the moment at which the lines are loaded: what had an hour left has an hour again.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import batched, chain
from typing import Any

import orjson

type Run = Callable[..., Any]
"""Carries out a command on the store."""

SCANNED, FIELDS_TOGETHER, COMMANDS_TOGETHER = 1_000, 200, 50
CARRY_OUT = "for _, command in ipairs(cjson.decode(ARGV[1])) do redis.call(unpack(command)) end"
"""A request for many commands: a fixture is loaded for each test."""


def dump(run: Run) -> Iterator[bytes]:
    """Yield the lines of all that the store holds. Raises ValueError: something has a type that no family has."""
    for name in sorted(_names(run)):
        kind, ttl_ms = run("TYPE", name), run("PTTL", name)
        if kind == "none":
            continue  # It has just expired.
        line = {"key": name, "type": kind, "ttl_ms": ttl_ms, "value": _value(run, name, kind)}
        yield orjson.dumps(line)


def load(run: Run, lines: Iterable[bytes]) -> list[str]:
    """Put what *lines* say into the store, and return the names. Raises ValueError: a line says what it cannot."""
    names, commands = list[str](), list[list[str | int]]()
    for line in lines:
        said = orjson.loads(line)
        names.append(said["key"])
        commands += _commands(said["key"], said["type"], said["value"])
        if said["ttl_ms"] >= 0:
            commands.append(["PEXPIRE", said["key"], said["ttl_ms"]])
    for some in batched(commands, COMMANDS_TOGETHER):
        run("EVAL", CARRY_OUT, 0, orjson.dumps(some).decode())
    return names


def _commands(name: str, kind: str, value: Any) -> Iterator[list[str | int]]:
    match kind:
        case "string":
            yield ["SET", name, value]
        case "hash":
            for some in batched(value.items(), FIELDS_TOGETHER):
                yield ["HSET", name, *chain.from_iterable(some)]
        case "set":
            yield ["SADD", name, *value]
        case "zset":
            yield ["ZADD", name, *chain.from_iterable((score, member) for member, score in value)]
        case _:
            raise ValueError(f"{name} is a {kind}, which no family is")


def _names(run: Run) -> set[str]:
    names: set[str] = set()
    cursor = "0"
    while True:
        cursor, some = run("SCAN", cursor, "COUNT", SCANNED)
        names |= set(some)
        if cursor == "0":
            return names


def _value(run: Run, name: str, kind: str) -> Any:
    match kind:
        case "string":
            return run("GET", name)
        case "hash":
            flat = run("HGETALL", name)
            return dict(sorted(zip(flat[::2], flat[1::2], strict=True)))
        case "set":
            return sorted(run("SMEMBERS", name))
        case "zset":
            flat = run("ZRANGE", name, 0, -1, "WITHSCORES")
            return [[member, str(score)] for member, score in batched(flat, 2)]
        case other:
            raise ValueError(f"{name} is a {other}, which no family is")
