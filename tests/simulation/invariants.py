"""What must be so at every step of a world. Each check costs as much as what is new.

- One history: whatever two nodes hold of a log is the same, entry by entry; where an author has signed two, that is
  known to an honest node in the end. No honest author has signed two, or is said to have.
- Nothing acknowledged is lost: an entry whose author was told that it is durable, and one that a peer said it holds,
  is there after every crash; and it was durable when that was said.
- Nothing is shown that could still be lost: heads that leave a node are of what its disk holds for good.
- Answers are true at their heads. What was released, taken together, is about no few members alone.
- What an author has shown is witnessed after a while, whatever it does to keep that from being so.
- Keys never differ.
- Nothing but our own errors leaves any part, and no background task ends.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from plimsoll.v1 import lender_pb2, peer_pb2

from ledger.chain.chain import Log
from ledger.consortium.manifest import Manifest
from ledger.tlog.checkpoint import parse_head_text
from ledger.tlog.merkle import leaf_hash
from ledger.tlog.note import parse_note
from ledger.tlog.receipt import Receipt
from tests.simulation.machine import Machine, Parts
from tests.simulation.truth import Told, Truth, singles_out

HEADS, PUSH, PULL, DECRYPT = (f"/plimsoll.v1.PeerService/{name}" for name in ("Heads", "Push", "Pull", "Decrypt"))


#: Heartbeats, each of 5 s, after which what is held must be witnessed: until it is overdue and then two turns of 40 s,
#: twice, as a head that was cosigned before may come first.
BEATS = 42


class Violation(AssertionError):
    """An invariant does not hold."""


class Watch:
    """Sees everything that happens in a world. machines: by name of the machine, which for a member with two machines
    is not the member's. suspects: members that may have signed two histories."""

    def __init__(self, manifest: Manifest, truth: Truth, suspects: frozenset[str]) -> None:
        self.violations: list[str] = []
        self.suspects = suspects
        #: Called at the first violation, so that the world stops there.
        self.on_violation: Callable[[], object] = lambda: None
        self.truth = truth
        #: By member: what each entry of its log tells, as the first node that had it saw it.
        self.told: dict[str, list[Told | None]] = {member.name: [] for member in manifest.members}
        #: Members of whose logs two histories were seen.
        self.forked: set[str] = set()
        self.checks = 0
        self._manifest = manifest
        self._leaves: dict[str, list[bytes]] = {member.name: [] for member in manifest.members}
        self._seen: dict[tuple[str, str], int] = {}
        self._promised: defaultdict[str, dict[str, int]] = defaultdict(dict)
        self._acknowledged: defaultdict[str, dict[int, bytes]] = defaultdict(dict)
        self._keys: dict[int, tuple[bytes, ...]] = {}
        self._shown: set[tuple[str, bytes]] = set()
        #: By author: how much of its log honest members held, and when.
        self._held: defaultdict[str, list[tuple[float, int]]] = defaultdict(list)
        self._released: defaultdict[tuple[str, str], list[frozenset[str]]] = defaultdict(list)

    def broken(self, what: str) -> None:
        """An invariant does not hold."""
        self.violations.append(what)
        if len(self.violations) == 1:
            self.on_violation()

    def raised(self, where: str, error: BaseException | None) -> None:
        """Something else than an error of ours left a part."""
        self.broken(f"{where} raised {error!r}")

    # -- logs

    def started(self, machine: Machine, parts: Parts) -> None:
        """A node runs over what its disk holds: all that was promised, and nothing another history."""
        self._shown = {one for one in self._shown if one[0] != machine.member}
        for log in parts.chain.logs():
            self._seen[machine.member, log.member] = 0
            self.committed(machine, log)
            promised = self._promised[machine.member].get(log.member, 0)
            if log.size < promised:
                self.broken(f"{machine.member} lost {log.member}'s log from {log.size} on, having promised {promised}")
        parts.chain.listen(lambda log, _: self.committed(machine, log))
        self._check_own(machine, parts)

    def _check_own(self, machine: Machine, parts: Parts) -> None:
        log = parts.own
        for index, leaf in self._acknowledged[machine.member].items():
            if index >= log.size or log.leaf_hash(index) != leaf:
                self.broken(f"{machine.member} lost its own entry {index}, which it had acknowledged")

    def forget(self, machine: Machine) -> None:
        """Its disk was put back to what it was before: what it holds of others' logs it holds no more."""
        self._promised[machine.member].clear()
        self._acknowledged[machine.member].clear()

    def committed(self, machine: Machine, log: Log) -> None:
        """A node holds more of a log than before."""
        author, key = log.member, (machine.member, log.member)
        leaves, told = self._leaves[author], self.told[author]
        size = log.size
        for index in range(self._seen.get(key, 0), size):
            self.checks += 1
            leaf = log.leaf_hash(index)
            if index == len(leaves):
                raw = log.entry(index)
                if leaf_hash(raw) != leaf:
                    self.broken(f"entry {index} of {author} at {machine.member} is not what its leaf says")
                leaves.append(leaf)
                told.append(self._read(author, raw))
            elif leaves[index] != leaf:
                self._other_history(machine, author, index)
                break
        self._seen[key] = size

    def _read(self, author: str, raw: bytes) -> Told | None:
        if author in self.suspects:
            return None
        return self.truth.read(author, raw)

    def _other_history(self, machine: Machine, author: str, index: int) -> None:
        if author not in self.suspects:
            self.broken(f"{machine.member} holds another entry {index} of {author} than others do")
        self.forked.add(author)

    def acknowledged(self, machine: Machine, index: int, entries: Sequence[bytes]) -> None:
        """The author was told that these entries of its log are durable."""
        self.checks += 1
        self._check_durable(machine, machine.member, index + len(entries), "acknowledged an append")
        if machine.member not in self.suspects:
            self._acknowledged[machine.member].update(
                (index + place, leaf_hash(entry)) for place, entry in enumerate(entries)
            )

    def answered(self, machine: Machine, caller: str, method: str, request: bytes, answer: bytes) -> None:
        """An honest node's answer leaves it."""
        if method == DECRYPT:
            asker = Receipt.parse(peer_pb2.DecryptRequest.FromString(request).receipt).claimed_head.origin
            if asker != self._manifest.origin(caller):
                self.broken(f"{machine.member} answered {caller} an inquiry of {asker}")
        if method == PUSH:
            origin = peer_pb2.PushRequest.FromString(request).block.origin
            size = peer_pb2.PushResponse.FromString(answer).size
            member = origin.rsplit("/", 1)[1]
            self._check_durable(machine, member, size, "acknowledged a push")
            promised = self._promised[machine.member]
            promised[member] = max(size, promised.get(member, 0))
        elif method == HEADS:
            for note in peer_pb2.HeadsResponse.FromString(answer).heads:
                self._check_shown(machine, note)
        elif method == PULL:
            self._check_shown(machine, peer_pb2.PullResponse.FromString(answer).block.head)

    def _check_shown(self, machine: Machine, note: bytes) -> None:
        if (machine.member, note) in self._shown:
            return
        head = parse_head_text(parse_note(note).text)
        member = head.origin.rsplit("/", 1)[1]
        self._check_durable(machine, member, head.size, "showed a head")
        node = machine.node
        if node is not None and node.chain.log(member).root_at(head.size) != head.root:
            self.broken(f"{machine.member} showed a head of {member}'s log of a tree that it does not hold")
        self._shown.add((machine.member, note))

    def _check_durable(self, machine: Machine, member: str, size: int, what: str) -> None:
        self.checks += 1
        node = machine.node
        if node is None:
            return
        log = node.chain.log(member)
        if log.size < size or not machine.chain_disk.is_durable(log.keys.standing):
            self.broken(f"{machine.member} {what} of {member}'s log at {size} before it was durable")

    def accused(self, machine: Machine, parts: Parts) -> None:
        """Looks whom a node holds to have forked."""
        for origin in parts.gossip.problems:
            member = origin.rsplit("/", 1)[1]
            if member not in self.suspects:
                self.broken(f"{machine.member} says that {member}, who is honest, has two histories")

    # -- witnesses

    def check_witnessed(self, machines: Sequence[Machine], author: str, now: float) -> None:
        """All is well, but for an author that wants none of its log witnessed: what any of these held BEATS heartbeats
        ago counts at all of them, also where the log has been forked since."""
        nodes = [machine.node for machine in machines if machine.node is not None]
        held = max((node.chain.log(author).covered for node in nodes), default=0)
        if author not in self.forked:
            self._held[author].append((now, held))
        before = now - BEATS * self._manifest.policy.heartbeat_seconds
        least = max((size for at, size in self._held[author] if at <= before), default=0)
        for node in nodes:
            self.checks += 1
            counts = node.assembly.witnessed.size(self._manifest.origin(author))
            if counts < least:
                self.broken(f"{author}'s log counts at {counts} at {node.process.member}; {least} was held at {before}")

    # -- keys

    def check_keys(self, machine: Machine, parts: Parts) -> None:
        """The keys a node uses are those all others use."""
        keys = parts.custody.keys
        if keys is None:
            return
        self.checks += 1
        points = tuple(keys)
        if self._keys.setdefault(keys.epoch, points) != points:
            self.broken(f"{machine.member} has other keys of epoch {keys.epoch} than others")

    # -- answers

    def asked(self, machine: Machine, borrower: str, answer: lender_pb2.ExposureResponse) -> None:
        """A query was answered."""
        self.checks += 1
        sizes = {log.member: log.size for log in answer.logs}
        if self.suspects & self.told.keys() and any(member in self.suspects for member in sizes if sizes[member]):
            told: Mapping[str, Sequence[Told | None]] = self.told | self._as_held(machine)
        else:
            told = self.told
        lent, left_out = self.truth.at(borrower, told, sizes)
        fewest = self._manifest.policy.min_contributors
        for difference in self.truth.differences(answer, machine.member, lent, left_out, fewest):
            self.broken(f"{machine.member} was told of {borrower} at {sizes} {difference}")
        for left in answer.custodians_failed:
            if left.reason in ("BAD_PARTIAL", "DISAGREES") and left.member not in self.suspects:
                self.broken(f"{machine.member} says that {left.member}, who is honest, answered wrongly")
        if answer.HasField("amounts"):
            rows = self._released[machine.member, borrower]
            rows.append(frozenset(lent.keys() - {machine.member}))
            alone = singles_out(rows, fewest)
            if alone is not None:
                self.broken(f"what {machine.member} was told of {borrower} shows what {sorted(alone)} lent")

    def _as_held(self, machine: Machine) -> dict[str, list[Told | None]]:
        """What the suspects' logs tell, in the history that this node holds."""
        if machine.node is None:
            return {}
        logs = {member: machine.node.chain.log(member) for member in self.suspects}
        return {member: [self.truth.read(member, raw) for raw in log.entries(0)] for member, log in logs.items()}
