"""Whose heads to trust: which logs, which witnesses, and how many of these (C2SP tlog-policy).

    log <vkey> [<url>]                              quorum <name>|none
    witness <name> <vkey> [<url>]                   # a comment
    group <name> all|any|<k> <name> ...

Lines end in a newline, items are parted by blanks and tabs and by nothing else. A name is octets to be compared and
nothing more: here they are text decoded with "surrogateescape", which is one to one. A group and the quorum name only
what stands above them, so there is no circle to look for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ledger.errors import InvalidInput, PlimsollError, Unverified
from ledger.strict import parse_decimal
from ledger.tlog.checkpoint import SignedHead, open_head
from ledger.tlog.note import COSIGNATURE_V1, ED25519, ML_DSA_44, VerifierKey, parse_note

MAX_POLICY_BYTES = 1 << 20
NONE = "none"  # the quorum that asks for no cosignature; nothing else may have this name

_BLANKS = re.compile(r"[ \t]+")
_BAD_OCTET = re.compile(rb"[^\t\x20-\x7e\x80-\xff]")
_WITNESS_TYPES = (COSIGNATURE_V1, ML_DSA_44)


@dataclass(frozen=True, slots=True)
class PolicyLog:
    """A log whose heads are accepted. key: of type 01, named by the log's origin."""

    key: VerifierKey
    url: str | None = None

    def __str__(self) -> str:
        return _line("log", str(self.key), self.url)


@dataclass(frozen=True, slots=True)
class PolicyWitness:
    """A cosigner. name: means something in this policy only. key: of type 04, or of 06, which nobody verifies here."""

    name: str
    key: VerifierKey
    url: str | None = None

    def __str__(self) -> str:
        return _line("witness", self.name, str(self.key), self.url)


@dataclass(frozen=True, slots=True)
class PolicyGroup:
    """It has witnessed a head when `threshold` (1 .. their number) of its members have. members: names."""

    name: str
    threshold: int
    members: tuple[str, ...]

    def __str__(self) -> str:
        return _line("group", self.name, str(self.threshold), *self.members)


@dataclass(frozen=True, slots=True)
class Policy:
    """Keeps every rule. Witnesses and groups share one name space. quorum: one of these names; None asks for nobody.

    The constructor raises InvalidInput, with the line that `encode` would give the culprit.
    """

    logs: tuple[PolicyLog, ...] = ()
    witnesses: tuple[PolicyWitness, ...] = ()
    groups: tuple[PolicyGroup, ...] = ()
    quorum: str | None = None

    def __post_init__(self) -> None:
        read = _Reader()
        for number, line in enumerate(self._lines(), 1):
            read.line(number, _encode(line, number))
        if read.policy_parts() != (self.logs, self.witnesses, self.groups, self.quorum):
            raise InvalidInput("BAD_POLICY_LINE", "a name or a URL is not empty and has no blank")

    def encode(self) -> bytes:
        """The file's bytes, of which `parse_policy` makes the same policy."""
        return b"".join(_encode(line, number) + b"\n" for number, line in enumerate(self._lines(), 1))

    @property
    def cosigner_keys(self) -> Mapping[str, VerifierKey]:
        """By witness: the keys whose cosignatures can be verified here (type 04)."""
        keys = {witness.name: witness.key for witness in self.witnesses if witness.key.type == COSIGNATURE_V1}
        return MappingProxyType(keys)

    def satisfied(self, verified_witness_names: Collection[str]) -> bool:
        """Whether these witnesses' cosignatures are a quorum. Names that are no witness' count for nothing."""
        reached = {witness.name for witness in self.witnesses}.intersection(verified_witness_names)
        for group in self.groups:  # those it names stand above it
            if sum(member in reached for member in group.members) >= group.threshold:
                reached.add(group.name)
        return self.quorum is None or self.quorum in reached

    def witnesses_of(self, signed: SignedHead) -> frozenset[str]:
        """The witnesses whose cosignatures were verified on a head."""
        cosigners = {cosignature.key for cosignature in signed.cosignatures}
        return frozenset(name for name, key in self.cosigner_keys.items() if key in cosigners)

    def open(self, note: bytes) -> SignedHead:
        """A head that this policy accepts, with its verified cosignatures.

        Raises InvalidInput for what is no head, and Unverified: UNKNOWN_LOG where no log here has signed it,
        BAD_SIGNATURE where the line of a known key fails, NO_QUORUM where too few witnesses have cosigned it.
        """
        lines = parse_note(note).signatures
        key = next((log.key for log in self.logs for line in lines if line.is_by(log.key)), None)
        if key is None:
            raise Unverified("UNKNOWN_LOG", "no log of this policy has signed the head", "head")
        signed = open_head(note, key, self.cosigner_keys.values())
        if not self.satisfied(self.witnesses_of(signed)):
            raise Unverified("NO_QUORUM", "too few of the policy's witnesses have cosigned the head", "head")
        return signed

    def _lines(self) -> Iterator[str]:
        yield from map(str, (*self.logs, *self.witnesses, *self.groups))
        yield _line("quorum", NONE if self.quorum is None else self.quorum)


def parse_policy(text: bytes) -> Policy:
    """Reads a policy file of at most 1 MiB. Raises InvalidInput, whose path is `line <number>` but for NO_QUORUM."""
    if len(text) > MAX_POLICY_BYTES:
        raise InvalidInput("POLICY_TOO_LARGE", f"a policy is at most {MAX_POLICY_BYTES} bytes")
    *lines, rest = text.split(b"\n")
    read = _Reader()
    for number, line in enumerate(lines, 1):
        read.line(number, line)
    if rest:
        raise InvalidInput("NO_NEWLINE", "the last line does not end in a newline", f"line {len(lines) + 1}")
    return Policy(*read.policy_parts())


