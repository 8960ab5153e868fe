"""Openings: what a lender shows of one of its positions (protocol section 21)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from tests.second import documents, entry, group, head, labels, note, position, witness
from tests.second.entry import Entry
from tests.second.group import G, combine
from tests.second.manifest import Consortium
from tests.second.position import FIELDS
from tests.second.refusal import Refused, require

FORMAT = "plimsoll/opening/v1"
KEYS = {
    "format", "consortium", "member", "entry", "receipt", "public_keys", "loans", "salt", "nonce", "amounts",
}  # fmt: skip
# In the order of records_digest; the largest number, or None for a text.
LOAN: dict[str, int | None] = {
    "loan_id": None, "product": None, "credit_limit": 2**40, "outstanding": 2**40, "monthly_due": 2**40,
    "overdue": 2**40, "days_past_due": 100_000, "classification": None, "open": 1, "as_of": 2_932_896,
}  # fmt: skip
CLASSES = ("pass", "special-mention", "substandard", "doubtful", "loss")
HEX = re.compile(r"(?:[0-9a-f]{2})*\Z")
MOST_BYTES = 4 << 20


@dataclass(frozen=True)
class Shown:
    index: int
    entry: Entry
    loans: list[tuple[Any, ...]]
    # By the key's name.
    cosigned: Mapping[str, int]


def verify(raw: bytes, manifests: Sequence[Consortium], public_keys: Sequence[bytes] | None = None) -> Shown:
    """manifests: from the founding one on. public_keys: where they are known."""
    document = parse(raw)
    require(document["consortium"] == manifests[0].id.hex(), "OTHER_CONSORTIUM")
    member = document["member"]
    require(any(member in one.names for one in manifests), "NOT_A_MEMBER")
    index, cosigned = _receipt(document, manifests)
    found = entry.read(note.strict_base64(document["entry"]), index)
    require(found is not None and found.kind == "position", "BAD_ENTRY")
    assert found is not None
    require(found.body.closed == (not document["nonce"]), "BAD_ENTRY", "closed")
    require(1 <= found.body.epoch <= max(one.epoch for one in manifests), "BAD_ENTRY", "epoch")
    if document["nonce"]:
        _keys(document, found, public_keys)
    loans = [_record(loan) for loan in document["loans"]]
    ids = [loan[0] for loan in loans]
    require(all(a < b for a, b in pairwise(ids)), "OTHER_RECORDS", "order")
    salt = bytes.fromhex(document["salt"])
    require(position.records_digest(salt, loans) == found.body.records_digest, "OTHER_RECORDS")
    folded = _folded(loans, manifests[0])
    stated = [document["amounts"][f] for f in FIELDS] if document["nonce"] else []
    as_of = max((loan[-1] for loan in loans), default=-1)
    require((folded, as_of) == (stated, found.body.as_of), "OTHER_POSITION")
    if document["nonce"]:
        _ciphertext(document, found, stated)
    if "label" in document:
        key, number = bytes.fromhex(document["label"]["key"]), document["label"]["number"]
        require(labels.label(key, "position", member, number) == found.body.label, "OTHER_LABEL")
    return Shown(index, found, loans, cosigned)


def parse(raw: bytes) -> dict[str, Any]:
    document: Any = documents.parse(raw, MOST_BYTES, "D1")
    require(isinstance(document, dict) and set(document) - {"label"} == KEYS, "D1", "keys")
    require(document["format"] == FORMAT, "D1", "format")
    _shape(document)
    return dict(document)


def _shape(document: dict[str, Any]) -> None:
    for key in ("member", "entry", "receipt"):
        require(isinstance(document[key], str), "D1", key)
    _as_d1(note.strict_base64, document["entry"])
    _bytes(document["consortium"], 32)
    _bytes(document["salt"], 32)
    closed = document["nonce"] == ""
    if not closed:
        _bytes(document["nonce"], 32)
        require(_as_d1(group.scalar, bytes.fromhex(document["nonce"])), "D1", "nonce")
    for key in ("public_keys", "loans"):
        require(isinstance(document[key], list), "D1", key)
    require(len(document["public_keys"]) == (0 if closed else len(FIELDS)), "D1", "public_keys")
    for public in document["public_keys"]:
        _bytes(public, 32)
    for loan in document["loans"]:
        _loan(loan)
    _numbers(document["amounts"], () if closed else FIELDS, 2**48 - 1)
    if "label" in document:
        label = document["label"]
        require(isinstance(label, dict) and set(label) == {"key", "number"}, "D1", "label")
        _bytes(label["key"], 32)
        _numbers({"number": label["number"]}, ("number",), 2**32 - 1)


def _as_d1(read: Callable[[Any], Any], value: Any) -> Any:
    try:
        return read(value)
    except Refused as refused:
        raise Refused("D1", str(refused)) from refused


def _bytes(value: Any, size: int) -> None:
    require(isinstance(value, str) and HEX.match(value) and len(value) == 2 * size, "D1", "bytes in hex")


def _numbers(value: Any, names: Sequence[str], most: int) -> None:
    require(isinstance(value, dict) and set(value) == set(names), "D1", "names")
    for number in value.values():
        require(isinstance(number, int) and not isinstance(number, bool) and 0 <= number <= most, "D1", "number")


def _loan(loan: Any) -> None:
    require(isinstance(loan, dict) and set(loan) == set(LOAN), "D1", "a loan's keys")
    for key, most in LOAN.items():
        if key == "open":
            require(isinstance(loan[key], bool), "D1", key)
        elif most is None:
            require(isinstance(loan[key], str) and len(loan[key]) <= 64, "D1", key)
            require(loan[key].isprintable() and loan[key] == loan[key].strip(), "D1", key)
        else:
            _numbers({key: loan[key]}, (key,), most)
    require(loan["loan_id"] and loan["classification"] in CLASSES, "D1", "loan")


def _record(loan: dict[str, Any]) -> tuple[Any, ...]:
    values = loan | {"classification": CLASSES.index(loan["classification"]), "open": int(loan["open"])}
    return tuple(values[key] for key in LOAN)


def _receipt(document: dict[str, Any], manifests: Sequence[Consortium]) -> tuple[int, Mapping[str, int]]:
    """All signatures are of one manifest, under which the member writes that log."""
    raw, member = document["receipt"].encode(), document["member"]
    failure = Refused("BAD_RECEIPT", "no log of this member")
    for one in reversed(manifests):
        try:
            text, lines = note.parse(raw.partition(b"\n\n")[2])
            if member not in one.names or one.origin(member) != text.partition("\n")[0]:
                continue
            cosigners = [witness.cosigner_key(one.origin(each.name), each.cosign_key) for each in one.members]
            entry_bytes = note.strict_base64(document["entry"])
            index, under = head.open_receipt(raw, entry_bytes, one.log_key(member), cosigners)
            require(len(lines) == 1 + len(under.cosigned), "BAD_RECEIPT", "a stranger's signature, or one twice")
        except Refused as refused:
            failure = Refused("BAD_RECEIPT", str(refused))
        else:
            return index, {key.name: time for key, time in under.cosigned.items()}
    raise failure


def _keys(document: dict[str, Any], found: Entry, known: Sequence[bytes] | None) -> None:
    given = [bytes.fromhex(key) for key in document["public_keys"]]
    require(known is None or given == list(known), "OTHER_KEYS")
    body, consortium = found.body, bytes.fromhex(document["consortium"])
    try:
        keys = tuple(map(group.element, given))
        place = (consortium, body.epoch, document["member"], body.label, keys)
        position.checked(*place, body.nonce_point, tuple(body.bodies), body.proof)
    except Refused as refused:
        raise Refused("BAD_PROOF", str(refused)) from refused


def _ciphertext(document: dict[str, Any], found: Entry, amounts: Sequence[int]) -> None:
    r = group.scalar(bytes.fromhex(document["nonce"]))
    keys = [group.point(bytes.fromhex(key)) for key in document["public_keys"]]
    bodies = [combine([(r, key), (m, G)]).encoded for key, m in zip(keys, amounts, strict=True)]
    require((r * G).encoded == found.body.nonce_point and bodies == list(found.body.bodies), "OTHER_CIPHERTEXT")


def _folded(loans: Sequence[tuple[Any, ...]], consortium: Consortium) -> list[int]:
    """The plaintexts; none where no loan is open."""
    running = [dict(zip(LOAN, loan, strict=True)) for loan in loans if loan[8]]
    if not running:
        return []
    sums = {
        key: sum(loan[key] for loan in running) for key in ("outstanding", "monthly_due", "credit_limit", "overdue")
    }
    require(max(sums.values()) <= 2**40 and len(running) <= 1023, "OTHER_POSITION", "limits")
    worst = max(loan["classification"] for loan in running)
    band, overdue = (
        sum(sums[key] >= edge * consortium.minor_per_major for edge in consortium.policy[edges])
        for key, edges in (("outstanding", "bands"), ("overdue", "overdue_bands"))
    )
    return [
        sums["outstanding"],
        sums["monthly_due"],
        sums["credit_limit"],
        len(running) << 6 | (worst == 0),
        1 << 6 * (worst - 1) if worst else 0,
        1 << 6 * band,
        1 << 6 * overdue if sums["overdue"] else 0,
    ]
