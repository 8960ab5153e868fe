"""The manifest: who is in the consortium and what they agreed on (design section 7). A TOML text, strictly read.

Its id is SHA-256 of the text, without signatures. The founding manifest's id is the consortium's. A successor names it,
its predecessor, its own place in the row and its key epoch, and lists the logs that have ended: of members that left,
and former ones of members that write a new log, whether their key was changed or lost or the log had forked. The keys
members sign logs with are named by the log, `<origin>`, the keys they cosign with `<origin>/cosigner`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ledger.consortium.ended import EndedLog, read_ended, render_ended
from ledger.consortium.member import Member, read_member, render_member
from ledger.consortium.policy import Policy, read_policy, render_policy
from ledger.errors import InvalidInput, NotFound
from ledger.tlog.checkpoint import log_origin
from ledger.tlog.note import COSIGNATURE_V1, ED25519, VerifierKey, check_text
from ledger.toml import Table, quote, quote_list, read_toml

TITLE = "# Plimsoll manifest v1\n"
MAX_MANIFEST_BYTES = 256 * 1024
MIN_MEMBERS = 3  # with two, a sum minus one's own amount is the other's record
MAX_MEMBERS = 100
MAX_ENDED = 1000
MIN_THRESHOLD = 2
MAX_SEQUENCE = 10**6

_CURRENCY = re.compile(r"[A-Z]{3}")  # ISO 4217
_TIME_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*")  # the shape of an IANA name
_ID = re.compile(r"[0-9a-f]{64}")
_MINOR_PER_MAJOR = (1, 10, 100, 1000, 10_000)
_MAX_NAME = 100
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest that keeps every rule; `parse_manifest` makes it.

    text: what is signed. id, consortium: 32 bytes, the same for the founding manifest, whose previous is None.
    epoch: of the keys its custodians hold, or are to hold. dealt_from: the epoch whose custodians deal these keys'
    shares, 0 for the first. custodians: names by index, the first has index 1; any
    `threshold` of them can decrypt. members: in order. ended: the logs nobody writes any more, in the order they ended.
    """

    text: str = field(repr=False)
    id: bytes
    consortium: bytes
    previous: bytes | None
    sequence: int
    epoch: int
    dealt_from: int
    name: str
    currency: str
    minor_per_major: int
    time_zone: str
    threshold: int
    custodians: tuple[str, ...]
    policy: Policy
    members: tuple[Member, ...]
    ended: tuple[EndedLog, ...]
    _by_name: Mapping[str, Member] = field(init=False, repr=False, compare=False)
    _log_keys: Mapping[str, VerifierKey] = field(init=False, repr=False, compare=False)
    _cosigner_keys: Mapping[str, VerifierKey] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Names every key once: heads are verified with them all day."""
        log_keys, cosigner_keys = {}, {}
        for member in self.members:
            origin = log_origin(self.consortium.hex(), member.name, self.incarnation(member.name))
            log_keys[member.name] = VerifierKey(origin, ED25519, member.log_key)
            cosigner_keys[member.name] = VerifierKey(f"{origin}/cosigner", COSIGNATURE_V1, member.cosign_key)
        object.__setattr__(self, "_by_name", {member.name: member for member in self.members})
        object.__setattr__(self, "_log_keys", log_keys)
        object.__setattr__(self, "_cosigner_keys", cosigner_keys)

    def __contains__(self, name: str) -> bool:
        """Whether a member has this name."""
        return name in self._by_name

    def member(self, name: str) -> Member:
        """The member of this name. Raises NotFound."""
        return _of(self._by_name, name)

    def log_key(self, name: str) -> VerifierKey:
        """The key of a member's log (type 01), whose name is the log's origin. Raises NotFound."""
        return _of(self._log_keys, name)

    def cosigner_key(self, name: str) -> VerifierKey:
        """The key a member cosigns heads with (type 04), named `<origin>/cosigner`. Raises NotFound."""
        return _of(self._cosigner_keys, name)

    def origin(self, name: str) -> str:
        """The origin of a member's log. Raises NotFound."""
        return self.log_key(name).name

    def incarnation(self, name: str) -> int:
        """Which of the member's logs is written now: 1 for its first."""
        return 1 + sum(log.member == name for log in self.ended)

    def former_logs(self, name: str) -> tuple[EndedLog, ...]:
        """The logs of this name that have ended, the first one first."""
        return tuple(log for log in self.ended if log.member == name)

    def ended_key(self, log: EndedLog) -> VerifierKey:
        """The key (type 01) of a log that has ended, whose name is its origin."""
        return VerifierKey(log.origin(self.consortium.hex()), ED25519, log.log_key)

    def custodian_index(self, name: str) -> int:
        """A custodian's index, 1 .. n; 0 for a member that is none. Raises NotFound."""
        self.member(name)
        return self.custodians.index(name) + 1 if name in self.custodians else 0


