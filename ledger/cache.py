"""A memory that forgets: what was worked out before, within a bound."""

from __future__ import annotations

from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Cache(Generic[K, V]):
    """Remembers at least the `capacity` pairs used last, and never more than twice as many.

    Two generations instead of a list of uses: a full young one becomes the old one, which is then forgotten. Every
    step is one dictionary operation, so that threads need no lock; at worst something is worked out twice.
    """

    __slots__ = ("_capacity", "_old", "_young")

    def __init__(self, capacity: int) -> None:
        self._capacity = max(1, capacity)
        self._young: dict[K, V] = {}
        self._old: dict[K, V] = {}

    def get(self, key: K) -> V | None:
        """What was put under the key, or None where that is forgotten."""
        young = self._young
        if key in young:
            return young[key]
        value = self._old.get(key)
        if value is not None:
            self.put(key, value)
        return value

    def put(self, key: K, value: V) -> None:
        """Remembers a value, which must not be None."""
        self._young[key] = value
        if len(self._young) >= self._capacity:
            self._old, self._young = self._young, {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)
