"""Which of a log's signed heads are kept, and what each is good for (protocol section 4)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ledger.tlog.checkpoint import SignedHead
from ledger.tlog.note import Note, VerifierKey


@dataclass(frozen=True, slots=True)
class Heads:
    """The signed heads known of a log of which some entries are held. At most four; never changed.

    held: the largest whose entries are all held; None for an empty log. cover: where more is held than that, a larger
    head that all of it has been verified to be a prefix of. ahead: of all known that are larger than what is held,
    `cover` among them, the nearest and the farthest, ascending. The nearest shows a fork as soon as it is reached; the
    farthest says how far the log has got.
    """

    held: SignedHead | None = None
    cover: SignedHead | None = None
    ahead: tuple[SignedHead, ...] = ()

    def covering(self, index: int) -> SignedHead:
        """The head whose tree is known to have the entry held at `index`."""
        if self.held is not None and index < self.held.head.size:
            return self.held
        assert self.cover is not None, "every entry held is below a head"
        return self.cover

    def after(self, signed: SignedHead, size: int, *, covers: bool, grown: bool) -> Heads:
        """The heads to keep once `size` entries are held, having verified `signed`.

        covers: whether it has all of them, or speaks of a part of them; grown: whether some of them are new.
        """
        known = [one for one in (self.held, self.cover, *self.ahead, signed if covers else None) if one is not None]
        held = max((one for one in known if one.head.size <= size), key=_size, default=None)
        whole = size == (0 if held is None else held.head.size)
        cover = None if whole else signed if grown else self.cover
        return Heads(held, cover, nearest_and_farthest(known, size))

    def fit(self, size: int) -> bool:
        """Whether these can be the heads where `size` entries are held."""
        whole = size == (0 if self.held is None else self.held.head.size)
        known = self.ahead if self.cover is None else (*self.ahead, self.cover)
        return whole == (self.cover is None) and self.ahead == nearest_and_farthest(known, size)


def nearest_and_farthest(heads: Iterable[SignedHead], size: int) -> tuple[SignedHead, ...]:
    """Of the heads beyond `size` the smallest and the largest, ascending; one, or none, where there are no more."""
    beyond = {signed.head.size: signed for signed in heads if signed.head.size > size}
    return tuple(beyond[at] for at in sorted({min(beyond), max(beyond)})) if beyond else ()


def bare(signed: SignedHead, key: VerifierKey) -> SignedHead:
    """The head with its log's signature alone: what others add to a note on the way is not kept (ledger.tlog.note)."""
    line = next(line for line in signed.note.signatures if line.is_by(key))
    return SignedHead(signed.head, Note(signed.note.text, (line,)))


def _size(signed: SignedHead) -> int:
    return signed.head.size
