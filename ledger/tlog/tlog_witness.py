"""Cosigning over HTTP (C2SP tlog-witness, "add-checkpoint"): requests, checks in order, and what is remembered.

    old <size>\\n  <base64 hash>\\n (0 .. 63 lines)  \\n  <head, a signed note>

A cosignature says that a head extends all that was cosigned before. So the record of the last one is compared and
replaced in one step, durably, before a line leaves. The checks, in this order, and the status of who fails:

    the request and its head can be read (400); the origin is known (404); a key of the log has signed, and no line of
    a key that is known fails (403); old size <= size (400); old size = size cosigned last (409, with that size);
    the empty tree has its one root, the proof joins, equal sizes have equal roots (422)
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass

from ledger.chain.log import Lock
from ledger.chain.log_heads import bare
from ledger.chain.log_keys import ELSEWHERE
from ledger.chain.store import Store
from ledger.errors import InvalidInput, NotFound, PlimsollError, Refused, Unready, Unverified
from ledger.strict import decode_base64, encode_base64, parse_decimal
from ledger.tlog import merkle
from ledger.tlog.checkpoint import Head, SignedHead
from ledger.tlog.cosignature import Cosigner
from ledger.tlog.note import ED25519, MAX_SIGNATURES, Note, SignatureLine, VerifierKey, parse_note, verify_note

MAX_HASHES = 63
#: Bytes of a request: the proof, three lines, and signatures of many cosigners.
MAX_REQUEST = 1 << 16
SIZE_TYPE = "text/x.tlog.size"
LINES_TYPE = "text/plain; charset=utf-8"

_OLD = b"old "
_HASH_TEXT = 44  # base64 of 32 bytes
_TIME, _SIZE = 8, 8


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """A request that can be read; nothing of it is verified. root: 32 bytes, of the empty tree not yet compared."""

    old_size: int
    proof: tuple[bytes, ...]
    origin: str
    size: int
    root: bytes
    note: Note

    def encode(self) -> bytes:
        """The body, of which `parse_add_checkpoint` makes the same request."""
        hashes = "".join(f"{encode_base64(one)}\n" for one in self.proof)
        return f"old {self.old_size}\n{hashes}\n".encode() + self.note.encode()


class OldSize(Unready):
    """The proof does not start where this witness stands: at `size`."""

    def __init__(self, size: int) -> None:
        super().__init__("OLD_SIZE", f"the last head cosigned of this log has {size} entries", "old")
        self.size = size


def parse_add_checkpoint(raw: bytes) -> AddCheckpoint:
    """Reads a body of at most 64 KiB; verifies nothing. Raises InvalidInput."""
    if len(raw) > MAX_REQUEST:
        raise InvalidInput("TOO_LARGE", f"a request is at most {MAX_REQUEST} bytes")
    first, blank, checkpoint = raw.partition(b"\n\n")
    lines = first.split(b"\n", MAX_HASHES + 1)
    if not blank or not lines[0].startswith(_OLD):
        raise InvalidInput("BAD_REQUEST", "a request is an old size, a proof, an empty line and a head")
    if len(lines) > MAX_HASHES + 1:
        raise InvalidInput("TOO_MANY_HASHES", f"a proof has at most {MAX_HASHES} hashes", "proof")
    old_size = parse_decimal(_ascii(lines[0][len(_OLD) :], "old"), "old", merkle.MAX_SIZE)
    proof = tuple(_hash(line, f"proof[{number}]") for number, line in enumerate(lines[1:]))
    try:
        note = parse_note(checkpoint)
        origin, size, root = _head(note.text)
    except InvalidInput as error:
        raise error.under("checkpoint") from error
    return AddCheckpoint(old_size, proof, origin, size, root, note)


def verify_request(request: AddCheckpoint, key: VerifierKey) -> None:
    """What is checked before anything that is remembered.

    Raises Refused where the log's signature is missing or fails (403), InvalidInput where the old size is larger (400).
    """
    try:
        verify_note(request.note, [key])
    except Unverified as error:
        raise Refused("BAD_LOG_SIGNATURE", "the head is not signed by its log", "checkpoint") from error
    if request.old_size > request.size:
        raise InvalidInput("BAD_SIZE", "the old size is above the head's", "old")


def check_continues(request: AddCheckpoint, key: VerifierKey, last_size: int, last_root: bytes) -> SignedHead:
    """The head, with its log's verified signature alone, once it extends what was cosigned last.

    last_size, last_root: 0 and the root of nothing where nothing was. Raises OldSize (409), Unverified (422).
    """
    if request.old_size != last_size:
        raise OldSize(last_size)
    try:
        merkle.verify_consistency(last_size, last_root, request.size, request.root, request.proof)
    except PlimsollError as error:  # a proof of the wrong length, too: there is no such consistency proof
        raise Unverified("BAD_PROOF", f"the proof does not join the two trees: {error.message}", "proof") from error
    return bare(SignedHead(Head(request.origin, request.size, request.root), request.note), key)


@dataclass(frozen=True, slots=True)
class Remembered:
    """What was cosigned last of a log. time: Unix seconds, in the cosignature; note: the head, signed by its log."""

    time: int
    size: int
    root: bytes
    note: bytes

    def encode(self) -> bytes:
        """As stored: time (8) || size (8) || root (32) || note."""
        return self.time.to_bytes(_TIME, "big") + self.size.to_bytes(_SIZE, "big") + self.root + self.note

    @classmethod
    def decode(cls, raw: bytes) -> Remembered:
        """Reads stored bytes. Raises Unverified where they have rotted."""
        root_at = _TIME + _SIZE
        note_at = root_at + merkle.HASH_SIZE
        if len(raw) <= note_at:
            raise Unverified("BAD_COSIGNED", "the record of what was cosigned is damaged", "cosigned")
        time, size = int.from_bytes(raw[:_TIME], "big"), int.from_bytes(raw[_TIME:root_at], "big")
        found = cls(time, size, raw[root_at:note_at], raw[note_at:])
        try:
            fits = _head(parse_note(found.note).text)[1:] == (found.size, found.root)
        except InvalidInput:
            fits = False
        if not fits:
            raise Unverified("BAD_COSIGNED", "the record of what was cosigned is damaged", "cosigned")
        return found


class ForeignWitness:
    """A witness of logs elsewhere, of which nothing is held but what was cosigned last. Any thread may use it.

    Logs of one's own consortium are not for this class: what was cosigned of them is remembered by `witness`,
    and one key must not have two memories of one log.
    """

    def __init__(self, store: Store, keys: Iterable[VerifierKey], cosigner: Cosigner, lock: Lock | None = None) -> None:
        """keys: of the logs, named by their origins. lock: hand in a threading.Lock where several threads cosign.

        Raises InvalidInput for keys of another type, or two of one origin.
        """
        self._store = store
        self._cosigner = cosigner
        self._lock = nullcontext() if lock is None else lock
        self._keys: dict[str, VerifierKey] = {}
        for key in keys:
            if key.type != ED25519 or key.name in self._keys:
                raise InvalidInput("BAD_LOG_KEY", "each log has one key of type 01 here", key.name)
            self._keys[key.name] = key

    @property
    def origins(self) -> tuple[str, ...]:
        """The logs that are cosigned."""
        return tuple(self._keys)

    def last(self, origin: str) -> Remembered | None:
        """What was cosigned last. Raises what the store raises, Unverified where it has rotted."""
        raw = self._store.get(_key(origin))
        return None if raw is None else Remembered.decode(raw)

    def checkpoint(self, origin: str) -> bytes | None:
        """The note of that head with the log's signature and the cosignature that was answered, for monitors."""
        last = self.last(origin)
        if last is None or origin not in self._keys:
            return None
        note = parse_note(last.note)
        return note.with_signatures([self._cosigner.cosign(note.text, last.time)]).encode()

    def add(self, request: AddCheckpoint, time: int) -> SignatureLine:
        """This witness's line at `time`, Unix seconds; it is made once the record is durable.

        Raises NotFound (404), and as `verify_request` and `check_continues`; StoreConflict where another process was
        quicker, and whatever else the store raises: then nobody has a line.
        """
        key = self._keys.get(request.origin)
        if key is None:
            raise NotFound("UNKNOWN_LOG", "no log of this origin is cosigned here", "checkpoint")
        verify_request(request, key)
        with self._lock:
            before = self._store.get(_key(request.origin))
            last = None if before is None else Remembered.decode(before)
            at = (0, merkle.EMPTY_ROOT) if last is None else (last.size, last.root)
            signed = check_continues(request, key, *at)
            after = Remembered(time, request.size, request.root, signed.note.encode()).encode()
            self._store.write([(_key(request.origin), after)], expect=(_key(request.origin), before))
        return self._cosigner.cosign(request.note.text, time)


