"""A second reading of docs/protocol.md, sections 6 to 13: the verifier of transcripts, and a querying client's sums.

Written from that page with plain integers and none of the ledger's code; only the messages' generated classes are
shared. `check_query` goes through a query of query.json the way a querying client and an auditor would, and asserts.
"""

from __future__ import annotations

import base64
import hmac
import json
import tomllib
from collections.abc import Iterable, Sequence
from fractions import Fraction
from hashlib import sha256, sha512
from itertools import combinations
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from plimsoll.v1 import entry_pb2, peer_pb2

from tests.ledger import rfc6962, rfc9496
from tests.ledger.rfc9496 import BASE, L

DAY = 86_400
LABELS = ("outstanding", "monthly_due", "credit_limit", "tally_low", "tally_high", "band", "overdue_band")
Point = rfc9496.Coordinates
Part = bytes | str | int


# -- section 1


def frame(*parts: Part) -> bytes:
    out = b""
    for part in parts:
        if isinstance(part, int):
            out += part.to_bytes(8, "big")
        else:
            raw = part.encode() if isinstance(part, str) else part
            out += len(raw).to_bytes(8, "big") + raw
    return out


def derive(key: bytes, domain: str) -> bytes:
    return hmac.digest(key, frame(domain) + b"\x01", "sha256")


def to_scalar(*parts: Part) -> int:
    return int.from_bytes(sha512(frame(*parts)).digest(), "little") % L


def point(raw: bytes) -> Point:
    decoded = rfc9496.decode(raw)
    assert decoded is not None, "not a canonical encoding"
    return decoded


def total(points: Iterable[Point]) -> Point:
    out = rfc9496.IDENTITY
    for one in points:
        out = rfc9496.add(out, one)
    return out


def split(proof: bytes) -> tuple[int, int]:
    c, s = (int.from_bytes(proof[at : at + 32], "little") for at in (0, 32))
    assert len(proof) == 64
    assert c < L
    assert s < L
    return c, s


# -- sections 2 to 4


class Log:
    """One member's entries, and the place of every label."""

    def __init__(self, entries: Sequence[bytes]) -> None:
        self.raw = entries
        self.parsed = [entry_pb2.Entry.FromString(raw) for raw in entries]
        self.places: dict[bytes, int] = {}
        for index, entry in enumerate(self.parsed):
            kind = entry.WhichOneof("kind")
            if kind in ("position", "inquiry"):
                self.places.setdefault(getattr(entry, kind).label, index)

    def root(self, size: int) -> bytes:
        return rfc6962.mth(list(self.raw[:size]))

    def leaf(self, index: int) -> bytes:
        return sha256(b"\x00" + self.raw[index]).digest()


