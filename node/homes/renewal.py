"""A running node's certificates, issued anew before they lapse: it may run for years (design section 7)."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import structlog
from cryptography.hazmat.primitives.asymmetric import ec

from ledger.consortium.caller import ROLES, Caller, Role
from ledger.consortium.certificate import certificate_pem
from ledger.errors import InvalidInput, PlimsollError
from node.clock import Clock
from node.consortium import Consortium
from node.homes.authority import issue_leaf
from node.homes.credentials import HOME_NAME, RENEW_BEFORE
from node.homes.home import Home
from node.homes.keyring import Keyring
from node.wire.connections import Connections
from node.wire.tls import Presented

log = structlog.get_logger()

#: Seconds between two looks.
INTERVAL = 3600.0
#: How long before the CA itself lapses people are told: a new one takes a change of the manifest.
WARN_BEFORE = timedelta(days=180)


class Renewal:
    """Over the keys as they are, so that neither a passphrase nor anybody's help is needed."""

    def __init__(
        self,
        home: Home,
        consortium: Consortium,
        keyring: Keyring,
        presented: Presented,
        connections: Connections,
        clock: Clock,
    ) -> None:
        """presented: what this node shows of itself now."""
        self._home = home
        self._consortium = consortium
        self._keyring = keyring
        self._presented = presented
        self._connections = connections
        self._clock = clock

    @property
    def alerts(self) -> list[str]:
        """What a person should look at."""
        ends = self._consortium.manifest.member(self._consortium.member).authority.not_valid_after_utc
        if ends - self._now() > WARN_BEFORE:
            return []
        return [f"this member's CA lapses on {ends.date().isoformat()}: change it (docs/operations.md)"]

    async def run(self) -> None:
        """Looks for ever."""
        while True:
            try:
                await self.look()
            except PlimsollError as error:  # a file cannot be read or written: the certificates have weeks left
                log.error("certificates cannot be renewed", why=str(error))
            await asyncio.sleep(self._clock.jittered(INTERVAL))

    async def look(self) -> None:
        """Renews what must be; new connections then see it. Raises as `renew`."""
        if "node" in await asyncio.to_thread(self.renew):
            self._presented = Presented(self._presented.key, self._certificate())
            self._connections.present(self._presented)

    def renew(self) -> list[Role]:
        """Issues the home's certificates that will soon lapse; whose they are. Raises as the home's methods do."""
        return [role for role in ROLES if self._renew(role)]

    def _renew(self, role: Role) -> bool:
        now, before = self._now(), self._home.certificate(role)
        if now + RENEW_BEFORE < before.not_valid_after_utc:
            return False
        key = before.public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise InvalidInput("BAD_CERTIFICATE", "not over a key of ours", role)
        member = self._consortium.manifest.member(self._consortium.member)
        caller = Caller(self._consortium.id, member.name, role, HOME_NAME)
        hosts = (member.address.host, self._home.config.address.host)
        leaf = issue_leaf(member.authority, self._keyring.authority_key, caller, key, now, hosts=hosts)
        self._home.store_certificate(role, leaf)
        log.info("certificate renewed", role=role, until=leaf.not_valid_after_utc.isoformat())
        return True

    def _certificate(self) -> bytes:
        return certificate_pem(self._home.certificate("node"))

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.unix(), UTC)