def render_lines(lines: Iterable[SignatureLine]) -> bytes:
    """The body of an answer 200."""
    return "".join(f"{line}\n" for line in lines).encode()


def parse_lines(raw: bytes) -> tuple[SignatureLine, ...]:
    """Reads the body of an answer 200: 1 to 256 signature lines. Raises InvalidInput."""
    if len(raw) > MAX_REQUEST:
        raise InvalidInput("TOO_LARGE", f"an answer is at most {MAX_REQUEST} bytes")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidInput("BAD_ANSWER", "signature lines are UTF-8") from None
    lines = text.split("\n", MAX_SIGNATURES)
    if lines.pop() != "" or not lines:
        raise InvalidInput("BAD_ANSWER", f"an answer is 1 to {MAX_SIGNATURES} lines that each end in a newline")
    return tuple(SignatureLine.parse(line, f"lines[{number}]") for number, line in enumerate(lines))


def render_size(size: int) -> bytes:
    """The body of an answer 409."""
    return f"{size}\n".encode()


def parse_size(raw: bytes) -> int:
    """Reads the body of an answer 409. Raises InvalidInput."""
    text = _ascii(raw[:32], "size")
    if not text.endswith("\n") or len(raw) > len(text):
        raise InvalidInput("BAD_ANSWER", "a size is one line", "size")
    return parse_decimal(text[:-1], "size", merkle.MAX_SIZE)


