"""Key epochs, one dealt from another, from the logs alone (protocol, section 5, Resharing). Needs no secret.

Which epoch another is dealt from is said by its manifest, never found out from what is final when somebody looks: else
one confirmation held back could change what the entries of a later ceremony mean. So a resharing that never ends (a
receiver is gone for good) is left behind by a manifest that begins the next epoch, dealt from the same one; and if it
does end after all, nothing is lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ledger.ceremony.attempt import Checks
from ledger.ceremony.context import CeremonyContext, Former
from ledger.ceremony.entry import CeremonyEntry
from ledger.ceremony.replay import Ceremony, replay
from ledger.consortium.history import History
from ledger.consortium.manifest import Manifest
from ledger.errors import InvalidInput
from ledger.keys import PublicKeys


@dataclass(frozen=True, slots=True)
class Beginning:
    """What a manifest that begins a key epoch says of it.

    consortium, manifest: ids, 32 bytes each. epoch: 1, 2, .. dealt_from: the epoch whose custodians deal; 0 for the
    founding. custodians, threshold: who will hold the shares.
    """

    consortium: bytes
    manifest: bytes
    epoch: int
    dealt_from: int
    custodians: tuple[str, ...]
    threshold: int

    @classmethod
    def of(cls, manifest: Manifest, epoch: int = 1, dealt_from: int | None = None) -> Beginning:
        """dealt_from: the epoch before where None."""
        source = epoch - 1 if dealt_from is None else dealt_from
        return cls(manifest.consortium, manifest.id, epoch, source, manifest.custodians, manifest.threshold)

    def context(self, former: Former | None) -> CeremonyContext:
        """What the entries of its ceremony are bound to."""
        return CeremonyContext(self.consortium, self.manifest, self.epoch, self.custodians, self.threshold, former)


@dataclass(frozen=True, slots=True)
class Epochs:
    """Where all ceremonies stand. ceremonies: by epoch, ascending; those whose source is final, or that have none."""

    beginnings: tuple[Beginning, ...]
    ceremonies: Mapping[int, Ceremony]

    @property
    def newest(self) -> Beginning:
        """The last one begun, whether or not it is final."""
        return self.beginnings[-1]

    @property
    def wanted(self) -> frozenset[int]:
        """The newest epoch, the one it is dealt from, and so on. Others that are not final were left behind."""
        line = [self.newest.epoch]
        while source := self.beginnings[line[-1] - 1].dealt_from:
            line.append(source)
        return frozenset(line)

    @property
    def keys(self) -> Mapping[int, PublicKeys]:
        """The public keys of every epoch that is final, ascending."""
        return {epoch: ceremony.keys for epoch, ceremony in self.ceremonies.items() if ceremony.keys is not None}

    @property
    def in_force(self) -> Ceremony | None:
        """That of the highest epoch that is final."""
        return next((c for c in reversed(list(self.ceremonies.values())) if c.keys is not None), None)


def beginnings_of(history: History) -> list[Beginning]:
    """What the manifests that begin a key epoch say of it, in their order."""
    beginnings: list[Beginning] = []
    for manifest in history.manifests:
        if manifest.epoch > len(beginnings):
            beginnings.append(Beginning.of(manifest, manifest.epoch, manifest.dealt_from))
    return beginnings


def replay_epochs(
    beginnings: Sequence[Beginning], entries: Iterable[CeremonyEntry], checks: Checks | None = None
) -> Epochs:
    """Replays epoch after epoch.

    beginnings: of the manifests in their order. entries: as `replay` takes them, of all these ceremonies. checks: as
    for `replay`. Raises InvalidInput where the beginnings do not follow from one another.
    """
    check_beginnings(beginnings)
    checks, known = checks or Checks(), list(entries)
    ceremonies: dict[int, Ceremony] = {}
    for beginning in beginnings:
        former = None
        if beginning.dealt_from:
            source = ceremonies.get(beginning.dealt_from)
            if source is None or source.keys is None:
                continue
            former = Former(source.context.custodians, source.context.threshold, source.keys)
        ceremonies[beginning.epoch] = replay(beginning.context(former), known, checks)
    return Epochs(tuple(beginnings), ceremonies)


def check_beginnings(beginnings: Sequence[Beginning]) -> None:
    """Raises InvalidInput unless the first is the founding's and each other the next, dealt from one before it."""
    for number, beginning in enumerate(beginnings, 1):
        founding = number == 1
        if beginning.epoch != number or founding != (beginning.dealt_from == 0):
            raise InvalidInput("BAD_EPOCH", f"key epoch {number} must be the next, dealt from one before it", "epoch")
        if not 0 <= beginning.dealt_from < beginning.epoch:
            raise InvalidInput("BAD_EPOCH", f"key epoch {number} is dealt from one before it", "dealt_from")
        if beginning.consortium != beginnings[0].consortium:
            raise InvalidInput("OTHER_CONSORTIUM", "the manifests are those of several consortia", "consortium")
    if not beginnings:
        raise InvalidInput("BAD_EPOCH", "there is no manifest that begins a key epoch")
