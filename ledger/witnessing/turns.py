"""Who may have a log that its author has not had witnessed cosigned, and when (protocol section 18).

Members that cosign a head unasked must choose the same one, although the log grows, its author asks each of them about
another head at another moment, and some members help it. So they take turns by the clock: in a member's turn the others
cosign what it has cosigned, or nothing. A liar can waste its own turns, and no others.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from ledger.consortium.manifest import Manifest
from ledger.consortium.policy import Policy

#: Heartbeats after which entries that are not witnessed are overdue.
PATIENCE = 5
#: Seconds, and turns, after which that is for a person to look at.
ALERT, ALERT_TURNS = 300, 4
#: Quarters of a turn: the author asks as ever; what is held spreads; the turn's speaker cosigns; the others do, too.
ASKED, SPREAD, SPEAK, FOLLOW = range(4)
#: Peers with which heads are compared within gossip_seconds.
_COMPARED = 8


@dataclass(frozen=True, slots=True)
class Turn:
    """number: of the turn since 1970; quarter: ASKED .. FOLLOW."""

    number: int
    quarter: int


def quarter_seconds(policy: Policy, members: int) -> int:
    """Long enough for an author to ask once, and for every member to compare heads with every other."""
    return 2 * max(policy.heartbeat_seconds, policy.gossip_seconds * ceil((members - 1) / _COMPARED))


def turn_at(time: float, manifest: Manifest) -> Turn:
    """time: Unix seconds, at least 0."""
    number, quarter = divmod(int(time) // quarter_seconds(manifest.policy, len(manifest.members)), 4)
    return Turn(number, quarter)


def speaker(manifest: Manifest, author: str, number: int) -> str:
    """Whose turn it is with the log that `author` writes: all others in the manifest's order, the author's next first.

    Raises NotFound for an author that the manifest does not have.
    """
    manifest.member(author)
    names = [member.name for member in manifest.members]
    place = names.index(author) + 1 + number % (len(names) - 1)
    return names[place % len(names)]


def overdue_seconds(policy: Policy) -> int:
    """How long entries may be held without a witnessed head over them."""
    return PATIENCE * policy.heartbeat_seconds


def alert_seconds(policy: Policy, members: int) -> int:
    """The same, before a person is told."""
    return max(ALERT, ALERT_TURNS * 4 * quarter_seconds(policy, members))
