"""How much of a log nobody can take back (protocol, section 5): what stands below a witnessed head.

An author can show an entry to some members, fork its log, and have it frozen by the others before they hold that entry.
What stands below a witnessed head it cannot take back: that head others learn of, and everybody fetches the log up to
it, frozen or not. So what decides for good, such as the entries of a key ceremony, counts from then on.
"""

from __future__ import annotations

from ledger.chain.log import Log
from ledger.witnessing.witnessed import Witnessed


class Settled:
    """Sizes never go back as long as this object lives. Any thread may use it."""

    def __init__(self, witnessed: Witnessed) -> None:
        self._witnessed = witnessed
        self._sizes: dict[str, int] = {}

    def size(self, held: Log) -> int:
        """How many entries of this replica are known to stand below a witnessed head. A head whose tree is not held in
        full says nothing yet: what is held may be of another branch. Raises what reading does."""
        newest = self._witnessed.newest(held.origin)
        known = self._sizes.get(held.origin, 0)
        if newest is None or not known < newest.size <= held.size:
            return known
        if held.root_at(newest.size) == newest.signed.head.root:
            self._sizes[held.origin] = known = newest.size
        return known
