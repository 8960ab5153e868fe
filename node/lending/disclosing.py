"""Opening this lender's own positions for an auditor or a court (docs/protocol.md, section 21)."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from concurrent.futures import Executor

import structlog
from plimsoll.v1 import lender_pb2

from ledger.borrower.identity import canonical
from ledger.borrower.labels import BorrowerKeys, Numbered
from ledger.chain.chain import Chain, Log
from ledger.consortium.joined import Record, origins_of, record_of
from ledger.disclosure import Opening, disclose
from ledger.errors import InvalidInput, NotFound, Unready
from ledger.positions.loan import MAX_AS_OF
from ledger.positions.position_entry import PositionEntry
from ledger.witnessing.witnessed import Witnessed
from node.chain.named_logs import NamedLogs
from node.consortium import Consortium
from node.custody.custody import Custody
from node.homes.keyring import Keyring
from node.lending.shelf import Shelf

log = structlog.get_logger()


class Disclosing:
    """Out of the sealed copies in this member's own logs."""

    def __init__(
        self,
        consortium: Consortium,
        keyring: Keyring,
        chain: Chain,
        shelf: Shelf,
        custody: Custody,
        witnessed: Witnessed,
        executor: Executor,
    ) -> None:
        self._consortium = consortium
        self._backup_key = keyring.backup_key
        self._chain = chain
        self._shelf = shelf
        self._custody = custody
        self._witnessed = witnessed
        self._executor = executor

    async def disclose(self, request: lender_pb2.DiscloseRequest, caller: str) -> lender_pb2.DiscloseResponse:
        """caller: who asks, for this node's log. Raises InvalidInput, NotFound (UNKNOWN_BORROWER, NO_POSITION,
        OTHER_BORROWER, NO_LOG, NO_ENTRY), Unready (NO_KEYS), Unverified where the author's own copy does not open."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._disclose, request, caller)

    def _disclose(self, request: lender_pb2.DiscloseRequest, caller: str) -> lender_pb2.DiscloseResponse:
        borrower = canonical(request.borrower)
        if request.HasField("index"):
            if request.HasField("as_of"):
                raise InvalidInput("CONFLICT", "a position is named by its index or by a day", "as_of")
            held, index = self._own(request.origin), request.index
        else:
            held, index = self._by_day(borrower, request.as_of if request.HasField("as_of") else MAX_AS_OF)
        opening = self._open(held, index, borrower, request.label_key)
        # Whose position it is stands in no log.
        log.info("a position was disclosed", origin=held.origin, index=index, label_key=request.label_key, to=caller)
        return lender_pb2.DiscloseResponse(opening=opening.encode(), origin=held.origin, index=index)

    def _open(self, held: Log, index: int, borrower: str, label_key: bool) -> Opening:
        keys = self._custody.keys
        if keys is None:
            raise Unready("NO_KEYS", "the key ceremony is not final yet")
        receipt, entry = self._receipt(held, index), held.entry(index)
        place = (self._consortium.id, self._consortium.member, borrower)
        return disclose(*place, entry, receipt, keys.fields, self._backup_key, show_label=label_key)

    def _receipt(self, held: Log, index: int) -> bytes:
        """Under the head that most members have seen, if it covers the entry."""
        kept = self._witnessed.newest(held.origin)
        if kept is not None:
            try:
                return held.receipt(index, kept.signed).encode()
            except NotFound:  # it does not reach so far, or the log has forked
                pass
        return held.receipt(index).encode()

    def _own(self, origin: str) -> Log:
        manifest, member = self._consortium.manifest, self._consortium.member
        held = self._chain.log_by_origin(origin or manifest.origin(member))
        if held.member != member:
            raise NotFound("NO_LOG", "that is no log of this lender", "origin")
        return held

    def _by_day(self, borrower: str, day: int) -> tuple[Log, int]:
        """The newest position of this borrower that speaks of this day or an earlier one: its log, its index there."""
        manifest, member = self._consortium.manifest, self._consortium.member
        key = self._shelf.pseudonym_key(borrower)
        if key is None:
            raise NotFound("UNKNOWN_BORROWER", "this lender's book does not have that borrower", "borrower")
        record = record_of(manifest, member, NamedLogs(self._chain, manifest.consortium))
        own = self._own("")
        numbered = Numbered(record.log, BorrowerKeys.from_pseudonym_key(key).query.positions(member))
        newest = numbered.newest(record.offset + own.size)
        # as_of never goes back from one position to the next: its author sees to it.
        count = 0 if newest is None else bisect_right(range(newest + 1), day, key=lambda n: _as_of(record, numbered, n))
        place = numbered.index(count - 1)
        if place is None:
            raise NotFound("NO_POSITION", "no position of that borrower was published by then", "borrower")
        origin, first = next(pair for pair in reversed(origins_of(manifest, member)) if pair[1] <= place)
        return self._chain.log_by_origin(origin), place - first


def _as_of(record: Record, numbered: Numbered, number: int) -> int:
    place = numbered.index(number)
    assert place is not None  # numbers of one's own positions have no gap
    return PositionEntry.parse(record.log.entry(place)).as_of
