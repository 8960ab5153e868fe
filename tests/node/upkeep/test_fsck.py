"""`fsck` and `rebuild` of a home, as they are typed: what LevelDB itself finds rotten, and what is done about it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from random import Random

import pytest

from ledger.chain.chain import Chain
from ledger.homes import home as layout
from ledger.tlog.cosignature import Cosigner
from ledger.tlog.note import Signer
from ledger.witnessing.witnessed import Witnessed
from node.__main__ import main
from node.custody.vault import Vault
from node.homes.home import Home, open_home
from node.upkeep.stores import log_names, offline
from tests.ledger import sample_entries as sample
from tests.lenders import PASSPHRASE, adopt_all, found_homes, make_homes, seeded

RNG = Random(5)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a home that has 600 entries in its log."""
    homes = make_homes(tmp_path_factory.mktemp("homes"))
    manifest = adopt_all(homes, found_homes(homes))
    keyring = homes[0].keyring(PASSPHRASE)
    with offline(homes[0]) as (chain_store, _):
        signer = Signer.from_seed(manifest.origin(keyring.member), keyring.log_seed)
        Chain(chain_store, log_names(manifest)).own(signer).append([sample.inquiry(RNG) for _ in range(600)])
    with offline(homes[0]):  # what was in LevelDB's log is in a table now
        pass
    return homes[0].folder


@pytest.fixture
def home(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("PLIMSOLL_PASSPHRASE", PASSPHRASE)
    return open_home(Path(shutil.copytree(template, tmp_path / "lender-1")))


def typed(home: Home, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict]:
    code = main(["--home", str(home.folder), "--json", *arguments])
    said = capsys.readouterr()
    return code, json.loads(said.out or said.err)


def verdicts(said: dict) -> dict[str, str]:
    return {each["what"]: each["verdict"] for each in said["findings"]}


def test_a_sound_home_passes(home, capsys) -> None:
    code, said = typed(home, capsys, "fsck")
    assert (code, said["verdict"]) == (0, "ok")
    assert verdicts(said) == dict.fromkeys(("lender-1", "lender-2", "lender-3", "book"), "ok")
    assert main(["--home", str(home.folder), "fsck"]) == 0
    assert "lender-1: ok, 600 entries\n" in capsys.readouterr().out


def test_a_table_that_has_rotted_is_told_and_the_logs_can_be_set_aside(home, capsys) -> None:
    (table,) = (home.folder / layout.CHAIN).glob("*.ldb")
    raw = bytearray(table.read_bytes())
    for position in range(20_000, 40_000, 1500):  # among the entries
        raw[position] ^= 1
    table.write_bytes(raw)
    for arguments in (("fsck",), ("fsck", "--repair")):
        code, said = typed(home, capsys, *arguments)
        assert (code, said["verdict"]) == (9, "bad")
        (own,) = (each for each in said["findings"] if each["what"] == "lender-1")
        assert (own["verdict"], own["reason"]) == ("damaged", "STORE_CORRUPT")
    assert "plimsoll rebuild --chain" in own["todo"]
    code, said = typed(home, capsys, "rebuild", "--chain")
    assert code == 0
    assert (Path(said["chain"]) / table.name).exists()
    code, said = typed(home, capsys, "fsck")
    assert (code, {each["size"] for each in said["findings"]}) == (0, {0})


def test_a_catalogue_that_is_gone_is_told_and_the_book_can_be_set_aside(home, capsys) -> None:
    (home.folder / layout.BOOK / "CURRENT").write_text("garbage")
    code, said = typed(home, capsys, "fsck", "--repair")
    assert (code, verdicts(said)) == (9, {"store": "damaged"})
    assert "plimsoll rebuild --book" in said["findings"][0]["todo"]
    code, said = typed(home, capsys, "rebuild", "--book")
    assert (code, said["entries"], said["borrowers"]) == (0, 600, 0)
    assert Path(said["book"]).is_dir()
    assert typed(home, capsys, "fsck")[0] == 0


def test_shares_that_do_not_open_are_told(home, capsys) -> None:
    vault = Vault(home.folder, home.keyring(PASSPHRASE), home.manifest().consortium, seeded("vault"))
    vault.store(b"shares")
    assert verdicts(typed(home, capsys, "fsck")[1])["custody"] == "ok"
    path = home.folder / layout.CUSTODY
    path.write_bytes(path.read_bytes()[:-1])
    code, said = typed(home, capsys, "fsck", "--repair")
    assert (code, verdicts(said)["custody"]) == (9, "damaged")
    assert path.exists()


def test_a_cosignature_that_has_rotted_is_told_and_thrown_away(home, template, capsys) -> None:
    manifest = home.manifest()
    origin = manifest.origin("lender-1")
    with offline(home) as (store, _):
        head = Chain(store, log_names(manifest)).log("lender-1").head
        assert head is not None
        note = head.note
        for name in ("lender-2", "lender-3"):
            seed = open_home(template.parent / name).keyring(PASSPHRASE).cosign_seed
            cosigner = Cosigner.from_seed(manifest.cosigner_key(name).name, seed)
            note = note.with_signatures([cosigner.cosign(note.text, 1_790_000_000)])
        Witnessed(store, home.history()).add(note.encode())
        (key,) = [key for key, _ in store.scan(b"h", b"i")]
    assert typed(home, capsys, "fsck")[0] == 0
    raw = bytearray(note.encode())
    raw[-20] ^= 1
    with offline(home) as (store, _):
        store.write([(key, bytes(raw))])
    code, said = typed(home, capsys, "fsck")
    assert (code, verdicts(said)["witnessed heads"]) == (9, "damaged")
    assert next(each["path"] for each in said["findings"] if each["what"] == "witnessed heads") == origin[-8:]
    code, said = typed(home, capsys, "fsck", "--repair")
    assert (code, verdicts(said)["witnessed heads"]) == (0, "repaired")
    assert "witnessed heads" not in verdicts(typed(home, capsys, "fsck")[1])


def test_a_home_in_use_is_left_alone(home, capsys) -> None:
    with offline(home):
        for arguments in (("fsck",), ("rebuild",), ("rebuild", "--chain"), ("rebuild", "--book"), ("backup", "/x/y")):
            code, said = typed(home, capsys, *arguments)
            assert (code, said["error"]["reason"]) == (7, "STORE_IN_USE")
