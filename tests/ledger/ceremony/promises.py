"""What must hold of any ceremony, however it went."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

from ledger.ceremony.entry import ComplaintEntry, RevealEntry
from ledger.ceremony.state import ParticipantState
from ledger.crypto import group, shamir
from ledger.keys import PublicKeys, SecretShares
from tests.ledger.ceremony.simulation import World


def check_shares(keys: PublicKeys, threshold: int, shares: list[SecretShares]) -> None:
    """Each fits its public share; any t of them make the keys, and no t - 1 do."""
    for share in shares:
        share.check_fit(keys)
    for chosen in list(combinations(shares, threshold))[:4]:
        assert secrets_of(chosen) == list(keys)
    for chosen in list(combinations(shares, threshold - 1))[:4]:
        for made, key in zip(secrets_of(chosen), keys, strict=True):
            assert made != key


def secrets_of(shares: tuple[SecretShares, ...]) -> list[bytes]:
    """The public keys that these shares make, coordinate by coordinate."""
    indices = [share.index for share in shares]
    return [group.mul_base(shamir.interpolate(indices, column)) for column in zip(*shares, strict=True)]


def check_agreement(world: World) -> None:
    """Nobody installed anything but shares of the one set of final keys, and nobody can open the logs again."""
    keys = world.replay().keys
    for node in world.nodes:
        for told in node.installed:
            assert told.keys == keys
            told.shares.check_fit(told.keys)
        if node.installed:
            assert all(ParticipantState.from_bytes(state).hpke_private == b"" for state in node.states)
            assert node.state.shares == node.installed[-1].shares


def check_no_contradiction(world: World) -> None:
    """No honest custodian said anything twice in an attempt, whatever crashed."""
    for log in world.logs.values():
        slots: Counter[tuple[object, ...]] = Counter()
        for entry in log:
            body = entry.body
            key: tuple[object, ...] = (body.ceremony, type(body))
            if isinstance(body, ComplaintEntry):
                key = (*key, body.dealing)
            elif isinstance(body, RevealEntry):
                key = (*key, body.complaint)
            slots[key] += 1
        assert set(slots.values()) <= {1}
