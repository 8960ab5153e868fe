"""The table [web] of config.toml: HTTP for auditors, logs elsewhere that are cosigned, and witnesses elsewhere.

[web]
listen = "0.0.0.0:7780"

[[web.witness_for]]
log = "<verifier key of a log>"

[[web.witnesses]]
name = "auditor-house"
key = "<verifier key of a cosigner>"
url = "https://witness.example/prefix"
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ledger.consortium.address import Address, parse_address
from ledger.consortium.caller import check_name
from ledger.errors import InvalidInput
from ledger.tlog.note import COSIGNATURE_V1, ED25519, VerifierKey
from ledger.toml import Table

#: Of either kind; each costs a request a heartbeat, or a record in the store.
MAX_ELSEWHERE = 64

_URL = re.compile(r"(https?)://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]+)?((?:/[A-Za-z0-9._~-]+)*)")
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class OutsideWitness:
    """A witness that is no member, and cosigns this member's log. key: its cosigning key (type 04), whose name may be
    another than `name`, which is for people. url: the submission prefix, without a slash at its end. ca: a file of
    PEM certificates, as written; None for those that the machine trusts."""

    name: str
    key: VerifierKey
    url: str
    ca: str | None = None


@dataclass(frozen=True, slots=True)
class Web:
    """listen: where HTTP is served, None for nowhere. plain: without TLS, for a reverse proxy of this machine.

    witness_for: the keys of logs elsewhere that this member cosigns. witnesses: who is asked to cosign its log.
    """

    listen: Address | None
    plain: bool = False
    witness_for: tuple[VerifierKey, ...] = ()
    witnesses: tuple[OutsideWitness, ...] = ()


def read_web(table: Table) -> Web:
    """Reads the table. Raises InvalidInput."""
    witness_for = tuple(map(_read_log, table.tables("witness_for", 0, MAX_ELSEWHERE) if "witness_for" in table else ()))
    witnesses = tuple(map(_read_witness, table.tables("witnesses", 0, MAX_ELSEWHERE) if "witnesses" in table else ()))
    _check_distinct([key.name for key in witness_for], table.path("witness_for"))
    _check_distinct([one.name for one in witnesses], table.path("witnesses"))
    _check_distinct([one.key.public_key.hex() for one in witnesses], table.path("witnesses"))
    plain = table.boolean("plain", False)
    needed = "listen" in table or plain or witness_for or not witnesses
    listen = parse_address(table.text("listen"), table.path("listen")) if needed else None
    if plain and listen is not None and not is_loopback(listen):
        raise InvalidInput("NOT_LOOPBACK", "without TLS only a loopback address is listened on", table.path("listen"))
    table.finish()
    return Web(listen, plain, witness_for, witnesses)


def is_loopback(address: Address) -> bool:
    """Whether only this machine reaches it."""
    return address.host == "localhost" if address.ip is None else address.ip.is_loopback


def _read_log(table: Table) -> VerifierKey:
    key = _key(table, "log", ED25519, "a log's key is of type 01")
    table.finish()
    return key


def _read_witness(table: Table) -> OutsideWitness:
    name = check_name(table.text("name"), table.path("name"))
    key = _key(table, "key", COSIGNATURE_V1, "a witness's key is of type 04")
    url = check_url(table.text("url"), table.path("url"))
    ca = table.text("ca") if "ca" in table else None
    if ca is not None and url.startswith("http:"):
        raise InvalidInput("BAD_URL", "without TLS there is no CA", table.path("ca"))
    table.finish()
    return OutsideWitness(name, key, url, ca)


def _key(table: Table, name: str, kind: int, why: str) -> VerifierKey:
    key = VerifierKey.parse(table.text(name), table.path(name))
    if key.type != kind:
        raise InvalidInput("BAD_KEY_TYPE", why, table.path(name))
    return key


def check_url(text: str, path: str) -> str:
    """A prefix: https, or http on this machine alone; no user, query or fragment. Raises InvalidInput."""
    found = _URL.fullmatch(text)
    if found is None or any(part in (".", "..") for part in found[4].split("/")):
        raise InvalidInput("BAD_URL", "must be https://host[:port][/path], without a slash at its end", path)
    address = parse_address(f"{found[2]}{found[3] or f':{_PORTS[found[1]]}'}", path)
    if found[1] == "http" and not is_loopback(address):
        raise InvalidInput("BAD_URL", "http is for this machine alone: use https", path)
    return text


def _check_distinct(names: list[str], path: str) -> None:
    for number, name in enumerate(names):
        if name in names[:number]:
            raise InvalidInput("DUPLICATE", "this stands here already", f"{path}[{number}]")
