"""A consortium's manifests, each shown to be approved by the members of the one before (protocol section 14).

It stands alone: from the founding manifest's note on, every step is verified by receipts under the log keys of the
manifest before, without any log. It is what a lender that joins is handed, what a home keeps, what an auditor reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from google.protobuf.message import DecodeError
from plimsoll.v1 import audit_pb2

from ledger.chain.log import Log
from ledger.consortium.ballot import Vote, read_vote
from ledger.consortium.founding import open_manifest
from ledger.consortium.history import History
from ledger.consortium.manifest import Manifest, parse_manifest
from ledger.consortium.succession import approvals_needed, check_successor, voters
from ledger.errors import InvalidInput, NotFound, PlimsollError, Refused, Unverified
from ledger.tlog.note import Note, parse_note
from ledger.tlog.receipt import Receipt

MAX_LINEAGE_BYTES = 64 << 20
MAX_SUCCESSION_BYTES = 2 << 20
"""A manifest is at most 256 KiB, and 100 approvals of 2 KiB each come to less."""


@dataclass(frozen=True, slots=True)
class ApprovalProof:
    """entry: an Approval's bytes. receipt: of that entry in the log of `member`."""

    member: str
    entry: bytes
    receipt: bytes


@dataclass(frozen=True, slots=True)
class Lineage:
    """Verified: `open_lineage`, `founded` and `followed_by` make it.

    founding: the founding manifest's note. approvals: those of each successor in turn.
    """

    founding: bytes = field(repr=False)
    history: History
    approvals: tuple[tuple[ApprovalProof, ...], ...] = field(repr=False)

    @property
    def current(self) -> Manifest:
        """The manifest in force."""
        return self.history.current

    def followed_by(self, after: Manifest, proofs: Sequence[ApprovalProof]) -> Lineage:
        """With one more manifest. Raises as `open_lineage` where it may not follow or too few members approve."""
        check_successor(self.history, after)
        check_approvals(self.current, after, proofs)
        return Lineage(self.founding, self.history.followed_by(after), (*self.approvals, tuple(proofs)))

    def check_extends(self, other: Lineage) -> None:
        """That this is `other` with nothing or something behind it. Raises Refused (OTHER_LINEAGE, SHORTER_LINEAGE)."""
        ours, theirs = (tuple(one.id for one in lineage.history.manifests) for lineage in (self, other))
        if ours[: len(theirs)] != theirs[: len(ours)]:
            raise Refused("OTHER_LINEAGE", "these manifests are not the ones known here", "successions")
        if len(ours) < len(theirs):
            raise Refused("SHORTER_LINEAGE", "a later manifest is known here", "successions")

    def successions(self) -> list[audit_pb2.Succession]:
        """The steps as the wire has them."""
        return [self._succession(number) for number in range(len(self.approvals))]

    def _succession(self, number: int) -> audit_pb2.Succession:
        proofs = [
            audit_pb2.ApprovalProof(member=proof.member, entry=proof.entry, receipt=proof.receipt)
            for proof in self.approvals[number]
        ]
        return audit_pb2.Succession(manifest=self.history.manifests[number + 1].text.encode(), approvals=proofs)

    def succession_of(self, previous: bytes) -> bytes:
        """A serialized plimsoll.v1.Succession, of what followed the manifest with this id. Raises NotFound."""
        known = self.history.get(previous)
        if known is None or known.sequence >= len(self.approvals):
            raise NotFound("NO_SUCCESSOR", "nothing that is known here follows this manifest", "previous")
        return self._succession(known.sequence).SerializeToString()

    def followed_by_step(self, raw: bytes) -> Lineage:
        """With the manifest in a serialized Succession. Raises InvalidInput, Refused, Unverified, with the path."""
        if len(raw) > MAX_SUCCESSION_BYTES:
            raise InvalidInput("SUCCESSION_TOO_LARGE", f"a succession is at most {MAX_SUCCESSION_BYTES} bytes")
        try:
            step = audit_pb2.Succession.FromString(raw)
        except DecodeError as error:
            raise InvalidInput("BAD_SUCCESSION", "not the protobuf message of a succession") from error
        if len(step.approvals) > len(self.current.members):
            raise Unverified("BAD_ORDER", "members approve in the manifest's order, each once", "approvals")
        return self.followed_by(_read(step.manifest), _proofs(step.approvals))

    def upto(self, manifest: Manifest) -> Lineage:
        """As it was when this one of its manifests was in force."""
        count = manifest.sequence
        return Lineage(self.founding, History(self.history.manifests[: count + 1]), self.approvals[:count])

    def encode(self) -> bytes:
        """A serialized plimsoll.v1.Lineage, of which `open_lineage` makes the same."""
        return audit_pb2.Lineage(founding=self.founding, successions=self.successions()).SerializeToString()


