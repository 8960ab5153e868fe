"""Where a node listens: host and port in the one spelling that signed documents hold."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from ledger.errors import InvalidInput
from ledger.strict import parse_decimal

_LABEL = r"[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?"
_DNS_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_ONLY_DIGITS = re.compile(r"[0-9.]+")
_MAX_DNS_NAME = 253  # RFC 1035 section 3.1, as text


@dataclass(frozen=True, slots=True)
class Address:
    """host: a DNS name in lower case, or an IP address in canonical form without brackets. port: 1 .. 65535."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def ip(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
        """The host as an IP address, None where it is a name."""
        try:
            return ipaddress.ip_address(self.host)
        except ValueError:
            return None

    @property
    def is_wildcard(self) -> bool:
        """Whether it means every interface of the machine: good to listen on, not to be reached at."""
        return self.ip is not None and self.ip.is_unspecified


def parse_address(text: str, path: str) -> Address:
    """Reads "host:port", "1.2.3.4:port" or "[::1]:port". Raises InvalidInput."""
    host, colon, port_text = text.rpartition(":")
    if not colon:
        raise _bad("an address is host:port", path)
    port = parse_decimal(port_text, path, 65535)
    if port == 0:
        raise _bad("a port is in 1 .. 65535", path)
    bracketed = host.startswith("[") and host.endswith("]")
    address = Address(host[1:-1] if bracketed else host, port)
    if bracketed != (":" in address.host) or not _is_host(address):
        raise _bad("the host is neither a DNS name in lower case nor an IP address (IPv6 in brackets)", path)
    return address


def _is_host(address: Address) -> bool:
    if address.ip is not None:
        return str(address.ip) == address.host and "%" not in address.host
    if _ONLY_DIGITS.fullmatch(address.host):  # resolvers read "127.1" or "1" as IP addresses
        return False
    return len(address.host) <= _MAX_DNS_NAME and _DNS_NAME.fullmatch(address.host) is not None


def _bad(message: str, path: str) -> InvalidInput:
    return InvalidInput("BAD_ADDRESS", message, path)
