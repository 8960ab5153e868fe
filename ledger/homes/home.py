"""What lies where in a lender's home directory: the names that its node and its client agree on.

    config.toml            member, addresses, tuning (ledger.homes.config)
    decision.toml          the lender's decision policy (ledger.decision); may be absent
    feed-guard.toml        when a feed is kept back (ledger.positions.feed_guard); may be absent
    watch.toml             what counts as a change of borrowers that are watched (ledger.monitoring); may be absent
    card                   the public card (ledger.consortium.card)
    manifest.note          the founding manifest, with its signatures; absent until adopted
    lineage                that one and its successors, with the approvals (consortium.lineage); absent before the first
    tls/ca.pem             the CA's certificate
    tls/<role>.pem         the certificate of each role: node, lender, operator, auditor
    secrets/keyring.sealed the keyring (node.homes.keyring) under the passphrase
    secrets/<role>.sealed  each certificate's secret key, PKCS #8 DER, under the passphrase
    secrets/custody.sealed a custodian's shares of the keys, under the keyring; never in a backup
    secrets/keyring.next.sealed, card.next, tls/ca.next.pem
                           keys that are to replace the ones in force, once a manifest has them (node.homes.staging)
    chain/, book/          the stores

`secrets` has mode 0700, its files 0600.
"""

from __future__ import annotations

from ledger.consortium.caller import Role

CONFIG = "config.toml"
DECISION = "decision.toml"
FEED_GUARD = "feed-guard.toml"
WATCH = "watch.toml"
CARD = "card"
MANIFEST = "manifest.note"
LINEAGE = "lineage"
TLS = "tls"
AUTHORITY = "tls/ca.pem"
SECRETS = "secrets"
KEYRING = "secrets/keyring.sealed"
CUSTODY = "secrets/custody.sealed"
STAGED_KEYRING = "secrets/keyring.next.sealed"
STAGED_CARD = "card.next"
STAGED_AUTHORITY = "tls/ca.next.pem"
CHAIN = "chain"
BOOK = "book"

KEYRING_KIND = "keyring"
"""What a sealed keyring is sealed as."""


def certificate_file(role: Role) -> str:
    """Where the certificate of a role lies."""
    return f"{TLS}/{role}.pem"


def key_file(role: Role) -> str:
    """Where its sealed secret key lies."""
    return f"{SECRETS}/{role}.sealed"


def key_kind(role: Role) -> str:
    """What it is sealed as."""
    return f"{role}-key"