def parse_manifest(text: str) -> Manifest:
    """Reads a manifest's text. Raises InvalidInput for the first rule it breaks."""
    raw = text.encode(errors="replace")
    if len(raw) > MAX_MANIFEST_BYTES:
        raise InvalidInput("BAD_MANIFEST", f"a manifest is at most {MAX_MANIFEST_BYTES} bytes")
    check_text(text)
    if not text.startswith(TITLE):
        raise InvalidInput("BAD_MANIFEST", f"a manifest starts with {TITLE.strip()!r}")
    table = read_toml(text)
    identity = hashlib.sha256(raw).digest()
    previous, consortium, sequence = _succession(table)
    epoch = table.integer("epoch", 1, MAX_SEQUENCE, 1) if sequence else 1
    dealt_from = table.integer("dealt_from", 1, epoch - 1, epoch - 1) if epoch > 1 else 0
    ended = _ended(table) if sequence else ()
    minor_per_major = _choice(table, "minor_per_major", _MINOR_PER_MAJOR)
    members = _members(table)
    custodians = _custodians(table, members)
    manifest = Manifest(
        text=text,
        id=identity,
        consortium=consortium or identity,
        previous=previous,
        sequence=sequence,
        epoch=epoch,
        dealt_from=dealt_from,
        name=table.text("name", maximum=_MAX_NAME),
        currency=_matching(table, "currency", _CURRENCY, "a currency is an ISO 4217 code such as CNY"),
        minor_per_major=minor_per_major,
        time_zone=_matching(table, "time_zone", _TIME_ZONE, "a time zone is an IANA name such as Asia/Shanghai"),
        # More than half, so that any two quorums share a custodian.
        threshold=table.integer("threshold", max(MIN_THRESHOLD, len(custodians) // 2 + 1), len(custodians)),
        custodians=custodians,
        policy=read_policy(table.table("policy"), len(members), minor_per_major),
        members=members,
        ended=ended,
    )
    table.finish()
    if not {log.log_key for log in ended}.isdisjoint({key for one in members for key in (one.log_key, one.cosign_key)}):
        raise InvalidInput("SHARED_KEY", "the key of a log that has ended is used no more", "ended")
    return manifest


def render_manifest(
    *,
    name: str,
    currency: str,
    time_zone: str,
    members: Sequence[Member],
    policy: Policy,
    custodians: Sequence[str] = (),
    threshold: int | None = None,
    minor_per_major: int = 100,
    after: Manifest | None = None,
    epoch: int = 1,
    dealt_from: int | None = None,
    ended: Sequence[EndedLog] = (),
) -> str:
    """The text of a manifest, the same for the same arguments. `parse_manifest` says whether it is one.

    custodians: all members where empty. threshold: more than half of them where None. after, epoch, dealt_from,
    ended: of a successor only; dealt_from is the epoch before where None.
    """
    keepers = tuple(custodians) or tuple(member.name for member in members)
    quorum = len(keepers) // 2 + 1 if threshold is None else threshold
    head = (
        f"{TITLE}"
        f"{_render_succession(after, epoch, dealt_from)}"
        f"name = {quote(name)}\n"
        f"currency = {quote(currency)}\n"
        f"minor_per_major = {minor_per_major}\n"
        f"time_zone = {quote(time_zone)}\n"
        f"custodians = {quote_list(keepers)}\n"
        f"threshold = {quorum}\n"
    )
    blocks = "".join(f"\n[[member]]\n{render_member(member)}" for member in members)
    past = "".join(f"\n[[ended]]\n{render_ended(log)}" for log in ended)
    return f"{head}\n[policy]\n{render_policy(policy)}{blocks}{past}"


def _render_succession(after: Manifest | None, epoch: int, dealt_from: int | None) -> str:
    if after is None:
        return ""
    return (
        f"consortium = {quote(after.consortium.hex())}\n"
        f"previous = {quote(after.id.hex())}\n"
        f"sequence = {after.sequence + 1}\n"
        f"epoch = {epoch}\n"
    ) + ("" if dealt_from in (None, epoch - 1) else f"dealt_from = {dealt_from}\n")


def _succession(table: Table) -> tuple[bytes | None, bytes | None, int]:
    """(previous, consortium, sequence): all three keys, or none in a founding manifest."""
    if not any(key in table for key in ("previous", "consortium", "sequence")):
        return None, None, 0
    previous, consortium = (
        bytes.fromhex(_matching(table, key, _ID, "an id is 64 lowercase hex digits"))
        for key in ("previous", "consortium")
    )
    sequence = table.integer("sequence", 1, MAX_SEQUENCE)
    if (sequence == 1) != (previous == consortium):
        raise InvalidInput(
            "BAD_SUCCESSION", "the first successor, and no other, follows the founding manifest", "previous"
        )
    return previous, consortium, sequence


def _members(table: Table) -> tuple[Member, ...]:
    members = tuple(read_member(block) for block in table.tables("member", MIN_MEMBERS, MAX_MEMBERS))
    _check_distinct("member", "DUPLICATE_MEMBER", "name", [member.name for member in members])
    _check_distinct("member", "DUPLICATE_ADDRESS", "address", [str(member.address) for member in members])
    _check_distinct("member", "SHARED_KEY", "tls_ca", [_public_key(member) for member in members])
    # A key that two could use would let one pass for the other, or count twice as a cosigner.
    keys = [member.log_key for member in members] + [member.cosign_key for member in members]
    if len(set(keys)) != len(keys):
        raise InvalidInput("SHARED_KEY", "two of the members' log and cosigning keys are the same", "member")
    return members


def _ended(table: Table) -> tuple[EndedLog, ...]:
    if "ended" not in table:
        return ()
    ended = tuple(read_ended(block) for block in table.tables("ended", 1, MAX_ENDED))
    _check_distinct("ended", "SHARED_KEY", "log_key", [log.log_key for log in ended])
    for number, log in enumerate(ended):
        if log.incarnation != 1 + sum(one.member == log.member for one in ended[:number]):
            raise InvalidInput(
                "BAD_INCARNATION", "the logs of a member end one after the other", f"ended[{number}].log"
            )
    return ended


def _public_key(member: Member) -> bytes:
    return member.authority.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _check_distinct(path: str, reason: str, key: str, values: Sequence[str | bytes]) -> None:
    for number, value in enumerate(values):
        if value in values[:number]:
            raise InvalidInput(reason, "another member has the same", f"{path}[{number}].{key}")


def _custodians(table: Table, members: Sequence[Member]) -> tuple[str, ...]:
    custodians = table.texts("custodians")
    names = {member.name for member in members}
    for number, custodian in enumerate(custodians):
        if custodian not in names or custodian in custodians[:number]:
            raise InvalidInput("BAD_CUSTODIAN", "a custodian is a member, named once", f"custodians[{number}]")
    if len(custodians) < MIN_THRESHOLD:
        raise InvalidInput("BAD_CUSTODIAN", f"there are at least {MIN_THRESHOLD} custodians", "custodians")
    return custodians


def _matching(table: Table, key: str, pattern: re.Pattern[str], rule: str) -> str:
    value = table.text(key, maximum=64)
    if pattern.fullmatch(value) is None:
        raise InvalidInput("BAD_TEXT", rule, table.path(key))
    return value


def _choice(table: Table, key: str, choices: Sequence[int]) -> int:
    value = table.integer(key, choices[0], choices[-1])
    if value not in choices:
        raise InvalidInput("OUT_OF_RANGE", f"must be one of {', '.join(map(str, choices))}", table.path(key))
    return value


def _of(mapping: Mapping[str, _T], name: str) -> _T:
    try:
        return mapping[name]
    except KeyError:
        raise NotFound("UNKNOWN_MEMBER", "the manifest has no member of this name", "member") from None
