"""The certificates a home issues with its own CA: for its roles, kept in it, and for programs elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.hashes import SHA256

from ledger.consortium.caller import ROLES, Caller, Role, check_name
from ledger.consortium.certificate import certificate_pem, key_der, key_pem, named_caller
from ledger.consortium.lineage import Lineage
from ledger.consortium.manifest import Manifest
from ledger.crypto.passphrase import seal_with_passphrase
from ledger.errors import InvalidInput, NotFound
from ledger.homes.home import key_kind
from node.homes import files
from node.homes.authority import AUTHORITY_DAYS, LEAF_DAYS, issue_leaf
from node.homes.home import Home
from node.homes.keyring import Keyring, check_keyring, generate_key
from node.homes.staging import activate

RENEW_BEFORE = timedelta(days=60)  # a node that is restarted every other month never lapses
HOME_NAME = "home"
"""The last part of the SAN URI in the certificates a home keeps."""


@dataclass(frozen=True, slots=True)
class NodeIdentity:
    """What a node runs with. key, certificate: PEM, for TLS in the role `node`."""

    lineage: Lineage
    keyring: Keyring
    key: bytes = field(repr=False)
    certificate: bytes

    @property
    def manifest(self) -> Manifest:
        """The one in force."""
        return self.lineage.current


@dataclass(frozen=True, slots=True)
class Credential:
    """A certificate for a program elsewhere, and where its files lie. fingerprint: SHA-256 of the DER, to revoke it."""

    caller: Caller
    certificate: Path
    key: Path
    authority: Path
    fingerprint: bytes
    expires: datetime


def open_node(home: Home, passphrase: str, *, rng: Callable[[int], bytes], now: datetime) -> NodeIdentity:
    """Opens a home that has adopted a manifest, as `open_own`.

    Raises Unready (NOT_FOUNDED), and as `Home.keyring`.
    """
    lineage, keyring = open_own(home, passphrase, rng=rng, now=now)
    certificate = certificate_pem(home.certificate("node"))
    return NodeIdentity(lineage, keyring, key_pem(home.key("node", passphrase)), certificate)


def open_own(home: Home, passphrase: str, *, rng: Callable[[int], bytes], now: datetime) -> tuple[Lineage, Keyring]:
    """The manifests and this member's secrets, the staged ones put in place if the manifest in force has them.

    Renews certificates that will soon lapse. Raises Refused where the manifest has other keys than this home, or no
    such member any more, and as `open_node`.
    """
    lineage = home.lineage()
    activate(home, lineage.current, passphrase)
    keyring = home.keyring(passphrase)
    check_keyring(keyring, lineage.current)
    renew(home, lineage.current, keyring, passphrase, rng=rng, now=now)
    return lineage, keyring


def renew(
    home: Home,
    manifest: Manifest,
    keyring: Keyring,
    passphrase: str,
    *,
    rng: Callable[[int], bytes],
    now: datetime,
) -> tuple[Role, ...]:
    """Issues every role's certificate that is missing or will soon lapse, over the key it had; the roles renewed.

    Keys stay, so a certificate is replaced by one rename and always fits its key.
    """
    renewed: list[Role] = []
    for role in ROLES:
        caller = Caller(manifest.consortium, keyring.member, role, HOME_NAME)
        if home.make_key(role, passphrase, rng) or not _stands(home, caller, now):
            public_key = home.key(role, passphrase).public_key()
            hosts = (manifest.member(keyring.member).address.host, home.config.address.host)
            leaf = issue_leaf(home.authority(), keyring.authority_key, caller, public_key, now, hosts=hosts)
            home.store_certificate(role, leaf)
            renewed.append(role)
    return tuple(renewed)


def issue_credential(
    home: Home,
    role: Role,
    name: str,
    folder: Path,
    passphrase: str,
    *,
    rng: Callable[[int], bytes],
    now: datetime,
    key_passphrase: str | None = None,
    days: int = LEAF_DAYS,
) -> Credential:
    """A certificate and its new key for a program elsewhere, in `folder`: <role>-<name>.pem, .key and ca.pem.

    key_passphrase: seals the key; None leaves it in the clear (PEM, mode 0600). Raises InvalidInput for the role node
    or a bad name, Refused where the files are there already, and as `open_node`.
    """
    if role == "node":
        raise InvalidInput("BAD_ROLE", "a node's certificate stays in its home", "role")
    if not 1 <= days <= AUTHORITY_DAYS:
        raise InvalidInput("OUT_OF_RANGE", f"must be 1 to {AUTHORITY_DAYS}", "days")
    manifest, keyring, authority = home.manifest(), home.keyring(passphrase), home.authority()
    caller = Caller(manifest.consortium, keyring.member, role, check_name(name, "name"))
    key = generate_key()
    leaf = issue_leaf(authority, keyring.authority_key, caller, key.public_key(), now, days=days)
    secret = key_pem(key)
    if key_passphrase is not None:
        secret = seal_with_passphrase(key_passphrase, key_kind(role), key_der(key), rng).encode()
    credential = Credential(
        caller,
        folder / f"{role}-{name}.pem",
        folder / f"{role}-{name}.key",
        folder / "ca.pem",
        leaf.fingerprint(SHA256()),
        leaf.not_valid_after_utc,
    )
    files.make_folder(folder)
    files.write_new(credential.key, secret, files.PRIVATE)
    files.write_new(credential.certificate, certificate_pem(leaf), files.PUBLIC)
    files.write_over(credential.authority, certificate_pem(authority), files.PUBLIC)
    return credential


def _stands(home: Home, caller: Caller, now: datetime) -> bool:
    """Whether the role's certificate is there, is this caller's, and will be good for a while."""
    try:
        certificate = home.certificate(caller.role)
        certificate.verify_directly_issued_by(home.authority())
        if named_caller(certificate, caller.role) != caller:
            return False
    except (NotFound, InvalidInput, InvalidSignature, ValueError, TypeError):
        return False
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc - RENEW_BEFORE
