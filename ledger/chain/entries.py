"""Entries (protocol section 3): which bytes are one, what kind it is, and under which label it is filed.

An entry is *sound* if it is 1 to 65,535 bytes, parses, has exactly one kind, and every field has the size and range
that protos/plimsoll/v1/entry.proto gives it. Logs keep and pass on all entries; readers ignore those that are not sound
or of a kind they do not know. All members must agree which these are, so the rule stands in one place: `parse_entry`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Any, NamedTuple

from google.protobuf.message import DecodeError
from plimsoll.v1 import entry_pb2

from ledger.chain.entry_wire import check_numbers, fields, kind_field, label_of_plain_position
from ledger.chain.log_keys import LABEL_SIZE
from ledger.crypto.hashing import digest
from ledger.errors import InvalidInput

MAX_ENTRY = 65_535
MAX_KIND = 255
FIELDS = 7
COORDINATES = 8
MAX_BATCH = 4096
SEALED_SIZES = (540, 2076, 8220, 32_796)  # nonce (12), ciphertext of 512 .. 32,768 bytes, tag (16)
SEALED_SHARES_SIZE = 304  # HPKE encapsulation (32), ciphertext of eight scalars, tag (16)

MAX_PROPOSAL = 65_000  # bytes of a compressed manifest
MAX_PROOF = 65_000  # bytes of a proof that a position is well-formed
MAX_ORIGIN = 255  # bytes of a challenged log's name

_HASH = 32
_PROOF = 64
_MAX_NOTE = 16_384  # bytes of a head in an Evidence entry: a signature or two
_MAX_PATH = 64  # hashes of a proof


class Kind(IntEnum):
    """Kinds of entries by their stable code: the number of their field in Entry."""

    POSITION = 2
    INQUIRY = 3
    EVALUATION = 4
    CHALLENGE = 7
    PROPOSAL = 8
    APPROVAL = 9
    READY = 10
    DEALING = 11
    CLOSE = 12
    COMPLAINT = 13
    REVEAL = 14
    CONFIRMATION = 15
    EVIDENCE = 16
    CHALLENGE_ANSWER = 17


UNSOUND = 0
"""The code under which entries are filed that are not sound."""


KIND_CODES: Mapping[str, Kind] = MappingProxyType({kind.name.lower(): kind for kind in Kind})
"""By the name of the field in Entry."""


class Filing(NamedTuple):
    """How a log files an entry. code: a Kind, the number of a kind not known here, or UNSOUND. label: 16 bytes."""

    code: int
    label: bytes | None


def kind_of(entry: entry_pb2.Entry) -> Kind | None:
    """The kind of a parsed entry, None where it is not known."""
    name = entry.WhichOneof("kind")
    return None if name is None else KIND_CODES[name]


def kind_name(code: int) -> str:
    """For people: "position", "kind 9" where not known, "unsound"."""
    if code == UNSOUND:
        return "unsound"
    return next((name for name, kind in KIND_CODES.items() if kind == code), f"kind {code}")


def parse_entry(raw: bytes) -> entry_pb2.Entry:
    """The entry, sound. Its kind may be one not known here (`kind_of` is None then). Raises InvalidInput."""
    return _parse(raw)[0]


def file_entry(raw: bytes) -> Filing:
    """How to file any bytes; refuses nothing."""
    label = label_of_plain_position(raw)
    if label is not None:
        return Filing(Kind.POSITION, label)
    try:
        entry, code = _parse(raw)
    except InvalidInput:
        return Filing(UNSOUND, None)
    return Filing(code, _label(entry, code))


def challenge_label(origin: str, index: int, leaf: bytes) -> bytes:
    """Under which a Challenge of the position at this place, of this leaf hash, is filed: 16 bytes (protocol, 19)."""
    return digest("plimsoll/v1/challenge", origin, index, leaf)[:LABEL_SIZE]


def answer_label(leaf: bytes) -> bytes:
    """Under which the answer for a challenged position of this leaf hash is filed: 16 bytes."""
    return digest("plimsoll/v1/challenge-answer", leaf)[:LABEL_SIZE]


def _label(entry: entry_pb2.Entry, code: int) -> bytes | None:
    if code == Kind.POSITION:
        return entry.position.label
    if code == Kind.INQUIRY:
        return entry.inquiry.label
    if code == Kind.CHALLENGE:
        named = entry.challenge
        return challenge_label(named.origin, named.index, named.leaf_hash)
    return answer_label(entry.challenge_answer.leaf_hash) if code == Kind.CHALLENGE_ANSWER else None


def _parse(raw: bytes) -> tuple[entry_pb2.Entry, int]:
    if not 1 <= len(raw) <= MAX_ENTRY:
        raise InvalidInput("BAD_ENTRY_SIZE", f"an entry is 1 to {MAX_ENTRY} bytes")
    try:
        entry = entry_pb2.Entry.FromString(raw)
    except DecodeError as error:
        raise InvalidInput("BAD_ENTRY", "not the protobuf message of an entry") from error
    code, content = kind_field(raw)
    if not Kind.POSITION <= code <= MAX_KIND:
        raise InvalidInput("BAD_KIND", f"a kind has a number from {Kind.POSITION} to {MAX_KIND}")
    kind = kind_of(entry)
    if kind is not None:
        name = kind.name.lower()
        try:
            _check_wire(kind, content)
            _CHECKS[kind](getattr(entry, name))
        except InvalidInput as error:
            raise error.under(name) from error
    return entry, code


def _check_wire(kind: Kind, content: bytes) -> None:
    """Refuses what parsers of protobuf take differently, inside the kind too (ledger.chain.entry_wire)."""
    for number, value in fields(content):
        if value is None:
            continue
        if (kind, number) == (Kind.DEALING, entry_pb2.Dealing.COORDINATES_FIELD_NUMBER):
            fields(value)
        elif kind == Kind.INQUIRY and number in _INQUIRY_NUMBERS:
            check_numbers(value)


# -- sizes and ranges, as entry.proto states them


def _check_size(raw: bytes, size: int, path: str) -> None:
    if len(raw) != size:
        raise InvalidInput("BAD_LENGTH", f"must be {size} bytes" if size else "must be empty", path)


def _check_count(values: Any, count: int, path: str) -> None:
    if len(values) != count:
        raise InvalidInput("BAD_COUNT", f"must have {count} elements", path)


def _check_not_empty(values: Any, path: str) -> None:
    if not values:
        raise InvalidInput("BAD_COUNT", "must not be empty", path)


def _check_each(values: Iterable[bytes], size: int, path: str) -> None:
    for number, value in enumerate(values):
        _check_size(value, size, f"{path}[{number}]")


def _check_hashes(message: Any, *names: str) -> None:
    for name in names:
        _check_size(getattr(message, name), _HASH, name)


def _check_ascending(hashes: Any, path: str) -> None:
    _check_each(hashes, _HASH, path)
    for number in range(1, len(hashes)):
        if hashes[number - 1] >= hashes[number]:
            raise InvalidInput("BAD_ORDER", "must be in ascending order, each once", f"{path}[{number}]")


def _position(position: entry_pb2.Position) -> None:
    _check_size(position.label, LABEL_SIZE, "label")
    _check_hashes(position, "records_digest")
    if len(position.sealed) not in SEALED_SIZES:
        raise InvalidInput("BAD_LENGTH", "must be of one of the four sizes of a sealed copy", "sealed")
    open_ = not position.closed
    _check_size(position.nonce_point, _HASH * open_, "nonce_point")
    _check_count(position.bodies, FIELDS * open_, "bodies")
    _check_each(position.bodies, _HASH, "bodies")
    _check_size(position.proof, _PROOF * open_, "proof")


def _inquiry(inquiry: entry_pb2.Inquiry) -> None:
    _check_size(inquiry.label, LABEL_SIZE, "label")
    if inquiry.purpose not in _PURPOSES:
        raise InvalidInput("BAD_PURPOSE", "must be one of the known purposes", "purpose")
    _check_hashes(inquiry, "consent_digest", "manifest", "heads_digest")
    _check_not_empty(inquiry.sizes, "sizes")
    for number, place in enumerate(inquiry.frozen):
        if place >= len(inquiry.sizes) or (number and place <= inquiry.frozen[number - 1]):
            raise InvalidInput("BAD_ORDER", "must be places of members, ascending, each once", f"frozen[{number}]")
    for number, place in enumerate(inquiry.conflicting):
        if place not in inquiry.frozen or (number and place <= inquiry.conflicting[number - 1]):
            raise InvalidInput("BAD_ORDER", "must be places of frozen logs, ascending", f"conflicting[{number}]")
    if inquiry.settled:
        _check_count(inquiry.settled, len(inquiry.sizes), "settled")
    for number, (settled, size) in enumerate(zip(inquiry.settled, inquiry.sizes, strict=False)):
        if settled > size:
            raise InvalidInput("OUT_OF_RANGE", "must not be above the log's size", f"settled[{number}]")


def _evaluation(evaluation: entry_pb2.Evaluation) -> None:
    if not 1 <= evaluation.count <= MAX_BATCH:
        raise InvalidInput("OUT_OF_RANGE", f"must be 1 to {MAX_BATCH}", "count")
    _check_hashes(evaluation, "batch_digest")


def _ready(ready: entry_pb2.Ready) -> None:
    _check_hashes(ready, "ceremony", "hpke_key")


def _dealing(dealing: entry_pb2.Dealing) -> None:
    _check_hashes(dealing, "ceremony", "readies_digest")
    _check_count(dealing.coordinates, COORDINATES, "coordinates")
    _check_not_empty(dealing.coordinates[0].commitments, "coordinates[0].commitments")
    threshold = len(dealing.coordinates[0].commitments)
    for number, coordinate in enumerate(dealing.coordinates):
        path = f"coordinates[{number}]"
        _check_count(coordinate.commitments, threshold, f"{path}.commitments")
        _check_each(coordinate.commitments, _HASH, f"{path}.commitments")
        _check_size(coordinate.possession, _PROOF, f"{path}.possession")
    _check_not_empty(dealing.sealed_shares, "sealed_shares")
    _check_each(dealing.sealed_shares, SEALED_SHARES_SIZE, "sealed_shares")


def _close(close: entry_pb2.Close) -> None:
    _check_hashes(close, "ceremony")
    _check_not_empty(close.dealings, "dealings")
    _check_each(close.dealings, _HASH, "dealings")


def _complaint(complaint: entry_pb2.Complaint) -> None:
    _check_hashes(complaint, "ceremony", "close", "dealing")


def _reveal(reveal: entry_pb2.Reveal) -> None:
    _check_hashes(reveal, "ceremony", "complaint")
    _check_count(reveal.shares, COORDINATES, "shares")
    _check_each(reveal.shares, _HASH, "shares")


def _confirmation(confirmation: entry_pb2.Confirmation) -> None:
    _check_hashes(confirmation, "ceremony", "close", "transcript")
    _check_ascending(confirmation.complaints, "complaints")
    _check_ascending(confirmation.reveals, "reveals")


def _proposal(proposal: entry_pb2.Proposal) -> None:
    _check_hashes(proposal, "previous")
    if not 1 <= len(proposal.manifest) <= MAX_PROPOSAL:
        raise InvalidInput("BAD_LENGTH", f"must be 1 to {MAX_PROPOSAL} bytes", "manifest")


def _approval(approval: entry_pb2.Approval) -> None:
    _check_hashes(approval, "previous", "manifest")


def _evidence(evidence: entry_pb2.Evidence) -> None:
    for name in ("known", "conflicting"):
        if not 1 <= len(getattr(evidence, name)) <= _MAX_NOTE:
            raise InvalidInput("BAD_LENGTH", f"must be 1 to {_MAX_NOTE} bytes", name)
    if evidence.old_root:
        _check_hashes(evidence, "old_root")
    if len(evidence.consistency) > _MAX_PATH or (evidence.consistency and not evidence.old_root):
        raise InvalidInput("BAD_COUNT", f"at most {_MAX_PATH} hashes, and none without old_root", "consistency")
    _check_each(evidence.consistency, _HASH, "consistency")


def _challenge(challenge: entry_pb2.Challenge) -> None:
    if not 1 <= len(challenge.origin.encode()) <= MAX_ORIGIN:
        raise InvalidInput("BAD_LENGTH", f"must be 1 to {MAX_ORIGIN} bytes", "origin")
    _check_hashes(challenge, "leaf_hash")


def _challenge_answer(answer: entry_pb2.ChallengeAnswer) -> None:
    _check_hashes(answer, "leaf_hash")
    if not 1 <= len(answer.proof) <= MAX_PROOF:
        raise InvalidInput("BAD_LENGTH", f"must be 1 to {MAX_PROOF} bytes", "proof")


_INQUIRY_NUMBERS = frozenset(
    entry_pb2.Inquiry.DESCRIPTOR.fields_by_name[name].number for name in ("sizes", "frozen", "conflicting", "settled")
)
_PURPOSES = frozenset(entry_pb2.Purpose.values()) - {entry_pb2.PURPOSE_UNSPECIFIED}

_CHECKS: Mapping[Kind, Callable[[Any], None]] = MappingProxyType(
    {
        Kind.POSITION: _position,
        Kind.INQUIRY: _inquiry,
        Kind.EVALUATION: _evaluation,
        Kind.READY: _ready,
        Kind.DEALING: _dealing,
        Kind.CLOSE: _close,
        Kind.COMPLAINT: _complaint,
        Kind.REVEAL: _reveal,
        Kind.CONFIRMATION: _confirmation,
        Kind.PROPOSAL: _proposal,
        Kind.APPROVAL: _approval,
        Kind.EVIDENCE: _evidence,
        Kind.CHALLENGE: _challenge,
        Kind.CHALLENGE_ANSWER: _challenge_answer,
    }
)
