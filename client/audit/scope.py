"""What an audit is to look at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from client.audit.keeping.memory import Memory
from client.audit.transcripts import Saved
from ledger.tlog.tlog_policy import Policy


@dataclass(frozen=True, slots=True)
class Scope:
    """draw(n): a random integer 0 .. n - 1, for choosing receipts. peers: whether to ask the other members for the
    heads they hold. proofs: whether to check the proof of every position that is new. last: what the last audit saw.
    from_scratch: reads every log from its first entry all the same. policy: whose heads are to be trusted; the
    manifest's rule where None. now: Unix seconds; None where ages are not to be told. workers: processes, one a core
    where None.
    """

    draw: Callable[[int], int]
    peers: bool = True
    proofs: bool = False
    last: Memory | None = None
    transcripts: Sequence[Saved] = ()
    from_scratch: bool = False
    policy: Policy | None = None
    now: int | None = None
    workers: int | None = None
