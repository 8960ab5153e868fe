"""Targets: notes, heads, receipts, proofs, blocks (docs/protocol.md, sections 2 and 4)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from google.protobuf.message import DecodeError
from plimsoll.v1 import peer_pb2

from client.audit.follower import Follower
from ledger import merkle
from ledger.block import verify_block
from ledger.chain import Replica
from ledger.checkpoint import head_text, log_origin, open_head, parse_head_text, parse_origin
from ledger.cosignature import verify_cosignature
from ledger.entries import UNSOUND, Kind, file_entry
from ledger.errors import InvalidInput, PlimsollError, Unverified
from ledger.log_state import Record
from ledger.memory_store import MemoryStore
from ledger.note import COSIGNATURE_V1, Note, SignatureLine, VerifierKey, parse_note, verify_note
from ledger.receipt import Receipt
from ledger.strict import decode_base64, encode_base64, parse_decimal
from tests.fuzz.target import Target, words
from tests.ledger import sample_entries, sample_logs
from tests.second import merkle as second_merkle
from tests.second import note as second_note
from tests.second.refusal import Refused

VECTORS = Path(__file__).parents[1] / "vectors"


@cache
def vectors(name: str) -> Any:
    """tests/vectors/<name>.json."""
    return json.loads((VECTORS / f"{name}.json").read_text("utf-8"))


def text_of(raw: bytes) -> str:
    """What a caller that read these bytes as UTF-8 would hand in."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidInput("BAD_TEXT", "not UTF-8") from None


def agree(mine: Callable[[], object], theirs: Callable[[], object]) -> None:
    """Both implementations take it or both refuse it. Raises what the first does."""
    try:
        theirs()
        taken = True
    except Refused:
        taken = False
    try:
        mine()
    except PlimsollError:
        assert not taken, "the second implementation takes what ours refuses"
        raise
    assert taken, "the second implementation refuses what ours takes"


# -- notes and heads


def _notes() -> list[bytes]:
    return [one["note"].encode() for one in vectors("note")["valid"]]


def _note(raw: bytes) -> None:
    note = parse_note(raw)
    assert note.encode() == raw
    assert second_note.parse(raw) == (note.text, [(one.name, one.key_id, one.payload) for one in note.signatures])
    verify_note(note, _note_keys())


@cache
def _note_keys() -> list[VerifierKey]:
    return list(map(VerifierKey.parse, vectors("note")["keys"]))


def _verifier_key(raw: bytes) -> None:
    text = text_of(raw)
    assert str(VerifierKey.parse(text)) == text


def _signature_line(raw: bytes) -> None:
    text = text_of(raw)
    line = SignatureLine.parse(text)
    assert str(line) == text
    for key in _keys("head"):
        if key.type == COSIGNATURE_V1 and line.is_by(key):
            verify_cosignature(_cosigned().text, line, key)


@cache
def _cosigned() -> Note:
    return parse_note(vectors("head")["valid"][-1]["note"].encode())


@cache
def _keys(name: str) -> list[VerifierKey]:
    facts = vectors(name)
    return [VerifierKey.parse(text) for text in (facts["log_key"], *facts["cosigner_keys"])]


def _head(raw: bytes) -> None:
    signed = open_head(raw, *_split(_keys("head")))
    assert open_head(signed.note.encode(), *_split(_keys("head"))) == signed


def _split(keys: list[VerifierKey]) -> tuple[VerifierKey, list[VerifierKey]]:
    return keys[0], keys[1:]


def _head_text(raw: bytes) -> None:
    text = text_of(raw)
    head = parse_head_text(text)
    assert head_text(head) == text
    note = Note(text, (sample_logs.SIGNER.sign(text),)).encode()
    open_head(note, sample_logs.SIGNER.key)


def _head_texts() -> list[bytes]:
    heads = [sample_logs.head_over(_entries()[:size]) for size in range(3)]
    return [head_text(signed.head).encode() for signed in heads]


def _origin(raw: bytes) -> None:
    text = text_of(raw)
    assert log_origin(*parse_origin(text)) == text


def _receipt(raw: bytes) -> None:
    receipt = Receipt.parse(raw)
    assert receipt.encode() == raw
    log_key, cosigners = _split(_keys("receipt"))
    for one in vectors("receipt")["valid"]:
        try:
            receipt.verify(bytes.fromhex(one["entry"]), log_key, cosigners)
        except Unverified:
            continue


