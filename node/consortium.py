"""The consortium as this node knows it now: its manifests, of which the last one is in force (design section 7)."""

from __future__ import annotations

from ledger.consortium.history import History
from ledger.consortium.manifest import Manifest


class Consortium:
    """One for the whole node. Parts look here for each thing they do, as the manifest in force may change meanwhile;
    one thing is done under one manifest, so they look once."""

    def __init__(self, member: str, history: History) -> None:
        """member: whose node this is."""
        self.member = member
        self._history = history

    @property
    def history(self) -> History:
        """All manifests so far."""
        return self._history

    @property
    def manifest(self) -> Manifest:
        """The one in force."""
        return self._history.current

    @property
    def id(self) -> bytes:
        """The founding manifest's id, 32 bytes; never changes."""
        return self._history.consortium

    def follow(self, history: History) -> None:
        """A successor is in force."""
        self._history = history
