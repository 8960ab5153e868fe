"""A member's new keys: made ahead, in place once a manifest has them, whole wherever that is interrupted."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from itertools import count

import pytest

from ledger.consortium.address import Address
from ledger.consortium.card import parse_card
from ledger.consortium.founding import read_signed_manifest
from ledger.crypto import passphrase
from ledger.errors import InvalidInput, PlimsollError, Refused, Unready
from ledger.homes import home as layout
from node.homes import credentials
from node.homes.home import open_home
from node.homes.staging import activate, discard, is_staged, stage
from tests.ledger.electorate import ended, renamed, successor
from tests.lenders import NOW, PASSPHRASE, adopt_all, found_homes, make_homes, seeded
from tests.node.assembly import Assembly, signers_of

ALL = {"log": True, "cosign": True, "tls": True, "address": Address("localhost", 7799)}


@pytest.fixture(scope="module", autouse=True)
def cheap_passphrases():
    """Homes are opened a hundred times here; what a passphrase costs is not the point."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passphrase, "LOG_N", 10)
        yield


@pytest.fixture(scope="module")
def homes(tmp_path_factory):
    homes = make_homes(tmp_path_factory.mktemp("homes"))
    adopt_all(homes, found_homes(homes))
    return homes


@pytest.fixture
def home(homes, tmp_path):
    shutil.copytree(homes[0].folder, tmp_path / "home")
    return open_home(tmp_path / "home")


def staged(home, **what):
    return parse_card(stage(home, PASSPHRASE, rng=seeded("fresh"), now=NOW, **(what or ALL)))


def with_card(assembly, member):
    """The lineage in which this card is in force."""
    before = assembly.current
    members = [member if one.name == member.name else one for one in before.members]
    rotates = member.log_key != before.member(member.name).log_key
    return assembly.pass_change(
        successor(before, members=members, ended=[ended(before, member.name)] if rotates else [])
    )


@pytest.fixture(scope="module")
def signers(homes):
    return signers_of(homes)


@pytest.fixture
def assembly(homes, signers):
    return Assembly(signers, found_again(homes))


def found_again(homes):
    return read_signed_manifest((homes[0].folder / layout.MANIFEST).read_bytes())


def reopened(home):
    return credentials.open_node(home, PASSPHRASE, rng=seeded("open"), now=NOW)


def facts(home):
    return {path: path.read_bytes() for path in home.folder.rglob("*") if path.is_file()}


def test_what_is_made_ahead_changes_nothing_yet(home):
    before = facts(home)
    card = staged(home)
    assert {path: content for path, content in facts(home).items() if path in before} == before
    own, keyring = home.member(), home.keyring(PASSPHRASE)
    assert card == home.staged_member()
    for key in ("log_key", "cosign_key", "tls_ca", "address"):
        assert getattr(card, key) != getattr(own, key)
    fresh = home.staged_keyring(PASSPHRASE)
    assert (fresh.backup_key, fresh.book_key, fresh.hedge_secret) == (
        keyring.backup_key,
        keyring.book_key,
        keyring.hedge_secret,
    )
    assert reopened(home).keyring == keyring


@pytest.mark.parametrize("what", [{"log": True}, {"cosign": True}, {"tls": True}, {"address": Address("a.example", 1)}])
def test_only_what_is_asked_for_is_new(home, what):
    card, own = staged(home, **what), home.member()
    keys = {"log": "log_key", "cosign": "cosign_key", "tls": "tls_ca", "address": "address"}
    assert [name for name, key in keys.items() if getattr(card, key) != getattr(own, key)] == list(what)


def test_nothing_is_asked_for_twice_or_not_at_all(home):
    with pytest.raises(InvalidInput):
        stage(home, PASSPHRASE, rng=seeded("x"), now=NOW)
    first = staged(home)
    with pytest.raises(Refused) as caught:
        staged(home)
    assert caught.value.reason == "STAGED_ALREADY"
    assert home.staged_member() == first
    discard(home)
    assert home.staged_member() is None
    staged(home)


