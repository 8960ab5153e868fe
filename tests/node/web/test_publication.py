"""Which head is shown as a log's checkpoint: a witnessed one, for as long as that is fresh."""

from __future__ import annotations

from ledger.chain.memory_store import MemoryStore
from ledger.consortium.history import History
from ledger.witnessing.witnessed import Kept, Witnessed
from node.web.publication import PATIENCE, checkpoint
from tests.ledger.witnesses import AUTHOR, chain_of, cosigned, head_of, history, signer
from tests.lenders import manifest

MANIFEST = manifest(5)
AT = 1_700_000_000
CHAIN = chain_of(MANIFEST)
CHAIN.own(signer(1)).append(history(9))
LOG = CHAIN.log(AUTHOR)


def kept(size: int, branch: int = 0) -> Kept:
    note = cosigned(head_of(history(size, branch), MANIFEST), MANIFEST, {2: AT, 3: AT, 4: AT})
    return Witnessed(MemoryStore(), History([MANIFEST])).add(note)


def size_of(witnessed: Kept | None, now: float) -> tuple[int, int]:
    """Of the head shown, and how many have cosigned it."""
    head = checkpoint(LOG, witnessed, now)
    assert head is not None
    return head.head.size, len(head.cosignatures)


def test_the_witnessed_head_is_shown_for_a_minute_after_the_log_has_grown() -> None:
    assert size_of(kept(5), AT + PATIENCE) == (5, 3)
    assert size_of(kept(5), AT + PATIENCE + 1) == (9, 0)


def test_a_witnessed_head_of_all_there_is_stays_however_old() -> None:
    assert size_of(kept(9), AT + 10**6) == (9, 3)


def test_without_witnesses_the_newest_head_is_shown() -> None:
    assert size_of(None, AT) == (9, 0)


def test_no_head_is_shown_of_which_the_tiles_are_not_held() -> None:
    assert size_of(kept(12), AT) == (9, 0)
    assert size_of(kept(5, branch=1), AT) == (9, 0)


def test_a_log_without_entries_has_nothing_to_show() -> None:
    assert checkpoint(CHAIN.log("lender-2"), None, AT) is None
