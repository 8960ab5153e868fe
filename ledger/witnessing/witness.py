"""Cosigning other members' heads (design section 4, protocol section 18): compare, persist, and only then sign.

A cosignature says that this tree extends every tree of that log that was cosigned before, so what was cosigned last is
kept for each log, as the author's own signed note: it is evidence where the author shows another history later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext

from ledger.chain.chain import Chain
from ledger.chain.log import Lock, Log
from ledger.chain.log_heads import bare
from ledger.chain.log_keys import COSIGNED, encode_index
from ledger.chain.store import Put, Store
from ledger.errors import PlimsollError, Unready, Unverified
from ledger.tlog.checkpoint import SignedHead, open_head
from ledger.tlog.cosignature import Cosigner
from ledger.tlog.merkle import EMPTY_ROOT
from ledger.tlog.note import SignatureLine
from ledger.tlog.tlog_witness import AddCheckpoint, check_continues, verify_request
from ledger.witnessing.fork import Fork


class Witness:
    """This member as a witness of the logs of `chain`. Any thread may use it."""

    def __init__(self, store: Store, chain: Chain, cosigner: Cosigner, lock: Lock | None = None) -> None:
        """store: the chain's. lock: guards cosigning; hand in a threading.Lock where several threads do."""
        self._store = store
        self._chain = chain
        self._cosigner = cosigner
        self._lock = nullcontext() if lock is None else lock
        self._last: dict[str, SignedHead | None] = {}
        self._count: bytes | None = None

    def last(self, origin: str) -> SignedHead | None:
        """The largest head of this log that was cosigned, if any was. Raises Unverified where it has rotted."""
        if origin not in self._last:
            raw = self._store.get(_key(origin))
            key = self._chain.log_by_origin(origin).key
            try:
                self._last[origin] = None if raw is None else open_head(raw, key)
            except PlimsollError as error:
                raise Unverified("BAD_COSIGNED", f"what was cosigned is damaged: {error.message}", origin) from error
        return self._last[origin]

    def cosign(self, heads: Sequence[SignedHead], time: int) -> list[SignatureLine | PlimsollError]:
        """For each head, opened under its log's key, this member's line at `time` (Unix seconds), or why there is none.

        Unready (LACKS_ENTRIES) where its tree is not held; Unverified (FORK, frozen) or Fork for a log of two
        histories; Unverified (WENT_BACK) for a head below what was cosigned. One synced write for all that are new:
        it has returned before any line is made. Raises what the store raises; then there are no lines.
        """
        with self._lock:
            fresh: dict[str, SignedHead] = {}
            self._look_back()
            found = [self._checked(signed, fresh) for signed in heads]
            self._persist(fresh)
        return [one if isinstance(one, PlimsollError) else self._cosigner.cosign(one.note.text, time) for one in found]

    def extend(self, request: AddCheckpoint, time: int) -> SignatureLine:
        """As `cosign`, of one head by the rules of C2SP tlog-witness, and out of the same memory: one key has one.

        Raises NotFound, and as `tlog_witness.verify_request` and `check_continues` first; then what keeps `cosign` from
        cosigning, and what the store raises.
        """
        with self._lock:
            self._look_back()
            key = self._chain.log_by_origin(request.origin).key
            verify_request(request, key)
            last = self.last(request.origin)
            at = (0, EMPTY_ROOT) if last is None else (last.head.size, last.head.root)
            fresh: dict[str, SignedHead] = {}
            found = self._checked(check_continues(request, key, *at), fresh)
            if isinstance(found, PlimsollError):
                raise found
            self._persist(fresh)
        return self._cosigner.cosign(found.note.text, time)

    def _checked(self, signed: SignedHead, fresh: dict[str, SignedHead]) -> SignedHead | PlimsollError:
        """Or why it is not to be cosigned. fresh: by origin, what is to be persisted before; it is added."""
        try:
            log = self._chain.log_by_origin(signed.head.origin)
            if self._chain.frozen(log.origin):
                raise Unverified("FORK", "this log has two histories and is frozen")
            last = fresh.get(log.origin) or self.last(log.origin)
            _check_extends(signed, log, last)
        except PlimsollError as error:
            return error
        found = bare(signed, log.key)
        if last != found:
            fresh[log.origin] = found
        return found

    def _look_back(self) -> None:
        """What is remembered is good for as long as nobody else has written."""
        count = self._store.get(COSIGNED)
        if count != self._count:
            self._last.clear()
            self._count = count

    def _persist(self, fresh: Mapping[str, SignedHead]) -> None:
        """In one write, by compare-and-set: two processes with one key must not cosign past each other."""
        if not fresh:
            return
        before = self._count
        after = encode_index(1 + (0 if before is None else int.from_bytes(before, "big")))
        puts: list[Put] = [(_key(origin), signed.note.encode()) for origin, signed in fresh.items()]
        try:
            self._store.write([*puts, (COSIGNED, after)], expect=(COSIGNED, before))
            self._last.update(fresh)
            self._count = after
        except BaseException:
            self._last.clear()  # whether it happened is read back before anything else is cosigned
            raise


def _check_extends(signed: SignedHead, log: Log, last: SignedHead | None) -> None:
    head, state = signed.head, log.state
    if head.size > state.size:
        raise Unready("LACKS_ENTRIES", f"{state.size} entries of this log are held, the head has {head.size}")
    if state.tree.root_at(head.size) != head.root:
        raise Unverified("OTHER_ROOT", "the head is of another history than the one held")
    if last is None:
        return
    if head.size < last.head.size:
        raise Unverified("WENT_BACK", f"a head of size {last.head.size} was cosigned before")
    if state.tree.root_at(last.head.size) != last.head.root:
        # The replica was begun anew since, and was given another history.
        old_root = state.tree.root_at(last.head.size)
        raise Fork(last, signed, old_root, state.tree.consistency(last.head.size, head.size))


def _key(origin: str) -> bytes:
    return COSIGNED + origin.encode()
