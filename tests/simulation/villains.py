"""Members that do not keep to the protocol. Each is the real node, changed in one way, under its real keys."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError, Message
from plimsoll.v1 import entry_pb2, peer_pb2, peer_pb2_grpc

from ledger.ceremony.entry import ConfirmationEntry, DealingEntry, RevealEntry, read_entry
from ledger.chain.block import blocks_from
from ledger.consortium.manifest import Manifest
from ledger.errors import PlimsollError
from ledger.tlog.checkpoint import Head, sign_head
from ledger.tlog.merkle import leaf_hash
from ledger.witnessing.witnessed import Collected
from node.chain.committer import Committer
from node.chain.gossip import Gossip
from node.chain.witnessing import Witnessing
from node.wire.links import Link
from tests.simulation.machine import Machine

if TYPE_CHECKING:
    from tests.simulation.world import World

#: Odds that an answer is spoilt.
OFTEN = 0.4
ANSWERS: Mapping[str, type[Message]] = {
    "Heads": peer_pb2.HeadsResponse,
    "Push": peer_pb2.PushResponse,
    "Pull": peer_pb2.PullResponse,
    "Evaluate": peer_pb2.EvaluateResponse,
    "Decrypt": peer_pb2.DecryptResponse,
    "Witness": peer_pb2.WitnessResponse,
}


# -- one log, two histories


class Unashamed(Gossip):
    """Goes on with its own log, whatever it is told of it."""

    def check_one_history(self, member: str) -> None:
        if member != self._member:
            super().check_one_history(member)


def forker(world: World, machine: Machine) -> None:
    """Two machines under one key, each seen by one half of the others: what either appends, the other has not."""
    others = [member for member in world.machines if member != machine.member]
    world.rng.shuffle(others)
    half = world.rng.randint(1, len(others) - 1)
    twin = Machine(machine.setting, machine.member, machine.keyring, random.Random(world.plan.seed), world.images)
    twin.on_background = machine.on_background
    for each, callers in ((machine, others[:half]), (twin, others[half:])):
        each.callers = frozenset(callers)
        each.alone = True
        each.kinds.gossip = Unashamed
    world.twins[machine.member] = twin


# -- one log, and nobody is to know how much of it the others have seen

#: How an author keeps its log from being witnessed: it keeps the cosignatures to itself, asks everybody about another
#: head at another moment, or asks nobody.
WAYS = ("keeps", "apart", "silent")
#: Seconds, before all is healed, that its two histories are shown for.
SHOWN = 15.0


class _Hoarding(Witnessing):
    """way: one of WAYS; rng: set by the villain."""

    way = "keeps"
    rng = random.Random()

    async def _offer(
        self, link: Link, request: peer_pb2.WitnessRequest, collected: Collected, manifest: Manifest
    ) -> None:
        own = self._chain.log(self._member)
        if self.way == "silent" or not own.size:
            return
        note = request.head
        if self.way == "apart":
            await asyncio.sleep(self.rng.uniform(0, 4))
            size = self.rng.randint(max(1, own.size - 3), own.size)
            signed = sign_head(Head(own.origin, size, own.root_at(size)), self._signer)
            line = self._cosigner.cosign(signed.note.text, int(self._clock.unix()))
            note = signed.note.with_signatures([line]).encode()
        with suppress(PlimsollError):
            await link.witness(peer_pb2.WitnessRequest(head=note), 5.0)

    def notes(self) -> list[bytes]:
        own = self._chain.log(self._member).origin.encode()
        return [note for note in super().notes() if own not in note]


def hoarder(world: World, machine: Machine) -> None:
    """Has nothing of its log witnessed although it grows, looks fresh, and then forks it, so that none of it counts."""
    rng = random.Random(f"hoarder {world.plan.seed}")
    machine.kinds.witnessing = type("Hoarding", (_Hoarding,), {"way": rng.choice(WAYS), "rng": rng})

    async def hoard_and_fork() -> None:
        while world.loop.now < world.plan.seconds - SHOWN:
            await asyncio.sleep(rng.uniform(1, 12))
            await _grow(machine, rng)
        twin = Machine(machine.setting, machine.member, machine.keyring, rng, machine.images())
        twin.on_background = machine.on_background
        machine.crash()
        others = [member for member in world.machines if member != machine.member]
        half = rng.randint(1, len(others) - 1)
        for each, callers in ((machine, others[:half]), (twin, others[half:])):
            each.callers = frozenset(callers)
            each.alone = True
            each.kinds.gossip = Unashamed
            each.start()
            await _grow(each, rng)
        world.twins[machine.member] = twin

    world.mischief.append(hoard_and_fork())


async def _grow(machine: Machine, rng: random.Random) -> None:
    """By an entry that nobody else has."""
    if machine.node is None:
        return
    evaluation = entry_pb2.Evaluation(count=1, epoch=1, batch_digest=rng.randbytes(32))
    entry = entry_pb2.Entry(time=int(machine.clock.unix()), evaluation=evaluation).SerializeToString()
    task = machine.node.process.start(machine.node.assembly.committer.append([entry]))
    await asyncio.wait([task])
    if not task.cancelled():
        task.exception()


# -- answers


def garbler(world: World, machine: Machine) -> None:
    """Answers with bytes that are wrong, out of place, or of earlier answers; and pushes such blocks."""
    rng = random.Random(f"garbler {world.plan.seed}")
    earlier: dict[str, list[bytes]] = {}

    def twist(caller: str, method: str, request: bytes, answer: bytes) -> bytes:
        kept = earlier.setdefault(method, [])
        kept.append(answer)
        if rng.random() > OFTEN:
            return answer
        return rng.choice((_flipped, _shuffled, lambda rng, method, answer: rng.choice(kept)))(rng, method, answer)

    async def push_garbage() -> None:
        while True:
            await asyncio.sleep(rng.uniform(0.5, 3))
            if machine.node is None:
                continue
            held = rng.choice(machine.node.chain.logs())
            block = next(iter(blocks_from(held, rng.randint(0, held.size))), None)
            if block is not None:
                raw = _flipped(rng, "Pull", peer_pb2.PullResponse(block=block).SerializeToString())
                with suppress(DecodeError):
                    block = peer_pb2.PullResponse.FromString(raw).block
                    await _say(world, machine, rng, "Push", peer_pb2.PushRequest(block=block))

    world.network.twists[machine.member] = twist
    world.mischief.append(push_garbage())


def _flipped(rng: random.Random, method: str, answer: bytes) -> bytes:
    """One byte, or the end."""
    if not answer:
        return b"\xff"
    place = rng.randrange(len(answer))
    if rng.random() < 0.2:
        return answer[:place]
    return answer[:place] + bytes([answer[place] ^ 1 << rng.randrange(8)]) + answer[place + 1 :]


def _shuffled(rng: random.Random, method: str, answer: bytes) -> bytes:
    """A message in which some field is another's, or not there."""
    message = ANSWERS[method.rsplit("/", 1)[1]].FromString(answer)
    _shuffle(rng, message)
    return message.SerializeToString()