def newest(log: Log, label: Any, size: int) -> int | None:
    def has(n: int) -> bool:
        return n < 2**32 and log.places.get(label(n), size) < size

    if not has(0):
        return None
    low, high = 0, 1
    while has(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if has(middle) else (low, middle)
    return low


def check_receipt(receipt: str, origin: str, key: bytes, entry: bytes, index: int) -> None:
    """A C2SP tlog-proof: the head's signature, then the inclusion path (RFC 9162 section 2.1.3.2)."""
    proof, _, note = receipt.partition("\n\n")
    first, second, *path = proof.split("\n")
    assert (first, second) == ("c2sp.org/tlog-proof@v1", f"index {index}")
    text, _, signatures = note.rpartition("\n\n")
    text += "\n"
    name, size, root = text.split("\n")[:3]
    assert name == origin
    _, signer, blob = signatures.split("\n")[0].split(" ")
    assert signer == origin
    key_id = sha256(origin.encode() + b"\n\x01" + key).digest()[:4]
    raw = base64.b64decode(blob)
    assert raw[:4] == key_id
    Ed25519PublicKey.from_public_bytes(key).verify(raw[4:], text.encode())
    node, at, last = sha256(b"\x00" + entry).digest(), index, int(size) - 1
    for step in path:
        sibling = base64.b64decode(step)
        if at & 1 or at == last:
            node = sha256(b"\x01" + sibling + node).digest()
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            node = sha256(b"\x01" + node + sibling).digest()
        at, last = at >> 1, last >> 1
    assert last == 0
    assert node == base64.b64decode(root)


# -- the whole


class Reading:
    """query.json, read."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.manifest = tomllib.loads(document["manifest"])
        self.manifest_id = sha256(document["manifest"].encode()).digest()
        self.consortium = self.manifest_id  # it is the founding one
        self.members = [member["name"] for member in self.manifest["member"]]
        self.log_keys = {one["name"]: base64.b64decode(one["log_key"]) for one in self.manifest["member"]}
        self.logs = {name: Log([bytes.fromhex(raw) for raw in raws]) for name, raws in document["logs"].items()}
        self.field_keys = [bytes.fromhex(raw) for raw in document["keys"]["public"][1:]]
        self.shares = [[bytes.fromhex(raw) for raw in one["public"][1:]] for one in document["keys"]["custodians"]]
        self.epoch = document["epoch"]
        query_key = derive(bytes.fromhex(document["pseudonym_key"]), "plimsoll/v1/query-key")
        assert query_key.hex() == document["query_key"]
        self.query_key = query_key
        self.label_key = derive(query_key, "plimsoll/v1/label-key")
        self.inquiry_key = derive(query_key, "plimsoll/v1/inquiry-key")
        self.querier = document["asker"]

    def origin(self, member: str) -> str:
        return f"plimsoll/{self.consortium.hex()}/{member}"

    def position_label(self, member: str, n: int) -> bytes:
        return hmac.digest(self.label_key, frame("plimsoll/v1/label", "position", member, n), "sha256")[:16]

    def inquiry_label(self, n: int) -> bytes:
        return hmac.digest(self.inquiry_key, frame("plimsoll/v1/label", "inquiry", self.querier, n), "sha256")[:16]

    # section 7

    def is_proved(self, member: str, position: Any) -> bool:
        if rfc9496.decode(position.nonce_point) in (None, rfc9496.IDENTITY):
            return False
        if any(rfc9496.decode(body) is None for body in position.bodies):
            return False
        c, s = split(position.proof)
        commitment = rfc9496.add(rfc9496.mul(s, BASE), rfc9496.mul(c, point(position.nonce_point)))
        where = (
            "plimsoll/v1/encryption",
            self.consortium,
            position.epoch,
            member,
            position.label,
            position.nonce_point,
        )
        lists = (len(self.field_keys), *self.field_keys, len(position.bodies), *position.bodies)
        return c == to_scalar(*where, *lists, rfc9496.encode(commitment))

    # section 8

    def choose(  # noqa: C901 -- one text, to be read beside the protocol's
        self, member: str, size: int, time: int, epoch: int, left: list[Any]
    ) -> tuple[int, int] | None:
        """(n, index) of what this member contributes."""
        log = self.logs[member]

        def label(n: int) -> bytes:
            return self.position_label(member, n)

        n = newest(log, label, size)
        passed = 0
        while n is not None and n >= 0:
            index = log.places[label(n)]
            if passed == 16:
                left.append([member, "TOO_MANY_IGNORED", index])
                return None
            entry = log.parsed[index]
            if entry.WhichOneof("kind") != "position":
                left.append([member, "WRONG_KIND", index])
                return None
            earlier = 0
            if n > 0:
                before = log.places.get(label(n - 1), index)
                if before >= index:
                    left.append([member, "GAP", index])
                    return None
                if log.parsed[before].WhichOneof("kind") != "position":
                    left.append([member, "WRONG_KIND", before])
                    return None
                earlier = log.parsed[before].position.as_of
            position = entry.position
            if position.as_of > time // DAY + 1 or position.as_of < earlier:
                went_back = position.as_of <= time // DAY + 1
                left.append([member, "AS_OF_WENT_BACK" if went_back else "FUTURE_AS_OF", index])
                passed, n = passed + 1, n - 1
                continue
            if position.closed:
                return None
            if not 1 <= position.epoch <= epoch:
                left.append([member, "WRONG_EPOCH", index])
                return None
            if not self.is_proved(member, position):
                left.append([member, "BAD_PROOF", index])
                return None
            return n, index
        return None

    def select(self, entry: Any) -> tuple[list[Any], list[Any]]:
        left: list[Any] = []
        records = []
        for member, size in zip(self.members, entry.inquiry.sizes, strict=True):
            chosen = self.choose(member, size, entry.time, entry.inquiry.epoch, left)
            if chosen is not None:
                records.append([member, *chosen])
        return records, left

    # section 10

    def verdict(self, number: int) -> str:
        policy = self.manifest["policy"]
        least = policy["min_contributors"]
        log = self.logs[self.querier]
        told: list[tuple[int, set[str]]] = []
        times: list[int] = []
        withheld = "VOID"
        for n in range(number + 1):
            entry = log.parsed[log.places[self.inquiry_label(n)]]
            if sum(time > entry.time - DAY for time in times) >= policy["queries_per_borrower"]:
                withheld = "QUOTA"
            else:
                row = {member for member, _, _ in self.select(entry)[0]} - {self.querier}
                window = [earlier for time, earlier in told if time > entry.time - DAY * policy["differencing_days"]]
                if len(row) < least:
                    withheld = "FEW_CONTRIBUTORS"
                elif self.isolates([*window, row], least - 1):
                    withheld = "DIFFERENCING"
                else:
                    withheld = ""
                    told.append((entry.time, row))
            times.append(entry.time)
        return withheld

    def isolates(self, rows: list[set[str]], limit: int) -> bool:
        def rank(columns: Sequence[str]) -> int:
            matrix = [[Fraction(member in row) for member in columns] for row in rows]
            found = 0
            for column in range(len(columns)):
                pivot = next((i for i in range(found, len(matrix)) if matrix[i][column]), None)
                if pivot is not None:
                    matrix[found], matrix[pivot] = matrix[pivot], matrix[found]
                    for i in set(range(len(matrix))) - {found}:
                        factor = matrix[i][column] / matrix[found][column]
                        matrix[i] = [a - factor * b for a, b in zip(matrix[i], matrix[found], strict=True)]
                    found += 1
            return found

        whole = rank(self.members)
        return any(
            rank([member for member in self.members if member not in support]) < whole
            for support in combinations(self.members, limit)
        )

    # section 11

    def check_partial(
        self, j: int, inquiry: bytes, nonce_sum: bytes, fields: Sequence[int], points: Any, proof: bytes
    ) -> None:
        keys = [self.shares[j - 1][f] for f in fields]
        parts: list[Part] = []
        for f, key, opened in zip(fields, keys, points, strict=True):
            parts += (f, key, opened)
        fixed = ("plimsoll/v1/decryption", self.consortium, self.epoch, j, inquiry, nonce_sum, len(fields))
        context = sha512(frame(*fixed, *parts)).digest()
        weights = [to_scalar("plimsoll/v1/decryption-weight", context, f) for f in fields]
        key_sum = total(rfc9496.mul(w, point(key)) for w, key in zip(weights, keys, strict=True))
        opened_sum = total(rfc9496.mul(w, point(opened)) for w, opened in zip(weights, points, strict=True))
        c, s = split(proof)
        u = rfc9496.add(rfc9496.mul(s, BASE), rfc9496.mul(c, key_sum))
        v = rfc9496.add(rfc9496.mul(s, point(nonce_sum)), rfc9496.mul(c, opened_sum))
        encoded = (rfc9496.encode(u), rfc9496.encode(v))
        assert c == to_scalar("plimsoll/v1/decryption-challenge", context, *encoded), f"custodian {j} lies"

    def open(self, body: Point, answers: dict[int, bytes]) -> Point:
        """m G = SC - sum of lambda_j D_j."""
        out = body
        for j, raw in answers.items():
            above = below = 1
            for m in answers:
                if m != j:
                    above, below = above * m, below * (m - j)
            weight = above * pow(below, -1, L) % L
            out = rfc9496.add(out, rfc9496.mul(-weight % L, point(raw)))
        return out


def check_query(reading: Reading, query: dict[str, Any]) -> None:
    """Everything query.json says about one query follows from the logs."""
    request = peer_pb2.DecryptRequest.FromString(bytes.fromhex(query["request"]))
    log = reading.logs[reading.querier]
    entry = log.parsed[query["index"]]
    assert log.raw[query["index"]] == request.entry
    check_inquiry(reading, query, request, entry)
    records, left = reading.select(entry)
    assert (records, left) == (query["records"], query["excluded"])
    assert reading.verdict(query["number"]) == query["withheld"]
    positions = [reading.logs[member].parsed[index].position for member, _, index in records]
    nonce_sum = rfc9496.encode(total(point(position.nonce_point) for position in positions))
    fields = range(3, 7) if query["withheld"] else range(7)
    bodies = {f: total(point(position.bodies[f]) for position in positions) for f in fields}
    leaf = log.leaf(query["index"])
    answers: dict[int, Any] = {}
    for index, raw in query["responses"].items():
        response = peer_pb2.DecryptResponse.FromString(bytes.fromhex(raw))
        assert (response.custodian, response.epoch, response.withheld) == (int(index), 1, query["withheld"])
        assert response.nonce_sum == nonce_sum
        assert [[one.member, one.reason, one.index] for one in response.excluded] == left
        reading.check_partial(int(index), leaf, nonce_sum, fields, response.points, response.proof)
        answers[int(index)] = dict(zip(fields, response.points, strict=True))
    threshold = reading.manifest["threshold"]
    for transcript in (query["full"], query["redacted"]):
        check_transcript(reading, json.loads(transcript), query, nonce_sum, bodies, leaf)
    result = json.loads(query["full"])["result"]
    chosen = sorted(answers)[-threshold:]  # not those the transcript used
    for f in fields:
        opened = reading.open(bodies[f], {j: answers[j][f] for j in chosen})
        assert rfc9496.encode(opened) == rfc9496.encode(rfc9496.mul(result[LABELS[f]], BASE))
    check_exposure(reading, query, result, len(records))


def check_inquiry(reading: Reading, query: dict[str, Any], request: Any, entry: Any) -> None:
    """Q2 to Q8, as far as they are about bytes."""
    inquiry = entry.inquiry
    origin = reading.origin(reading.querier)
    receipt = request.receipt.decode()
    check_receipt(receipt, origin, reading.log_keys[reading.querier], request.entry, query["index"])
    assert (inquiry.manifest, inquiry.epoch, inquiry.as_of) == (reading.manifest_id, reading.epoch, 0)
    assert request.query_key == reading.query_key
    assert inquiry.label == reading.inquiry_label(query["number"])
    log = reading.logs[reading.querier]
    assert newest(log, reading.inquiry_label, query["index"] + 1) == query["number"]
    parts: list[Part] = [len(reading.members)]
    for member, size, head in zip(reading.members, inquiry.sizes, request.heads, strict=True):
        root = reading.logs[member].root(size)
        assert (head.origin, head.size, head.root) == (reading.origin(member), size, root)
        parts += (head.origin, head.size, head.root)
    assert inquiry.heads_digest == sha256(frame("plimsoll/v1/heads", *parts)).digest()


def check_transcript(
    reading: Reading, document: Any, query: dict[str, Any], nonce_sum: bytes, bodies: dict[int, Point], leaf: bytes
) -> None:
    """T1 to T10, the comparisons; what is compared with was worked out by the caller."""
    full = document["form"] == "full"
    keys = ["format", "form", "consortium", "manifest", "epoch", "querier", "inquiry", "heads", "contributors"]
    keys += ["withheld", "nonce_sum", "body_sums", "partials", "result"] + ["query_key", "records", "excluded"] * full
    assert list(document) == keys
    assert document["format"] == "plimsoll/exposure-transcript/v1"
    assert (document["consortium"], document["manifest"]) == (reading.consortium.hex(), reading.manifest_id.hex())
    assert (document["epoch"], document["querier"]) == (reading.epoch, reading.querier)
    entry = base64.b64decode(document["inquiry"]["entry"])
    assert entry == reading.logs[reading.querier].raw[document["inquiry"]["index"]]
    assert document["nonce_sum"] == nonce_sum.hex()
    assert document["body_sums"] == [rfc9496.encode(body).hex() for body in bodies.values()]
    assert (document["withheld"], document["contributors"]) == (query["withheld"], len(query["records"]))
    answers: dict[int, list[bytes]] = {}
    for partial in document["partials"]:
        points = [bytes.fromhex(raw) for raw in partial["points"]]
        proof = bytes.fromhex(partial["proof"])
        reading.check_partial(partial["custodian"], leaf, nonce_sum, list(bodies), points, proof)
        answers[partial["custodian"]] = points
    assert len(answers) >= reading.manifest["threshold"]
    for place, f in enumerate(bodies):
        opened = reading.open(bodies[f], {j: points[place] for j, points in answers.items()})
        assert rfc9496.encode(opened) == rfc9496.encode(rfc9496.mul(document["result"][LABELS[f]], BASE))
    assert list(document["result"]) == [LABELS[f] for f in bodies]
    if full:
        assert document["query_key"] == reading.query_key.hex()
        assert [[one["member"], one["number"], one["index"]] for one in document["records"]] == query["records"]
        assert [[one["member"], one["reason"], one["index"]] for one in document["excluded"]] == query["excluded"]
        for one in document["records"]:
            assert base64.b64decode(one["entry"]) == reading.logs[one["member"]].raw[one["index"]]


def check_exposure(reading: Reading, query: dict[str, Any], result: dict[str, int], contributors: int) -> None:
    """Section 12: the packed sums say what the asker is told."""
    told = query["exposure"]
    policy = reading.manifest["policy"]

    def digits(name: str, count: int) -> list[int]:
        return [result[name] >> 6 * place & 63 for place in range(count)]

    assert list(told["classes"].values()) == [result["tally_low"] & 63, *digits("tally_high", 4)]
    assert told["accounts"] == result["tally_low"] >> 6
    assert told["bands"] == dict(zip([*map(str, policy["bands"]), "above"], digits("band", 6), strict=True))
    overdue = zip([*map(str, policy["overdue_bands"]), "above"], digits("overdue_band", 5), strict=True)
    assert told["overdue_bands"] == dict(overdue)
    assert sum(told["classes"].values()) == sum(told["bands"].values()) == told["lenders"] == contributors
    assert told["withheld"] == query["withheld"]
    if told["amounts"] is not None:
        assert told["amounts"] == {name: result[name] for name in told["amounts"]}
