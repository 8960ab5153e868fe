"""The key ceremony (design, section 5; protocol, section 5): Pedersen's distributed key generation over the logs.

`replay` is everybody's view of it, from the logs alone; `Participant` is one custodian's part in it. Custodians deal to
each other over their own logs: Ready, Dealing, Close, Complaint, Reveal, Confirmation. What follows holds as long as
fewer than t custodians are dishonest and none is shown two forms of one log (which the logs' own heads and cosignatures
bring to light). What each party might try, and what comes of it:

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
"""

from __future__ import annotations

from ledger.ceremony.actions import Action, Append, Erase, Installed, KeeperAction, Persist, Retired
from ledger.ceremony.attempt import Attempt, Checks
from ledger.ceremony.context import CeremonyContext, Former
from ledger.ceremony.entry import CeremonyEntry, read_entry
from ledger.ceremony.epochs import Beginning, Epochs, replay_epochs
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
    "read_entry",
    "replay",
    "replay_epochs",
]
