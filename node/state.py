"""How the node is, gathered from all its parts for the operator."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

from plimsoll.v1 import operator_pb2

from ledger.homes import home
from node.assembly import Assembly
from node.consortium import Consortium
from node.lending.book import Book
from node.upkeep.disk import Disk
from node.wire.links import Link


class Alerting(Protocol):
    """A part that may have something to tell."""

    @property
    def alerts(self) -> list[str]:
        """What a person should look at, in plain words."""


class State:
    """Read-only view over the parts of a running node."""

    def __init__(
        self,
        folder: Path,
        consortium: Consortium,
        book: Book,
        links: Mapping[str, Link],
        parts: Assembly,
        disk: Disk,
        alerting: Sequence[Alerting],
    ) -> None:
        """alerting: all that may have something to tell a person."""
        self._folder = folder
        self._consortium = consortium
        self._book = book
        self._links = links
        self._parts = parts
        self._disk = disk
        self._alerting = alerting
        self._started = time.monotonic()

    def describe(self) -> operator_pb2.StatusResponse:
        """Everything, as the wire has it."""
        disk, manifest = os.statvfs(self._folder), self._consortium.manifest
        return operator_pb2.StatusResponse(
            member=self._consortium.member,
            consortium=manifest.consortium.hex(),
            name=manifest.name,
            uptime_seconds=int(time.monotonic() - self._started),
            state=self._state(),
            peers=[self._peer(link) for link in self._links.values()],
            logs=[self._log(member.name) for member in manifest.members],
            keys=self._parts.ceremonies.status(),
            disk_used_bytes=sum(_size(self._folder / name) for name in (home.CHAIN, home.BOOK)),
            disk_free_bytes=disk.f_bavail * disk.f_frsize,
            borrowers=self._book.borrowers,
            memory_bytes=_resident(),
            version=version("plimsoll"),
            manifest=manifest.id.hex(),
            sequence=manifest.sequence,
            alerts=[alert for part in self._alerting for alert in part.alerts],
            disk_reserve_bytes=self._disk.reserve_bytes,
            challenges=self._challenges(),
        )

    def _challenges(self) -> operator_pb2.ChallengeStatus:
        counts = self._parts.doubting.counts
        return operator_pb2.ChallengeStatus(
            asked=counts.asked,
            proved=counts.good,
            pending=len(counts.pending),
            challenged=counts.challenged,
            answered=self._parts.answering.counted,
        )

    def _state(self) -> str:
        if self._disk.is_full:
            return "read-only (disk full)"
        if self._disk.problems or not self._parts.guard.is_open:
            return "read-only"
        if self._parts.ceremonies.keys is None:
            return "waiting-for-keys"
        return "rebuilding-book" if self._parts.reporting.is_rebuilding else "serving"

    def _peer(self, link: Link) -> operator_pb2.PeerStatus:
        ago = -1 if link.last_contact is None else int(time.monotonic() - link.last_contact)
        return operator_pb2.PeerStatus(
            member=link.member,
            address=link.address,
            reachable=link.reachable,
            error=link.error,
            last_contact_seconds=ago,
        )

    def _log(self, member: str) -> operator_pb2.LogStatus:
        log = self._parts.chain.log(member)
        age, current = self._parts.freshness.heard(member), self._parts.freshness.of(member, log.size)
        return operator_pb2.LogStatus(
            member=member,
            size=log.size,
            known_size=max(log.size, self._parts.gossip.known_sizes.get(log.origin, 0)),
            root="" if log.head is None else log.head.head.root.hex(),
            head_age_seconds=-1 if age is None else int(age),
            problem=self._parts.gossip.problems.get(log.origin, ""),
            witnessed_size=current.witnessed_size,
            frozen=current.frozen,
            witnessed_root=self._parts.freshness.witnessed_root(member),
        )


def _size(folder: Path) -> int:
    """Bytes of the files in a folder that may change while it is read."""
    total = 0
    with os.scandir(folder) as files:
        for file in files:
            try:
                total += file.stat().st_size
            except FileNotFoundError:  # compacted away between listing and asking
                continue
    return total


def _resident() -> int:
    """Bytes of memory in use now."""
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize()
