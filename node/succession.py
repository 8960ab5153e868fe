"""What changes in a running node when a successor of the manifest is in force (design section 7). Nothing stops for it.

Who joins gets a link and a replica; who leaves loses both link and standing, but its replica stays: earlier answers
rest on it. Links to members that have moved or changed their CA are made anew, others stay as they are. The custodians
of a new key epoch begin its ceremony by themselves (node.ceremonies), the old ones go on answering until it is final.
"""

from __future__ import annotations

import structlog

from ledger.chain import Chain
from ledger.errors import Refused, Unready
from ledger.history import History
from ledger.member import Member
from node.arrivals import Arrivals
from node.ceremonies import Ceremonies
from node.clock import Clock
from node.connections import Connections
from node.consortium import Consortium
from node.gossip import Gossip
from node.tls import Callers

log = structlog.get_logger()


class Succession:
    """To be used from the event loop's thread."""

    def __init__(
        self,
        consortium: Consortium,
        chain: Chain,
        callers: Callers,
        connections: Connections,
        gossip: Gossip,
        ceremonies: Ceremonies,
        arrivals: Arrivals,
        clock: Clock,
    ) -> None:
        self._consortium = consortium
        self._chain = chain
        self._callers = callers
        self._connections = connections
        self._gossip = gossip
        self._ceremonies = ceremonies
        self._arrivals = arrivals
        self._clock = clock

    def follow(self, history: History) -> None:
        """The last manifest of `history` is in force. Raises Refused (LEFT) where this member is none any more, Unready
        (KEYS_CHANGED) where it has other keys, which a passphrase must open: then the node has to be started again."""
        before, manifest = self._consortium.manifest, history.current
        if self._consortium.member not in manifest:
            raise Refused("LEFT", f"{self._consortium.member} is no member any more, by manifest {manifest.id.hex()}")
        own = self._consortium.member
        if _keys(manifest.member(own)) != _keys(before.member(own)):
            raise Unready(
                "KEYS_CHANGED", "this member's keys have changed: start the node again, which puts them in place"
            )
        known = {held.origin for held in self._chain.logs()} | set(self._chain.damaged)
        for member in manifest.members:
            key = manifest.log_key(member.name)
            if key.name not in known:
                held = self._chain.add(member.name, key.name, key)
                self._arrivals.found(held.origin, held.covered, self._clock.monotonic())
        self._consortium.follow(history)
        self._callers.follow(manifest)
        self._connections.follow()
        self._gossip.follow(self._connections.links.values(), manifest.policy.gossip_seconds)
        self._arrivals.follow(manifest.policy.heads_seconds)
        self._ceremonies.wake()
        log.info("a successor is in force", manifest=manifest.id.hex(), sequence=manifest.sequence)


def _keys(member: Member) -> tuple[bytes, bytes, bytes]:
    return member.log_key, member.cosign_key, member.tls_ca
