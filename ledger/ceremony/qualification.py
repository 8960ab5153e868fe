"""Which dealings make the keys, and which keys they make (protocol, sections 5.6 and 5.7)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ledger import shamir
from ledger.ceremony.context import CeremonyContext
from ledger.ceremony.dealing import Dealing
from ledger.errors import InvalidInput
from ledger.hashing import Part, digest
from ledger.keys import PublicKeys, public_keys

TRANSCRIPT_DOMAIN = "plimsoll/v1/ceremony-transcript"
GIVEN_UP = bytes(32)  # in a Confirmation's place for a transcript: its author confirms none in this attempt


@dataclass(frozen=True, slots=True)
class Grievance:
    """A complaint taken into account: custodian `author` against dealer `dealer`; answered by a good Reveal or not."""

    author: int
    dealer: int
    answered: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """What custodians confirm. close: leaf hash of the Close followed. qualified: the dealers whose dealings add up.

    dropped: custodians that hold no share. digest: of the transcript, 32 bytes. All lists ascend.
    """

    close: bytes
    qualified: tuple[int, ...]
    dropped: tuple[int, ...]
    keys: PublicKeys
    digest: bytes


def qualify(
    threshold: int, dealers: Collection[int], grievances: Collection[Grievance]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """(qualified dealers, dropped custodians), out of the dealers that a Close counts and distinct grievances.

    Who complains against t or more is dropped: fewer than t dealers are dishonest, so one of those complaints is
    false; and were all answered, its whole share would be public. t complaints disqualify a dealer: one of them is an
    honest custodian's, and answered they would open its polynomials. Without t qualified dealers there is no key: any
    t of them include an honest one.
    """
    concerned = [grievance for grievance in grievances if grievance.dealer in dealers]
    complaints_of = Counter(grievance.author for grievance in concerned)
    dropped = {author for author, number in complaints_of.items() if number >= threshold}
    standing = [grievance for grievance in concerned if grievance.author not in dropped]
    against = Counter(grievance.dealer for grievance in standing)
    out = {dealer for dealer, number in against.items() if number >= threshold}
    out |= {grievance.dealer for grievance in standing if not grievance.answered}
    return tuple(sorted(set(dealers) - out)), tuple(sorted(dropped))


def outcome_of(
    context: CeremonyContext,
    ceremony: bytes,
    close: bytes,
    dealings: Mapping[int, tuple[bytes, Dealing]],
    dropped: Sequence[int],
) -> Outcome:
    """The keys of these qualified dealings: (leaf hash, verified dealing) by dealer. Raises InvalidInput.

    The sum of a polynomial's commitments is the commitment to the sum, so public shares need each dealer but once. That
    one of the keys is the identity no dishonest minority can bring about; then there is no outcome.
    """
    qualified = sorted(dealings)
    if len(qualified) < context.threshold:
        raise InvalidInput("TOO_FEW_DEALINGS", f"fewer than {context.threshold} dealings qualified")
    rows = zip(*(dealings[dealer][1].commitments for dealer in qualified), strict=True)
    sums = [shamir.add_commitments(row) for row in rows]
    keys = public_keys(
        context.epoch,
        [commitments[0] for commitments in sums],
        [[shamir.public_share(commitments, j) for commitments in sums] for j in context.indices],
    )
    leaves = [dealings[dealer][0] for dealer in qualified]
    parts: list[Part] = [ceremony, close, len(leaves), *leaves, len(dropped), *dropped]
    parts += [len(tuple(keys)), *keys, len(keys.custodians)]
    for custodian in keys.custodians:
        parts += [len(tuple(custodian)), *custodian]
    return Outcome(close, tuple(qualified), tuple(dropped), keys, digest(TRANSCRIPT_DOMAIN, *parts))
