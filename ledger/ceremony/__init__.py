"""The key ceremony (design, section 5; protocol, section 5): Pedersen's distributed key generation over the logs, and
resharing: verifiable redistribution of the same secrets (Desmedt and Jajodia, 1997; Wong, Wang and Wing, 2002).

`replay` is everybody's view of one ceremony, `replay_epochs` of all, from the logs alone; `Participant` is one member's
part in one, `Keeper` in all. Custodians deal over their own logs: Ready, Dealing, Close, Complaint, Reveal,
Confirmation. What follows holds as long as fewer than t custodians are dishonest and none is shown two forms of one log
(which the logs' own heads and cosignatures bring to light). What each party might try, and what comes of it:

- anybody who is not a custodian: its entries are not looked at;
- a custodian that stays away: nothing starts before all n were ready, as its share could be sealed to no key. Away
  later, it misses nothing: its shares wait in the log. n - q + 1 that refuse to go on stop the ceremony;
- a dealer with a bad proof, a key made of others' keys, another shape, another ceremony's or dealer's entry, or a
  second dealing: void, or not the one that counts;
- a dealer that sends a bad share: named by a Complaint; it opens that share to all, or its dealing does not count. It
  chooses after the others, so it can bend public bits of the sum by withdrawing; it cannot know or fix the sum;
- a custodian that complains falsely: its own share of that dealing becomes public, nothing else. Of t dealings, it is
  dropped, as else its whole share might. Bytes of another's complaint: the id of a complaint names its author;
- a dealer made to open many shares: an honest one opens at most t - 1, and t complaints end its dealing unopened;
- a custodian whose key is such that any secret tells (small order): such a Ready is no Ready;
- closing for others: any valid dealings, at least t, one of them honest: the sum is unknown to the rest;
- confirming what others cannot: each vote lists what it rests on and is recomputed. A custodian has one vote, q of n
  decide, and two sets of q share t custodians: two outcomes of one attempt cannot both be final;
- spoiling an attempt: when no outcome can reach q any more the next attempt starts with fresh keys. That needs
  n - q + 1 custodians, or one that times its entries between honest votes; attempts are spaced wider and wider.

In a resharing the custodians of an earlier epoch (n, t) deal their shares to those of the next (n', t'). Fewer than t
dealers and fewer than t' receivers are dishonest, who is both counts as both. The same as above, and:

- dealing something else than one's share: void, as the constant terms must be the public share that the earlier epoch
  ended with; possession is proved all the same. Any t good dealings lie on one polynomial of the same secrets;
- not dealing, or having nothing to deal: any t of n suffice. n - t + 1 that refuse stop it, as they stop any query;
- receivers with shares of different polynomials: they confirm one list of dealings, q' of n', and only what they hold
  every share of, checked against the commitments; a receiver left with none may have it opened, or keeps its old share;
- learning the secrets from shares of two epochs: t - 1 points of the old polynomial and t' - 1 of each honest dealer's
  fit any secret. Reveals do not add to that: an honest dealer's go to receivers that complained falsely. Each attempt,
  and each resharing from one epoch, has fresh polynomials;
- complaining of honest dealers to have a share opened: of t dealings, and one is dropped; a dealer opens fewer than t';
- entries of a member that has not that part (a leaver's Ready, a newcomer's Dealing): not looked at;
- having old shares erased while the new ones are worthless: false confirmations can make keys final that fewer than t'
  honest receivers hold. So honest custodians keep what they have until all receivers have confirmed, or for a day;
- holding a confirmation back, to bring a resharing to its end after it was left behind by another from the same epoch:
  both give shares of the same secrets, the later one is in force, and what it is dealt from was kept for it;
- keeping old shares that should be erased: t custodians that do, or are broken into before they erase, have the
  secrets. Nobody can check erasure.
"""

from __future__ import annotations

from ledger.ceremony.actions import Action, Append, Erase, Installed, KeeperAction, Persist, Retired
from ledger.ceremony.attempt import Attempt, Checks
from ledger.ceremony.context import CeremonyContext, Former
from ledger.ceremony.entry import CeremonyEntry, read_entry
from ledger.ceremony.epochs import Beginning, Epochs, beginnings_of, replay_epochs
from ledger.ceremony.keeper import Keeper, Retention
from ledger.ceremony.participant import Participant
from ledger.ceremony.patience import Timing
from ledger.ceremony.qualification import Outcome
from ledger.ceremony.replay import Ceremony, replay

__all__ = [
    "Action",
    "Append",
    "Attempt",
    "Beginning",
    "Ceremony",
    "CeremonyContext",
    "CeremonyEntry",
    "Checks",
    "Epochs",
    "Erase",
    "Former",
    "Installed",
    "Keeper",
    "KeeperAction",
    "Outcome",
    "Participant",
    "Persist",
    "Retention",
    "Retired",
    "Timing",
    "beginnings_of",
    "read_entry",
    "replay",
    "replay_epochs",
]
