"""Certificates a home issues: for itself, renewed in time, and for programs elsewhere."""

from __future__ import annotations

import shutil
import stat
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.hashes import SHA256

from ledger.consortium.caller import ROLES
from ledger.consortium.certificate import certificate_pem, key_der, load_certificate, load_key
from ledger.crypto.passphrase import open_with_passphrase
from ledger.errors import InvalidInput, Refused, Unready
from ledger.homes import home as layout
from node.homes import files
from node.homes.credentials import RENEW_BEFORE, issue_credential, open_node, renew
from node.homes.home import open_home
from node.wire.tls import peer_identity
from tests.lenders import NOW, PASSPHRASE, adopt_all, found_homes, make_homes, seeded

DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def adopted(tmp_path_factory):
    homes = make_homes(tmp_path_factory.mktemp("homes"))
    adopt_all(homes[:1], found_homes(homes))
    return homes


@pytest.fixture
def home(adopted, tmp_path):
    shutil.copytree(adopted[0].folder, tmp_path / "home")
    return open_home(tmp_path / "home")


def opened(home, now=NOW):
    return open_node(home, PASSPHRASE, rng=seeded("open"), now=now)


def renewed(home, now=NOW):
    return renew(home, home.manifest(), home.keyring(PASSPHRASE), PASSPHRASE, rng=seeded("renew"), now=now)


def contents(home):
    return {path: path.read_bytes() for path in home.folder.rglob("*") if path.is_file()}


def issue(home, folder, **arguments):
    keywords = {"role": "auditor", "name": "alice", "passphrase": PASSPHRASE, "rng": seeded("issue"), "now": NOW}
    return issue_credential(home, folder=folder, **{**keywords, **arguments})


@pytest.mark.parametrize("role", ROLES)
def test_a_home_has_a_certificate_and_its_key_for_every_role(home, role):
    certificate = home.certificate(role)
    assert certificate.public_key() == home.key(role, PASSPHRASE).public_key()
    caller = peer_identity(certificate_pem(certificate), home.manifest(), NOW)
    assert (caller.member, caller.role, caller.name) == ("lender-1", role, "home")
    assert stat.S_IMODE((home.folder / layout.key_file(role)).stat().st_mode) == 0o600


def test_a_role_key_is_sealed_as_that_roles(home):
    shutil.copy(home.folder / layout.key_file("lender"), home.folder / layout.key_file("node"))
    with pytest.raises(InvalidInput) as caught:
        home.key("node", PASSPHRASE)
    assert caught.value.reason == "WRONG_KIND"
    with pytest.raises(Refused):
        home.key("lender", "wrong")


def test_a_node_opens_with_what_tls_needs(home):
    node = opened(home)
    assert node.manifest == home.manifest()
    assert node.keyring.member == "lender-1"
    assert load_certificate(node.certificate, "") == home.certificate("node")
    assert load_key(node.key, "").public_key() == home.certificate("node").public_key()
    assert "PRIVATE" not in repr(node)


def test_a_home_without_a_manifest_does_not_open(adopted):
    with pytest.raises(Unready) as caught:
        opened(adopted[1])
    assert caught.value.reason == "NOT_FOUNDED"


def test_certificates_that_last_are_left_alone(home):
    before = contents(home)
    assert renewed(home, NOW + 365 * DAY - RENEW_BEFORE) == ()
    assert contents(home) == before


def test_certificates_are_renewed_in_time_over_the_keys_they_had(home):
    later = NOW + 365 * DAY - RENEW_BEFORE + timedelta(seconds=1)
    keys = {role: key_der(home.key(role, PASSPHRASE)) for role in ROLES}
    node = opened(home, later)
    assert peer_identity(node.certificate, node.manifest, later + 300 * DAY).role == "node"
    for role in ROLES:
        assert home.certificate(role).not_valid_after_utc == later + 365 * DAY
        assert key_der(home.key(role, PASSPHRASE)) == keys[role]


def test_a_lost_garbled_or_foreign_certificate_is_issued_again(home, adopted):
    (home.folder / layout.certificate_file("lender")).unlink()
    (home.folder / layout.certificate_file("node")).write_bytes(b"")
    shutil.copy(home.folder / layout.certificate_file("auditor"), home.folder / layout.certificate_file("operator"))
    (home.folder / layout.certificate_file("auditor")).write_bytes(certificate_pem(adopted[1].authority()))
    assert set(renewed(home)) == set(ROLES)
    assert renewed(home) == ()


def test_a_lost_key_is_made_again_with_its_certificate(home):
    (home.folder / layout.key_file("lender")).unlink()
    assert renewed(home) == ("lender",)
    assert home.certificate("lender").public_key() == home.key("lender", PASSPHRASE).public_key()


# For programs elsewhere


def test_a_credential_holds_for_its_caller_under_this_members_ca(home, tmp_path):
    credential = issue(home, tmp_path / "out")
    caller = peer_identity(credential.certificate.read_bytes(), home.manifest(), NOW)
    assert caller == credential.caller
    assert (caller.member, caller.role, caller.name) == ("lender-1", "auditor", "alice")
    assert load_certificate(credential.authority.read_bytes(), "") == home.authority()
    certificate = load_certificate(credential.certificate.read_bytes(), "")
    assert credential.fingerprint == certificate.fingerprint(SHA256())
    assert credential.expires == certificate.not_valid_after_utc == NOW + 365 * DAY
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "auditor-alice.key",
        "auditor-alice.pem",
        "ca.pem",
    ]


def test_a_credentials_key_is_in_the_clear_or_sealed_and_its_owners_alone(home, tmp_path):
    plain = issue(home, tmp_path / "plain")
    sealed = issue(home, tmp_path / "sealed", key_passphrase="other words")
    assert (
        load_key(plain.key.read_bytes(), "").public_key()
        == load_certificate(plain.certificate.read_bytes(), "").public_key()
    )
    opened_key = open_with_passphrase("other words", layout.key_kind("auditor"), sealed.key.read_text())
    assert load_key(opened_key, "").public_key() == load_certificate(sealed.certificate.read_bytes(), "").public_key()
    for credential in (plain, sealed):
        assert stat.S_IMODE(credential.key.stat().st_mode) == 0o600


def test_a_credential_never_replaces_another(home, tmp_path):
    first = issue(home, tmp_path).key.read_bytes()
    with pytest.raises(Refused) as caught:
        issue(home, tmp_path)
    assert caught.value.reason == "FILE_EXISTS"
    assert (tmp_path / "auditor-alice.key").read_bytes() == first
    assert issue(home, tmp_path, name="bob", days=1).expires == NOW + DAY


@pytest.mark.parametrize("change", [{"role": "node"}, {"name": "Alice"}, {"name": "../x"}, {"days": 0}, {"days": 4000}])
def test_what_no_credential_can_be_is_refused_and_leaves_nothing(home, tmp_path, change):
    with pytest.raises(InvalidInput):
        issue(home, tmp_path / "out", **change)
    assert not (tmp_path / "out").exists()


def test_a_wrong_passphrase_issues_nothing(home, tmp_path):
    with pytest.raises(Refused):
        issue(home, tmp_path / "out", passphrase="wrong")
    assert not (tmp_path / "out").exists()


def test_a_failing_disk_does_not_lose_a_certificate(home, monkeypatch):
    before = contents(home)

    def full(*_):
        raise Unready("FILE_SYSTEM", "No space left on device")

    monkeypatch.setattr(files, "write_over", full)
    with pytest.raises(Unready):
        renewed(home, NOW + 364 * DAY)
    assert contents(home) == before
