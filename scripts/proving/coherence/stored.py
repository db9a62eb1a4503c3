"""
The store's own word on a conversation, past the service, and a store that loses what it had acknowledged.

A snapshot is a copy of every key, beside it; a rollback puts the copies back in one instant, as a failover does
that promotes a replica which had fallen behind.
"""

import time
from collections.abc import Mapping

import orjson

from scripts.proving.coherence.reached import Reached
from scripts.proving.history.recorded import Log, Rollback
from shared.conversations.entries import read_entry
from shared.request.caller import read_key
from shared.store import keys

COPIES = "snapshot:"

TAKE_SNAPSHOT = """
for _, key in ipairs(redis.call('KEYS', ARGV[1] .. '*')) do redis.call('DEL', key) end
for _, key in ipairs(redis.call('KEYS', '*')) do redis.call('COPY', key, ARGV[1] .. key) end
return 'ok'
"""

ROLL_BACK = """
local before = redis.call('HGETALL', KEYS[1])
for _, key in ipairs(redis.call('KEYS', '*')) do
  if string.sub(key, 1, #ARGV[1]) ~= ARGV[1] then redis.call('DEL', key) end
end
for _, key in ipairs(redis.call('KEYS', ARGV[1] .. '*')) do
  redis.call('COPY', key, string.sub(key, #ARGV[1] + 1))
end
return {before, redis.call('HGETALL', KEYS[1])}
"""


class Stored:
    """One conversation in the store. *texts* are those of every item seen so far: a blank one has none any more."""

    def __init__(self, fleet: Reached, conversation_id: str, texts: Mapping[str, str]) -> None:
        self._fleet = fleet
        self._key = keys.conversation_key(read_key(fleet.key).tenant, conversation_id)
        self._texts = texts

    def log(self) -> Log:
        return self._read(self._fleet.run("HGETALL", self._key))

    def take_snapshot(self) -> None:
        """Remember the whole store as it is now, in place of any earlier snapshot."""
        self._fleet.run("EVAL", TAKE_SNAPSHOT, 0, COPIES)

    def roll_back(self) -> Rollback:
        """Set the whole store back to its snapshot."""
        start_ns = time.monotonic_ns()
        before, after = self._fleet.run("EVAL", ROLL_BACK, 1, self._key, COPIES)
        return Rollback(start_ns, time.monotonic_ns(), self._read(before), self._read(after))

    def _read(self, pairs: list[str]) -> Log:
        fields = dict(zip(pairs[::2], pairs[1::2], strict=True))
        versions = {name.removeprefix("i:"): int(at) for name, at in fields.items() if name.startswith("i:")}
        ids = tuple(sorted(versions, key=versions.__getitem__))
        texts, deleted = {}, set()
        for each in ids:
            raw = fields.get(str(versions[each]))
            item = read_entry(versions[each], raw).item if raw is not None else None
            if item is None:
                deleted.add(each)
                texts[each] = self._texts.get(each, each)
            else:
                texts[each] = orjson.loads(item.body)["content"][0]["text"].partition(" ")[0]
        return Log(ids, texts, frozenset(deleted), int(fields["v"]))
