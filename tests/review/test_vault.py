"""What a custodian's secrets leave behind on its disk, whatever the moment at which it crashed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ledger.errors import PlimsollError
from node.custody.vault import Vault
from node.homes import files
from tests.lenders import lender


class Crash(BaseException):
    """The process ends here."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "secrets").mkdir()
    return tmp_path


def vault(folder: Path) -> Vault:
    return Vault(folder, lender(1).keyring, bytes(32), os.urandom)


def left(folder: Path) -> list[str]:
    return sorted(file.name for file in (folder / "secrets").iterdir())


def test_a_state_that_was_written_but_never_put_in_place_is_erased(folder, monkeypatch):
    vault(folder).store(b"first")

    def crash(self: Path, target: Path) -> Path:
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", crash)
        # The file that a killed process leaves is not cleaned up by anybody.
        patch.setattr(Path, "unlink", lambda self, missing_ok=False: None)
        with pytest.raises(Crash):
            vault(folder).store(b"second")
    names = left(folder)
    assert len(names) == 3, names
    after = vault(folder)
    assert after.load() == b"first"
    after.erase_former()
    assert after.load() == b"first"
    assert len(left(folder)) == 1


def test_what_is_erased_is_overwritten_in_its_place(folder):
    place = vault(folder)
    place.store(b"x" * 1000)
    (name,) = left(folder)
    hold = os.open(folder / "secrets" / name, os.O_RDONLY)
    try:
        place.store(b"second")
        place.erase_former()
        assert os.pread(hold, 1 << 16, 0).strip(b"\0") == b""
    finally:
        os.close(hold)
    assert place.load() == b"second"


def test_nothing_there_is_nothing_to_erase(folder):
    vault(folder).erase_former()
    assert vault(folder).load() is None


def test_a_folder_that_is_gone_is_a_refusal(tmp_path):
    with pytest.raises(PlimsollError):
        vault(tmp_path).store(b"state")
    assert not files.exists(tmp_path / "secrets")
