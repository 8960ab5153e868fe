"""What an auditor makes of a folder of exported logs, and of files that come with it (protocol section 24)."""

from __future__ import annotations

from pathlib import Path

from tests.second import ceremony, head, opening, said, transcript, votes
from tests.second.ceremony import Keys
from tests.second.manifest import Consortium
from tests.second.record import World
from tests.second.refusal import Refused, require
from tests.second.shelf import Finding, OneLog, Shelf


class Audit(Shelf):
    """epochs: by key epoch, how its ceremony stands ("final", "open") and the keys. Refused where the lineage does not
    hold."""

    def __init__(self, where: Path) -> None:
        super().__init__(where)
        said.accuse(self)
        for held in self.logs.values():
            self.compare(held)
        votes.check(self)
        self.epochs = self._ceremonies()
        self.proofs = said.prove(self, self.keys) if self.keys else None
        self.inquiries = said.compare(self)
        self.challenges = said.challenges(self, self.keys)

    # -- keys

    @property
    def keys(self) -> Keys | None:
        """Of the epoch in force."""
        final = {epoch: keys for epoch, (_, keys) in self.epochs.items() if keys}
        return final[max(final)] if final else None

    def _ceremonies(self) -> dict[int, tuple[str, Keys | None]]:
        written: dict[str, list[ceremony.Written]] = {}
        for held in sorted(self.logs.values(), key=lambda each: int(each.name.partition(".")[2] or 1)):
            if held.log is not None:
                written.setdefault(held.member, []).append(self._written(held))
        began: dict[int, Consortium] = {}
        for one in self.manifests:
            began.setdefault(one.epoch, one)
        beginnings = [
            ceremony.Beginning(epoch, one.dealt_from, one.id, one.custodians, one.threshold)
            for epoch, one in began.items()
        ]
        found = ceremony.replay_epochs(self.current.founding, beginnings, written)
        return {epoch: (state, keys) for epoch, (_, _, state, keys) in found.items()}

    def _written(self, held: OneLog) -> ceremony.Written:
        """What counts of it in ceremonies."""
        assert held.log is not None
        nobody = all(other.settled is None for other in self.logs.values())
        until = len(held.log) if nobody else min(len(held.log), held.settled or 0)
        if held.ended is None:
            return ceremony.Written(held.log, until)
        size = held.ended.size if held.root(held.ended.size) == held.ended.root else 0
        return ceremony.Written(held.log, until, size, self._last_epoch(held.key.name))

    def _last_epoch(self, origin: str) -> int:
        """Of the last manifest under which a log was written."""
        return max(one.epoch for one in self.manifests if origin in map(one.origin, one.names))

    # -- files

    def world(self) -> World:
        logs = {held.name: held.log for held in self.logs.values() if held.log is not None}
        public = self.keys.public[1:] if self.keys else ()
        return World(self.current, logs, tuple(public), tuple(self.manifests))

    def check_transcript(self, raw: bytes) -> transcript.Verified:
        """Refused with the name of the first check that fails; that is a finding, too."""
        querier, index = "", None
        try:
            document = transcript.parse(raw)
            querier, index = document["querier"], document["inquiry"]["index"]
            keys = self.epochs.get(document["epoch"], ("", None))[1]
            if keys is None:
                raise Refused("T1", "no keys of this epoch")
            return transcript.verify(raw, self.world(), keys)
        except Refused as refused:
            self.findings.append(Finding(querier, index, refused.code, str(refused)))
            raise

    def check_opening(self, raw: bytes) -> opening.Shown:
        """Refused with the code; that is a finding, too."""
        public = [key.encoded for key in self.keys.public[1:]] if self.keys else None
        try:
            return opening.verify(raw, self.manifests, public)
        except Refused as refused:
            self.findings.append(Finding("", None, refused.code, str(refused)))
            raise

    def check_receipt(self, raw: bytes) -> tuple[str, int, list[str]]:
        """That it is of what the folder has: the log, the index, and by whom it is cosigned. Refused with the code,
        which is a finding, too."""
        held, index = None, None
        try:
            origin = raw.partition(b"\n\n")[2].partition(b"\n")[0].decode("utf-8", "replace")
            held = self.logs.get(origin)
            require(held is not None and held.log is not None, "UNKNOWN_LOG", origin)
            assert held is not None
            assert held.log is not None
            index, cosigned = self._receipt(held, raw)
        except Refused as refused:
            self.findings.append(Finding(held.member if held else "", index, refused.code, str(refused)))
            raise
        return held.name, index, sorted(cosigned)

    def _receipt(self, held: OneLog, raw: bytes) -> tuple[int, set[str]]:
        assert held.log is not None
        spelt = raw.split(b"\n")[1].removeprefix(b"index ").decode("utf-8", "replace")
        require(head.number(spelt) < len(held.log), "NOT_IN_LOG")
        entry = held.log.raw[int(spelt)]
        cosigned: set[str] = set()
        for _, keys, _ in self.seats(held):
            index, under = head.open_receipt(raw, entry, held.key, keys)
            cosigned |= {key.name for key in under.cosigned}
        require(under.size > len(held.log) or held.log.root(under.size) == under.root, "FORK")
        return index, cosigned
