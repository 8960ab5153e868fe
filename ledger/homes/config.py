"""A home's config.toml: what a lender decides for its node alone. What is agreed with others is in the manifest."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ledger.consortium.address import Address, parse_address
from ledger.consortium.caller import check_name
from ledger.errors import InvalidInput
from ledger.homes.home import CONFIG
from ledger.homes.web import Web, read_web
from ledger.toml import Table, quote, read_toml

LOG_LEVELS = ("debug", "info", "warning", "error")

_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Config:
    """member: whose home this is. address: as the others reach the node. listen: where it listens.

    Paths are as written; relative ones are relative to the home. passphrase_file: None to be given otherwise.
    table: the public table for reading sums; None for the machine's own cache. metrics: where Prometheus may scrape,
    None for nowhere. cache_mib: block cache of the stores, MiB. reserve_mib: MiB that must be free on the disk of the
    stores for anything to be written. workers: processes for bulk cryptography, 0 for one a
    core. revoked: SHA-256 of certificates (DER) that this node no longer accepts. web: HTTP for auditors and witnesses;
    None for none.
    """

    member: str
    address: Address
    listen: Address
    passphrase_file: str | None = None
    table: str | None = None
    metrics: Address | None = None
    cache_mib: int = 512
    reserve_mib: int = 256
    workers: int = 0
    log_level: str = "info"
    revoked: frozenset[bytes] = frozenset()
    web: Web | None = None


def parse_config(raw: bytes) -> Config:
    """Reads config.toml. Raises InvalidInput, with the file's name in front of the path."""
    try:
        return _read(read_toml(raw.decode("utf-8")))
    except UnicodeDecodeError:
        raise InvalidInput("BAD_TOML", "not UTF-8", CONFIG) from None
    except InvalidInput as error:
        raise error.under(CONFIG) from error


def _read(table: Table) -> Config:
    address = parse_address(table.text("address"), "address")
    config = Config(
        member=check_name(table.text("member"), "member"),
        address=address,
        listen=_optional_address(table, "listen") or default_listen(address),
        passphrase_file=table.text("passphrase_file") if "passphrase_file" in table else None,
        table=table.text("table") if "table" in table else None,
        metrics=_optional_address(table, "metrics"),
        cache_mib=table.integer("cache_mib", 8, 1 << 20, 512),
        reserve_mib=table.integer("reserve_mib", 0, 1 << 20, 256),
        workers=table.integer("workers", 0, 1024, 0),
        log_level=_log_level(table),
        revoked=frozenset(_fingerprints(table)),
        web=read_web(table.table("web")) if "web" in table else None,
    )
    table.finish()
    return config


def render_config(member: str, address: Address, listen: Address) -> str:
    """The config.toml of a new home."""
    return f"""\
# A Plimsoll home. What may stand here: docs/founding.md.
member = {quote(member)}

# Where the other members reach this node (it stands in the manifest too), and where it listens.
address = {quote(str(address))}
listen = {quote(str(listen))}

# passphrase_file = "/run/secrets/plimsoll"
# metrics = "127.0.0.1:9464"
# cache_mib = 512
# reserve_mib = 256
# workers = 0
# log_level = "info"
# revoked = []

# HTTPS for auditors:
# [web]
# listen = "0.0.0.0:7780"
"""


def default_listen(address: Address) -> Address:
    """Every IPv4 interface; the loopback interface alone where the node is reached there."""
    if address.ip is None:
        return address if address.host == "localhost" else Address("0.0.0.0", address.port)  # noqa: S104  # a server
    if address.ip.is_loopback:
        return address
    return Address("::" if address.ip.version == 6 else "0.0.0.0", address.port)  # noqa: S104


def _optional_address(table: Table, key: str) -> Address | None:
    return parse_address(table.text(key), key) if key in table else None


def _log_level(table: Table) -> str:
    level = table.text("log_level", "info")
    if level not in LOG_LEVELS:
        raise InvalidInput("BAD_TEXT", f"must be one of {', '.join(LOG_LEVELS)}", "log_level")
    return level


def _fingerprints(table: Table) -> tuple[bytes, ...]:
    texts = table.texts("revoked", ())
    for number, text in enumerate(texts):
        if _FINGERPRINT.fullmatch(text) is None:
            raise InvalidInput("BAD_TEXT", "a fingerprint is 64 lowercase hex digits", f"revoked[{number}]")
    return tuple(map(bytes.fromhex, texts))
