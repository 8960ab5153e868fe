"""What the others know of one member: the block that its card and the manifest both hold.

name = "lender-1"
address = "lender-1.example:7700"
log_key = "<base64 of 32 bytes>"
cosign_key = "<base64 of 32 bytes>"
tls_ca = "<base64 of DER>"
"""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography import x509

from ledger.consortium.address import Address, parse_address
from ledger.consortium.authority import read_authority
from ledger.consortium.caller import check_name
from ledger.consortium.certificate import certificate_pem
from ledger.errors import InvalidInput
from ledger.strict import decode_base64, encode_base64
from ledger.tlog.note import check_ed25519_public_key
from ledger.toml import Table, quote


@dataclass(frozen=True, slots=True)
class Member:
    """A member's public facts, each checked by `read_member`.

    address: where its node is reached. log_key, cosign_key: raw Ed25519 public keys, 32 bytes, different ones.
    tls_ca: DER of the CA certificate (see ledger.consortium.authority).
    """

    name: str
    address: Address
    log_key: bytes
    cosign_key: bytes
    tls_ca: bytes = field(repr=False)

    @property
    def authority(self) -> x509.Certificate:
        """The CA certificate."""
        return x509.load_der_x509_certificate(self.tls_ca)

    @property
    def authority_pem(self) -> bytes:
        """The CA certificate as PEM, as TLS libraries want it."""
        return certificate_pem(self.authority)


def read_member(table: Table) -> Member:
    """Takes the five keys out of the table, which must then be empty. Raises InvalidInput."""
    name = check_name(table.text("name"), table.path("name"))
    address = parse_address(table.text("address"), table.path("address"))
    if address.is_wildcard:
        raise InvalidInput("BAD_ADDRESS", "nobody can reach this address", table.path("address"))
    log_key = _ed25519_key(table, "log_key")
    cosign_key = _ed25519_key(table, "cosign_key")
    if log_key == cosign_key:
        raise InvalidInput("SHARED_KEY", "the cosigning key must not be the log key", table.path("cosign_key"))
    tls_ca = decode_base64(table.text("tls_ca"), table.path("tls_ca"))
    read_authority(tls_ca, name, table.path("tls_ca"))
    table.finish()
    return Member(name, address, log_key, cosign_key, tls_ca)


def render_member(member: Member) -> str:
    """The block, five lines."""
    return (
        f"name = {quote(member.name)}\n"
        f"address = {quote(str(member.address))}\n"
        f"log_key = {quote(encode_base64(member.log_key))}\n"
        f"cosign_key = {quote(encode_base64(member.cosign_key))}\n"
        f"tls_ca = {quote(encode_base64(member.tls_ca))}\n"
    )


def _ed25519_key(table: Table, key: str) -> bytes:
    raw = decode_base64(table.text(key), table.path(key))
    check_ed25519_public_key(raw, table.path(key))
    return raw
