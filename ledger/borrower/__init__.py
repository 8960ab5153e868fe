"""Borrowers: identities, pseudonym keys, and the labels under which entries are found (protocol, 6 and 15)."""
