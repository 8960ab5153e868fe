"""The custodians as this node reaches them: itself without a network, the others over their links."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping

from plimsoll.v1 import peer_pb2

from ledger.consortium.manifest import Manifest
from ledger.errors import Unavailable
from ledger.queries.findings import Findings
from node.consortium import Consortium
from node.custody.custody import Custody
from node.wire.links import Link


class Custodians:
    """In the order in which they are best asked."""

    def __init__(self, consortium: Consortium, custody: Custody, links: Mapping[str, Link]) -> None:
        """links: by member, as they are at any time."""
        self._member = consortium.member
        self._custody = custody
        self._links = links

    def order(self, keeping: Manifest) -> list[str]:
        """Itself if it holds shares, then those that answered last time by latency, then the others.

        keeping: the manifest whose custodians hold the shares that are asked for. The keys in force may be others by
        now, and these may have other custodians.
        """
        names = keeping.custodians
        return sorted((name for name in names if name == self._member or name in self._links), key=self._cost)

    def latency(self, keeping: Manifest) -> float:
        """Smoothed seconds that these custodians take to answer."""
        links = (self._links.get(name) for name in keeping.custodians)
        return max((link.latency for link in links if link is not None), default=0.0)

    async def evaluate(
        self, member: str, request: peer_pb2.EvaluateRequest, timeout: float
    ) -> peer_pb2.EvaluateResponse:
        """Raises what the custodian refuses with; Unavailable where it does not answer in `timeout` seconds."""
        if member == self._member:
            return await self._custody.evaluate(member, request)
        return await self._link(member).evaluate(request, timeout)

    async def decrypt(
        self, member: str, request: peer_pb2.DecryptRequest, timeout: float, findings: Awaitable[Findings]
    ) -> peer_pb2.DecryptResponse:
        """Likewise. findings: what this node finds itself; as custodian it does not work it out again."""
        if member == self._member:
            return await self._custody.decrypt(member, request, await findings)
        return await self._link(member).decrypt(request, timeout)

    def _link(self, member: str) -> Link:
        if member not in self._links:
            raise Unavailable("UNREACHABLE", f"{member} has left the consortium")
        return self._links[member]

    def _cost(self, name: str) -> tuple[int, float]:
        if name == self._member:
            return (0 if self._custody.holds_shares else 3), 0.0
        link = self._links[name]
        return (1 if link.reachable else 2), link.latency
