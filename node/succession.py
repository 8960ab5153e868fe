"""What changes in a running node when a successor of the manifest is in force (design section 7). Nothing stops for it.

Who joins gets a link and a replica; who leaves loses both link and standing, but its replica stays: earlier answers
rest on it. Links to members that have moved or changed their CA are made anew, others stay as they are. The custodians
of a new key epoch begin its ceremony by themselves (node.custody.ceremonies); the old ones go on answering until it is
final.
"""

from __future__ import annotations

import structlog

from ledger.consortium.history import History
from ledger.consortium.member import Member
from ledger.errors import Refused, Unready
from node.assembly import Assembly
from node.clock import Clock
from node.consortium import Consortium
from node.wire.connections import Connections
from node.wire.tls import Callers

log = structlog.get_logger()


class Succession:
    """To be used from the event loop's thread."""

    def __init__(
        self, consortium: Consortium, callers: Callers, connections: Connections, parts: Assembly, clock: Clock
    ) -> None:
        self._consortium = consortium
        self._callers = callers
        self._connections = connections
        self._parts = parts
        self._clock = clock

    async def follow(self, history: History) -> None:
        """The last manifest of `history` is in force. Raises Refused (LEFT) where this member is none any more, Unready
        (KEYS_CHANGED) where it has other keys, which a passphrase must open: then the node has to be started again."""
        before, manifest = self._consortium.manifest, history.current
        if self._consortium.member not in manifest:
            raise Refused("LEFT", f"{self._consortium.member} is no member any more, by manifest {manifest.id.hex()}")
        own = self._consortium.member
        if _keys(manifest.member(own)) != _keys(before.member(own)):
            raise Unready("KEYS_CHANGED", "this member has other keys now: start the node again to put them in place")
        chain, arrivals = self._parts.chain, self._parts.arrivals
        known = {held.origin for held in chain.logs()} | set(chain.damaged)
        for member in manifest.members:
            key = manifest.log_key(member.name)
            if key.name not in known:
                held = chain.add(member.name, key.name, key)
                arrivals.found(held.origin, held.covered, self._clock.monotonic())
        self._consortium.follow(history)
        self._callers.follow(manifest)
        self._connections.follow()
        self._parts.gossip.follow(self._connections.links.values(), manifest.policy.gossip_seconds)
        arrivals.follow(manifest.policy.heads_seconds)
        self._parts.ceremonies.wake()
        log.info("a successor is in force", manifest=manifest.id.hex(), sequence=manifest.sequence)


def _keys(member: Member) -> tuple[bytes, bytes, bytes]:
    return member.log_key, member.cosign_key, member.tls_ca
