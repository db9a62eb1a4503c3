"""
L1: what this instance remembers, bounded in bytes, least recently used out first.

Keys hold the tenant. Values are immutable and say their own size, so that a value never grows behind its accounting.
"""

from typing import Protocol

from cachetools import LRUCache


class Sized(Protocol):
    """A value that knows how much memory it holds."""

    @property
    def size_bytes(self) -> int: ...


class L1[V: Sized]:
    """A bounded map from names to values; `evictions` counts since the start."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = self._limit_bytes = bytes_max
        self._values: _Counting[V] = _Counting(bytes_max)

    def get(self, key: tuple[str, ...]) -> V | None:
        return self._values.get(key)

    def put(self, key: tuple[str, ...], value: V) -> None:
        """Remember *value*, and forget what has to go for it; a value larger than L1 is not kept at all."""
        self._values.pop(key, None)
        if value.size_bytes <= self._limit_bytes:
            self._values[key] = value
            self._shrink()

    def forget(self, key: tuple[str, ...]) -> None:
        self._values.pop(key, None)

    def forget_of(self, first: str | None) -> None:
        """Forget whatever has *first* as the first part of its name, the tenant; all, where it is None."""
        for key in [each for each in self._values if first is None or each[0] == first]:
            del self._values[key]

    def limit(self, share: float) -> None:
        """Hold at most *share* of the bound from now on, and forget what is too much."""
        self._limit_bytes = int(self._bytes_max * share)
        self._shrink()

    @property
    def limit_bytes(self) -> int:
        """How much it may hold now."""
        return self._limit_bytes

    def _shrink(self) -> None:
        while self._values.currsize > self._limit_bytes:
            self._values.popitem()

    @property
    def size_bytes(self) -> int:
        return int(self._values.currsize)

    @property
    def evictions(self) -> int:
        return self._values.evictions

    def __len__(self) -> int:
        return len(self._values)


class _Counting[V: Sized](LRUCache[tuple[str, ...], V]):
    def __init__(self, bytes_max: int) -> None:
        super().__init__(bytes_max, getsizeof=lambda value: value.size_bytes)
        self.evictions = 0

    def popitem(self) -> tuple[tuple[str, ...], V]:
        self.evictions += 1
        return super().popitem()
