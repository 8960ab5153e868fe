"""The passphrase and config.toml as the machine has them."""

from __future__ import annotations

import getpass
import sys

import pytest

from ledger.errors import InvalidInput, NotFound, Unready
from node import config


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch):
    for name in ("PLIMSOLL_PASSPHRASE", "PLIMSOLL_PASSPHRASE_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "stdin", None)


class Terminal:
    @staticmethod
    def isatty():
        return True


def typed(monkeypatch, *words):
    answers = iter(words)
    monkeypatch.setattr(sys, "stdin", Terminal)
    monkeypatch.setattr(getpass, "getpass", lambda _: next(answers))


def test_a_folder_without_config_is_no_home(tmp_path):
    with pytest.raises(NotFound) as caught:
        config.load_config(tmp_path)
    assert caught.value.reason == "NO_HOME"


def test_a_config_is_read(tmp_path):
    (tmp_path / "config.toml").write_text('member = "a"\naddress = "localhost:1"\n')
    assert config.load_config(tmp_path).member == "a"


def test_a_passphrase_file_in_the_config_is_relative_to_the_home(tmp_path):
    (tmp_path / "words").write_text("from home\n")
    assert config.passphrase(None, tmp_path, "words") == "from home"
    assert config.passphrase(None, tmp_path, str(tmp_path / "words")) == "from home"


def test_the_environment_goes_before_the_config(tmp_path, monkeypatch):
    (tmp_path / "words").write_text("from home\n")
    monkeypatch.setenv("PLIMSOLL_PASSPHRASE", "from environment")
    assert config.passphrase(None, tmp_path, "words") == "from environment"
    assert config.passphrase(str(tmp_path / "words")) == "from home"
    assert config.new_passphrase(None) == "from environment"


def test_a_missing_passphrase_file_is_named(tmp_path):
    with pytest.raises(NotFound, match="absent"):
        config.passphrase(str(tmp_path / "absent"))


def test_without_a_terminal_nobody_is_asked():
    for ask in (config.passphrase, config.new_passphrase):
        with pytest.raises(Unready) as caught:
            ask(None)
        assert caught.value.reason == "NO_PASSPHRASE"


def test_a_person_is_asked_once_for_an_old_and_twice_for_a_new_passphrase(monkeypatch):
    typed(monkeypatch, "words")
    assert config.passphrase(None) == "words"
    typed(monkeypatch, "words", "words")
    assert config.new_passphrase(None) == "words"
    typed(monkeypatch, "words", "wrods")
    with pytest.raises(InvalidInput, match="differ"):
        config.new_passphrase(None)