def _decimal(raw: bytes) -> None:
    text = text_of(raw)
    assert str(parse_decimal(text, "number")) == text


def _base64(raw: bytes) -> None:
    text = text_of(raw)
    assert encode_base64(decode_base64(text, "text")) == text


# -- proofs: two sizes of 8 bytes, two hashes, the path


def _proof(raw: bytes) -> tuple[int, int, bytes, bytes, list[bytes]]:
    first, second = (int.from_bytes(raw[at : at + 8], "big") for at in (0, 8))
    hashes = [raw[at : at + 32] for at in range(16, max(len(raw), 80), 32)]
    return first, second, hashes[0], hashes[1], hashes[2:]


def _pack(first: int, second: int, *hashes: bytes) -> bytes:
    return first.to_bytes(8, "big") + second.to_bytes(8, "big") + b"".join(hashes)


def _inclusion(raw: bytes) -> None:
    index, size, leaf, root, path = _proof(raw)

    def theirs() -> None:
        found = second_merkle.root_from_inclusion(index, size, leaf, path)
        if size >= 1 << 63 or any(len(one) != 32 for one in (leaf, root, *path)) or found != root:
            raise Refused("BAD_PROOF")

    agree(lambda: merkle.verify_inclusion(leaf, index, size, path, root), theirs)


def _consistency(raw: bytes) -> None:
    old, new, old_root, new_root, path = _proof(raw)

    def theirs() -> None:
        if new >= 1 << 63 or any(len(one) != 32 for one in (old_root, new_root, *path)):
            raise Refused("BAD_PROOF")
        if old == 0:  # the empty tree is consistent with every other, by the empty proof
            if path or old_root != merkle.EMPTY_ROOT or (new == 0 and new_root != old_root):
                raise Refused("BAD_PROOF")
            return
        second_merkle.check_consistency(old, new, old_root, new_root, path)

    agree(lambda: merkle.verify_consistency(old, old_root, new, new_root, path), theirs)


def _trees() -> tuple[list[bytes], Callable[[int, int], bytes]]:
    leaves = [merkle.leaf_hash(bytes([number])) for number in range(11)]
    return leaves, lambda level, number: merkle.root_of(leaves[number << level : (number + 1) << level])


def _inclusions() -> Iterator[bytes]:
    leaves, node = _trees()
    for index, size in ((0, 1), (3, 4), (0, 7), (6, 7), (10, 11), (7, 11)):
        path = merkle.inclusion_path(index, size, node)
        yield _pack(index, size, leaves[index], merkle.root_of(leaves[:size]), *path)


def _consistencies() -> Iterator[bytes]:
    leaves, node = _trees()
    for old, new in ((0, 5), (4, 4), (4, 8), (3, 7), (6, 11), (10, 11)):
        roots = (merkle.root_of(leaves[:size]) for size in (old, new))
        yield _pack(old, new, *roots, *merkle.consistency_path(old, new, node))


# -- blocks and logs


@cache
def _entries() -> tuple[bytes, ...]:
    rng = Random(1)
    return tuple(make(rng) for make in (*sample_entries.BUILDERS, sample_entries.unknown))


@cache
def _held() -> MemoryStore:
    """A log of four entries."""
    store = MemoryStore()
    sample_logs.written(_entries()[:4], store=store)
    return store


def _copy(store: MemoryStore) -> MemoryStore:
    copied = MemoryStore()
    copied.write(list(store.scan(b"", b"\xff" * 40)))
    return copied


def message(kind: Any, raw: bytes) -> Any:
    """A protobuf message of this class."""
    try:
        return kind.FromString(raw)
    except DecodeError as error:
        raise InvalidInput("BAD_MESSAGE", "not that message") from error


def read_block(block: peer_pb2.Block) -> None:
    """As a node and as an auditor takes it."""
    follower = Follower(sample_logs.SIGNER.key, sizes=[2, 4], indices=[1])
    refusal: PlimsollError | None = None
    for read in (follower.take, lambda one: verify_block(one, sample_logs.SIGNER.key, held_log().state)):
        try:
            read(block)
        except PlimsollError as error:
            refusal = error
        else:
            return
    assert refusal is not None
    raise refusal


@cache
def held_log() -> Any:
    """Of four entries."""
    return sample_logs.opened(_copy(_held())).log(sample_logs.MEMBER)


