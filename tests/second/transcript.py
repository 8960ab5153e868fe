"""Transcripts and what a verifier with the logs makes of them (protocol section 13)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.second import decryption, documents, head, inquiry, note, question, reading, release, selection
from tests.second.ceremony import Keys
from tests.second.challenged import challengers
from tests.second.entry import Entry
from tests.second.group import Point, point
from tests.second.position import FIELDS
from tests.second.record import World
from tests.second.refusal import Refused, require

FORMAT = "plimsoll/exposure-transcript/v1"
COMMON = {
    "format", "form", "consortium", "manifest", "epoch", "querier", "inquiry", "heads", "contributors", "withheld",
    "nonce_sum", "body_sums", "partials", "result",
}  # fmt: skip
FULL_ONLY = {"query_key", "records", "excluded"}
HEX = re.compile(r"(?:[0-9a-f]{2})*\Z")
MOST_BYTES = 16 << 20
# Beyond it no field's plaintext can lie, and m + L would open the same point.
VALUES = 1 << 48


def parse(raw: bytes) -> Any:
    document = documents.parse(raw, MOST_BYTES, "T1")
    require(isinstance(document, dict) and document.get("format") == FORMAT, "T1", "format")
    keys = COMMON | FULL_ONLY if document.get("form") == "full" else COMMON
    require(document.get("form") in ("full", "redacted") and set(document) == keys, "T1", "keys")
    _shape(document)
    return document


def _text(value: Any) -> None:
    require(isinstance(value, str), "T1", "not a text")


def _number(value: Any, limit: int = 1 << 63) -> None:
    require(isinstance(value, int) and not isinstance(value, bool) and value < limit, "T1", "not such a number")


def _count(value: Any) -> None:
    _number(value, 256)


def _short(value: Any) -> None:
    _number(value, 1 << 32)


def _bytes(value: Any, *sizes: int) -> None:
    _text(value)
    require(HEX.match(value) and len(value) // 2 in sizes, "T1", "not so many bytes in hex")


def _list(value: Any, each: Callable[[Any], None]) -> None:
    require(isinstance(value, list), "T1", "not a list")
    for item in value:
        each(item)


def _object(value: Any, **kinds: Callable[[Any], None]) -> None:
    require(isinstance(value, dict) and set(value) == set(kinds), "T1", "keys of an object")
    for key, check in kinds.items():
        check(value[key])


def _opening(value: Any) -> None:
    if value is not None:
        _number(value, VALUES)


def _shape(document: dict[str, Any]) -> None:
    for key in ("consortium", "manifest"):
        _hash32(document[key])
    _short(document["epoch"])
    _count(document["contributors"])
    for key in ("querier", "withheld"):
        _text(document[key])
    _object(document["inquiry"], index=_number, entry=_base64, receipt=_text)
    _list(document["heads"], lambda h: _object(h, member=_text, size=_number, root=_hash32))
    _bytes(document["nonce_sum"], 0, 32)
    _points(document["body_sums"])
    _list(document["partials"], lambda p: _object(p, custodian=_count, points=_points, proof=_proof))
    require(isinstance(document["result"], dict), "T1", "result")
    for value in document["result"].values():
        _opening(value)
    if document["form"] == "full":
        _hash32(document["query_key"])
        _list(document["records"], lambda r: _object(r, member=_text, number=_short, index=_number, entry=_base64))
        _list(document["excluded"], lambda e: _object(e, member=_text, reason=_text, index=_number))


def _hash32(value: Any) -> None:
    _bytes(value, 32)


def _proof(value: Any) -> None:
    _bytes(value, 64)


def _base64(value: Any) -> None:
    _text(value)
    note.strict_base64(value)


def _points(value: Any) -> None:
    _list(value, _hash32)


@dataclass(frozen=True)
class Verified:
    form: str
    sums: Mapping[str, int]
    not_opened: tuple[str, ...]


def verify(raw: bytes, world: World, keys: Keys) -> Verified:
    """Refuses with the name of the first check that fails."""
    try:
        document = parse(raw)
    except Refused as refused:
        raise Refused("T1", str(refused)) from refused
    claim = _Claim(document, world, keys)
    claim.run("T1", claim.parties)
    claim.run("T2", claim.inquiry)
    claim.run("T3", claim.heads)
    claim.run("T4", claim.logs)
    if document["form"] == "full":
        claim.run("T5", claim.numbering)
        claim.run("T6", claim.selection)
        claim.run("T7", claim.sums)
        claim.run("T8", claim.release)
    claim.run("T9", claim.partials)
    claim.run("T10", claim.result)
    result = document["result"]
    return Verified(
        document["form"],
        {name: value for name, value in result.items() if value is not None},
        tuple(name for name in FIELDS if name in result and result[name] is None),
    )


class _Claim:
    """One document against one world; a method is one check."""

    def __init__(self, document: dict[str, Any], world: World, keys: Keys) -> None:
        self.document, self.world, self.keys = document, world, keys
        self.consortium = world.consortium
        self.entry: Entry
        self.masks: list[Point] = []

    def run(self, name: str, check: Callable[[], None]) -> None:
        try:
            check()
        except Refused as refused:
            raise Refused(name, str(refused)) from refused

    def bytes(self, key: str) -> bytes:
        return bytes.fromhex(self.document[key])

    @property
    def released(self) -> tuple[int, ...]:
        if not self.document["nonce_sum"]:
            return ()
        return decryption.PACKED_FIELDS if self.document["withheld"] else decryption.ALL_FIELDS

    def parties(self) -> None:
        document = self.document
        require(self.bytes("consortium") == self.consortium.founding, "another consortium")
        self.world = self.world.under(self.bytes("manifest"))
        self.consortium = self.world.consortium
        require(document["epoch"] == self.keys.epoch, "another epoch")
        require(document["querier"] in self.consortium.names, "no member")
        require(document["withheld"] in release.WITHHELD, "withheld")

    def inquiry(self) -> None:
        claimed, log_key = self.document["inquiry"], self.consortium.log_key(self.document["querier"])
        raw = note.strict_base64(claimed["entry"])
        index, _ = head.open_receipt(claimed["receipt"].encode("utf-8", "replace"), raw, log_key)
        require(index == claimed["index"], "another index")
        self.entry = question.read_inquiry(self.consortium, self.document["epoch"], raw, index)

    def heads(self) -> None:
        heads = self.document["heads"]
        require(tuple(used["member"] for used in heads) == self.consortium.names, "BAD_HEADS", "members")
        question.check_heads(self.consortium, self.document["querier"], self.entry, self._heads())

    def _heads(self) -> list[question.HeadUsed]:
        heads = self.document["heads"]
        return [(self.consortium.origin(u["member"]), u["size"], bytes.fromhex(u["root"])) for u in heads]

    def logs(self) -> None:
        question.check_roots(self.world, self.document["querier"], self.entry, self._heads())

    @property
    def _place(self) -> int:
        """Of the inquiry in the querier's record."""
        return self.world.record(self.document["querier"]).offset + self.entry.index

    def numbering(self) -> None:
        querier = self.document["querier"]
        inquiry.history(self.world.record(querier), querier, self.bytes("query_key"), self._place)

    def selection(self) -> None:
        body = self.entry.body
        by = challengers(self.world, body.sizes, body.settled)
        self.selected = selection.select(
            self.world, self.bytes("query_key"), body.sizes, self.entry.time, body.epoch, body.conflicting, by
        )
        records = [(r.member, r.number, r.entry.index, r.entry.raw) for r in self.selected.records]
        claimed = self.document["records"]
        require(
            records == [(c["member"], c["number"], c["index"], note.strict_base64(c["entry"])) for c in claimed],
            "other records",
        )
        excluded = [(e["member"], e["reason"], e["index"]) for e in self.document["excluded"]]
        require(self.selected.excluded == excluded, "others left out")
        require(len(records) <= selection.MOST_CONTRIBUTORS, "TOO_MANY_CONTRIBUTORS")

    def sums(self) -> None:
        sums = self.selected.sums()
        require(self.document["contributors"] == len(self.selected.records), "contributors")
        require(self.document["nonce_sum"] == (sums.nonce_point.encoded.hex() if sums else ""), "nonce_sum")
        bodies = [sums.bodies[field].encoded.hex() for field in self.released] if sums else []
        require(self.document["body_sums"] == bodies, "body_sums")

    def release(self) -> None:
        querier = self.document["querier"]
        outcome = inquiry.withheld(self.world, querier, self.bytes("query_key"), self._place)
        require(outcome == self.document["withheld"], "withheld", outcome)

    def partials(self) -> None:
        document = self.document
        if not document["nonce_sum"]:
            empty = not (document["body_sums"] or document["partials"] or document["result"])
            require(empty and document["contributors"] == 0, "something of nothing")
            return
        indices = [p["custodian"] for p in document["partials"]]
        require(sorted(set(indices)) == indices and set(indices) <= set(self.keys.shares), "custodians")
        require(len(indices) >= self._threshold(), "too few")
        self.masks = decryption.masks({p["custodian"]: self._partial(p) for p in document["partials"]})

    def _threshold(self) -> int:
        """Of the manifest that began the epoch."""
        began = [one for one in self.world.manifests or (self.consortium,) if one.epoch == self.document["epoch"]]
        return began[0].threshold

    def _partial(self, claimed: dict[str, Any]) -> list[Point]:
        return decryption.check_partial(
            self.consortium.founding,
            self.document["epoch"],
            claimed["custodian"],
            self.entry.leaf,
            self.bytes("nonce_sum"),
            self.document["contributors"],
            self.released,
            dict(enumerate(self.keys.shares[claimed["custodian"]][1:])),
            [bytes.fromhex(body) for body in self.document["body_sums"]],
            [bytes.fromhex(p) for p in claimed["points"]],
            bytes.fromhex(claimed["proof"]),
        )

    def result(self) -> None:
        result = self.document["result"]
        require(set(result) == {FIELDS[f] for f in self.released}, "fields")
        require(len(self.document["body_sums"]) == len(self.released), "body_sums")
        for field, raw, mask in zip(self.released, self.document["body_sums"], self.masks, strict=True):
            value, body = result[FIELDS[field]], point(bytes.fromhex(raw))
            if value is not None:
                require(reading.is_opening(value, body, mask), FIELDS[field])