def test_a_wrong_passphrase_makes_nothing(home):
    with pytest.raises(Refused):
        stage(home, "wrong", rng=seeded("x"), now=NOW, log=True)
    assert home.staged_member() is None


def test_in_force_they_are_put_in_place_when_the_node_opens_its_home(home, assembly):
    card = staged(home)
    fresh = home.staged_keyring(PASSPHRASE)
    assert not is_staged(home, assembly.current)
    home.store_lineage(with_card(assembly, card))
    identity = reopened(home)
    assert identity.keyring == fresh
    assert identity.manifest.member("lender-1") == card == home.member()
    assert home.authority() == card.authority
    assert home.staged_member() is None
    for role in ("node", "lender", "operator", "auditor"):
        home.certificate(role).verify_directly_issued_by(card.authority)
    assert identity.manifest.origin("lender-1").endswith("/lender-1.2")
    assert not any("next" in path.name for path in home.folder.rglob("*"))
    before = facts(home)
    assert reopened(home).keyring == fresh
    assert facts(home) == before


def test_another_change_leaves_them_where_they_are(home, assembly):
    card = staged(home)
    home.store_lineage(assembly.pass_change(renamed(assembly.current, "Other")))
    keyring = home.keyring(PASSPHRASE)
    assert reopened(home).keyring == keyring
    assert home.staged_member() == card


def test_a_manifest_with_keys_that_are_nowhere_here_does_not_open(home, homes, assembly, tmp_path):
    shutil.copytree(homes[0].folder, tmp_path / "elsewhere")
    home.store_lineage(with_card(assembly, staged(open_home(tmp_path / "elsewhere"))))
    with pytest.raises(Refused) as caught:
        reopened(home)
    assert caught.value.reason == "WRONG_KEY"


def test_a_staged_keyring_that_has_rotted_replaces_nothing(home, assembly):
    lineage = with_card(assembly, staged(home))
    path = home.folder / layout.STAGED_KEYRING
    path.write_bytes(path.read_bytes()[:-20] + b"AAAAAAAAAAAAAAAAAAAA")
    keyring = home.keyring(PASSPHRASE)
    with pytest.raises(PlimsollError):
        activate(home, lineage.current, PASSPHRASE)
    assert home.keyring(PASSPHRASE) == keyring


def failing_at(turn, real, calls):
    def broken(*arguments, **keywords):
        if next(calls) == turn:
            raise OSError(5, "Input/output error")
        return real(*arguments, **keywords)

    return broken


@pytest.mark.parametrize("turn", range(6))
def test_wherever_making_them_fails_they_are_whole_or_not_there(home, assembly, monkeypatch, turn):
    calls = count()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", failing_at(turn, os.fsync, calls))
        with suppress(Unready):
            staged(home)
    if home.staged_member() is None:
        staged(home)
    card = home.staged_member()
    home.store_lineage(with_card(assembly, card))
    assert reopened(home).manifest.member("lender-1") == card


@pytest.mark.parametrize("turn", range(9))
def test_wherever_putting_them_in_place_fails_the_next_start_finishes_it(home, assembly, monkeypatch, turn):
    # 9 syncs: three files, each its content and its name; then the three that are taken away.
    card = staged(home)
    fresh = home.staged_keyring(PASSPHRASE)
    lineage = with_card(assembly, card)
    home.store_lineage(lineage)
    calls = count()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", failing_at(turn, os.fsync, calls))
        with pytest.raises(Unready):
            activate(home, lineage.current, PASSPHRASE)
    identity = reopened(home)
    assert identity.keyring == fresh
    assert home.member() == card
    assert home.authority() == card.authority
    assert home.staged_member() is None
    assert home.certificate("node").public_key() == home.key("node", PASSPHRASE).public_key()
