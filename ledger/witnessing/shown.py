"""What members show to have cosigned of logs whose authors show no witnessed head (protocol section 18).

Only an author is answered with cosignatures; one that keeps them to itself has nothing witnessed. So members show their
own, each the largest head that it has cosigned, and who sees enough of one head has a witnessed one. Of each log and
member one head is kept, the largest: nobody can make anybody remember more than that.
"""

from __future__ import annotations

from collections import defaultdict
from functools import reduce

from ledger.chain.log_heads import bare
from ledger.consortium.manifest import Manifest
from ledger.errors import InvalidInput, Refused
from ledger.tlog.checkpoint import Head, SignedHead, open_head
from ledger.tlog.cosignature import cosignature_of
from ledger.tlog.note import Note, SignatureLine, parse_note
from ledger.witnessing.cosigned import merged, witnessed_at


class Shown:
    """Under one manifest. One thread at a time, but for `opened_shown`."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        #: By author, by who has cosigned.
        self._heads: defaultdict[str, dict[str, SignedHead]] = defaultdict(dict)

    def by(self, author: str, member: str) -> SignedHead | None:
        """The largest head of an author's log that this member has shown, with that member's line."""
        return self._heads[author].get(member)

    def is_news(self, author: str, member: str, head: Head) -> bool:
        """Whether it is larger than what this member has shown; of one size the first one stays."""
        known = self.by(author, member)
        return known is None or head.size > known.head.size

    def add(self, author: str, member: str, signed: SignedHead) -> SignedHead:
        """signed: as `opened_shown`. The same head with the lines of all that show it as their largest."""
        if self.is_news(author, member, signed.head):
            self._heads[author][member] = signed
        return reduce(merged, (one for one in self._heads[author].values() if one == signed), signed)

    def forget(self, author: str, size: int) -> None:
        """A head of this size has been witnessed: those that are no larger tell nothing more."""
        heads = self._heads[author]
        for member in [member for member, signed in heads.items() if signed.head.size <= size]:
            del heads[member]

    def is_witnessed(self, author: str, signed: SignedHead) -> bool:
        """Whether enough members have cosigned this head."""
        return witnessed_at(signed, self._manifest, author) is not None


def opened_shown(note: bytes, manifest: Manifest, author: str, member: str) -> SignedHead:
    """A head of an author's log with the line of `member`, who shows it; lines of others are taken off unread.

    Raises InvalidInput (NOT_COSIGNED where its own line is missing), Refused (OWN_LOG: an author's own line counts for
    nothing), Unverified, NotFound.
    """
    if author == member:
        raise Refused("OWN_LOG", "members show what they have cosigned of others' logs", "cosigned")
    log_key, key = manifest.log_key(author), manifest.cosigner_key(member)
    parsed = parse_note(note)
    lines = {each: line for line in parsed.signatures for each in (log_key, key) if line.is_by(each)}
    if key not in lines:
        raise InvalidInput("NOT_COSIGNED", f"{member} has not cosigned what it shows", "cosigned")
    return open_head(Note(parsed.text, tuple(lines.values())).encode(), log_key, [key])


def shown_by(signed: SignedHead, line: SignatureLine, manifest: Manifest, author: str, member: str) -> SignedHead:
    """What this member shows of a head that it has cosigned; line: its own."""
    alone = bare(signed, manifest.log_key(author))
    cosignature = cosignature_of(line, manifest.cosigner_key(member))
    return SignedHead(alone.head, alone.note.with_signatures([line]), (cosignature,))