def _head(text: str) -> tuple[str, int, bytes]:
    """As `checkpoint.parse_head_text`, but for the root of the empty tree, whose refusal has a status of its own."""
    lines = text.split("\n")
    if len(lines) < 4 or lines.pop() != "":
        raise InvalidInput("BAD_HEAD", "a head is three lines: origin, size and root")
    if len(lines) > 3:
        raise InvalidInput("EXTENSION_LINES", "a head here has no extension lines")
    size, root = parse_decimal(lines[1], "size", merkle.MAX_SIZE), decode_base64(lines[2], "root")
    if size or len(root) != merkle.HASH_SIZE:
        Head(lines[0], size, root)
    else:
        Head(lines[0], 0, merkle.EMPTY_ROOT)
    return lines[0], size, root


def _hash(line: bytes, path: str) -> bytes:
    if len(line) != _HASH_TEXT:
        raise InvalidInput("BAD_HASH", "a hash is the base64 of 32 bytes", path)
    found = decode_base64(_ascii(line, path), path)
    if len(found) != merkle.HASH_SIZE:
        raise InvalidInput("BAD_HASH", "a hash is the base64 of 32 bytes", path)
    return found


def _ascii(raw: bytes, path: str) -> str:
    try:
        return raw.decode("ascii")
    except UnicodeDecodeError:
        raise InvalidInput("BAD_REQUEST", "not ASCII", path) from None


def _key(origin: str) -> bytes:
    return ELSEWHERE + origin.encode()
