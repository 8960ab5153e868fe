"""How a client reaches a node: an address, a certificate of the right role, and the one CA it trusts there.

From a lender's home (its own certificates, sealed), or from files that `credential` made for a program elsewhere.
"""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import grpc

from ledger.consortium.address import Address, parse_address
from ledger.consortium.authority import authority_member
from ledger.consortium.caller import Caller, Role, server_name
from ledger.consortium.certificate import PEM, key_pem, load_certificate, load_key, named_caller
from ledger.consortium.founding import open_manifest
from ledger.consortium.lineage import MAX_LINEAGE_BYTES, open_lineage
from ledger.consortium.manifest import Manifest
from ledger.crypto.passphrase import open_with_passphrase
from ledger.errors import InvalidInput, NotFound, Unready
from ledger.homes import home
from ledger.homes.config import Config, parse_config
from ledger.homes.unlock import find_passphrase

MAX_FILE = 1 << 20


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One node as one caller reaches it.

    address: host:port. server_name: the DNS name the node's certificate must have. caller: who the certificate says we
    are. certificate, key, authority: PEM, of us, of us, and of the CA that the node's certificate must be by.
    """

    address: str
    server_name: str
    caller: Caller
    certificate: bytes
    key: bytes = field(repr=False)
    authority: bytes

    @property
    def credentials(self) -> grpc.ChannelCredentials:
        """For a channel with the option grpc.ssl_target_name_override = server_name."""
        return grpc.ssl_channel_credentials(self.authority, self.key, self.certificate)


def endpoint_from_home(
    folder: Path,
    role: Role,
    *,
    member: str | None = None,
    address: str | None = None,
    passphrase_file: str | None = None,
) -> Endpoint:
    """Towards this home's own node, or another member's, with the home's own certificate of that role.

    Raises NotFound where the folder is no home or the member none, Unready before a manifest is adopted or without a
    passphrase, Refused for a wrong one, InvalidInput.
    """
    config = _config(folder)
    manifest = _manifest(folder)
    server = manifest.member(member or config.member)
    reached = server.address if server.name != config.member else local_address(config)
    certificate = _read(folder / home.certificate_file(role))
    configured = config.passphrase_file and str(folder / config.passphrase_file)
    return Endpoint(
        address=str(parse_address(address, "address") if address else reached),
        server_name=server_name(server.name),
        caller=named_caller(load_certificate(certificate, "certificate"), "certificate"),
        certificate=certificate,
        key=_open_key(_read(folder / home.key_file(role)), role, lambda: _passphrase(passphrase_file, configured)),
        authority=server.authority_pem,
    )


def endpoint_from_files(
    *, certificate: Path, key: Path, authority: Path, address: str, passphrase_file: str | None = None
) -> Endpoint:
    """From the files that `credential` made: `authority` is the CA of the node to be reached, at `address` (host:port).

    The key may be PEM or sealed; only a sealed one needs a passphrase. Raises as `endpoint_from_home`.
    """
    presented, pinned = _read(certificate), _read(authority)
    caller = named_caller(load_certificate(presented, "certificate"), "certificate")
    return Endpoint(
        address=str(parse_address(address, "address")),
        server_name=server_name(authority_member(load_certificate(pinned, "ca"))),
        caller=caller,
        certificate=presented,
        key=_open_key(_read(key), caller.role, lambda: _passphrase(passphrase_file, None)),
        authority=pinned,
    )


def local_address(config: Config) -> Address:
    """Where a home's own node is reached from its own machine."""
    if not config.listen.is_wildcard:
        return config.listen
    return Address("::1" if ":" in config.listen.host else "127.0.0.1", config.listen.port)


def _config(folder: Path) -> Config:
    try:
        raw = _read(folder / home.CONFIG)
    except NotFound:
        raise NotFound("NO_HOME", f"{folder} is not a Plimsoll home: `init` makes one") from None
    return parse_config(raw)


def _manifest(folder: Path) -> Manifest:
    """The one in force."""
    try:
        founding = open_manifest(_read(folder / home.MANIFEST))
    except NotFound:
        raise Unready("NOT_FOUNDED", "no manifest has been adopted yet: docs/founding.md") from None
    try:
        raw = _read(folder / home.LINEAGE, MAX_LINEAGE_BYTES)
    except NotFound:
        return founding
    history = open_lineage(raw).history
    if history.consortium != founding.id:
        raise InvalidInput("OTHER_LINEAGE", "begins with another manifest than manifest.note", home.LINEAGE)
    return history.current


def _open_key(raw: bytes, role: Role, passphrase: Callable[[], str]) -> bytes:
    """A secret key as PEM, from PEM or sealed text."""
    if raw.startswith(PEM):
        return key_pem(load_key(raw, "key"))
    try:
        text = raw.decode("ascii")
    except UnicodeDecodeError:
        raise InvalidInput("BAD_KEY", "neither PEM nor a sealed key", "key") from None
    return key_pem(load_key(open_with_passphrase(passphrase(), home.key_kind(role), text), "key"))


def _passphrase(option: str | None, configured: str | None) -> str:
    ask = (lambda: getpass.getpass("Passphrase: ")) if sys.stdin is not None and sys.stdin.isatty() else None
    return find_passphrase(option, os.environ, configured, lambda name: _read(Path(name)), ask)


def _read(path: Path, maximum: int = MAX_FILE) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(maximum + 1)
    except FileNotFoundError:
        raise NotFound("NO_FILE", f"there is no {path}") from None
    except OSError as error:
        raise Unready("FILE_SYSTEM", f"{path}: {error.strerror}") from error
    if len(raw) > maximum:
        raise InvalidInput("FILE_TOO_LARGE", f"{path} is larger than {MAX_FILE} bytes")
    return raw
