"""The node's TLS towards everybody, as the manifest in force and its own certificate have it (design section 7).

Either may change while the node runs: a member joins, leaves, moves or changes its CA; a certificate is renewed. Links
that are the same stay as they are, connections that stand go on. Where only this node's certificate is new each link
goes on over a new channel, as others hold on to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import grpc
import grpc.aio

from node.clock import Clock
from node.consortium import Consortium
from node.wire.links import CHANNEL_OPTIONS, Link
from node.wire.tls import Presented, channel_credentials, channel_options, server_credentials


@dataclass(frozen=True)
class _Made:
    """A link, and what it was made of."""

    link: Link
    of: tuple[str, bytes, Presented]


class Connections:
    """Call `follow` after every change. To be used from the event loop's thread, but for the handshakes."""

    def __init__(self, consortium: Consortium, presented: Presented, clock: Clock) -> None:
        """presented: this node's own certificate and key."""
        self._consortium = consortium
        self._presented = presented
        self._clock = clock
        self._made: dict[str, _Made] = {}
        self._links: dict[str, Link] = {}
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def links(self) -> Mapping[str, Link]:
        """To every other member, by name; a view that always shows them as they are."""
        return MappingProxyType(self._links)

    @property
    def presented(self) -> Presented:
        """This node's certificate and key, as they are now."""
        return self._presented

    def server_credentials(self) -> grpc.ServerCredentials:
        """Of this node's server: every handshake sees the CAs and the certificate of its moment."""
        return server_credentials(lambda: (self._consortium.manifest, self._presented))

    def present(self, presented: Presented) -> None:
        """This certificate and key from now on."""
        self._presented = presented
        self.follow()

    def follow(self) -> None:
        """Links to those who are members now."""
        manifest = self._consortium.manifest
        now = {}
        for member in manifest.members:
            if member.name == self._consortium.member:
                continue
            of = (str(member.address), member.tls_ca, self._presented)
            made = self._made.get(member.name)
            if made is None or made.of[:2] != of[:2]:
                made = _Made(Link(member.name, str(member.address), self._channel(member.name), self._clock), of)
            elif made.of != of:
                self._closes(made.link.go_on_over(self._channel(member.name)))
                made = _Made(made.link, of)
            now[member.name] = made
        for name, made in self._made.items():
            if name not in now or now[name].link is not made.link:
                self._closes(made.link.close())
        self._made = now
        self._links.clear()
        self._links.update((name, made.link) for name, made in now.items())

    async def close(self) -> None:
        """Ends all channels."""
        await asyncio.gather(*self._closing, *(link.close() for link in self._links.values()))

    def _closes(self, closing: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(closing)
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def _channel(self, name: str) -> grpc.aio.Channel:
        manifest = self._consortium.manifest
        credentials = channel_credentials(manifest, name, self._presented.key, self._presented.certificate)
        address = str(manifest.member(name).address)
        return grpc.aio.secure_channel(address, credentials, [*CHANNEL_OPTIONS, *channel_options(name)])
