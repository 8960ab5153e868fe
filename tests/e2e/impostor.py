"""A malicious member: its node is stopped, and a test has its certificate, its log key and all that it ever replicated.

It keeps a chain in memory, appends what it likes under its real key, and speaks to the other nodes as its node would.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from plimsoll.v1 import peer_pb2

from ledger.borrower.evaluation import Evaluation, batch_digest
from ledger.borrower.labels import BorrowerKeys, Numbered, QueryKeys
from ledger.borrower.pseudonym import Batch
from ledger.ceremony import CeremonyContext, read_entry, replay
from ledger.ceremony.entry import CeremonyEntry
from ledger.chain.block import blocks_from
from ledger.chain.chain import Chain, Log, OwnLog, Replica
from ledger.chain.entries import Kind
from ledger.chain.memory_store import MemoryStore
from ledger.crypto import elgamal, group, schnorr
from ledger.crypto.elgamal import Ciphertext
from ledger.crypto.group import Scalar
from ledger.keys import PublicKeys
from ledger.positions.bands import Bands
from ledger.positions.position_entry import PositionEntry
from ledger.queries.inquiry import Inquiry, heads_digest
from ledger.tlog.checkpoint import Head, sign_head
from ledger.tlog.cosignature import Cosigner
from ledger.tlog.merkle import leaf_hash
from ledger.tlog.note import Note, Signer
from tests.cluster import CONSENT, Cluster
from tests.e2e.wire import peer_stub

KINDS = (Kind.READY, Kind.DEALING, Kind.CLOSE, Kind.COMPLAINT, Kind.REVEAL, Kind.CONFIRMATION)


class Impostor:
    """Acts as `member`. `servers` are the nodes it speaks to, the first of which it learns from."""

    def __init__(self, cluster: Cluster, member: str, servers: Sequence[str]) -> None:
        self.cluster = cluster
        self.member = member
        self.servers = tuple(servers)
        self.manifest = cluster.manifest
        self.consortium = self.manifest.consortium
        self.stubs: dict[str, Any] = {server: peer_stub(cluster, member, server) for server in servers}
        self.chain = _empty_chain(cluster)
        self._keys: dict[str, BorrowerKeys] = {}
        self.catch_up()
        self.public = self._public_keys()

    @property
    def origin(self) -> str:
        """Of its own log."""
        return self.manifest.origin(self.member)

    @property
    def log(self) -> Log:
        """Its own log."""
        return self.chain.log(self.member)

    @property
    def signer(self) -> Signer:
        """Its log key."""
        return Signer.from_seed(self.origin, self.cluster.keyring(self.member).log_seed)

    def catch_up(self, *, own: bool = True) -> None:
        """Pulls every log from the first server, its own too."""
        for log in self.chain.logs():
            if log.member == self.member and not own:
                continue
            request = peer_pb2.PullRequest(origin=log.origin, start=log.size)
            for response in self.stubs[self.servers[0]].Pull(request, timeout=20):
                Replica(log).apply(response.block)

    def forked(self, size: int) -> Impostor:
        """The same member with another history: its log shares the first `size` entries."""
        other = object.__new__(Impostor)
        other.__dict__.update(self.__dict__)
        other.chain = _empty_chain(self.cluster)
        for log in self.chain.logs():
            if log.member != self.member:
                for block in blocks_from(log, 0):
                    Replica(other.chain.log(log.member)).apply(block)
        if size:
            other.force_here(*self.log.entries(0, size))
        return other

    # -- its log

    def append(self, *entries: bytes) -> int:
        """Index of the first; nobody knows of them yet."""
        return OwnLog(self.log, self.signer).append(entries)

    def force(self, *entries: bytes) -> int:
        """Appends and delivers what its own node would refuse: unsound entries, labels that are taken."""
        start = self.force_here(*entries)
        self.deliver()
        return start

    def force_here(self, *entries: bytes) -> int:
        """The same without telling anybody."""
        start = self.log.size
        with self.log.lock:
            state = self.log.state_for_writing()
            tree = state.tree.extended([leaf_hash(entry) for entry in entries])
        head = sign_head(Head(self.origin, tree.size, tree.root()), self.signer)
        block = peer_pb2.Block(origin=self.origin, start=start, entries=entries, head=head.note.encode())
        Replica(self.log).apply(block)
        return start

    def block(self, start: int) -> peer_pb2.Block:
        """Its log from `start` on."""
        return next(iter(blocks_from(self.log, start)))

    def push(self, server: str, block: peer_pb2.Block) -> int:
        """Offers a block to one node; how much it then holds."""
        return int(self.stubs[server].Push(peer_pb2.PushRequest(block=block), timeout=10).size)

    def deliver(self, *servers: str) -> None:
        """Makes these nodes, or all, hold its whole log."""
        for server in servers or self.servers:
            held = [self.push(server, block) for block in blocks_from(self.log, 0)]
            assert held[-1:] == [self.log.size] or not self.log.size

    def publish(self, *entries: bytes) -> int:
        """Appends, and pushes to every server; index of the first."""
        index = self.append(*entries)
        self.deliver()
        return index

    # -- witnesses

    def beat(self, server: str, witnessed: bytes = b"", size: int | None = None) -> bytes:
        """Asks one node to cosign its log at its end, or at a size; the note with the node's line, or nothing."""
        request = peer_pb2.WitnessRequest(head=self.spoken(size).encode(), witnessed=witnessed)
        return bytes(self.stubs[server].Witness(request, timeout=10).head)

    def beat_until_cosigned(self, server: str, timeout: float = 15.0) -> bytes:
        """The same until there is a line."""
        deadline = time.monotonic() + timeout
        while not (note := self.beat(server)):
            assert time.monotonic() < deadline, f"{server} does not cosign"
            time.sleep(0.2)
        return note

    def spoken(self, size: int | None = None) -> Note:
        """Its head with its own cosignature, as of now."""
        size = self.log.size if size is None else size
        signed = sign_head(Head(self.origin, size, self.log.root_at(size)), self.signer)
        return signed.note.with_signatures([self.cosigner_of(self.member).cosign(signed.note.text, int(time.time()))])

    def cosigner_of(self, member: str) -> Cosigner:
        """The cosigning key of a member that is in league with it, or its own."""
        key = self.manifest.cosigner_key(member)
        return Cosigner.from_seed(key.name, self.cluster.keyring(member).cosign_seed)

    # -- keys

    def _public_keys(self) -> PublicKeys:
        context = CeremonyContext.of(self.manifest)
        entries: list[CeremonyEntry] = []
        for log in self.chain.logs():
            for kind in KINDS:
                found = (read_entry(log.member, index, raw) for index, raw in log.entries_by_kind(kind))
                entries += [entry for entry in found if entry is not None]
        keys = replay(context, entries).keys
        assert keys is not None, "the ceremony is final"
        return keys

    def borrower(self, identity: str) -> BorrowerKeys:
        """Obtained once, as any member may."""
        if identity not in self._keys:
            self.deliver()
            batch = Batch([identity], self.consortium, self.public, self.manifest.threshold, os.urandom)
            index = self.append(batch.entry(int(time.time())))
            for server in self.servers:
                if not batch.is_complete:
                    response = self.evaluate(server, index, batch.elements)
                    assert batch.accept(self.manifest.custodian_index(server), response)
            self._keys[identity] = BorrowerKeys.from_pseudonym_key(batch.finish()[0])
        return self._keys[identity]

    # -- evaluations

    def evaluation(self, elements: Sequence[bytes], **changes: Any) -> bytes:
        """An Evaluation entry for these elements, or one that says something else."""
        digest = batch_digest(self.consortium, 1, elements)
        return replace(Evaluation(int(time.time()), len(elements), 1, digest), **changes).encode()

    def evaluate(self, server: str, index: int, elements: Sequence[bytes]) -> peer_pb2.EvaluateResponse:
        """Asks one custodian about a logged batch."""
        request = peer_pb2.EvaluateRequest(tail=self.block(index), index=index, elements=elements)
        return self.stubs[server].Evaluate(request, timeout=15)  # type: ignore[no-any-return]

    # -- positions

    def number_of(self, identity: str) -> int:
        """The next number of its positions for this borrower."""
        newest = Numbered(self.log, self.borrower(identity).query.positions(self.member)).newest(self.log.size)
        return 0 if newest is None else newest + 1

    def position(
        self,
        identity: str,
        amounts: Sequence[int],
        *,
        number: int | None = None,
        ciphertext: Ciphertext | None = None,
        **changes: Any,
    ) -> bytes:
        """A Position entry of its own for this borrower; the seven amounts may be anything, negative too."""
        number = self.number_of(identity) if number is None else number
        label = self.borrower(identity).query.positions(self.member)(number)
        made = ciphertext or self.encrypt(label, amounts)
        entry = PositionEntry(int(time.time()), label, 1, _today(), made, os.urandom(32), os.urandom(540))
        return replace(entry, **changes).encode()

    def encrypt(self, label: bytes, amounts: Sequence[int]) -> Ciphertext:
        """As `ledger.crypto.elgamal.encrypt`, without its bounds: a good proof over any plaintexts."""
        r, u = (group.random_scalar(os.urandom) for _ in range(2))
        place = (self.consortium, 1, self.member, label)
        plain = elgamal.encrypt(self.public.fields, [0] * 7, r, u, *place)
        bodies = tuple(
            group.add(body, group.mul_base(_scalar(amount))) if amount else body
            for body, amount in zip(plain.bodies, amounts, strict=True)
        )
        statement = elgamal._statement(self.public.fields, *place, plain.nonce_point, bodies)
        challenge = group.hash_to_scalar(elgamal.DOMAIN, *statement, group.mul_base(u))
        return Ciphertext(plain.nonce_point, bodies, schnorr.respond(challenge, r, u))

    def amounts(self, outstanding: int) -> tuple[int, ...]:
        """An honest position's: one account, class pass, nothing overdue."""
        bands = Bands.from_major(
            self.manifest.policy.bands, self.manifest.policy.overdue_bands, self.manifest.minor_per_major
        )
        band = 1 << 6 * bands.outstanding_band(outstanding)
        return (outstanding, outstanding // 10, 2 * outstanding, 1 << 6 | 1, 0, band, 0)

    # -- inquiries

    def heads(self) -> tuple[Head, ...]:
        """Of all logs as it holds them, in the manifest's order."""
        logs = [self.chain.log(member.name) for member in self.manifest.members]
        return tuple(Head(log.origin, log.size, log.root_at(log.size)) for log in logs)

    def inquiry(
        self, keys: QueryKeys, *, heads: Sequence[Head] | None = None, number: int | None = None, **changes: Any
    ) -> Inquiry:
        """About a borrower, or something that pretends to be."""
        labels = keys.inquiries(self.member)
        newest = Numbered(self.log, labels).newest(self.log.size)
        number = number if number is not None else 0 if newest is None else newest + 1
        used = self.heads() if heads is None else heads
        inquiry = Inquiry(
            time=int(time.time()),
            label=labels(number),
            purpose=1,
            consent_digest=CONSENT,
            as_of=0,
            epoch=1,
            manifest=self.manifest.id,
            sizes=tuple(head.size for head in used),
            heads_digest=heads_digest(used),
        )
        return replace(inquiry, **changes)

    def request(
        self, keys: QueryKeys, inquiry: Inquiry, heads: Sequence[Head] | None = None
    ) -> peer_pb2.DecryptRequest:
        """Logs the inquiry, behind what everybody then holds, and makes the request about it."""
        used = self.heads() if heads is None else heads
        self.deliver()
        index = self.append(inquiry.encode())
        return self.request_for(keys, index, used)

    def request_for(self, keys: QueryKeys, index: int, heads: Iterable[Head]) -> peer_pb2.DecryptRequest:
        """About the entry at this index of its log."""
        request = peer_pb2.DecryptRequest(
            entry=self.log.entry(index),
            receipt=self.log.receipt(index).encode(),
            tail=self.block(index),
            query_key=keys.query_key,
        )
        for head in heads:
            request.heads.add(origin=head.origin, size=head.size, root=head.root)
        return request

    def ask(self, server: str, request: peer_pb2.DecryptRequest) -> peer_pb2.DecryptResponse:
        """What one custodian answers."""
        return self.stubs[server].Decrypt(request, timeout=15)  # type: ignore[no-any-return]


def _empty_chain(cluster: Cluster) -> Chain:
    manifest = cluster.manifest
    names = [(each.name, manifest.origin(each.name), manifest.log_key(each.name)) for each in manifest.members]
    return Chain(MemoryStore(), names)


def _scalar(amount: int) -> Scalar:
    return (amount % group.L).to_bytes(32, "little")


def _today() -> int:
    return int(time.time()) // 86_400


def flip(raw: bytes, place: int = -1) -> bytes:
    """The same with one bit changed."""
    changed = bytearray(raw)
    changed[place] ^= 1
    return bytes(changed)


#: Bytes that are no point or scalar: too short, too long, not canonical, and the identity.
BAD_POINTS = (b"", bytes(31), bytes(33), b"\xff" * 32, bytes(32))
