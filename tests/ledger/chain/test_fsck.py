"""Checking a stored log: whatever was changed, lost or added is named."""

from __future__ import annotations

from random import Random

import pytest

from ledger.chain.log_keys import LogKeys, encode_index, last_index
from ledger.chain.log_state import Record
from ledger.chain.memory_store import MemoryStore
from ledger.errors import Unverified
from tests.ledger import sample_entries as sample
from tests.ledger.sample_logs import ORIGIN, block, opened, written

SIZE = 600  # two full tiles, and 88 entries that only the root covers
EDGE = f"entries[512..{SIZE - 1}]"
RNG = Random(41)
ENTRIES = [
    (sample.BUILDERS[number % len(sample.BUILDERS)] if number % 2 else sample.position)(RNG) for number in range(SIZE)
]


def disk_of(*batches):
    store = MemoryStore()
    written(*batches, store=store)
    return store.snapshot()


DISK = disk_of(ENTRIES[:250], ENTRIES[250:260], ENTRIES[260:])
KEYS = LogKeys(0)


def found(disk) -> tuple[str, str]:
    with pytest.raises(Unverified) as caught:
        opened(MemoryStore(disk)).verify(ORIGIN)
    return caught.value.reason, caught.value.path


def test_a_sound_log_passes():
    assert opened(MemoryStore(DISK)).verify(ORIGIN) == SIZE
    assert opened().verify(ORIGIN) == 0


@pytest.mark.parametrize("size", [1, 255, 256, 257, 512])
def test_a_sound_log_of_any_size_passes(size):
    assert opened(MemoryStore(disk_of(ENTRIES[:size]))).verify(ORIGIN) == size


def test_a_replica_that_ends_before_its_head_passes():
    store = MemoryStore()
    replica = opened(store).replica(ORIGIN)
    replica.apply(block(ENTRIES, 0, 100))
    replica.apply(block(ENTRIES, 100, 300, 400))
    assert opened(store).verify(ORIGIN) == 300


def under(prefix: bytes) -> list[bytes]:
    return [key for key in sorted(DISK) if key.startswith(prefix)]


def flipped(raw: bytes, position: int) -> bytes:
    return raw[:position] + bytes([raw[position] ^ 1 << RNG.randrange(8)]) + raw[position + 1 :]


@pytest.mark.parametrize("key", under(KEYS.entries)[::41] + under(KEYS.entries)[508:516], ids=bytes.hex)
@pytest.mark.parametrize("place", [0.0, 0.5, 0.99])
def test_a_flipped_entry_is_named(key, place):
    index = last_index(key)
    reason, path = found({**DISK, key: flipped(DISK[key], int(len(DISK[key]) * place))})
    if index < 512:
        assert (reason, path) == ("LEAF_MISMATCH", f"entries[{index}]")
    else:  # its label or kind may give it away, else the root does
        assert (reason, path) in [("INDEX_ROTTEN", f"entries[{index}]"), ("ROOT_MISMATCH", EDGE)]


@pytest.mark.parametrize("index", [0, 300, 511, 512, 599])
def test_an_entry_lost_cut_swapped_or_moved_is_named(index):
    key, other = KEYS.entry(index), KEYS.entry(index - 1 if index else 1)
    first = min(last_index(key), last_index(other))
    without = {one: value for one, value in DISK.items() if one != key}
    assert found(without) == ("ENTRY_MISSING", f"entries[{index}]")
    assert found({**without, KEYS.entry(SIZE): DISK[key]}) == ("ENTRY_MISSING", f"entries[{index}]")
    expected = [f"entries[{first}]"] if first < 512 else [EDGE, f"entries[{index}]", f"entries[{first}]"]
    assert found({**DISK, key: DISK[other], other: DISK[key]})[1] in expected
    assert found({**DISK, key: DISK[key][:-1]})[1] in [f"entries[{index}]", EDGE]
    assert found({**DISK, key: b""})[1] in [f"entries[{index}]", EDGE]


def test_an_entry_too_many_is_named():
    assert found({**DISK, KEYS.entry(SIZE): ENTRIES[0]}) == ("STRAY_ENTRY", f"entries[{SIZE}]")


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("position", [0, 31, 32, 4000, 8191])
def test_a_flipped_leaf_hash_is_named_by_its_entry(number, position):
    key = KEYS.tile(0, number)
    entry = number * 256 + position // 32
    assert found({**DISK, key: flipped(DISK[key], position)}) == ("LEAF_MISMATCH", f"entries[{entry}]")


