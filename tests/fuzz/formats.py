"""Targets: notes, heads, receipts, tiles, policies and what they are made of (docs/protocol.md, sections 2, 4, 22)."""

from __future__ import annotations

import base64
from functools import cache

from ledger.errors import Unverified
from ledger.strict import decode_base64, encode_base64, parse_decimal
from ledger.tlog.checkpoint import Head, head_text, log_origin, open_head, parse_head_text, parse_origin
from ledger.tlog.cosignature import verify_cosignature
from ledger.tlog.note import COSIGNATURE_V1, Note, SignatureLine, VerifierKey, parse_note, verify_note
from ledger.tlog.receipt import Receipt
from ledger.tlog.tiled_log import TiledLog
from ledger.tlog.tiles import Tile, encode_bundle, split_bundle
from ledger.tlog.tlog_policy import parse_policy
from ledger.tlog.tlog_witness import parse_add_checkpoint, parse_lines, parse_size, render_lines, render_size
from tests.fuzz.inputs import text_of, vectors
from tests.fuzz.target import Target, words
from tests.ledger import sample_logs
from tests.ledger.tile_sources import Tiles, head_over, tiles_over
from tests.second import note as second_note


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
    heads = [sample_logs.head_over([b"a", b"b"][:size]) for size in range(3)]
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


def _add_checkpoint(raw: bytes) -> None:
    assert parse_add_checkpoint(raw).encode() == raw


def _add_checkpoints() -> list[bytes]:
    head = sample_logs.head_over([b"a", b"b"]).note.encode()
    return [b"old 0\n\n" + head, b"old 1\n" + (encode_base64(bytes(32)).encode() + b"\n") * 2 + b"\n" + head]


def _witness_lines(raw: bytes) -> None:
    assert render_lines(parse_lines(raw)) == raw


def _witness_size(raw: bytes) -> None:
    assert render_size(parse_size(raw)) == raw


def _policy(raw: bytes) -> None:
    policy = parse_policy(raw)
    assert parse_policy(policy.encode()) == policy
    policy.satisfied([witness.name for witness in policy.witnesses[::2]])
    for one in vectors("head")["valid"]:
        try:
            policy.open(one["note"].encode())
        except Unverified:
            continue


def _policies() -> list[bytes]:
    head = vectors("head")
    ours = f"log {head['log_key']}\nwitness w {head['cosigner_keys'][0]} https://w.example\ngroup g any w\nquorum g\n"
    return [ours.encode(), *(base64.b64decode(one["policy"]) for one in vectors("tlog_policy")["valid"])]


def _tile_path(raw: bytes) -> None:
    text = text_of(raw)
    assert Tile.parse(text).path == text


def _bundle(raw: bytes) -> None:
    """The first byte is the width, less one."""
    width, bundle = 1 + (raw[0] if raw else 0), raw[1:]
    assert encode_bundle(split_bundle(bundle, width)) == bundle


def _tiled_log(raw: bytes) -> None:
    """The first byte names a tile of a log of 300 entries, in whose place the rest is put."""
    tiles = Tiles(_tiles())
    path = sorted(tiles)[(raw[0] if raw else 0) % len(tiles)]
    tiles[path] = raw[1:]
    entries = [entry for stretch in TiledLog(tiles, _tiled_head()).entries() for entry in stretch.entries]
    assert (raw[1:], tuple(entries)) == (_tiles()[path], _tiled_entries()), "it was put in the place of itself"


@cache
def _tiled_entries() -> tuple[bytes, ...]:
    return tuple(str(number).encode() for number in range(300))


@cache
def _tiled_head() -> Head:
    return head_over(_tiled_entries())


@cache
def _tiles() -> Tiles:
    return tiles_over(_tiled_entries())


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
    Target("add-checkpoint", _add_checkpoint, _add_checkpoints, (*NOTE_TOKENS, *words("old 64"), b"\n\n", b"old ")),
    Target(
        "witness-lines",
        _witness_lines,
        lambda: ["".join(f"{line}\n" for line in _cosigned().signatures[:count]).encode() for count in (1, 2)],
        NOTE_TOKENS,
    ),
    Target(
        "tlog-policy",
        _policy,
        _policies,
        (*NOTE_TOKENS, *words("log witness group quorum none all any 0 1 2 w g #"), b" ", b"\t", b"\n"),
    ),
    Target(
        "tile-path",
        _tile_path,
        lambda: [path.encode() for path in vectors("tiles")["paths"]],
        words("tile/ entries/ x 000 .p/ 255 256 / 999"),
    ),
    Target("bundle", _bundle, lambda: [bytes([1]) + encode_bundle([b"one", b"22"]), b"\x00\x00\x01x"]),
    Target(
        "tiled-log",
        _tiled_log,
        lambda: [bytes([number]) + _tiles()[path] for number, path in enumerate(sorted(_tiles()))],
    ),
    Target("witness-size", _witness_size, lambda: [b"0\n", b"70000\n"], (*words("+ - 00"), b"\n")),
    Target("decimal", _decimal, lambda: [b"0", b"7", b"1234567890", b"9223372036854775807"], words("+ - _ e ٣ 0x")),
    Target("base64", _base64, lambda: [b"", b"AA==", b"AAA=", b"AAAA", b"+/+/"], words("= ==== AAAA")),
)
