"""A lender's own secrets, made once by `init` and sealed as one file under its passphrase."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import ec

from ledger.certificate import key_der, load_key
from ledger.errors import InvalidInput
from ledger.strict import decode_base64, encode_base64
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


def generate_key() -> ec.EllipticCurvePrivateKey:
    """A P-256 key for TLS."""
    return ec.generate_private_key(ec.SECP256R1())
