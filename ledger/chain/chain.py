"""The chain: all members' logs, in one store (design section 4)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from typing import NamedTuple

from ledger.chain import fsck
from ledger.chain.log import Listener, Lock, Log
from ledger.chain.log_heads import Heads, bare
from ledger.chain.log_keys import MAX_NUMBER, NEXT_NUMBER, ORIGIN, encode_number
from ledger.chain.own_log import OwnLog
from ledger.chain.repair import Repaired, repair_log
from ledger.chain.replica import Replica
from ledger.chain.store import Store, prefix_end
from ledger.errors import Exhausted, InvalidInput, NotFound, Unverified
from ledger.tlog.checkpoint import SignedHead
from ledger.tlog.note import Signer, VerifierKey
from ledger.witnessing.frozen import Frozen

__all__ = ["Chain", "Log", "LogName", "OwnLog", "Replica"]

_DELETED_AT_ONCE = 4096


class LogName(NamedTuple):
    """A log of the consortium: whose it is, its origin, and its key, which bears the origin as name."""

    member: str
    origin: str
    key: VerifierKey


class Chain:
    """The logs of a consortium. Any thread may use it; adding and forgetting logs is for one at a time."""

    def __init__(
        self,
        store: Store,
        names: Iterable[LogName | tuple[str, str, VerifierKey]],
        *,
        new_lock: Callable[[], Lock] = nullcontext,
    ) -> None:
        """Opens every log, and begins those that are new. Of several logs of a member the last one listed is its log.

        new_lock: makes the lock of one log; hand in threading.Lock where several threads write. A log whose stored
        bytes have rotted does not keep the others from working: see `damaged`. Raises InvalidInput for names that do
        not fit together, and what the store raises.
        """
        self._store = store
        self._new_lock = new_lock
        self._listeners: list[Listener] = []
        self._by_origin: dict[str, Log] = {}
        self._by_member: dict[str, Log] = {}
        self._damaged: dict[str, Unverified] = {}
        self.freezer = Frozen(store)
        for name in names:
            self.add(*name)

    def add(self, member: str, origin: str, key: VerifierKey) -> Log:
        """Opens one more log: of a member that has joined, or that has come back under a new origin."""
        if key.name != origin:
            raise InvalidInput("WRONG_ORIGIN", "a log's key bears its origin as name", "origin")
        if origin in self._by_origin:
            raise InvalidInput("DUPLICATE_LOG", "this log is listed already", "origin")
        log = Log(self._store, self._number(origin), member, key, self._new_lock(), self._listeners)
        self._open(log)
        return log

    def _open(self, log: Log) -> None:
        try:
            log.state  # noqa: B018 -- read now, as a node should find out at its start
            self._damaged.pop(log.origin, None)
        except Unverified as error:
            self._damaged[log.origin] = error
        held = self._by_member.get(log.member)
        if held is None or held.origin == log.origin or log.origin not in self._by_origin:
            self._by_member[log.member] = log
        # Else it is a former log of the member's, read or begun anew: it has written another one since.
        self._by_origin[log.origin] = log

    def log(self, member: str) -> Log:
        """The member's log. Raises NotFound."""
        if member not in self._by_member:
            raise NotFound("NO_LOG", "no member of this name has a log here", "member")
        return self._by_member[member]

    def log_by_origin(self, origin: str) -> Log:
        """The log of this name. Raises NotFound."""
        if origin not in self._by_origin:
            raise NotFound("NO_LOG", "no log of this origin is kept here", "origin")
        return self._by_origin[origin]

    def logs(self) -> tuple[Log, ...]:
        """All logs that can be read, in the order they were listed."""
        return tuple(log for log in self._by_origin.values() if log.origin not in self._damaged)

    @property
    def damaged(self) -> Mapping[str, Unverified]:
        """By origin: why a log could not be opened. Reading it raises the same; `forget` begins it anew."""
        return dict(self._damaged)

    def own(self, signer: Signer) -> OwnLog:
        """To append to the log of this signing key. Raises NotFound, InvalidInput."""
        return OwnLog(self.log_by_origin(signer.key.name), signer)

    def replica(self, origin: str) -> Replica:
        """To apply blocks to this log. Raises NotFound."""
        return Replica(self.log_by_origin(origin))

    def listen(self, listener: Listener) -> None:
        """Calls `listener(log, size before)` after every commit, in the thread that wrote. It must not raise."""
        self._listeners.append(listener)

    @property
    def store(self) -> Store:
        """Where it lies, for what else is kept of its logs (ledger.witnessing.witness, ledger.witnessing.witnessed)."""
        return self._store

    def frozen(self, origin: str) -> bool:
        """Whether evidence of a fork has frozen this log. Read from memory."""
        return origin in self.freezer

    def evidence(self, origin: str) -> bytes | None:
        """The serialized Evidence that froze it."""
        return self.freezer.evidence(origin)

    def conflicting_witnesses(self, origin: str) -> tuple[bytes, bytes] | None:
        """Two witnessed heads of this log that conflict, where such are known: then nobody can say where it counts."""
        return self.freezer.conflict(origin)

    def verify(self, origin: str, progress: fsck.Progress = bool) -> int:
        """Checks everything stored of a log; how many entries it has. Nobody may write to it meanwhile.

        progress: told how many entries have been read. Raises Unverified with the first bad entry or tile as path
        (ledger.chain.fsck).
        """
        log = self.log_by_origin(origin)
        return fsck.check_log(self._store, log.keys, log.key, progress).size

    def repair(self, origin: str) -> Repaired:
        """Makes again what follows from a log's entries; the old `Log` must no longer be used. Nobody may write to it
        meanwhile. Raises Unverified, with nothing written, where the entries do not lead to their author's head."""
        old = self.log_by_origin(origin)
        repaired = repair_log(self._store, old.keys, old.key)
        self._open(Log(self._store, old.keys.number, old.member, old.key, self._new_lock(), self._listeners))
        return repaired

    def forget(self, origin: str) -> Log:
        """Begins a log anew, empty, to be fetched from other members again; the old `Log` must no longer be used.

        From the first write on the old entries are out of reach; if the rest is interrupted they only take up space.
        """
        old = self.log_by_origin(origin)
        new = Log(self._store, self._give_number(origin), old.member, old.key, self._new_lock(), self._listeners)
        self._open(new)
        for prefix in old.keys.all():
            while gone := list(self._store.scan(prefix, prefix_end(prefix), limit=_DELETED_AT_ONCE)):
                self._store.write([(key, None) for key, _ in gone], sync=False)
        return new

    def set_aside(self, origin: str, towards: SignedHead | None) -> Log:
        """As `forget`, but what was held stays in the store, under the old number, which nothing refers to any more.

        towards: a head of this log, verified, if one is known that counts; entries that lead past it to another one are
        a Fork from then on.
        """
        old = self.log_by_origin(origin)
        new = Log(self._store, self._give_number(origin), old.member, old.key, self._new_lock(), self._listeners)
        if towards is not None:
            with new.lock:
                new.commit([], new.state_for_writing().tree, Heads(None, None, (bare(towards, old.key),)))
        self._open(new)
        return new

    def _number(self, origin: str) -> int:
        held = self._store.get(ORIGIN + origin.encode())
        return self._give_number(origin) if held is None else int.from_bytes(held, "big")

    def _give_number(self, origin: str) -> int:
        held = self._store.get(NEXT_NUMBER)
        number = 0 if held is None else int.from_bytes(held, "big")
        if number >= MAX_NUMBER:
            raise Exhausted("TOO_MANY_LOGS", "the store has seen more logs than it has numbers for")
        puts = [(ORIGIN + origin.encode(), encode_number(number)), (NEXT_NUMBER, encode_number(number + 1))]
        self._store.write(puts, expect=(NEXT_NUMBER, held))
        return number
