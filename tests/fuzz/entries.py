"""Targets: entries of every kind, what is sealed inside them, and whole ceremonies (docs/protocol.md, sections 3 to 8).

The kinds are read off the protobuf descriptor, so that a new one is fuzzed from the day it is there.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import cache, partial
from random import Random
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from plimsoll.v1 import entry_pb2, sealed_pb2

from ledger.borrower.evaluation import Evaluation
from ledger.ceremony import CeremonyContext, read_entry, replay
from ledger.ceremony.entry import parse_body
from ledger.ceremony.state import ParticipantState
from ledger.chain.entries import MAX_ENTRY, UNSOUND, Kind, file_entry, kind_of, parse_entry
from ledger.challenges.challenge import Challenge, ChallengeAnswer
from ledger.consortium.ballot import approval_entry, read_proposal, read_vote, unpacked
from ledger.consortium.manifest import parse_manifest
from ledger.crypto import elgamal
from ledger.crypto.sealed import seal
from ledger.errors import InvalidInput, PlimsollError
from ledger.keys import SecretShares, public_keys
from ledger.positions.loan import Loan
from ledger.positions.position_entry import PositionEntry
from ledger.positions.sealed_copy import DOMAIN, SIZES, SealedCopy, open_copy
from ledger.queries.inquiry import Inquiry
from ledger.witnessing.evidence import read_evidence
from tests.fuzz.inputs import joined, message, split, vectors
from tests.fuzz.target import Target
from tests.ledger import sample_entries, sample_logs
from tests.ledger.loans import a_loan
from tests.lenders import seeded
from tests.second import entry as second_entry

KINDS: Mapping[str, FieldDescriptor] = {
    field.name: field for field in entry_pb2.Entry.DESCRIPTOR.oneofs_by_name["kind"].fields
}


# -- entries


def read(raw: bytes) -> None:
    """Everything that is read off an entry, by whoever reads it. Raises what the parser of entries does."""
    filing = file_entry(raw)
    assert 0 <= filing.code <= 255
    try:
        message = parse_entry(raw)
    except InvalidInput:
        assert filing.code == UNSOUND
        assert len(raw) > MAX_ENTRY or second_entry.read(raw) is None  # which leaves the size to its log
        raise
    kind = kind_of(message)
    other = second_entry.read(raw)
    if kind is None:
        assert other is None
        return
    name = kind.name.lower()
    assert filing.code == kind
    assert other is not None
    assert (other.kind, other.label) == (name, filing.label)
    READERS.get(name, _read_nothing)(raw)


def _read_nothing(raw: bytes) -> None:
    """Of a kind that no reader has been told of here."""


def _position(raw: bytes) -> None:
    entry = PositionEntry.parse(raw)
    assert PositionEntry.parse(entry.encode()) == entry
    if entry.ciphertext is not None:
        with suppress(PlimsollError):  # random points seldom are any
            elgamal.verify(entry.ciphertext, _field_keys(), bytes(32), entry.epoch, "alpha", entry.label)


def _again(parse: Callable[[bytes], Any], raw: bytes) -> None:
    value = parse(raw)
    assert parse(value.encode()) == value


def _ceremony(raw: bytes) -> None:
    body = parse_body(raw)
    assert parse_body(body.encode(7)) == body


def _proposal(raw: bytes) -> None:
    found = read_proposal(raw)
    assert found is not None
    with suppress(PlimsollError):  # whether it is a manifest at all is not the entry's to say
        parse_manifest(unpacked(found[1]))


def _approval(raw: bytes) -> None:
    vote = read_vote(raw)
    assert vote is not None
    assert read_vote(approval_entry(vote, 7)) == vote


def _evidence(raw: bytes) -> None:
    with suppress(PlimsollError):  # nor whether it proves anything
        assert read_evidence(raw, sample_logs.SIGNER.key).origin == sample_logs.ORIGIN


READERS: Mapping[str, Callable[[bytes], None]] = {
    "proposal": _proposal,
    "approval": _approval,
    "evidence": _evidence,
    "challenge": partial(_again, Challenge.parse),
    "challenge_answer": partial(_again, ChallengeAnswer.parse),
    "position": _position,
    "inquiry": partial(_again, Inquiry.parse),
    "evaluation": partial(_again, Evaluation.parse),
    **dict.fromkeys(("ready", "dealing", "close", "complaint", "reveal", "confirmation"), _ceremony),
}


@cache
def _field_keys() -> tuple[bytes, ...]:
    return tuple(map(bytes.fromhex, vectors("query")["keys"]["public"][1:]))


@cache
def samples() -> tuple[bytes, ...]:
    """Entries of every kind, with random bytes for points, and those of the vectors, which are real."""
    rng = Random(1)
    made = [make(rng) for make in (*sample_entries.BUILDERS, sample_entries.unknown)]
    made += [sample_entries.position(rng, closed=True), sample_entries.position(rng, copy=8192)]
    made += [bytes.fromhex(raw) for log in vectors("query")["logs"].values() for raw in log[-2:]]
    made += ceremony_logs()[0][:3]
    return tuple(made)


def wrapped(number: int, body: bytes) -> bytes:
    """An entry of this kind around any bytes."""
    return b"\x08\x07" + varint(number << 3 | 2) + varint(len(body)) + body


def _read_wrapped(number: int, body: bytes) -> None:
    read(wrapped(number, body))


def varint(value: int) -> bytes:
    """As protobuf writes it."""
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def bodies(name: str) -> list[bytes]:
    """Contents of sample entries of this kind; made up where there is no sample."""
    entries = map(entry_pb2.Entry.FromString, samples())
    found = [getattr(one, name).SerializeToString() for one in entries if one.WhichOneof("kind") == name]
    kind: Any = KINDS[name].message_type
    return found or [filled(kind).SerializeToString()]


def filled(descriptor: Descriptor) -> Any:
    """A message with something in every field: 32 bytes, small numbers, short text."""
    message = _class_of(descriptor)()
    for field in descriptor.fields:
        if field.message_type is not None:
            into = getattr(message, field.name)
            (into.add() if field.is_repeated else into).CopyFrom(filled(field.message_type))
            continue
        value: Any = {field.TYPE_BYTES: bytes(range(32)), field.TYPE_STRING: "alpha"}.get(field.type, 1)
        if field.is_repeated:
            getattr(message, field.name).append(value)
        else:
            setattr(message, field.name, value)
    return message


def _class_of(descriptor: Descriptor) -> Any:
    return descriptor._concrete_class  # type: ignore[attr-defined]


# -- what is inside


def _loan(raw: bytes) -> None:
    loan = Loan.from_proto(message(sealed_pb2.Loan, raw))
    assert Loan.from_proto(loan.to_proto()) == loan


def _opened(plain: bytes) -> None:
    """A padded plaintext, sealed for its place as its author would, who alone could."""
    place = (bytes(32), "alpha", bytes(16))
    box = seal(bytes(32), DOMAIN, place, plain, seeded("fuzz"))
    copy = open_copy(box, bytes(32), *place)
    assert SealedCopy.from_proto(copy.to_proto()) == copy


def _padded(packed: bytes) -> bytes:
    framed = len(packed).to_bytes(4, "big") + packed
    size = next((size for size in SIZES if len(framed) <= size), 0)
    return framed.ljust(size, b"\0")


def _copies() -> Iterator[bytes]:
    shares = {"pseudonym_key": bytes(range(64)), "salt": bytes(32)}
    running = [a_loan("L1"), a_loan("L2", open=False)]
    for number, loans in enumerate((running, running[1:])):
        amounts = range(7) if number == 0 else ()
        message = sealed_pb2.SealedPosition(
            borrower="test:000001",
            number=number,
            loans=[loan.to_proto() for loan in loans],
            nonce=bytes(32) if amounts else b"",
            amounts=amounts,
            **shares,
        )
        yield message.SerializeToString()


# -- ceremonies


@cache
def ceremony_logs() -> list[list[bytes]]:
    """The entries of every case of the vectors, log after log."""
    return [
        [base64.b64decode(raw) for log in case["logs"].values() for raw in log] for case in vectors("ceremony")["cases"]
    ]


def _ceremony_replay(raw: bytes) -> None:
    """Two bytes of case and of how entries go round the custodians, then entries: what anybody may have logged."""
    case = vectors("ceremony")["cases"][raw[0] % len(vectors("ceremony")["cases"]) if raw else 0]
    identity = (bytes.fromhex(case["consortium"]), bytes.fromhex(case["manifest"]))
    names = tuple(case["custodians"])
    context = CeremonyContext(*identity, case["epoch"], names, case["threshold"])
    entries = split(raw[2:])[:64]
    each = 1 + raw[1] % 16 if len(raw) > 1 else 1
    read = (read_entry(names[n // each % len(names)], n % each, entry) for n, entry in enumerate(entries))
    ceremony = replay(context, [entry for entry in read if entry is not None])
    assert ceremony.phase
    assert set(ceremony.waiting_for) <= set(names)


def _ceremonies() -> Iterator[bytes]:
    for number, case in enumerate(vectors("ceremony")["cases"]):
        lengths = [len(log) for log in case["logs"].values()]
        padded = [
            base64.b64decode(raw) if raw else b""
            for log in case["logs"].values()
            for raw in [*log, *[""] * (max(lengths) - len(log))]
        ]
        yield bytes([number, max(lengths) - 1]) + joined(padded)


def _custody_state(raw: bytes) -> None:
    state = ParticipantState.from_bytes(raw)
    assert ParticipantState.from_bytes(state.to_bytes()) == state


@cache
def custody_states() -> tuple[bytes, ...]:
    """At a ceremony's start, and at its end."""
    bundles = {1: bytes(256), 3: bytes(range(256))}
    last = ParticipantState(bytes(32), 2, bytes(32), bundles, samples()[:2], _shares())
    return ParticipantState(bytes(32), 1).to_bytes(), last.to_bytes()


