"""The members of founded homes, appending to logs in memory: what tests of changes to a home start from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ledger.chain.chain import Chain, LogName
from ledger.chain.memory_store import MemoryStore
from ledger.consortium.ballot import Vote, approval_entry, proposal_entry
from ledger.consortium.founding import SignedManifest
from ledger.consortium.history import History
from ledger.consortium.lineage import Lineage, founded
from ledger.consortium.manifest import Manifest
from ledger.consortium.proposals import Proposals
from ledger.tlog.note import Signer
from node.homes.home import Home
from tests.lenders import PASSPHRASE

TIME = 1_700_000_000


def signers_of(homes: Sequence[Home]) -> dict[str, bytes]:
    """By member: the seed of its log key; opening a keyring takes a while."""
    return {home.config.member: home.keyring(PASSPHRASE).log_seed for home in homes}


class Assembly:
    """chain: all logs, as every member holds them. lineage: what is in force."""

    def __init__(self, seeds: Mapping[str, bytes], signed: SignedManifest) -> None:
        """seeds: as `signers_of`, of those who append."""
        self.lineage: Lineage = founded(signed.encode())
        current = self.lineage.current
        names = [LogName(one.name, current.origin(one.name), current.log_key(one.name)) for one in current.members]
        self.chain = Chain(MemoryStore(), names)
        self.signers = {name: Signer.from_seed(current.origin(name), seed) for name, seed in seeds.items()}

    @property
    def history(self) -> History:
        return self.lineage.history

    @property
    def current(self) -> Manifest:
        return self.lineage.current

    def append(self, member: str, *entries: bytes) -> int:
        return self.chain.own(self.signers[member]).append(entries)

    def propose(self, member: str, after: Manifest) -> int:
        return self.append(member, proposal_entry(after, TIME))

    def approve(self, member: str, after: Manifest) -> int:
        return self.append(member, approval_entry(Vote(after.previous or b"", after.id), TIME))

    def pass_change(self, after: Manifest) -> Lineage:
        """Proposed by the first and approved by everybody whose log goes on; the lineage then."""
        goes_on = ((name, signer) for name, signer in self.signers.items() if name in after)
        going_on = [name for name, signer in goes_on if after.origin(name) == signer.key.name]
        self.propose(going_on[0], after)
        for member in going_on:
            self.approve(member, after)
        proposals = Proposals(self.chain, self.history)
        proposals.read()
        self.lineage = self.lineage.followed_by(after, proposals.proofs(after.id))
        return self.lineage
