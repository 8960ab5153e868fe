"""A home: made whole or not at all, opened with its passphrase only."""

from __future__ import annotations

import os
import shutil
import stat
from contextlib import suppress
from itertools import count

import pytest

from ledger.consortium.address import Address
from ledger.errors import InvalidInput, NotFound, PlimsollError, Refused, Unready
from ledger.homes import home as layout
from node.homes import founding
from node.homes.home import open_home
from tests.lenders import NOW, PASSPHRASE, make_homes, seeded

ADDRESS = Address("localhost", 7701)


def init(folder, passphrase=PASSPHRASE, member="lender-1", address=ADDRESS):
    return founding.init(folder, member, address, passphrase, rng=seeded("home"), now=NOW)


def tree(folder):
    return {str(path.relative_to(folder)): stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*")}


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    before = os.umask(0)  # modes must not depend on it
    home = init(tmp_path_factory.mktemp("homes") / "lender-1")
    os.umask(before)
    return home


@pytest.fixture
def home(fresh, tmp_path):
    shutil.copytree(fresh.folder, tmp_path / "home")
    return open_home(tmp_path / "home")


def test_a_new_home_has_what_it_needs_and_secrets_only_its_owner_reads(fresh):
    assert tree(fresh.folder) == {
        "config.toml": 0o644,
        "card": 0o644,
        "tls": 0o700,
        "tls/ca.pem": 0o644,
        "secrets": 0o700,
        "secrets/keyring.sealed": 0o600,
        "chain": 0o700,
        "book": 0o700,
    }
    assert stat.S_IMODE(fresh.folder.stat().st_mode) == 0o700
    assert [path.name for path in fresh.folder.parent.iterdir()] == ["lender-1"]


def test_a_new_homes_card_config_keyring_and_ca_belong_together(fresh):
    member, keyring = fresh.member(), fresh.keyring(PASSPHRASE)
    assert (member.name, member.address) == ("lender-1", ADDRESS)
    assert fresh.config == open_home(fresh.folder).config
    assert (fresh.config.member, fresh.config.address) == ("lender-1", ADDRESS)
    assert keyring.member == "lender-1"
    assert fresh.authority() == member.authority
    assert keyring.authority_key.public_key() == member.authority.public_key()


def test_no_secret_is_on_disk_in_the_clear(fresh):
    keyring = fresh.keyring(PASSPHRASE)
    secrets = [keyring.log_seed, keyring.cosign_seed, keyring.backup_key, keyring.book_key, keyring.hedge_secret]
    for path in fresh.folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            for secret in (*secrets, keyring.ca_key, PASSPHRASE.encode()):
                assert secret not in content
                assert secret.hex().encode() not in content


def test_two_homes_share_no_key(tmp_path):
    one, two = (
        founding.init(tmp_path / name, "lender-1", ADDRESS, PASSPHRASE, rng=os.urandom, now=NOW) for name in "ab"
    )
    assert one.member().log_key != two.member().log_key
    assert one.member().tls_ca != two.member().tls_ca


def test_a_wrong_passphrase_opens_nothing(fresh):
    for wrong in (PASSPHRASE + " ", PASSPHRASE.upper(), "x"):
        with pytest.raises(Refused) as caught:
            fresh.keyring(wrong)
        assert caught.value.reason == "WRONG_PASSPHRASE"


def test_every_flipped_character_of_a_sealed_keyring_is_refused(home):
    path = home.folder / layout.KEYRING
    good = path.read_bytes()
    for position in range(0, len(good), 53):
        path.write_bytes(good[:position] + bytes([good[position] ^ 1]) + good[position + 1 :])
        with pytest.raises(PlimsollError):
            home.keyring(PASSPHRASE)


def test_another_members_keyring_is_refused(home, tmp_path):
    other = init(tmp_path / "other", member="lender-2")
    shutil.copy(other.folder / layout.KEYRING, home.folder / layout.KEYRING)
    with pytest.raises(InvalidInput) as caught:
        home.keyring(PASSPHRASE)
    assert caught.value.reason == "WRONG_KEYRING"


def test_a_home_without_a_manifest_says_so(fresh):
    assert not fresh.is_founded()
    with pytest.raises(Unready) as caught:
        fresh.manifest()
    assert caught.value.reason == "NOT_FOUNDED"


@pytest.mark.parametrize("name", [layout.CARD, layout.KEYRING, layout.AUTHORITY])
def test_a_missing_file_is_named(home, name):
    (home.folder / name).unlink()
    with pytest.raises(NotFound, match=name.rpartition("/")[2]):
        home.card(), home.keyring(PASSPHRASE), home.authority()


@pytest.mark.parametrize("name", [layout.CARD, layout.KEYRING, layout.AUTHORITY, layout.CONFIG])
def test_a_file_of_garbage_is_refused(home, name):
    (home.folder / name).write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidInput):
        open_home(home.folder), home.member(), home.keyring(PASSPHRASE), home.authority()