@cache
def blocks() -> tuple[peer_pb2.Block, ...]:
    """Some that continue it, or begin it."""
    history = _entries()
    cuts = ((0, 3, None), (4, 9, None), (2, 6, 9), (4, 4, 9), (0, 4, 4))
    return tuple(sample_logs.block(history, start, stop, size) for start, stop, size in cuts)


def _log(raw: bytes) -> None:
    """Entries of an author that signs whatever it likes, replicated, filed, and read back by every index."""
    entries = split(raw)[:64]
    store = MemoryStore()
    Replica(sample_logs.opened(store).log(sample_logs.MEMBER)).apply(sample_logs.block(entries, 0, len(entries)))
    log = sample_logs.opened(store).log(sample_logs.MEMBER)
    filings = list(map(file_entry, entries))
    assert list(log.entries(0)) == entries
    for code in {one.code for one in filings} - {Kind.POSITION}:
        assert list(log.by_kind(code)) == [place for place, one in enumerate(filings) if one.code == code]
    for label in {one.label for one in filings if one.label is not None}:
        assert log.find(label) == next(place for place, one in enumerate(filings) if one.label == label)
    assert sum(log.counts.values()) == len(entries)
    for place, one in enumerate(filings):
        assert (one.code == UNSOUND) <= (one.label is None)
        Receipt.parse(log.receipt(place).encode()).verify(entries[place], log.key)


def split(raw: bytes) -> list[bytes]:
    """Byte strings, each behind its length in two bytes; the last may be cut short."""
    parts, at = [], 0
    while at < len(raw):
        end = at + 2 + int.from_bytes(raw[at : at + 2], "big")
        parts.append(raw[at + 2 : end])
        at = end
    return parts


def joined(parts: Any) -> bytes:
    """What `split` takes apart."""
    return b"".join(len(part).to_bytes(2, "big") + part for part in parts)


def _log_state(raw: bytes) -> None:
    """The record of how far a log has got, in a store that has rotted."""
    assert Record.decode(raw).encode() == raw
    store = _copy(_held())
    key = sample_logs.opened(store).log(sample_logs.MEMBER).keys.standing
    store.write([(key, raw)])
    log = sample_logs.opened(store).log(sample_logs.MEMBER)
    assert log.state.record == raw
    log.receipt(0)


def _log_states() -> list[bytes]:
    key = sample_logs.opened(_held()).log(sample_logs.MEMBER).keys.standing
    record = _held().get(key)
    assert record is not None
    return [record]


NOTE_TOKENS = (
    *words("— example.com/log +1dde4531+ \u00a0 \u2028"),
    b"\n\n\xe2\x80\x94 ",
    b"AAAA",
    b"\xe2\x80\x94 a AAAA\n",
)

TARGETS = (
    Target("note", _note, _notes, NOTE_TOKENS),
    Target("verifier-key", _verifier_key, lambda: [k.encode() for k in vectors("note")["keys"]], NOTE_TOKENS),
    Target(
        "signature-line",
        _signature_line,
        lambda: [str(line).encode() for line in _cosigned().signatures],
        NOTE_TOKENS,
    ),
    Target("head", _head, lambda: [one["note"].encode() for one in vectors("head")["valid"]], NOTE_TOKENS),
    Target("head-text", _head_text, _head_texts, (*NOTE_TOKENS, *words("9223372036854775808 18446744073709551616"))),
    Target("origin", _origin, lambda: [f"plimsoll/{'5f' * 32}/alpha{end}".encode() for end in ("", ".2", ".10")]),
    Target(
        "receipt",
        _receipt,
        lambda: [one["receipt"].encode() for one in vectors("receipt")["valid"]],
        (*NOTE_TOKENS, *words("index extra c2sp.org/tlog-proof@v1"), b"AAAA\n"),
    ),
    Target("decimal", _decimal, lambda: [b"0", b"7", b"1234567890", b"9223372036854775807"], words("+ - _ e ٣ 0x")),
    Target("base64", _base64, lambda: [b"", b"AA==", b"AAA=", b"AAAA", b"+/+/"], words("= ==== AAAA")),
    Target("inclusion-proof", _inclusion, lambda: list(_inclusions())),
    Target("consistency-proof", _consistency, lambda: list(_consistencies())),
    Target(
        "block",
        lambda raw: read_block(message(peer_pb2.Block, raw)),
        lambda: [one.SerializeToString() for one in blocks()],
    ),
    Target("log", _log, lambda: [joined(_entries()), joined(_entries()[:2])]),
    Target("log-state", _log_state, _log_states),
)
