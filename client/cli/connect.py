"""From the shared options to a session with a node."""

from __future__ import annotations

from typing import TYPE_CHECKING

from client.cli.failure import UsageError
from client.cli.options import HOME_VARIABLE, Settings
from ledger.consortium.caller import Role

if TYPE_CHECKING:
    from client.credentials import Endpoint
    from client.sdk import Session

_NOWHERE = f"--home (or {HOME_VARIABLE}) is needed, or --address with --cert, --key and --ca"


def connect(settings: Settings, role: Role, member: str | None = None) -> Session:
    """A session in that role with the home's own node, with `member`'s, or with the one at --address.

    A certificate from --cert has the role it has. Raises PlimsollError, and UsageError for options that do not fit.
    """
    from client.sdk import Session

    return Session(endpoint(settings, role, member))


def endpoint(settings: Settings, role: Role, member: str | None = None) -> Endpoint:
    """What `connect` connects with, for several sessions of which the passphrase is asked once."""
    from client.credentials import endpoint_from_files, endpoint_from_home

    passphrase = None if settings.passphrase_file is None else str(settings.passphrase_file)
    if settings.cert or settings.key or settings.ca:
        if not (settings.cert and settings.key and settings.ca and settings.address):
            raise UsageError(_NOWHERE)
        return endpoint_from_files(
            certificate=settings.cert,
            key=settings.key,
            authority=settings.ca,
            address=settings.address,
            passphrase_file=passphrase,
        )
    home = settings.home_or_environment
    if home is None:
        raise UsageError(_NOWHERE)
    return endpoint_from_home(home, role, member=member, address=settings.address, passphrase_file=passphrase)
