"""Keys that are to replace a member's own: made ahead, put in place when a manifest has them (design section 7).

Staged are a whole keyring, sealed as the one in force is, the card that says what is public of it, and the CA's
certificate. The keyring is written last and removed first: while it is there, what is staged is whole. Putting it in
place copies, so that it can be done again from the start wherever it was interrupted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from cryptography.hazmat.primitives.serialization import Encoding

from ledger.consortium.address import Address
from ledger.consortium.card import parse_card, sign_card
from ledger.consortium.certificate import certificate_pem, key_der
from ledger.consortium.manifest import Manifest
from ledger.crypto.passphrase import seal_with_passphrase
from ledger.errors import InvalidInput, Refused
from ledger.homes import home as layout
from node.homes import files
from node.homes.authority import issue_authority
from node.homes.home import Home
from node.homes.keyring import SECRET_SIZE, check_keyring, generate_key, member_of

_COPIES = (
    (layout.STAGED_KEYRING, layout.KEYRING, files.PRIVATE),
    (layout.STAGED_AUTHORITY, layout.AUTHORITY, files.PUBLIC),
    (layout.STAGED_CARD, layout.CARD, files.PUBLIC),
)


def stage(
    home: Home,
    passphrase: str,
    *,
    rng: Callable[[int], bytes],
    now: datetime,
    log: bool = False,
    cosign: bool = False,
    tls: bool = False,
    address: Address | None = None,
) -> bytes:
    """Makes new keys, of those asked for, and a card for them and for a new address: the card, to be proposed.

    Nothing is in force by this. Raises Refused (STAGED_ALREADY) where something is staged, which a manifest may have by
    now; `discard` drops it. InvalidInput where nothing is asked for, and as `Home.keyring`.
    """
    if not (log or cosign or tls or address):
        raise InvalidInput("MISSING_OPTION", "say which key is to be changed, or the address")
    if home.staged_member() is not None:
        raise Refused("STAGED_ALREADY", "new keys are there already: card.next in the home is their card")
    keyring = home.keyring(passphrase)
    fresh = replace(
        keyring,
        log_seed=rng(SECRET_SIZE) if log else keyring.log_seed,
        cosign_seed=rng(SECRET_SIZE) if cosign else keyring.cosign_seed,
        ca_key=key_der(generate_key()) if tls else keyring.ca_key,
    )
    authority = issue_authority(keyring.member, fresh.authority_key, now) if tls else home.authority()
    member = member_of(fresh, address or home.member().address, authority.public_bytes(Encoding.DER))
    card = sign_card(member, fresh.log_seed, fresh.cosign_seed)
    parse_card(card)  # what others would refuse is not staged
    sealed = seal_with_passphrase(passphrase, layout.KEYRING_KIND, fresh.encode(), rng)
    files.write_over(home.folder / layout.STAGED_AUTHORITY, certificate_pem(authority), files.PUBLIC)
    files.write_over(home.folder / layout.STAGED_CARD, card, files.PUBLIC)
    files.write_over(home.folder / layout.STAGED_KEYRING, sealed.encode(), files.PRIVATE)
    return card


def is_staged(home: Home, manifest: Manifest) -> bool:
    """Whether a manifest has this member just as what is staged says."""
    staged = home.staged_member()
    return staged is not None and staged.name in manifest and manifest.member(staged.name) == staged


def activate(home: Home, manifest: Manifest, passphrase: str) -> bool:
    """Puts what is staged in place if `manifest`, which is in force, has this member so; whether it did.

    Certificates are to be renewed then (node.homes.credentials). Raises as `Home.keyring`; what is in place stays then.
    """
    if not is_staged(home, manifest):
        return False
    check_keyring(home.staged_keyring(passphrase), manifest)
    for source, target, mode in _COPIES:
        files.write_over(home.folder / target, files.read(home.folder / source), mode)
    discard(home)
    return True


def discard(home: Home) -> None:
    """Forgets what is staged: only where no manifest has it, nor any proposal that may still be accepted."""
    for source, _, _ in _COPIES:
        files.remove(home.folder / source)