def test_a_folder_that_is_no_home_is_not_opened(tmp_path):
    with pytest.raises(NotFound) as caught:
        open_home(tmp_path)
    assert caught.value.reason == "NO_HOME"


# Making one


def test_a_home_is_never_made_over_something(fresh, tmp_path):
    before = (fresh.folder / layout.KEYRING).read_bytes()
    with pytest.raises(Refused) as caught:
        init(fresh.folder)
    assert caught.value.reason == "HOME_EXISTS"
    assert (fresh.folder / layout.KEYRING).read_bytes() == before
    (tmp_path / "file").write_text("")
    with pytest.raises(Refused):
        init(tmp_path / "file")


def test_an_empty_folder_such_as_a_mounted_volume_becomes_a_home(tmp_path):
    (tmp_path / "volume").mkdir()
    home = init(tmp_path / "volume")
    assert home.keyring(PASSPHRASE).member == "lender-1"
    assert set(tree(home.folder)) == {
        "config.toml",
        "card",
        "tls",
        "tls/ca.pem",
        "secrets",
        "secrets/keyring.sealed",
        "chain",
        "book",
    }


def test_folders_on_the_way_are_made(tmp_path):
    assert init(tmp_path / "a" / "b").config.member == "lender-1"


def failing_at(turn, real, calls):
    def broken(*arguments, **keywords):
        if next(calls) == turn:
            raise OSError(5, "Input/output error")
        return real(*arguments, **keywords)

    return broken


@pytest.mark.parametrize("volume", [False, True], ids=["new folder", "empty folder"])
@pytest.mark.parametrize("turn", range(16))
def test_wherever_making_a_home_fails_it_is_whole_or_not_there(tmp_path, monkeypatch, volume, turn):
    folder = tmp_path / "home"
    if volume:
        folder.mkdir()
    calls = count()
    for name in ("fsync", "rename"):  # 4 files, each with its content and its name; then the home's own place
        monkeypatch.setattr(os, name, failing_at(turn, getattr(os, name), calls))
    with suppress(Unready):
        init(folder)
    if turn > 8 and (folder / layout.CONFIG).exists():
        assert open_home(folder).keyring(PASSPHRASE)
        assert len(tree(folder)) == 8
    else:
        assert list(tmp_path.iterdir()) == ([folder] if volume else [])
        assert not volume or list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("member", "address"), [("Lender", ADDRESS), ("", ADDRESS), ("lender-1", Address("0.0.0.0", 7700))]
)
def test_a_home_that_no_manifest_could_take_is_not_made(tmp_path, member, address):
    with pytest.raises(InvalidInput):
        init(tmp_path / "home", member=member, address=address)
    assert list(tmp_path.iterdir()) == []


def test_homes_of_tests_are_homes(tmp_path):
    assert [home.member().name for home in make_homes(tmp_path, 2)] == ["lender-1", "lender-2"]
