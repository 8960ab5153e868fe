"""The steps by which lenders become a consortium (docs/founding.md): init, found, sign, adopt; and join, later."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cryptography.hazmat.primitives.serialization import Encoding

from ledger.consortium.address import Address
from ledger.consortium.caller import check_name
from ledger.consortium.card import parse_card, sign_card
from ledger.consortium.founding import SignedManifest, open_manifest, read_signed_manifest
from ledger.consortium.lineage import open_lineage
from ledger.consortium.manifest import Manifest, parse_manifest, render_manifest
from ledger.consortium.member import Member
from ledger.consortium.policy import default_policy, override_policy, render_policy
from ledger.crypto.passphrase import seal_with_passphrase
from ledger.errors import InvalidInput, PlimsollError, Refused
from ledger.homes import home as layout
from ledger.homes.config import default_listen, render_config
from node.homes.authority import issue_authority
from node.homes.credentials import open_own, renew
from node.homes.home import Home, create_home, open_home
from node.homes.keyring import check_keyring, generate_keyring, member_of
from node.homes.staging import is_staged

Random = Callable[[int], bytes]


def init(
    folder: Path,
    member: str,
    address: Address,
    passphrase: str,
    *,
    rng: Random,
    now: datetime,
    listen: Address | None = None,
) -> Home:
    """A new home with fresh keys and their card. Raises InvalidInput, Refused where something is there, Unready."""
    check_name(member, "member")
    keyring = generate_keyring(member, rng)
    authority = issue_authority(member, keyring.authority_key, now)
    public = member_of(keyring, address, authority.public_bytes(Encoding.DER))
    card = sign_card(public, keyring.log_seed, keyring.cosign_seed)
    parse_card(card)  # what others would refuse must not become a home
    sealed = seal_with_passphrase(passphrase, layout.KEYRING_KIND, keyring.encode(), rng)
    config = render_config(member, address, listen or default_listen(address))
    create_home(folder, config, card, authority, sealed)
    return open_home(folder)


def found(
    cards: Sequence[bytes],
    *,
    name: str,
    currency: str,
    time_zone: str,
    minor_per_major: int = 100,
    threshold: int | None = None,
    custodians: Sequence[str] = (),
    policy: Mapping[str, str] | None = None,
) -> SignedManifest:
    """An unsigned manifest over these cards, in the order of their names: the same for whoever makes it.

    policy: values as text, by key. Raises InvalidInput, Unverified.
    """
    members = sorted(
        (_read_card(f"card[{number}]", card) for number, card in enumerate(cards)), key=lambda card: card.name
    )
    text = render_manifest(
        name=name,
        currency=currency,
        time_zone=time_zone,
        members=members,
        policy=override_policy(default_policy(len(members)), policy or {}),
        custodians=custodians,
        threshold=threshold,
        minor_per_major=minor_per_major,
    )
    manifest = parse_manifest(text)
    check_time_zone(manifest)
    return SignedManifest(manifest, ())


def check_own(home: Home, manifest: Manifest) -> None:
    """That this home's member stands in the manifest just as its card says. Raises Refused."""
    own = home.member()
    if own.name not in manifest:
        raise Refused("NOT_A_MEMBER", f"{own.name} is not a member in this manifest", "member")
    stated = asdict(manifest.member(own.name))
    for key, value in asdict(own).items():
        if stated[key] != value:
            raise Refused("CARD_ALTERED", f"{own.name} is in this manifest, but not as its card says", f"member.{key}")


def check_signable(home: Home, manifest: Manifest) -> None:
    """That this home may sign this founding manifest. Raises Refused, InvalidInput."""
    check_own(home, manifest)
    check_time_zone(manifest)
    _check_same(home, manifest)


def _check_same(home: Home, founding: Manifest) -> None:
    if home.is_founded() and home.manifest().consortium != founding.id:
        raise Refused("FOUNDED_ALREADY", "this home belongs to another consortium; a lender has one home for each")


