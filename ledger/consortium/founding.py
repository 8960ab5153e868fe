"""Founding a consortium (design section 7): collecting every member's signature under one manifest.

Signatures travel with the manifest in a signed note, in any order and by any way; copies are merged. A member signs
with its log key under the name of its log, so a signature says both "this is my log" and "these are our rules".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ledger.consortium.manifest import Manifest, parse_manifest
from ledger.errors import InvalidInput, Refused, Unready, Unverified
from ledger.tlog.note import Note, SignatureLine, Signer, parse_note, verify_note

_SIGNATURES = "\n\n\u2014 "  # no TOML document holds this: a line cannot start so, and values have no newline


@dataclass(frozen=True, slots=True)
class SignedManifest:
    """A manifest and the members' signatures that it has so far: verified, one a member, in the members' order."""

    manifest: Manifest
    signatures: tuple[SignatureLine, ...]

    @property
    def missing(self) -> tuple[str, ...]:
        """The members that have not signed."""
        signed = {line.name for line in self.signatures}
        return tuple(member.name for member in self.manifest.members if self.manifest.origin(member.name) not in signed)

    def encode(self) -> bytes:
        """The note's bytes; the bare text while nobody has signed. `read_signed_manifest` reads either."""
        if not self.signatures:
            return self.manifest.text.encode()
        return Note(self.manifest.text, self.signatures).encode()

    def signed_by(self, member: str, log_seed: bytes) -> SignedManifest:
        """With this member's signature. Raises InvalidInput for a seed that is not its log key's, NotFound."""
        signer = Signer.from_seed(self.manifest.origin(member), log_seed)
        if signer.key != self.manifest.log_key(member):
            raise InvalidInput("WRONG_KEY", "this secret key is not this member's log key")
        return _ordered(self.manifest, (*self.signatures, signer.sign(self.manifest.text)))


def read_signed_manifest(raw: bytes) -> SignedManifest:
    """Reads a founding manifest with all, some or none of its signatures; those of strangers are dropped.

    Raises InvalidInput for what is no founding manifest, Unverified where a member's signature fails.
    """
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInput("BAD_MANIFEST", "a manifest is UTF-8") from error
    if _SIGNATURES not in text:
        return SignedManifest(_founding(text), ())
    note = parse_note(raw)
    manifest = _founding(note.text)
    try:
        verified = verify_note(note, (manifest.log_key(member.name) for member in manifest.members))
    except Unverified as error:
        if error.reason != "NO_KNOWN_SIGNATURE":
            raise
        verified = ()
    return _ordered(manifest, (line for _, line in verified))


def merge_signed(copies: Sequence[SignedManifest]) -> SignedManifest:
    """One copy with the signatures of all. Raises InvalidInput for none, or for copies of different manifests."""
    if not copies:
        raise InvalidInput("NOTHING_TO_MERGE", "there is no manifest to merge")
    manifest = copies[0].manifest
    if any(copy.manifest.text != manifest.text for copy in copies):
        raise InvalidInput("DIFFERENT_MANIFESTS", "these are not copies of one manifest")
    return _ordered(manifest, (line for copy in copies for line in copy.signatures))


def open_manifest(raw: bytes) -> Manifest:
    """A founding manifest that every member has signed. Raises Unready (UNSIGNED) naming who has not, and as above."""
    signed = read_signed_manifest(raw)
    if signed.missing:
        raise Unready("UNSIGNED", f"not signed yet by {', '.join(signed.missing)}", "signatures")
    return signed.manifest


def _founding(text: str) -> Manifest:
    manifest = parse_manifest(text)
    if manifest.sequence:
        raise Refused("NOT_FOUNDING", "a consortium is not founded by the successor of another manifest", "sequence")
    return manifest


def _ordered(manifest: Manifest, lines: Iterable[SignatureLine]) -> SignedManifest:
    by_name = {line.name: line for line in lines}
    origins = (manifest.origin(member.name) for member in manifest.members)
    return SignedManifest(manifest, tuple(by_name[origin] for origin in origins if origin in by_name))
