"""Joining by a lineage, and a home's manifests as they follow one another: never back, never another row."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from dataclasses import replace

import pytest

from ledger.consortium.address import Address
from ledger.consortium.founding import read_signed_manifest
from ledger.crypto import passphrase
from ledger.errors import InvalidInput, PlimsollError, Refused, Unready
from ledger.homes import home as layout
from node.homes import credentials, founding
from node.homes.home import open_home
from tests.ledger.electorate import renamed, successor, without
from tests.lenders import NOW, PASSPHRASE, adopt_all, found_homes, make_homes, seeded
from tests.node.assembly import Assembly, signers_of


@pytest.fixture(scope="module", autouse=True)
def cheap_passphrases():
    """Homes are opened a hundred times here; what a passphrase costs is not the point."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passphrase, "LOG_N", 10)
        yield


@pytest.fixture(scope="module")
def homes(tmp_path_factory):
    homes = make_homes(tmp_path_factory.mktemp("homes"), 5)
    adopt_all(homes[:4], found_homes(homes[:4]))
    return homes


def copied(home, tmp_path):
    shutil.copytree(home.folder, tmp_path / home.folder.name)
    return open_home(tmp_path / home.folder.name)


@pytest.fixture(scope="module")
def signers(homes):
    return signers_of(homes[:4])


@pytest.fixture
def assembly(homes, signers):
    return Assembly(signers, read_signed_manifest((homes[0].folder / layout.MANIFEST).read_bytes()))


@pytest.fixture
def newcomer(homes, tmp_path):
    return copied(homes[4], tmp_path)


@pytest.fixture
def member(homes, tmp_path):
    return copied(homes[0], tmp_path)


def founded_anew(homes):
    """The same lenders, with the same keys, in another consortium."""
    signed = founding.found([home.card() for home in homes], name="Others", currency="CNY", time_zone="Asia/Shanghai")
    for home in homes:
        signed = signed.signed_by(home.config.member, home.keyring(PASSPHRASE).log_seed)
    return signed


def taken_in(assembly, home):
    before = assembly.current
    return assembly.pass_change(successor(before, members=[*before.members, home.member()]))


def join(home, lineage):
    return founding.join(home, lineage.encode(), PASSPHRASE, rng=seeded("join"), now=NOW)


def test_who_is_taken_in_joins_with_the_lineage_alone(assembly, newcomer):
    lineage = taken_in(assembly, newcomer)
    assert join(newcomer, lineage) == lineage.current
    assert newcomer.history() == lineage.history
    identity = credentials.open_node(newcomer, PASSPHRASE, rng=seeded("x"), now=NOW)
    assert (identity.manifest, identity.lineage) == (lineage.current, lineage)
    assert newcomer.certificate("node") is not None
    before = {path: path.read_bytes() for path in newcomer.folder.rglob("*") if path.is_file()}
    assert join(newcomer, lineage) == lineage.current
    assert {path: path.read_bytes() for path in newcomer.folder.rglob("*") if path.is_file()} == before


def test_who_is_not_taken_in_does_not_join(assembly, newcomer):
    lineage = assembly.pass_change(renamed(assembly.current, "Without"))
    with pytest.raises(Refused) as caught:
        join(newcomer, lineage)
    assert caught.value.reason == "NOT_A_MEMBER"
    assert not newcomer.is_founded()


def test_who_is_taken_in_under_another_address_does_not_join(assembly, newcomer):
    before = assembly.current
    altered = replace(newcomer.member(), address=Address("localhost", 1))
    lineage = assembly.pass_change(successor(before, members=[*before.members, altered]))
    with pytest.raises(Refused) as caught:
        join(newcomer, lineage)
    assert (caught.value.reason, caught.value.path) == ("CARD_ALTERED", "member.address")


@pytest.mark.parametrize("turn", [0, 9, 17, 19])
def test_a_joining_that_was_cut_short_is_finished_by_the_next(assembly, newcomer, monkeypatch, turn):
    lineage = taken_in(assembly, newcomer)
    real, calls = os.fsync, iter(range(1000))

    def fails(file):
        if next(calls) == turn:
            raise OSError(28, "No space left on device")
        real(file)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fails)
        with suppress(Unready):
            join(newcomer, lineage)
    assert not newcomer.is_founded() or newcomer.history() == lineage.history
    assert join(newcomer, lineage) == lineage.current
    assert newcomer.history() == lineage.history


def test_a_member_that_was_away_is_taken_further_and_never_back(assembly, member):
    one = assembly.pass_change(renamed(assembly.current, "One"))
    two = assembly.pass_change(renamed(assembly.current, "Two"))
    assert join(member, two) == two.current
    assert member.lineage() == two
    with pytest.raises(Refused) as caught:
        join(member, one)
    assert caught.value.reason == "SHORTER_LINEAGE"
    with pytest.raises(Refused) as caught:
        member.store_lineage(one)
    assert caught.value.reason == "SHORTER_LINEAGE"
    assert member.manifest() == two.current


def test_another_row_of_manifests_is_refused(assembly, homes, signers, member):
    other = Assembly(signers, read_signed_manifest((homes[0].folder / layout.MANIFEST).read_bytes()))
    member.store_lineage(assembly.pass_change(renamed(assembly.current, "One")))
    fork = other.pass_change(renamed(other.current, "Another"))
    for act in (lambda: member.store_lineage(fork), lambda: join(member, fork)):
        with pytest.raises(Refused) as caught:
            act()
        assert caught.value.reason == "OTHER_LINEAGE"


def test_another_consortium_is_refused(homes, signers, member):
    others = Assembly(signers, founded_anew(homes[:4]))
    with pytest.raises(Refused) as caught:
        join(member, others.pass_change(renamed(others.current, "x")))
    assert caught.value.reason == "FOUNDED_ALREADY"


def test_who_is_removed_opens_no_more(assembly, member):
    member.store_lineage(assembly.pass_change(without(assembly.current, "lender-1")))
    with pytest.raises(Refused) as caught:
        credentials.open_node(member, PASSPHRASE, rng=seeded("x"), now=NOW)
    assert caught.value.reason == "NOT_A_MEMBER"


def test_adopting_the_founding_manifest_again_does_not_go_back(assembly, member):
    lineage = assembly.pass_change(renamed(assembly.current, "Later"))
    member.store_lineage(lineage)
    raw = (member.folder / layout.MANIFEST).read_bytes()
    assert founding.adopt(member, raw, PASSPHRASE, rng=seeded("x"), now=NOW) == lineage.current
    assert member.manifest() == lineage.current


def test_a_lineage_file_that_is_none_is_refused(assembly, homes, signers, member):
    member.store_lineage(assembly.pass_change(renamed(assembly.current, "One")))
    path = member.folder / layout.LINEAGE
    good = path.read_bytes()
    for position in range(0, len(good), 997):
        path.write_bytes(good[:position] + bytes([good[position] ^ 1]) + good[position + 1 :])
        with pytest.raises(PlimsollError):
            member.lineage()
    others = Assembly(signers, founded_anew(homes[:4]))
    path.write_bytes(others.pass_change(renamed(others.current, "x")).encode())
    with pytest.raises(InvalidInput) as caught:
        member.lineage()
    assert caught.value.reason == "OTHER_LINEAGE"
