"""An entry is sound to everybody or to nobody, whichever parser of protobuf a reader has.

Were it otherwise, an author could file a record under a label that half of the custodians find: they would select,
sum and release differently, and no query about that borrower would ever be answered.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from plimsoll.v1 import entry_pb2

from ledger.chain.entries import Kind, file_entry
from tests.ledger import sample_entries
from tests.second.entry import read

ROOT = Path(__file__).parents[2]
TAG = bytes([15 << 3])  # field 15, a number: unknown to all kinds
ODD = {
    "one group": bytes([0x7B, 0x7C]),
    "99 groups": bytes([0x7B] * 99 + [0x7C] * 99),
    "150 groups": bytes([0x7B] * 150 + [0x7C] * 150),
    "a tag of six bytes": b"\xf8\x80\x80\x80\x80\x00\x05",
    "a tag of 2^32": b"\x88\x80\x80\x80\x10\x05",
    "field 0": b"\x00\x05",
    "a number of eleven bytes": TAG + b"\x80" * 10 + b"\x01",
    "a number of 2^64": TAG + b"\x80" * 9 + b"\x02",
    "a length of six bytes": b"\x7a\x81\x80\x80\x80\x80\x00\x41",
    "a length beyond the end": b"\x7a\x7f",
}


def inside(extra: bytes) -> bytes:
    """A position with these bytes behind its fields."""
    whole = entry_pb2.Entry.FromString(sample_entries.position(Random(1)))
    body = whole.position.SerializeToString() + extra
    length = bytes([len(body) & 0x7F | 0x80, len(body) >> 7])
    return b"\x08\x05\x12" + length + body


@pytest.mark.parametrize("extra", ODD.values(), ids=ODD.keys())
def test_what_parsers_take_differently_is_sound_to_nobody(extra):
    for raw in (inside(extra), sample_entries.evaluation(Random(1)) + extra):
        assert file_entry(raw) == (0, None)
        assert read(raw) is None


@pytest.mark.parametrize("extra", [b"", TAG + b"\x05", TAG + b"\xff" * 9 + b"\x01", b"\x7a\x01A", b"\x79" + bytes(8)])
def test_unknown_fields_inside_a_kind_are_skipped(extra):
    assert file_entry(inside(extra)).code == Kind.POSITION
    assert read(inside(extra)) is not None


def test_a_number_too_large_among_the_sizes_is_no_size():
    inquiry = entry_pb2.Entry.FromString(sample_entries.inquiry(Random(1)))
    inquiry.inquiry.ClearField("sizes")
    inquiry.inquiry.ClearField("frozen")
    inquiry.inquiry.ClearField("conflicting")
    inquiry.inquiry.ClearField("settled")
    body = inquiry.inquiry.SerializeToString()
    for packed, sound in ((b"\x05\x06", True), (b"\x80" * 9 + b"\x02", False), (b"\x80" * 10 + b"\x01", False)):
        whole = body + b"\x3a" + bytes([len(packed)]) + packed
        raw = b"\x08\x05\x1a" + bytes([len(whole) & 0x7F | 0x80, len(whole) >> 7]) + whole
        assert (file_entry(raw).code == Kind.INQUIRY) == (read(raw) is not None) == sound


FILE_ALL = """
import sys
from google.protobuf.internal import api_implementation
from ledger.chain.entries import file_entry
print(api_implementation.Type())
for line in sys.stdin:
    code, label = file_entry(bytes.fromhex(line))
    print(int(code), label.hex() if label else None)
"""


def filed_by(implementation: str, entries: list[bytes]) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", FILE_ALL],
        input="".join(f"{raw.hex()}\n" for raw in entries),
        capture_output=True,
        text=True,
        check=True,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "protos")]),
            "PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION": implementation,
        },
    )
    name, *filed = done.stdout.splitlines()
    assert name == implementation
    return filed


def test_two_parsers_file_all_entries_alike():
    chance = Random(7)
    makers = (
        sample_entries.position, sample_entries.inquiry, sample_entries.evaluation, sample_entries.ready,
        sample_entries.dealing,
    )  # fmt: skip
    entries = [inside(extra) for extra in ODD.values()]
    for number in range(4000):
        raw = bytearray(makers[number % len(makers)](chance))
        for _ in range(chance.randrange(3)):
            at = chance.randrange(min(len(raw), 60)) if chance.random() < 0.7 else chance.randrange(len(raw))
            if chance.random() < 0.5:
                raw[at] = chance.choice([0, 1, 0x7B, 0x7C, 0x80, 0xF8, 0xFF, chance.randrange(256)])
            else:
                raw[at:at] = chance.choice([*ODD.values(), b"\x80", b"\x80\x80\x80\x80\x00"])
        entries.append(bytes(raw))
    filed = filed_by("upb", entries)
    assert filed == filed_by("python", entries)
    assert len({line.split()[0] for line in filed}) > 4
    # And a third reader, written from the protocol's page.
    found = [read(raw) for raw in entries]
    for line, entry in zip(filed, found, strict=True):
        assert (line.split()[0] in ("2", "3", "4", "10", "11")) == (entry is not None)