def _shares() -> SecretShares:
    custodian = vectors("query")["keys"]["custodians"][0]
    return SecretShares.of(1, 1, [bytes.fromhex(scalar) for scalar in custodian["secret"]])


def _secret_shares(raw: bytes) -> None:
    shares = SecretShares.from_bytes(raw)
    assert shares.to_bytes() == raw


def shared_keys() -> Any:
    """The public keys of the query vectors."""
    facts = vectors("query")["keys"]
    points = [bytes.fromhex(point) for point in facts["public"]]
    return public_keys(1, points, [[bytes.fromhex(point) for point in one["public"]] for one in facts["custodians"]])


PROTOBUF = (b"\x7b\x7c", b"\xf8\x80\x80\x80\x80\x00\x05", b"\x00\x05", b"\x78" + b"\x80" * 10 + b"\x01", b"\x7a\x01A")
JSON = (b"null", b"[", b"{", b"1e999", b"-1", b'"\\ud800"', b"NaN", b"true", b'{"a":', b"9" * 5000)

TARGETS = (
    Target("entry", read, samples, PROTOBUF),
    *(
        Target(
            f"entry-{name.replace('_', '-')}",
            partial(_read_wrapped, field.number),
            partial(bodies, name),
            PROTOBUF,
        )
        for name, field in KINDS.items()
    ),
    Target("loan", _loan, lambda: [a_loan().to_proto().SerializeToString()], PROTOBUF),
    Target("sealed-copy", _opened, lambda: [_padded(zlib.compress(raw)) for raw in _copies()]),
    Target(
        "sealed-copy-packed",
        lambda raw: _opened(_padded(raw)),
        lambda: [zlib.compress(raw, level) for raw in _copies() for level in (0, 9)],
    ),
    Target("sealed-copy-message", lambda raw: _opened(_padded(zlib.compress(raw))), lambda: list(_copies()), PROTOBUF),
    Target("ceremony", _ceremony_replay, lambda: list(_ceremonies())),
    Target("custody-state", _custody_state, custody_states, JSON),
    Target("secret-shares", _secret_shares, lambda: [_shares().to_bytes()]),
)

assert all(kind.name.lower() in KINDS for kind in Kind)
