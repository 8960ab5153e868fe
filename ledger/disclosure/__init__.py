"""Openings: a lender shows to an auditor or a court what one of its published positions says (protocol, 21).

An opening holds the entry, its receipt, the loan records and what they were hidden with. `verify` makes everything
again: the digest of the records, the position folded from them, its ciphertext to the byte. So it shows that this
member's log says exactly this. It shows nothing of who the borrower is: records are bound by the lender's own loan
numbers, and a label leads to a borrower only with that borrower's label key, which may be shown, too. What it does not
show is said beside what it does, every time.

What each party might try, and what comes of it:

- a lender that shows other loans than it published: their digest is another, SHA-256 over a salt of its own choice;
- other amounts, or another nonce: R = r G fixes r, and with it the amounts that C_f = r X_f + m_f G can hold;
- keys of its own making, under which the ciphertext means something else: the entry's own proof is bound to the keys
  that it was made for. Under others than the consortium's it counts nowhere; a verifier that knows these compares them;
- a position that is in no log, or somebody else's: the receipt's head is signed by the member's own log key;
- a position that is old: an opening says which one of its log it is, and not that it is the newest;
- whoever gets hold of an opening: learns these loans, and can take this position out of sums that it is in. Without
  the label key it finds no other position of the borrower.
"""

from __future__ import annotations

from ledger.disclosure.check import Shown, verify
from ledger.disclosure.making import disclose
from ledger.disclosure.opening import LabelOpening, Opening

__all__ = ["LabelOpening", "Opening", "Shown", "disclose", "verify"]
