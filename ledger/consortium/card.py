"""A lender's public card: what it hands to whoever writes the founding manifest (docs/founding.md).

A signed note whose text is `# Plimsoll card v1` and the member's block. Two signatures prove that the lender holds the
secret halves: the log key's, named plimsoll/card/<member>, and the cosigning key's (type 01 here, so that it can never
pass for a cosignature), named plimsoll/card/<member>/cosigner. The CA certificate is signed by itself.
"""

from __future__ import annotations

from ledger.consortium.member import Member, read_member, render_member
from ledger.errors import InvalidInput, Unverified
from ledger.tlog.note import ED25519, Note, Signer, VerifierKey, parse_note, verify_note
from ledger.toml import read_toml

TITLE = "# Plimsoll card v1\n"
MAX_CARD_BYTES = 16 * 1024


def card_key_names(member: str) -> tuple[str, str]:
    """The key names under which the log key and the cosigning key sign a card."""
    return f"plimsoll/card/{member}", f"plimsoll/card/{member}/cosigner"


def sign_card(member: Member, log_seed: bytes, cosign_seed: bytes) -> bytes:
    """The card as a note. Raises InvalidInput for seeds that are not this member's."""
    text = TITLE + render_member(member)
    log_name, cosigner_name = card_key_names(member.name)
    signers = (Signer.from_seed(log_name, log_seed), Signer.from_seed(cosigner_name, cosign_seed))
    if tuple(signer.key for signer in signers) != _keys(member):
        raise InvalidInput("WRONG_KEY", "these secret keys are not this member's")
    return Note(text, tuple(signer.sign(text) for signer in signers)).encode()


def parse_card(raw: bytes) -> Member:
    """Reads and verifies a card. Raises InvalidInput for what is no card, Unverified for a missing or bad signature."""
    if len(raw) > MAX_CARD_BYTES:
        raise InvalidInput("BAD_CARD", f"a card is at most {MAX_CARD_BYTES} bytes")
    note = parse_note(raw)
    if not note.text.startswith(TITLE):
        raise InvalidInput("BAD_CARD", f"a card starts with {TITLE.strip()!r}")
    member = read_member(read_toml(note.text))
    keys = _keys(member)
    if len(verify_note(note, keys)) != len(keys):
        raise Unverified("UNSIGNED", "a card is signed by the log key and by the cosigning key", "signatures")
    return member


def _keys(member: Member) -> tuple[VerifierKey, VerifierKey]:
    log_name, cosigner_name = card_key_names(member.name)
    return VerifierKey(log_name, ED25519, member.log_key), VerifierKey(cosigner_name, ED25519, member.cosign_key)
