"""Lenders with keys, cards and manifests: what tests of a consortium start from. Made once, always the same seeds."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ledger.consortium.address import Address
from ledger.consortium.card import sign_card
from ledger.consortium.founding import SignedManifest
from ledger.consortium.manifest import Manifest, parse_manifest, render_manifest
from ledger.consortium.member import Member
from ledger.consortium.policy import Policy, default_policy
from ledger.tlog.cosignature import Cosigner
from ledger.tlog.note import Signer
from node.homes import founding
from node.homes.authority import issue_authority
from node.homes.home import Home
from node.homes.keyring import Keyring, generate_keyring

NOW = datetime.now(UTC).replace(microsecond=0)  # today, as real handshakes go by the real clock
PASSPHRASE = "correct horse battery staple"


@dataclass(frozen=True)
class Lender:
    keyring: Keyring
    member: Member

    @property
    def name(self) -> str:
        return self.member.name

    @property
    def authority(self) -> x509.Certificate:
        return self.member.authority

    @property
    def card(self) -> bytes:
        return sign_card(self.member, self.keyring.log_seed, self.keyring.cosign_seed)


def seeded(seed: str):
    """Bytes for tests, in place of os.urandom: the same in every run."""
    counter = itertools.count()
    return lambda size: hashlib.shake_256(f"{seed}/{next(counter)}".encode()).digest(size)


@cache
def lender(number: int) -> Lender:
    """lender-<number>, at lender-<number>.example:7700."""
    name = f"lender-{number}"
    keyring = generate_keyring(name, seeded(name))
    authority = issue_authority(name, keyring.authority_key, NOW)
    member = Member(
        name=name,
        address=Address(f"{name}.example", 7700),
        log_key=Signer.from_seed("log", keyring.log_seed).key.public_key,
        cosign_key=Cosigner.from_seed("cosigner", keyring.cosign_seed).key.public_key,
        tls_ca=authority.public_bytes(Encoding.DER),
    )
    return Lender(keyring, member)


def lenders(count: int) -> list[Lender]:
    return [lender(number) for number in range(1, count + 1)]


def manifest_text(
    count: int = 3, *, name: str = "Example", policy: Policy | None = None, custodians: Sequence[str] = ()
) -> str:
    return render_manifest(
        name=name,
        currency="CNY",
        time_zone="Asia/Shanghai",
        members=[one.member for one in lenders(count)],
        policy=policy or default_policy(count),
        custodians=custodians,
    )


@cache
def manifest(count: int = 3, name: str = "Example") -> Manifest:
    return parse_manifest(manifest_text(count, name=name))


def signed_manifest(count: int = 3, *, without: tuple[str, ...] = ()) -> SignedManifest:
    signed = SignedManifest(manifest(count), ())
    for one in lenders(count):
        if one.name not in without:
            signed = signed.signed_by(one.name, one.keyring.log_seed)
    return signed


def make_homes(folder: Path, count: int = 3) -> list[Home]:
    """New homes lender-1 .. lender-<count> in a folder, reached at localhost; slow (0.1 s each)."""
    return [
        founding.init(
            folder / f"lender-{number}",
            f"lender-{number}",
            Address("localhost", 7700 + number),
            PASSPHRASE,
            rng=seeded(f"home {number}"),
            now=NOW,
        )
        for number in range(1, count + 1)
    ]


def found_homes(homes: list[Home], name: str = "Example") -> SignedManifest:
    """A manifest over these homes' cards, signed by all and adopted by none."""
    signed = founding.found([home.card() for home in homes], name=name, currency="CNY", time_zone="Asia/Shanghai")
    for home in homes:
        signed = founding.sign(home, signed, PASSPHRASE)
    return signed


def adopt_all(homes: list[Home], signed: SignedManifest) -> Manifest:
    for home in homes:
        founding.adopt(home, signed.encode(), PASSPHRASE, rng=seeded(f"adopt {home.folder.name}"), now=NOW)
    return signed.manifest
