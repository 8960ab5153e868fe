"""Secrets as text under a passphrase: keys and shares in files of mode 0600.

    plimsoll sealed v1 <kind>
    <base64 of: log2 n (1) || r (1) || p (1) || salt (16) || box>, in lines of at most 76 characters

The box is `crypto.sealed`'s, under scrypt (RFC 7914) of the passphrase (NFC, UTF-8), and bound to kind, parameters and
salt.
"""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Callable

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from ledger.crypto.sealed import KEY_SIZE, OVERHEAD, open_sealed, seal
from ledger.errors import InvalidInput, Refused, Unverified
from ledger.strict import decode_base64, encode_base64

DOMAIN = "plimsoll/v1/passphrase"
LOG_N, R, P = 15, 8, 1  # 32 MiB and about 0.1 s
SALT_SIZE = 16
MAX_MEMORY = 1 << 28  # bytes that a file's parameters may ask for, passes included
MAX_TEXT = 1 << 20
_LINE = 76
_HEADER = 3 + SALT_SIZE
_KIND = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_FIRST_LINE = "plimsoll sealed v1 "


def seal_with_passphrase(passphrase: str, kind: str, plaintext: bytes, rng: Callable[[int], bytes]) -> str:
    """The armoured text, ending in a newline. kind: what the secret is ("node-keys"). Raises InvalidInput."""
    if _KIND.fullmatch(kind) is None:
        raise InvalidInput("BAD_KIND", "a kind has 1 to 32 of a-z 0-9 -", "kind")
    salt = rng(SALT_SIZE)
    key = _stretch(passphrase, salt, LOG_N, R, P)
    box = seal(key, DOMAIN, (kind, LOG_N, R, P, salt), plaintext, rng)
    lines = textwrap.wrap(encode_base64(bytes((LOG_N, R, P)) + salt + box), _LINE)
    return "\n".join((_FIRST_LINE + kind, *lines, ""))


def open_with_passphrase(passphrase: str, kind: str, text: str) -> bytes:
    """The secret. Raises InvalidInput for text that is not such a file of this kind, Refused("WRONG_PASSPHRASE")
    where it does not open: a wrong passphrase and an altered file cannot be told apart."""
    log_n, r, p, salt, box = _parse(kind, text)
    key = _stretch(passphrase, salt, log_n, r, p)
    try:
        return open_sealed(key, DOMAIN, (kind, log_n, r, p, salt), box)
    except Unverified:
        raise Refused("WRONG_PASSPHRASE", "wrong passphrase, or the file was altered", "passphrase") from None


def _parse(kind: str, text: str) -> tuple[int, int, int, bytes, bytes]:
    if len(text) > MAX_TEXT:
        raise InvalidInput("BAD_SEALED_FILE", f"longer than {MAX_TEXT} characters")
    first, *lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n")
    if not first.startswith(_FIRST_LINE):
        raise InvalidInput("BAD_SEALED_FILE", f"the first line must be '{_FIRST_LINE}<kind>'")
    if first != _FIRST_LINE + kind:
        raise InvalidInput("WRONG_KIND", f"this sealed file holds something other than {kind}")
    raw = decode_base64("".join(lines), "body")
    if len(raw) < _HEADER + OVERHEAD:
        raise InvalidInput("BAD_SEALED_FILE", "cut short")
    log_n, r, p = raw[:3]
    if not (log_n and r and p) or 128 * r * p << log_n > MAX_MEMORY:
        raise InvalidInput("BAD_SEALED_FILE", "scrypt parameters out of bounds")
    return log_n, r, p, raw[3:_HEADER], raw[_HEADER:]


def _stretch(passphrase: str, salt: bytes, log_n: int, r: int, p: int) -> bytes:
    try:
        secret = unicodedata.normalize("NFC", passphrase).encode()
    except UnicodeEncodeError:
        raise InvalidInput("BAD_PASSPHRASE", "the passphrase is not Unicode text", "passphrase") from None
    if not secret:
        raise InvalidInput("BAD_PASSPHRASE", "the passphrase is empty", "passphrase")
    try:
        return Scrypt(salt=salt, length=KEY_SIZE, n=1 << log_n, r=r, p=p).derive(secret)
    except (ValueError, MemoryError):  # OpenSSL has bounds of its own, and says the one or the other
        raise InvalidInput("BAD_SEALED_FILE", "scrypt does not work with these parameters here") from None
