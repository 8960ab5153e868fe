"""A lender's home directory: what lies where is told in `ledger.homes.home`; this reads, opens and makes it.

What it holds is never overwritten but for three things: the lineage as it grows, certificates (not their keys) when
they are renewed, and card, CA and keyring when a manifest has new keys for this member (node.homes.staging). A folder
is a home once its config.toml is there, which is put there last.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from ledger.consortium.caller import Role
from ledger.consortium.card import parse_card
from ledger.consortium.certificate import certificate_pem, key_der, load_certificate, load_key
from ledger.consortium.founding import SignedManifest, open_manifest
from ledger.consortium.history import History
from ledger.consortium.lineage import MAX_LINEAGE_BYTES, Lineage, founded, open_lineage
from ledger.consortium.manifest import Manifest
from ledger.consortium.member import Member
from ledger.crypto.passphrase import open_with_passphrase, seal_with_passphrase
from ledger.errors import InvalidInput, NotFound, Refused, Unready
from ledger.homes import home
from ledger.homes.config import Config
from node.config import load_config
from node.homes import files
from node.homes.keyring import Keyring, generate_key, parse_keyring


@dataclass(frozen=True, slots=True)
class Home:
    """A home that is there. All methods raise Unready where the file system fails, NotFound where a file is missing."""

    folder: Path
    config: Config

    def card(self) -> bytes:
        """The public card, a note."""
        return files.read(self.folder / home.CARD)

    def member(self) -> Member:
        """What the card says, verified. Raises InvalidInput, Unverified."""
        return parse_card(self.card())

    def is_founded(self) -> bool:
        """Whether a manifest has been adopted."""
        return files.exists(self.folder / home.MANIFEST)

    def lineage(self) -> Lineage:
        """All manifests so far, verified. Raises Unready (NOT_FOUNDED) before one is adopted, and as `open_lineage`."""
        try:
            note = files.read(self.folder / home.MANIFEST)
        except NotFound:
            raise Unready("NOT_FOUNDED", "no manifest has been adopted yet: docs/founding.md") from None
        try:
            raw = files.read(self.folder / home.LINEAGE, MAX_LINEAGE_BYTES)
        except NotFound:
            return founded(note)
        lineage = open_lineage(raw)
        if lineage.history.consortium != open_manifest(note).id:
            raise InvalidInput("OTHER_LINEAGE", "begins with another manifest than manifest.note", home.LINEAGE)
        return lineage

    def history(self) -> History:
        """As `lineage`, without what shows it."""
        return self.lineage().history

    def manifest(self) -> Manifest:
        """The manifest in force. Raises as `lineage`."""
        return self.lineage().current

    def store_manifest(self, signed: SignedManifest) -> None:
        """Puts the founding manifest in force."""
        files.write_over(self.folder / home.MANIFEST, signed.encode(), files.PUBLIC)

    def store_lineage(self, lineage: Lineage) -> None:
        """Puts a later manifest in force, durably. Raises Refused where it does not go on from what is in force."""
        if self.is_founded():
            held = self.lineage()
            lineage.check_extends(held)
            if lineage.history == held.history:
                return
        files.write_over(self.folder / home.LINEAGE, lineage.encode(), files.PUBLIC)

    def keyring(self, passphrase: str) -> Keyring:
        """The keyring. Raises Refused for a wrong passphrase, InvalidInput for another home's keyring."""
        return self._keyring(home.KEYRING, passphrase)

    def _keyring(self, name: str, passphrase: str) -> Keyring:
        keyring = parse_keyring(self._open(name, home.KEYRING_KIND, passphrase))
        if keyring.member != self.config.member:
            raise InvalidInput("WRONG_KEYRING", "the keyring is another member's than config.toml says")
        return keyring

    def staged_member(self) -> Member | None:
        """What the card says that is to replace the one in force; None where nothing is staged."""
        if not files.exists(self.folder / home.STAGED_KEYRING):
            return None
        return parse_card(files.read(self.folder / home.STAGED_CARD))

    def staged_keyring(self, passphrase: str) -> Keyring:
        """The keyring that is to replace the one in force. Raises NotFound where none is, and as `keyring`."""
        return self._keyring(home.STAGED_KEYRING, passphrase)

    def authority(self) -> x509.Certificate:
        """This member's CA certificate. Raises InvalidInput."""
        return self._certificate(home.AUTHORITY)

    def certificate(self, role: Role) -> x509.Certificate:
        """The certificate of a role. Raises InvalidInput."""
        return self._certificate(home.certificate_file(role))

    def store_certificate(self, role: Role, certificate: x509.Certificate) -> None:
        """Puts a certificate in place of the one before."""
        files.write_over(self.folder / home.certificate_file(role), certificate_pem(certificate), files.PUBLIC)

    def key(self, role: Role, passphrase: str) -> ec.EllipticCurvePrivateKey:
        """A role's secret key. Raises as `keyring`."""
        return load_key(self._open(home.key_file(role), home.key_kind(role), passphrase), home.key_file(role))

    def make_key(self, role: Role, passphrase: str, rng: Callable[[int], bytes]) -> bool:
        """Makes a role's secret key where there is none; whether there was none."""
        path = self.folder / home.key_file(role)
        if files.exists(path):
            return False
        sealed = seal_with_passphrase(passphrase, home.key_kind(role), key_der(generate_key()), rng)
        files.write_new(path, sealed.encode(), files.PRIVATE)
        return True

    def _open(self, name: str, kind: str, passphrase: str) -> bytes:
        try:
            text = files.read(self.folder / name).decode("ascii")
        except UnicodeDecodeError:
            raise InvalidInput("BAD_SECRET", "not a sealed secret", name) from None
        return open_with_passphrase(passphrase, kind, text)

    def _certificate(self, name: str) -> x509.Certificate:
        return load_certificate(files.read(self.folder / name), name)