@pytest.mark.parametrize("number", [0, 1])
def test_a_tile_lost_or_cut_is_named(number):
    key = KEYS.tile(0, number)
    path = f"tiles[0][{number}]"
    assert found({one: value for one, value in DISK.items() if one != key}) == ("BAD_TILE", path)
    assert found({**DISK, key: DISK[key][:-32]}) == ("BAD_TILE", path)


@pytest.mark.parametrize(("level", "number"), [(0, 2), (0, 999), (1, 0)])
def test_a_tile_too_many_is_named(level, number):
    assert found({**DISK, KEYS.tile(level, number): bytes(8192)}) == ("STRAY_TILE", f"tiles[{level}][{number}]")


@pytest.mark.parametrize("key", (under(KEYS.labels) + under(KEYS.kinds))[::83], ids=bytes.hex)
def test_an_index_key_lost_changed_or_doubled_is_named_by_its_entry(key):
    index = last_index(key)
    without = {one: value for one, value in DISK.items() if one != key}
    assert found(without) == ("INDEX_ROTTEN", f"entries[{index}]")
    assert found({**DISK, key: b"x"}) == ("INDEX_ROTTEN", f"entries[{index}]")
    for position in range(3, len(key), 4):
        assert found({**without, flipped(key, position): b""}) == ("INDEX_ROTTEN", f"entries[{index}]")
    for other in (0, 255, 256, 599, 600, 2**40):
        doubled = key[:-8] + encode_index(other)
        if doubled not in DISK:
            assert found({**DISK, doubled: b""}) == ("INDEX_ROTTEN", f"entries[{other}]")


RECORD = Record.decode(DISK[KEYS.standing])


@pytest.mark.parametrize("position", range(0, len(DISK[KEYS.standing]), 7))
def test_a_flipped_record_of_how_far_the_log_has_got_is_seen(position):
    reason, path = found({**DISK, KEYS.standing: flipped(DISK[KEYS.standing], position)})
    if 1 <= position < 9:  # its size
        assert reason in ("ENTRY_MISSING", "STRAY_ENTRY")
    else:
        assert path in ("standing", "head")


def replaced(**changes) -> dict[bytes, bytes]:
    fields = {name: getattr(RECORD, name) for name in Record.__slots__}
    return {**DISK, KEYS.standing: Record(**{**fields, **changes}).encode()}


def test_every_field_of_the_record_is_checked():
    assert RECORD.last_position is not None
    assert found(replaced(root=bytes(32))) == ("ROOT_MISMATCH", "standing")
    assert found(replaced(last_position=None)) == ("BAD_STANDING", "standing")
    assert found(replaced(counts={**RECORD.counts, 2: 1})) == ("BAD_STANDING", "standing")
    assert found(replaced(head_note=b"")) == ("BAD_STANDING", "standing")
    assert found(replaced(head_note=RECORD.head_note[:-3])) == ("BAD_HEAD", "head")
    assert found(replaced(size=SIZE - 1)) == ("STRAY_ENTRY", f"entries[{SIZE - 1}]")
    older = disk_of(ENTRIES[:10])[KEYS.standing]
    assert found(replaced(head_note=Record.decode(older).head_note))[1] == "standing"


def test_a_log_without_its_record_is_seen():
    without = {key: value for key, value in DISK.items() if key != KEYS.standing}
    assert found(without) == ("STRAY_ENTRY", "entries[0]")


def test_a_log_rewritten_in_every_place_but_the_signature_is_seen():
    """Whoever has the disk but not the author's key changes one entry, and tiles, indexes and root with it."""
    forged = disk_of([*ENTRIES[:7], sample.position(RNG), *ENTRIES[8:]])
    record = Record.decode(forged[KEYS.standing])
    fields = {name: getattr(record, name) for name in Record.__slots__}
    forged[KEYS.standing] = Record(**{**fields, "head_note": RECORD.head_note}).encode()
    assert found(forged) == ("ROOT_MISMATCH", "head")


@pytest.mark.slow
def test_tiles_of_higher_levels_are_checked():
    store = MemoryStore()
    own = [sample.evaluation(RNG) for _ in range(65_800)]
    written(own, store=store)
    disk = store.snapshot()
    assert opened(MemoryStore(disk)).verify(ORIGIN) == len(own)
    key = KEYS.tile(1, 0)
    assert found({**disk, key: flipped(disk[key], 5000)}) == ("BAD_TILE", "tiles[1][0]")
