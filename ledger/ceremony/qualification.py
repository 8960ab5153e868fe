"""Which dealings make the keys, and which keys they make (protocol, sections 5.6 and 5.7)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ledger.ceremony.context import CeremonyContext
from ledger.ceremony.dealing import Dealing
from ledger.crypto import shamir
from ledger.crypto.hashing import Part, digest
from ledger.errors import InvalidInput
from ledger.keys import PublicKeys, public_keys

TRANSCRIPT_DOMAIN = "plimsoll/v1/ceremony-transcript"
RESHARING_DOMAIN = "plimsoll/v1/resharing-transcript"
GIVEN_UP = bytes(32)  # in a Confirmation's place for a transcript: its author confirms none in this attempt


@dataclass(frozen=True, slots=True)
class Grievance:
    """A complaint taken into account: receiver `author` against dealer `dealer`; answered by a good Reveal or not."""

    author: int
    dealer: int
    answered: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """What custodians confirm. close: leaf hash of the Close followed. qualified: the dealers whose dealings add up.

    dropped: receivers that hold no share. digest: of the transcript, 32 bytes. All lists ascend.
    """

    close: bytes
    qualified: tuple[int, ...]
    dropped: tuple[int, ...]
    keys: PublicKeys
    digest: bytes


def qualify(
    context: CeremonyContext, dealers: Collection[int], grievances: Collection[Grievance]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """(qualified dealers, dropped receivers), out of the dealers that a Close counts and distinct grievances.

    Who complains against t or more (the dealers' threshold) is dropped: fewer than t dealers are dishonest, so one of
    those complaints is false; and were all answered, its whole share would be public. As many complaints as the
    receivers' threshold disqualify a dealer: one of them is an honest receiver's, and answered they would open its
    polynomials. Without t qualified dealers there is no key: any t of them include an honest one.
    """
    concerned = [grievance for grievance in grievances if grievance.dealer in dealers]
    complaints_of = Counter(grievance.author for grievance in concerned)
    dropped = {author for author, number in complaints_of.items() if number >= context.dealer_threshold}
    standing = [grievance for grievance in concerned if grievance.author not in dropped]
    against = Counter(grievance.dealer for grievance in standing)
    out = {dealer for dealer, number in against.items() if number >= context.threshold}
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
    one of the keys is the identity no dishonest minority can bring about; then there is no outcome. A resharing leaves
    the keys as they are: its constant terms are shares of them, on one polynomial, whichever t or more of them deal.
    """
    qualified = sorted(dealings)
    if len(qualified) < context.dealer_threshold:
        raise InvalidInput("TOO_FEW_DEALINGS", f"fewer than {context.dealer_threshold} dealings qualified")
    rows = zip(*(dealings[dealer][1].commitments for dealer in qualified), strict=True)
    sums = [shamir.add_commitments(row, context.weights(qualified)) for row in rows]
    keys = public_keys(
        context.epoch,
        [commitments[0] for commitments in sums],
        [[shamir.public_share(commitments, j) for commitments in sums] for j in context.indices],
    )
    if context.former and list(keys) != list(context.former.keys):
        raise InvalidInput("OTHER_KEYS", "the dealings are not of shares of the keys")
    leaves = [dealings[dealer][0] for dealer in qualified]
    parts: list[Part] = [ceremony, close, len(leaves), *leaves, len(dropped), *dropped]
    parts += [len(tuple(keys)), *keys, *_shares(keys)]
    domain = TRANSCRIPT_DOMAIN
    if context.former:
        domain, parts = RESHARING_DOMAIN, [*parts, context.former.keys.epoch, *_shares(context.former.keys)]
    return Outcome(close, tuple(qualified), tuple(dropped), keys, digest(domain, *parts))


def _shares(keys: PublicKeys) -> list[Part]:
    """The public shares of all custodians, as a list of lists (protocol, section 1)."""
    parts: list[Part] = [len(keys.custodians)]
    for custodian in keys.custodians:
        parts += [len(tuple(custodian)), *custodian]
    return parts
