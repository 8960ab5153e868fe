"""The zero-knowledge proof that an encrypted position is well-formed (protocol, 20).

An author that is challenged shows that its entry holds what a position may hold (protocol, 7), and nothing else about
it: the three amounts are in 0 .. 2^40, there are 1 to 1,023 accounts, exactly one class digit and one band digit is 1,
at most one overdue band digit is, no digit is anything but 0 or 1, and outstanding lies within its band.

How. Every number is committed to in bits, B = b H + rho G, where nobody knows the logarithm of H (Pedersen, 1991). Of
each bit it is proved that it is 0 or 1 (Cramer, Damgard and Schoenmakers, 1994). Bits weighted 1, 2, 4, .. and a last
weight that fills up to N can make exactly the numbers 0 .. N. Of a one-hot group the first commitment is H less the
others, so that the digits add up to 1 without a proof. Outstanding is d above its band's lower edge and e below its
upper one, both of them 0 .. 2^40 and d + e the band's width. Last, of each field it is proved that one m is both in
C_f = r X_f + m G, with R = r G, and in the weighted sum of commitments.

What each party might try, and what comes of it:

- an author whose amount is negative, too large or outside its band, whose digits are none, two, or two in one: it has
  to commit to a bit that is none, or to another number than it encrypted. Either takes the logarithm of H;
- an author that adds a multiple of H to C_f, so that the sums can never be read: linking commitments by the
  difference C_f - D_f alone would let that pass. Here knowledge of m itself is proved, with C_f over X_f and G only;
- t custodians that know the x_f: R fixes r, and r fixes m_f in C_f = r X_f + m_f G, whoever knows what. The bits are
  committed to under G and H, never under X_f. What they decrypt they may know; for a proof about another's entry they
  would need its r;
- showing another's proof, or an old one: the challenges bind consortium, epoch, keys, member, label, leaf hash, R, all
  C_f, edges and all commitments. A proof is about one entry and stays true of it; showing it again tells nothing new;
- changing a proof in transit, or spelling it otherwise: every byte of it goes into a challenge or into what a challenge
  is recomputed from; points and scalars are canonical, and the length is fixed;
- a verifier that asks again and again, or keeps what it got: proofs are zero-knowledge, and every one is made with
  fresh nonces, hedged by r, the whole statement and a number. From a broken random source the same proof comes again;
- a verifier that times the author: both branches of every bit are computed and put in order by masks, on libsodium's
  constant-time operations. Python's integers are not constant-time to the cycle; what is seen of them comes by network;
- a quantum computer of the future: it opens C_f as ever. The commitments hide perfectly, so the proof adds nothing.

What it does not show: that the figures are true, that overdue is within its band (no overdue amount is encrypted), or
anything about the entry's clear fields.
"""

from __future__ import annotations

from ledger.wellformed.prover import prove
from ledger.wellformed.statement import Statement
from ledger.wellformed.steps import PROOF_SIZE
from ledger.wellformed.verifier import verify

__all__ = ["PROOF_SIZE", "Statement", "prove", "verify"]
