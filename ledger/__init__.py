"""The core of Plimsoll: pure. No network, no clock, no environment; time, randomness and storage are handed in.

crypto        the group and what is built on it
tlog          transparency-log standards: Merkle trees, notes, heads, cosignatures, receipts, tiles
chain         logs as they are stored and replicated
witnessing    who has seen which head; forks
consortium    manifests and how they follow each other; members
ceremony      the keys that custodians share
borrower      identities, pseudonym keys, labels
positions     from a lender's feed to an encrypted entry
queries       from an inquiry to the sums, and their proof
wellformed    zero-knowledge proofs that a position is what it should be; challenges asks for them
disclosure    one position opened to an auditor or a court
decision      from an exposure to approve, review or decline; monitoring tells when it changes
homes         what lies where in a lender's home directory
"""