def sign(home: Home, signed: SignedManifest, passphrase: str) -> SignedManifest:
    """With this home's signature. Raises as `check_signable` and `Home.keyring`."""
    check_signable(home, signed.manifest)
    keyring = home.keyring(passphrase)
    return signed.signed_by(keyring.member, keyring.log_seed)


def adopt(home: Home, raw: bytes, passphrase: str, *, rng: Random, now: datetime) -> Manifest:
    """Puts a manifest that everybody has signed in force, and issues the home's own certificates; the one in force.

    The manifest is stored last: a home that has one has all it needs. Doing it again changes nothing, also when other
    manifests have followed. Raises Unready (UNSIGNED) naming who has not signed, and as `sign`.
    """
    founding = open_manifest(raw)
    _check_same(home, founding)
    if home.is_founded():
        return open_own(home, passphrase, rng=rng, now=now)[0].current
    check_signable(home, founding)
    keyring = home.keyring(passphrase)
    check_keyring(keyring, founding)
    renew(home, founding, keyring, passphrase, rng=rng, now=now)
    home.store_manifest(read_signed_manifest(raw))
    return founding


def join(home: Home, raw: bytes, passphrase: str, *, rng: Random, now: datetime) -> Manifest:
    """Puts the last manifest of a lineage in force: of a consortium that takes this lender in, or that it is in.

    What is already in force is followed, never replaced. Doing it again changes nothing. Raises Refused where the last
    manifest has not this lender as its card says, or is not a later one, and as `open_lineage`.
    """
    lineage = open_lineage(raw)
    _check_same(home, lineage.history.manifests[0])
    check_time_zone(lineage.current)
    if not is_staged(home, lineage.current):
        check_own(home, lineage.current)
    if home.is_founded():
        home.store_lineage(lineage)
        return open_own(home, passphrase, rng=rng, now=now)[0].current
    keyring = home.keyring(passphrase)
    check_keyring(keyring, lineage.current)
    renew(home, lineage.current, keyring, passphrase, rng=rng, now=now)
    home.store_lineage(lineage)
    home.store_manifest(read_signed_manifest(lineage.founding))
    return lineage.current


def describe(signed: SignedManifest) -> dict[str, object]:
    """What a manifest says, for programs."""
    manifest = signed.manifest
    return {
        "id": manifest.id.hex(),
        "name": manifest.name,
        "currency": manifest.currency,
        "minor_per_major": manifest.minor_per_major,
        "time_zone": manifest.time_zone,
        "threshold": manifest.threshold,
        "custodians": list(manifest.custodians),
        "members": {member.name: str(member.address) for member in manifest.members},
        "policy": asdict(manifest.policy),
        "unsigned": list(signed.missing),
    }


def summary(signed: SignedManifest) -> list[str]:
    """What a manifest says, for the people who sign it: lines."""
    manifest = signed.manifest
    rows = [
        ("manifest", manifest.name),
        ("id", manifest.id.hex()),
        ("currency", f"{manifest.currency}, one is {manifest.minor_per_major} minor units"),
        ("time zone", manifest.time_zone),
        *(("member", f"{member.name} at {member.address}") for member in manifest.members),
        ("custodians", f"any {manifest.threshold} of {', '.join(manifest.custodians)} can decrypt"),
        *(("policy", line) for line in render_policy(manifest.policy).splitlines()),
        ("unsigned", ", ".join(signed.missing) or "nobody: complete"),
    ]
    return [f"{label:<11} {value}" for label, value in rows]


def _read_card(path: str, card: bytes) -> Member:
    try:
        return parse_card(card)
    except PlimsollError as error:
        raise error.under(path) from error


def check_time_zone(manifest: Manifest) -> None:
    """The core knows the shape of a zone's name only; the machine knows the zones."""
    try:
        ZoneInfo(manifest.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidInput("UNKNOWN_TIME_ZONE", "this machine knows no such time zone", "time_zone") from error