class _Reader:
    """What the lines so far define."""

    def __init__(self) -> None:
        self._logs: dict[bytes, PolicyLog] = {}
        self._witnesses: dict[bytes, PolicyWitness] = {}
        self._groups: list[PolicyGroup] = []
        self._names: set[str] = set()
        self._members: set[str] = set()
        self._quorums: list[str] = []

    def line(self, number: int, line: bytes) -> None:
        """Takes the next line, without its newline. Raises InvalidInput."""
        if _BAD_OCTET.search(line):
            raise InvalidInput("BAD_CHARACTER", "a policy has no control character but tabs", f"line {number}")
        keyword, *items = _BLANKS.split(line.decode("utf-8", "surrogateescape").strip(" \t"))
        if not keyword or keyword.startswith("#"):
            return
        try:
            self._readers().get(keyword, _refuse)(items)
        except InvalidInput as error:
            raise InvalidInput(error.reason, error.message, f"line {number}") from error

    def policy_parts(
        self,
    ) -> tuple[tuple[PolicyLog, ...], tuple[PolicyWitness, ...], tuple[PolicyGroup, ...], str | None]:
        """The arguments of a Policy. Raises InvalidInput where no quorum was named."""
        if not self._quorums:
            raise InvalidInput("NO_QUORUM", "a policy has a line that begins with 'quorum'")
        quorum = None if self._quorums[0] == NONE else self._quorums[0]
        return tuple(self._logs.values()), tuple(self._witnesses.values()), tuple(self._groups), quorum

    def _readers(self) -> dict[str, Callable[[list[str]], None]]:
        return {"log": self._log, "witness": self._witness, "group": self._group, "quorum": self._quorum}

    def _log(self, items: list[str]) -> None:
        key, url = _items(items, 1, 2, "log <vkey> [<url>]")
        log = PolicyLog(_key(key, (ED25519,), "a log's key is of type 01"), url or None)
        if self._logs.setdefault(log.key.public_key, log) is not log:
            raise InvalidInput("DUPLICATE_KEY", "a log above has this public key")

    def _witness(self, items: list[str]) -> None:
        name, key, url = _items(items, 2, 3, "witness <name> <vkey> [<url>]")
        witness = PolicyWitness(name, _key(key, _WITNESS_TYPES, "a witness's key is of type 04 or 06"), url or None)
        if self._witnesses.setdefault(witness.key.public_key, witness) is not witness:
            raise InvalidInput("DUPLICATE_KEY", "a witness above has this public key")
        self._define(name)

    def _group(self, items: list[str]) -> None:
        if len(items) < 3:
            raise InvalidInput("BAD_POLICY_LINE", "expected: group <name> all|any|<k> <name>..")
        name, count, *members = items
        for member in members:
            self._check_defined(member)
            if member in self._members:  # a witness shall count in one way only
                raise InvalidInput("LISTED_TWICE", "a name is a member of one group, once")
            self._members.add(member)
        self._groups.append(PolicyGroup(name, _threshold(count, len(members)), tuple(members)))
        self._define(name)

    def _quorum(self, items: list[str]) -> None:
        (name,) = _items(items, 1, 1, "quorum <name>|none")
        if self._quorums:
            raise InvalidInput("SECOND_QUORUM", "a line above has named the quorum")
        if name != NONE:
            self._check_defined(name)
        self._quorums.append(name)

    def _define(self, name: str) -> None:
        if name == NONE:
            raise InvalidInput("RESERVED_NAME", "'none' is nobody's name")
        if name in self._names:
            raise InvalidInput("DUPLICATE_NAME", "a witness or group above has this name")
        self._names.add(name)

    def _check_defined(self, name: str) -> None:
        if name not in self._names:
            raise InvalidInput("UNKNOWN_NAME", "no witness or group above has this name")


def _refuse(items: list[str]) -> None:
    raise InvalidInput("BAD_POLICY_LINE", "a line begins with log, witness, group, quorum or #")


def _items(items: list[str], least: int, most: int, shape: str) -> list[str]:
    """Exactly `most` items; a URL that is left out, which stands last, is empty."""
    if not least <= len(items) <= most:
        raise InvalidInput("BAD_POLICY_LINE", f"expected: {shape}")
    return items + [""] * (most - len(items))


def _key(text: str, types: Collection[int], rule: str) -> VerifierKey:
    key = VerifierKey.parse(text)
    if key.type not in types:
        raise InvalidInput("BAD_KEY_TYPE", rule)
    return key


def _threshold(text: str, members: int) -> int:
    if text in ("all", "any"):
        return members if text == "all" else 1
    try:
        count = parse_decimal(text, "")
    except PlimsollError as error:
        raise InvalidInput("BAD_THRESHOLD", "a group needs all, any or a number of its members") from error
    if not 1 <= count <= members:
        raise InvalidInput("BAD_THRESHOLD", "a group needs at least one and at most all of its members")
    return count


def _line(*items: str | None) -> str:
    return " ".join(item for item in items if item is not None)


def _encode(line: str, number: int) -> bytes:
    try:
        return line.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise InvalidInput("BAD_CHARACTER", "a surrogate that stands for no octet", f"line {number}") from error
