"""The group ristretto255 and what is built on it: hashes, OPRF, proofs, shares, encryption. One file a standard."""
