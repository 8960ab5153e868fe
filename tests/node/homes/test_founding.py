"""Founding, step by step: what each step refuses."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from ledger.consortium.card import sign_card
from ledger.consortium.founding import SignedManifest, open_manifest
from ledger.consortium.manifest import parse_manifest, render_manifest
from ledger.errors import InvalidInput, NotFound, PlimsollError, Refused, Unready, Unverified
from ledger.homes import home as layout
from node.homes import files, founding
from node.homes.home import open_home
from tests.lenders import NOW, PASSPHRASE, found_homes, lender, lenders, make_homes, seeded

TERMS: dict[str, Any] = {"name": "Example", "currency": "CNY", "time_zone": "Asia/Shanghai"}
CARDS = [one.card for one in lenders(3)]
CARDS_OF_OTHERS = [lender(number).card for number in (2, 3, 4)]


@pytest.fixture(scope="module")
def homes(tmp_path_factory):
    return make_homes(tmp_path_factory.mktemp("homes"))


@pytest.fixture(scope="module")
def signed(homes):
    return found_homes(homes)


@pytest.fixture
def home(homes, tmp_path):
    shutil.copytree(homes[0].folder, tmp_path / "home")
    return open_home(tmp_path / "home")


def adopt(home, signed):
    return founding.adopt(home, signed.encode(), PASSPHRASE, rng=seeded("adopt"), now=NOW)


def with_members(signed, *members):
    """The manifest over other members, unsigned."""
    manifest = signed.manifest
    text = render_manifest(
        name=manifest.name,
        currency=manifest.currency,
        time_zone=manifest.time_zone,
        members=members,
        policy=manifest.policy,
    )
    return SignedManifest(parse_manifest(text), ())


# found


def test_whoever_founds_over_the_same_cards_writes_the_same_manifest():
    assert founding.found(CARDS, **TERMS) == founding.found(CARDS[::-1], **TERMS)
    assert founding.found(CARDS, **TERMS).missing == ("lender-1", "lender-2", "lender-3")


def test_terms_are_those_asked_for():
    manifest = founding.found(
        CARDS,
        **TERMS,
        minor_per_major=10,
        threshold=2,
        custodians=["lender-3", "lender-1"],
        policy={"grace_days": "0", "bands": "1,2,3,4,5"},
    ).manifest
    assert (manifest.minor_per_major, manifest.threshold, manifest.custodians) == (10, 2, ("lender-3", "lender-1"))
    assert (manifest.policy.grace_days, manifest.policy.bands) == (0, (1, 2, 3, 4, 5))


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"name": ""}, "name"),
        ({"name": 'x"\ny'}, ""),
        ({"currency": "yuan"}, "currency"),
        ({"time_zone": "Asia/Atlantis"}, "time_zone"),
        ({"threshold": 1}, "threshold"),
        ({"custodians": ["lender-9", "lender-1"]}, "custodians[0]"),
        ({"policy": {"grace": "1"}}, "policy.grace"),
        ({"policy": {"min_contributors": "1"}}, "policy.min_contributors"),
        ({"minor_per_major": 3}, "minor_per_major"),
    ],
)
def test_terms_no_manifest_can_have_are_refused_by_name(change, path):
    with pytest.raises(InvalidInput) as caught:
        founding.found(CARDS, **{**TERMS, **change})
    assert caught.value.path == path


def test_a_bad_card_is_named_by_its_place():
    with pytest.raises(Unverified) as caught:
        founding.found([CARDS[0], CARDS[1].replace(b"lender-2.example", b"lender-9.example"), CARDS[2]], **TERMS)
    assert caught.value.path.startswith("card[1]")


def test_the_same_card_twice_is_refused():
    with pytest.raises(InvalidInput) as caught:
        founding.found([*CARDS, CARDS[0]], **TERMS)
    assert caught.value.reason == "DUPLICATE_MEMBER"


# sign


def test_each_signature_is_the_members_own(homes, signed):
    alone = founding.sign(homes[1], SignedManifest(signed.manifest, ()), PASSPHRASE)
    assert alone.missing == ("lender-1", "lender-3")
    assert open_manifest(signed.encode()) == signed.manifest


def test_a_manifest_without_oneself_is_not_signed(homes, signed):
    with pytest.raises(Refused) as caught:
        founding.sign(homes[0], founding.found(CARDS_OF_OTHERS, **TERMS), PASSPHRASE)
    assert caught.value.reason == "NOT_A_MEMBER"


@pytest.mark.parametrize("key", ["address", "log_key", "cosign_key", "tls_ca"])
def test_a_manifest_that_alters_ones_card_is_not_signed(homes, signed, key):
    own, others = signed.manifest.members[0], signed.manifest.members[1:]
    altered = replace(own, **{key: getattr(lender(1).member, key)})
    with pytest.raises(Refused) as caught:
        founding.sign(homes[0], with_members(signed, altered, *others), PASSPHRASE)
    assert (caught.value.reason, caught.value.path) == ("CARD_ALTERED", f"member.{key}")


def test_a_wrong_passphrase_signs_nothing(homes, signed):
    with pytest.raises(Refused) as caught:
        founding.sign(homes[0], SignedManifest(signed.manifest, ()), "wrong")
    assert caught.value.reason == "WRONG_PASSPHRASE"


def test_a_card_put_in_the_home_by_another_signs_nothing_it_could_not_sign(home, signed):
    impostor = replace(lender(1).member, address=home.member().address)
    keyring = lender(1).keyring
    files.write_over(
        home.folder / layout.CARD, sign_card(impostor, keyring.log_seed, keyring.cosign_seed), files.PUBLIC
    )
    with pytest.raises(InvalidInput) as caught:
        founding.sign(home, with_members(signed, impostor, *signed.manifest.members[1:]), PASSPHRASE)
    assert caught.value.reason == "WRONG_KEY"


# adopt


def test_a_manifest_that_everybody_signed_is_adopted_and_stays(home, signed):
    assert adopt(home, signed) == signed.manifest
    assert home.manifest() == signed.manifest
    before = {path: path.read_bytes() for path in home.folder.rglob("*") if path.is_file()}
    assert adopt(home, signed) == signed.manifest
    assert {path: path.read_bytes() for path in home.folder.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_manifest_that_somebody_has_not_signed_is_not_adopted(home, signed, missing):
    lines = [line for number, line in enumerate(signed.signatures) if number != missing]
    with pytest.raises(Unready, match=f"lender-{missing + 1}") as caught:
        adopt(home, SignedManifest(signed.manifest, tuple(lines)))
    assert caught.value.reason == "UNSIGNED"
    assert not home.is_founded()


def test_another_consortium_is_neither_signed_nor_adopted(home, homes, signed):
    adopt(home, signed)
    other = found_homes(homes, "Other")
    for act in (lambda: founding.sign(home, other, PASSPHRASE), lambda: adopt(home, other)):
        with pytest.raises(Refused) as caught:
            act()
        assert caught.value.reason == "FOUNDED_ALREADY"
    assert home.manifest() == signed.manifest


def test_a_home_whose_keyring_is_not_the_manifests_does_not_adopt(home, homes, signed, tmp_path):
    other = make_homes(tmp_path / "others", 1)[0]  # the same seeds and name, but another CA key
    shutil.copy(other.folder / layout.KEYRING, home.folder / layout.KEYRING)
    with pytest.raises(Refused) as caught:
        adopt(home, signed)
    assert caught.value.reason == "WRONG_KEY"
    assert not home.is_founded()


@pytest.mark.parametrize("turn", range(0, 18, 4))
def test_an_adoption_that_was_cut_short_is_finished_by_the_next(home, signed, monkeypatch, turn):
    # 18 syncs: four keys, four certificates and the manifest, each its content and its name.
    real, calls = os.fsync, iter(range(1000))

    def fails(file):
        if next(calls) == turn:
            raise OSError(28, "No space left on device")
        real(file)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fails)
        with suppress(Unready):
            adopt(home, signed)
    assert adopt(home, signed) == signed.manifest
    assert home.certificate("node").public_key() == home.key("node", PASSPHRASE).public_key()


# What people read before they sign


def test_the_summary_says_everything_that_is_signed(signed):
    said = "\n".join(founding.summary(SignedManifest(signed.manifest, signed.signatures[:1])))
    for what in (signed.manifest.id.hex(), "Example", "CNY", "100 minor units", "Asia/Shanghai", "any 2 of"):
        assert what in said
    assert all(f"lender-{number} at localhost:770{number}" in said for number in (1, 2, 3))
    assert "grace_days = 10" in said
    assert said.endswith("lender-2, lender-3")
    assert founding.summary(signed)[-1].endswith("nobody: complete")


def test_nothing_raises_but_our_own_errors(homes, signed):
    for raw in (b"", b"\0", signed.encode()[:500], CARDS[0]):
        with pytest.raises(PlimsollError):
            founding.adopt(homes[0], raw, PASSPHRASE, rng=seeded("x"), now=NOW)
        with pytest.raises(PlimsollError):
            founding.found([raw], **TERMS)
    with pytest.raises(NotFound):
        open_home(homes[0].folder / "absent")