def founded(note: bytes) -> Lineage:
    """The lineage of a consortium that has had one manifest. Raises as `ledger.consortium.founding.open_manifest`."""
    return Lineage(note, History([open_manifest(note)]), ())


def open_lineage(raw: bytes) -> Lineage:
    """Reads and verifies a lineage. Raises InvalidInput, Unready (UNSIGNED), Refused, Unverified, with the path."""
    if len(raw) > MAX_LINEAGE_BYTES:
        raise InvalidInput("LINEAGE_TOO_LARGE", f"a lineage is at most {MAX_LINEAGE_BYTES} bytes")
    try:
        message = audit_pb2.Lineage.FromString(raw)
    except DecodeError as error:
        raise InvalidInput("BAD_LINEAGE", "not the protobuf message of a lineage") from error
    return verify_lineage(message.founding, message.successions)


def verify_lineage(founding: bytes, successions: Sequence[audit_pb2.Succession]) -> Lineage:
    """As `open_lineage`, from the fields of a Lineage or of a ManifestResponse."""
    try:
        lineage = founded(founding)
    except PlimsollError as error:
        raise error.under("founding") from error
    for number, step in enumerate(successions):
        try:
            lineage = lineage.followed_by(_read(step.manifest), _proofs(step.approvals))
        except PlimsollError as error:
            raise error.under(f"successions[{number}]") from error
    return lineage


def prove(member: str, log: Log, index: int) -> ApprovalProof:
    """What shows that an entry stands in a member's log. Raises NotFound where no head held covers it."""
    receipt = log.receipt(index)
    note = parse_note(receipt.head_note)
    # What others add to a head on the way says nothing here.
    own = Note(note.text, tuple(line for line in note.signatures if line.is_by(log.key)))
    return ApprovalProof(member, log.entry(index), Receipt(receipt.index, receipt.path, own.encode()).encode())


@dataclass(frozen=True, slots=True)
class Rivals:
    """Two successors of one manifest, both approved by enough members. members: who approved both; it takes a third of
    the predecessor's, in its order."""

    before: Manifest
    ours: Manifest
    theirs: Manifest
    members: tuple[str, ...]


def rivals(ours: Lineage, before: Manifest, raw: bytes) -> Rivals | None:
    """What a serialized Succession of `before`, a manifest of ours that has been succeeded, comes to beside our own;
    None where it is the same. Raises as `Lineage.followed_by_step`."""
    theirs = ours.upto(before).followed_by_step(raw)
    known = ours.history.manifests[before.sequence + 1]
    if theirs.current.id == known.id:
        return None
    other = {proof.member for proof in theirs.approvals[-1]}
    both = tuple(proof.member for proof in ours.approvals[before.sequence] if proof.member in other)
    return Rivals(before, known, theirs.current, both)


def check_approvals(before: Manifest, after: Manifest, proofs: Sequence[ApprovalProof]) -> None:
    """That enough members of `before` approve `after`. Raises Unverified, InvalidInput, naming the first that fails."""
    electorate = voters(before, after)
    places = []
    for number, proof in enumerate(proofs):
        path = f"approvals[{number}]"
        if proof.member not in electorate:
            raise Unverified("NO_VOTE", "the approval of who has no vote in this", f"{path}.member")
        places.append(electorate.index(proof.member))
        try:
            _check_approval(before, after, proof)
        except PlimsollError as error:
            raise error.under(path) from error
    if any(earlier >= later for earlier, later in pairwise(places)):
        raise Unverified("BAD_ORDER", "members approve in the manifest's order, each once", "approvals")
    needed = approvals_needed(before, after)
    if len(proofs) < needed:
        raise Unverified("TOO_FEW_APPROVALS", f"it takes {needed} approvals, {len(proofs)} are there", "approvals")


def _check_approval(before: Manifest, after: Manifest, proof: ApprovalProof) -> None:
    try:
        vote = read_vote(proof.entry)
    except InvalidInput as error:
        raise error.under("entry") from error
    if vote != Vote(before.id, after.id):
        raise Unverified("OTHER_APPROVAL", "this entry does not approve this successor", "entry")
    try:
        Receipt.parse(proof.receipt).verify(proof.entry, before.log_key(proof.member))
    except PlimsollError as error:
        raise error.under("receipt") from error


def _read(text: bytes) -> Manifest:
    try:
        return parse_manifest(text.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise InvalidInput("BAD_MANIFEST", "a manifest is UTF-8", "manifest") from error
    except PlimsollError as error:
        raise error.under("manifest") from error


def _proofs(approvals: Sequence[audit_pb2.ApprovalProof]) -> tuple[ApprovalProof, ...]:
    return tuple(ApprovalProof(one.member, one.entry, one.receipt) for one in approvals)