def open_home(folder: Path) -> Home:
    """The home in a folder. Raises NotFound, InvalidInput, Unready."""
    return Home(folder, load_config(folder))


def create_home(folder: Path, config_text: str, card: bytes, authority: x509.Certificate, sealed_keyring: str) -> None:
    """A new home: whole, or nothing at all. Raises Refused where something is there already, Unready."""
    with staged_home(folder) as staged:
        for name in (home.TLS, home.SECRETS, home.CHAIN, home.BOOK):
            files.make_folder(staged / name)
        files.write_new(staged / home.KEYRING, sealed_keyring.encode(), files.PRIVATE)
        files.write_new(staged / home.AUTHORITY, certificate_pem(authority), files.PUBLIC)
        files.write_new(staged / home.CARD, card, files.PUBLIC)
        files.write_new(staged / home.CONFIG, config_text.encode(), files.PUBLIC)


@contextmanager
def staged_home(folder: Path) -> Iterator[Path]:
    """Where to build a home that is put in its place at the end of the block, or not at all where that fails.

    Raises Refused (HOME_EXISTS) where something is there already, Unready.
    """
    with files.explained(folder):
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise Refused("HOME_EXISTS", f"{folder} is there already and not empty")
        staged = _stage(folder)
        try:
            yield staged
            _put(staged, folder)
        finally:
            shutil.rmtree(staged, ignore_errors=True)


def _stage(folder: Path) -> Path:
    """A folder of mode 0700 in which the home is built: beside it, or in it where it may be a mount point."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(dir=folder if folder.exists() else folder.parent, prefix=".plimsoll-init-"))


def _put(staged: Path, folder: Path) -> None:
    if not folder.exists():
        staged.rename(folder)
        files.sync_folder(folder.parent)
        return
    children = sorted(staged.iterdir(), key=lambda child: child.name == home.CONFIG)
    try:
        for child in children:
            child.rename(folder / child.name)
    except OSError:
        for child in children:
            with suppress(FileNotFoundError):
                os.rename(folder / child.name, child)
        raise
    files.sync_folder(folder)