def _shuffle(rng: random.Random, message: Any) -> None:
    fields = message.ListFields()
    if not fields:
        return
    field, value = rng.choice(fields)
    if isinstance(value, bytes):
        setattr(message, field.name, bytes(reversed(value)))
    elif isinstance(value, int):
        setattr(message, field.name, rng.choice((0, value + 1, value // 2, 1 << 31)))
    elif isinstance(value, str):
        setattr(message, field.name, value[:-1])
    elif isinstance(value, Message):
        _shuffle(rng, value)
    else:
        items = list(value)
        rng.shuffle(items)
        del value[:]
        value.extend(items[: rng.randint(0, len(items))])


def withholder(world: World, machine: Machine) -> None:
    """Shows some members less than it has: no others' logs, entries below a head that it does not complete."""
    rng = random.Random(f"withholder {world.plan.seed}")
    victims = {member for member in world.machines if rng.random() < 0.6}

    def twist(caller: str, method: str, request: bytes, answer: bytes) -> bytes:
        name = method.rsplit("/", 1)[1]
        if caller not in victims or machine.node is None:
            return answer
        if name == "Heads":
            shown = peer_pb2.HeadsResponse.FromString(answer)
            own = [note for note in shown.heads if machine.node.own.origin.encode() in note]
            return peer_pb2.HeadsResponse(heads=own).SerializeToString()
        if name == "Pull":
            block = peer_pb2.PullResponse.FromString(answer).block
            held = machine.node.chain.log_by_origin(block.origin)
            less = next(iter(blocks_from(held, block.start, limit=1)), block)
            return peer_pb2.PullResponse(block=less).SerializeToString()
        return answer

    world.network.twists[machine.member] = twist


def replayer(world: World, machine: Machine) -> None:
    """Sends to others, as its own, what others have asked it."""
    rng = random.Random(f"replayer {world.plan.seed}")
    heard: list[tuple[str, bytes]] = []

    def twist(caller: str, method: str, request: bytes, answer: bytes) -> bytes:
        name = method.rsplit("/", 1)[1]
        if name in ("Decrypt", "Evaluate", "Witness"):
            heard.append((name, request))
        return answer

    async def replay() -> None:
        while True:
            await asyncio.sleep(rng.uniform(0.2, 2))
            if heard and machine.node is not None:
                name, raw = rng.choice(heard)
                request = getattr(peer_pb2, f"{name}Request").FromString(raw)
                if name == "Evaluate" and rng.random() < 0.5:
                    request.index = rng.randint(0, 20)
                await _say(world, machine, rng, name, request)

    world.network.twists[machine.member] = twist
    world.mischief.append(replay())


async def _say(world: World, machine: Machine, rng: random.Random, name: str, request: Any) -> None:
    """A call of the villain's own to one of the others; what comes of it is theirs to decide."""
    if machine.node is None:
        return
    to = rng.choice([member for member in world.machines if member != machine.member])
    channel: Any = world.network.channel(machine.node.process, to)
    stub = peer_pb2_grpc.PeerServiceStub(channel)
    call = getattr(stub, name)(request, timeout=5.0)
    task = machine.node.process.start(call)
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    await asyncio.wait([task])


# -- what stands in its log


class _Twisting(Committer):
    """Appends something else than its node meant to. twist: set by the villain."""

    twist: Callable[[bytes], Sequence[bytes]] = staticmethod(lambda entry: [entry])

    async def append(self, entries: Sequence[bytes]) -> int:
        return await super().append([twisted for entry in entries for twisted in type(self).twist(entry)])


def forger(world: World, machine: Machine) -> None:
    """Publishes positions whose proofs are wrong."""
    rng = random.Random(f"forger {world.plan.seed}")

    def twist(raw: bytes) -> Sequence[bytes]:
        entry = entry_pb2.Entry.FromString(raw)
        if entry.WhichOneof("kind") != "position" or entry.position.closed or rng.random() > OFTEN:
            return [raw]
        proof = entry.position.proof
        entry.position.proof = proof[:-1] + bytes([proof[-1] ^ 1])
        spoilt: bytes = entry.SerializeToString()
        world.watch.truth.spoilt.add(leaf_hash(spoilt))
        return [spoilt]

    machine.kinds.committer = type("Forging", (_Twisting,), {"twist": staticmethod(twist)})


def dealer(world: World, machine: Machine) -> None:
    """Deals shares that do not open; where the others can do without it, confirms and reveals what is wrong."""
    rng = random.Random(f"dealer {world.plan.seed}")
    victim = rng.randrange(world.plan.members)
    dispensable = world.plan.members >= 5

    def twist(raw: bytes) -> Sequence[bytes]:
        entry = read_entry(machine.member, 0, raw)
        body: Any = None if entry is None else entry.body
        time = entry_pb2.Entry.FromString(raw).time
        if isinstance(body, DealingEntry):
            sealed = list(body.sealed_shares)
            sealed[victim] = bytes(len(sealed[victim]))
            return [replace(body, sealed_shares=tuple(sealed)).encode(time)]
        if dispensable and isinstance(body, ConfirmationEntry) and rng.random() < 0.5:
            return [replace(body, transcript=rng.randbytes(32)).encode(time)]
        if dispensable and isinstance(body, RevealEntry) and rng.random() < 0.5:
            return [replace(body, bundle=bytes(len(body.bundle))).encode(time)]
        return [raw]

    machine.kinds.committer = type("Dealing", (_Twisting,), {"twist": staticmethod(twist)})


KINDS: Mapping[str, Callable[[World, Machine], None]] = {
    "ceremony": dealer,
    "forger": forger,
    "forker": forker,
    "garbler": garbler,
    "hoarder": hoarder,
    "replayer": replayer,
    "withholder": withholder,
}
