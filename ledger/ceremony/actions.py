"""What a member in a key ceremony asks its driver to do, in the order given, each done before the next."""

from __future__ import annotations

from dataclasses import dataclass, field

from ledger.keys import PublicKeys, SecretShares


@dataclass(frozen=True, slots=True)
class Persist:
    """Make this state durable, encrypted, in place of the one before."""

    state: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Append:
    """Append this entry to this custodian's own log."""

    entry: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Installed:
    """The keys are final and these shares fit them; the state persisted holds them. Told once by each Participant."""

    keys: PublicKeys
    shares: SecretShares


@dataclass(frozen=True, slots=True)
class Erase:
    """Make every state persisted before the last one unreadable: it holds what opens shares in the logs."""


@dataclass(frozen=True, slots=True)
class Retired:
    """Answer no more with the shares of this epoch; they are about to be erased. Of a Keeper only."""

    epoch: int


Action = Persist | Append | Installed | Erase
KeeperAction = Action | Retired
