"""A lender's own secrets, made once by `init` and sealed as one file under its passphrase."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import ec

from ledger.consortium.address import Address
from ledger.consortium.certificate import key_der, load_key
from ledger.consortium.manifest import Manifest
from ledger.consortium.member import Member
from ledger.errors import InvalidInput, NotFound, Refused
from ledger.strict import decode_base64, encode_base64
from ledger.tlog.cosignature import Cosigner
from ledger.tlog.note import Signer
from ledger.toml import quote, read_toml

SECRET_SIZE = 32

_TITLE = "# Plimsoll keyring v1\n"
_SECRETS = ("log_seed", "cosign_seed", "backup_key", "book_key", "hedge_secret")


@dataclass(frozen=True, slots=True)
class Keyring:
    """log_seed, cosign_seed: Ed25519 seeds of the log's key and the cosigning key. backup_key: opens this member's own
    sealed copies in its log. book_key: encrypts the book at rest. hedge_secret: hedges nonces (design section 6).
    ca_key: PKCS #8 DER of the CA's P-256 key. All others are 32 bytes.
    """

    member: str
    log_seed: bytes = field(repr=False)
    cosign_seed: bytes = field(repr=False)
    backup_key: bytes = field(repr=False)
    book_key: bytes = field(repr=False)
    hedge_secret: bytes = field(repr=False)
    ca_key: bytes = field(repr=False)

    @property
    def authority_key(self) -> ec.EllipticCurvePrivateKey:
        """The CA's secret key."""
        return load_key(self.ca_key, "ca_key")

    def encode(self) -> bytes:
        """What is sealed."""
        lines = [f"member = {quote(self.member)}\n"]
        lines += [f"{name} = {quote(encode_base64(getattr(self, name)))}\n" for name in (*_SECRETS, "ca_key")]
        return (_TITLE + "".join(lines)).encode()


def generate_keyring(member: str, rng: Callable[[int], bytes]) -> Keyring:
    """A fresh keyring. `rng` gives that many secret random bytes; the CA key comes from OpenSSL's own generator."""
    secrets = {name: rng(SECRET_SIZE) for name in _SECRETS}
    return Keyring(member=member, ca_key=key_der(generate_key()), **secrets)


def parse_keyring(raw: bytes) -> Keyring:
    """Reads what `encode` wrote. Raises InvalidInput, never quoting what it read."""
    try:
        text = raw.decode("ascii")
    except UnicodeDecodeError:
        text = ""
    if not text.startswith(_TITLE):
        raise InvalidInput("BAD_KEYRING", "not a keyring")
    table = read_toml(text)
    secrets = {name: decode_base64(table.text(name), name) for name in _SECRETS}
    for name, secret in secrets.items():
        if len(secret) != SECRET_SIZE:
            raise InvalidInput("BAD_LENGTH", f"must be {SECRET_SIZE} bytes", name)
    keyring = Keyring(table.text("member"), ca_key=decode_base64(table.text("ca_key"), "ca_key"), **secrets)
    table.finish()
    load_key(keyring.ca_key, "ca_key")
    return keyring


def member_of(keyring: Keyring, address: Address, tls_ca: bytes) -> Member:
    """The public facts of this keyring's member. tls_ca: DER."""
    log_key = Signer.from_seed("log", keyring.log_seed).key.public_key
    cosign_key = Cosigner.from_seed("cosigner", keyring.cosign_seed).key.public_key
    return Member(keyring.member, address, log_key, cosign_key, tls_ca)


def check_keyring(keyring: Keyring, manifest: Manifest) -> None:
    """That these secret keys are those of the member's public keys. Raises Refused."""
    try:
        stated = manifest.member(keyring.member)
    except NotFound:
        raise Refused("NOT_A_MEMBER", "the manifest has no such member", "member") from None
    held = member_of(keyring, stated.address, stated.tls_ca)
    if held != stated or keyring.authority_key.public_key() != stated.authority.public_key():
        raise Refused("WRONG_KEY", "the keyring's keys are not those in the manifest", "member")


def generate_key() -> ec.EllipticCurvePrivateKey:
    """A P-256 key for TLS."""
    return ec.generate_private_key(ec.SECP256R1())
