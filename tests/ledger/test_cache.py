from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ledger.cache import Cache


def test_it_remembers_what_was_put():
    cache: Cache[str, int] = Cache(4)
    cache.put("a", 0)
    assert (cache.get("a"), cache.get("b")) == (0, None)


@given(st.integers(1, 8), st.lists(st.tuples(st.booleans(), st.integers(0, 20)), max_size=100))
def test_it_keeps_the_last_used_and_never_more_than_twice_as_many(capacity, steps):
    cache: Cache[int, int] = Cache(capacity)
    used: list[int] = []
    for put, key in steps:
        if put:
            cache.put(key, key * key)
        elif cache.get(key) is None:
            assert key not in used[-capacity:][1:]
            continue
        used = [other for other in used if other != key] + [key]
        assert len(cache) <= 2 * capacity
    for key in used[-capacity:][1:]:
        assert cache.get(key) == key * key


def test_a_pair_that_is_used_again_and_again_is_never_forgotten():
    cache: Cache[int, str] = Cache(3)
    cache.put(-1, "kept")
    for key in range(100):
        cache.put(key, "")
        assert cache.get(-1) == "kept"
