"""A large consortium: how long its members take to agree, and what that costs each. Logs, gossip and witnesses only."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass

from plimsoll.v1 import entry_pb2

from tests.lenders import lender
from tests.simulation.loop import VirtualLoop, run
from tests.simulation.machine import Machine, Setting
from tests.simulation.network import Network
from tests.simulation.remembered import remembered
from tests.simulation.trace import Trace
from tests.simulation.world import manifest, quiet, table

#: Entries that each member has at the start.
ENTRIES = 10
#: Seconds that idle traffic is measured for: some rounds of anti-entropy, two heartbeats.
IDLE = 10.0


@dataclass(frozen=True)
class Scale:
    """Seconds are virtual. first: until everybody holds everybody's entries, from an empty start; one: until everybody
    holds one more entry of one member. bytes_each, idle_each: sent and received by one member, in all for `first`, and
    a second with nothing new; idle_of: the same, by call."""

    members: int
    entries: int
    first: float
    one: float
    bytes_each: float
    idle_each: float
    idle_of: Mapping[str, float]


def measure(members: int, seed: int = 0) -> Scale:
    """So many members on a network of 20 ms one way."""
    rng = random.Random(f"scale {seed}")
    loop = VirtualLoop(lambda process: rng.expovariate(2_000.0))
    trace = Trace(loop.time)
    network = Network(rng, trace, _raise)
    network.weather.delay = 0.020
    setting = Setting(loop, network, manifest(members), table(), full=False)
    machines = [
        Machine(setting, f"lender-{n}", lender(n).keyring, random.Random(f"{n} {seed}")) for n in range(1, members + 1)
    ]
    with quiet(trace), remembered():
        scale: Scale = run(loop, _measured(network, loop, machines))
    return scale


async def _measured(network: Network, loop: VirtualLoop, machines: list[Machine]) -> Scale:
    for machine in machines:
        machine.alone = True
        machine.start()
    for machine in machines:
        await _append(machine, ENTRIES)
    first = await _until_agreed(loop, machines)
    spent, before = sum(network.bytes.values()), network.bytes_of.copy()
    began = loop.now
    await asyncio.sleep(IDLE)
    seconds = loop.now - began
    idle = (sum(network.bytes.values()) - spent) / seconds
    calls = network.bytes_of - before
    await _append(machines[0], 1)
    one = await _until_agreed(loop, machines)
    number = len(machines)
    shares = {call.rsplit("/", 1)[1]: 2 * size / seconds / number for call, size in calls.items()}
    return Scale(number, ENTRIES, first, one, spent / number, idle / number, shares)


async def _append(machine: Machine, count: int) -> None:
    node = machine.node
    assert node is not None
    task = node.process.start(node.assembly.committer.append([_entry(machine, number) for number in range(count)]))
    await task


def _entry(machine: Machine, number: int) -> bytes:
    digest = machine.rng.randbytes(32)
    evaluation = entry_pb2.Evaluation(count=1 + number, epoch=1, batch_digest=digest)
    return entry_pb2.Entry(time=1_760_000_000, evaluation=evaluation).SerializeToString()


async def _until_agreed(loop: VirtualLoop, machines: list[Machine]) -> float:
    """Seconds until every node holds what every author does."""
    began = loop.now
    sizes = {machine.member: machine.node.own.size for machine in machines if machine.node is not None}
    lacking = list(machines)
    while lacking:
        await asyncio.sleep(0.02)
        lacking = [machine for machine in lacking if not _holds(machine, sizes)]
        if loop.now - began > 600:
            raise AssertionError(f"{len(lacking)} of {len(machines)} members do not catch up")
    return loop.now - began


def _holds(machine: Machine, sizes: dict[str, int]) -> bool:
    assert machine.node is not None
    return all(machine.node.chain.log(member).covered == size for member, size in sizes.items())


def _raise(where: str, error: BaseException) -> None:
    raise AssertionError(f"{where} raised {error!r}")
