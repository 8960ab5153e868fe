"""`python -m node`: a consortium founded by real processes, as docs/founding.md tells people to."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ledger.consortium.founding import open_manifest
from ledger.errors import InvalidInput, NotFound, Refused, Unready
from node.__main__ import main
from tests.lenders import PASSPHRASE

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("PLIMSOLL_")}
FOUND = ("found", "--name", "Example", "--currency", "CNY", "--time-zone", "Asia/Shanghai")


def run(*arguments, folder, passphrase=PASSPHRASE, check=True):
    environment = {**ENVIRONMENT, **({"PLIMSOLL_PASSPHRASE": passphrase} if passphrase else {})}
    command = [sys.executable, "-m", "node", *map(str, arguments)]
    return subprocess.run(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=check
    )


def refused(*arguments, folder, kind, reason, **keywords):
    """The command fails in one line with the exit code of its kind."""
    done = run(*arguments, folder=folder, check=False, **keywords)
    assert (done.returncode, done.stdout) == (kind.exit_code, "")
    assert re.fullmatch(rf"plimsoll: [^\n]+ \[{reason}\]\n", done.stderr)


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    """A folder in which three lenders have founded and adopted a consortium."""
    folder = tmp_path_factory.mktemp("town")
    for number in (1, 2, 3):
        member = f"lender-{number}"
        run("--home", member, "init", "--member", member, "--address", f"localhost:770{number}", folder=folder)
        run("--home", member, "card", "-o", f"{member}.card", folder=folder)
    cards = [f"lender-{number}.card" for number in (1, 2, 3)]
    run(*FOUND, "-o", "manifest.note", *cards, folder=folder, passphrase=None)
    for number in (1, 2, 3):
        run("--home", f"lender-{number}", "sign", "manifest.note", "-o", f"signed-{number}.note", folder=folder)
    copies = [f"signed-{number}.note" for number in (1, 2, 3)]
    run("found", "--merge", *copies, "-o", "complete.note", folder=folder, passphrase=None)
    for number in (1, 2, 3):
        run("--home", f"lender-{number}", "adopt", "complete.note", folder=folder)
    return folder


@pytest.mark.process
def test_three_lenders_found_a_consortium(town):
    manifest = open_manifest((town / "complete.note").read_bytes())
    assert [member.name for member in manifest.members] == ["lender-1", "lender-2", "lender-3"]
    for number in (1, 2, 3):
        home = town / f"lender-{number}"
        assert (home / "manifest.note").read_bytes() == (town / "complete.note").read_bytes()
        for sealed in (home / "secrets").iterdir():
            assert stat.S_IMODE(sealed.stat().st_mode) == 0o600


@pytest.mark.process
def test_signing_in_place_collects_signatures_in_one_file(town):
    (town / "round.note").write_bytes((town / "manifest.note").read_bytes())
    for number in (3, 1, 2):
        done = run("--home", f"lender-{number}", "sign", "round.note", folder=town)
        assert open_manifest((town / "complete.note").read_bytes()).id.hex() in done.stdout
    assert (town / "round.note").read_bytes() == (town / "complete.note").read_bytes()


@pytest.mark.process
def test_a_dry_run_shows_and_checks_without_a_passphrase_and_signs_nothing(town):
    before = (town / "signed-1.note").read_bytes()
    done = run("--home", "lender-2", "sign", "--dry-run", "signed-1.note", folder=town, passphrase=None)
    assert "unsigned    lender-2, lender-3" in done.stdout
    assert (town / "signed-1.note").read_bytes() == before


@pytest.mark.process
def test_programs_get_json(town):
    done = run("--json", "--home", "lender-1", "adopt", "complete.note", folder=town)
    assert json.loads(done.stdout)["name"] == "Example"
    done = run("sign", "--dry-run", "complete.note", "--home", "lender-1", "--json", folder=town)
    facts = json.loads(done.stdout)
    assert facts["members"] == {f"lender-{number}": f"localhost:770{number}" for number in (1, 2, 3)}
    assert (facts["threshold"], facts["unsigned"]) == (2, [])
    done = run("--json", "--home", "absent", "card", folder=town, check=False)
    assert json.loads(done.stderr)["error"]["reason"] == "NO_HOME"


@pytest.mark.process
def test_failures_are_one_line_with_an_exit_code_by_kind(town):
    init = ("init", "--member", "lender-9", "--address", "localhost:7709")
    refused("--home", "new", *init, folder=town, passphrase=None, kind=Unready, reason="NO_PASSPHRASE")
    assert not (town / "new").exists()
    refused("--home", "lender-1", *init, folder=town, kind=Refused, reason="HOME_EXISTS")
    refused("--home", "absent", "card", folder=town, kind=NotFound, reason="NO_HOME")
    refused("card", folder=town, kind=InvalidInput, reason="MISSING_OPTION")
    refused("--home", "lender-1", "adopt", "signed-1.note", folder=town, kind=Unready, reason="UNSIGNED")
    refused("--home", "lender-1", "sign", "lender-1.card", folder=town, kind=InvalidInput, reason="BAD_MANIFEST")
    refused(*FOUND, "-o", "x", "complete.note", folder=town, kind=InvalidInput, reason="BAD_CARD")
    refused("found", "-o", "x", "lender-1.card", folder=town, kind=InvalidInput, reason="MISSING_OPTION")
    sign = ("--home", "lender-1", "sign", "manifest.note")
    refused(*sign, folder=town, passphrase="wrong", kind=Refused, reason="WRONG_PASSPHRASE")
    refused(*sign, "--passphrase-file", "absent", folder=town, kind=NotFound, reason="NO_FILE")
    assert not (town / "x").exists()


@pytest.mark.process
def test_a_passphrase_comes_from_a_file_named_anywhere_in_the_command(town, tmp_path):
    (tmp_path / "words").write_text(PASSPHRASE + "\n")
    sign = ("sign", "manifest.note", "-o", tmp_path / "out")
    words = ("--passphrase-file", tmp_path / "words")
    run("--home", "lender-1", *words, *sign, folder=town, passphrase=None)
    run(*sign, "--home", "lender-1", *words, folder=town, passphrase=None)


@pytest.mark.process
def test_a_credential_is_issued_for_a_program_elsewhere(town, tmp_path):
    command = ("--json", "--home", "lender-1", "credential", "--role", "auditor", "--name", "alice", "--out", tmp_path)
    facts = json.loads(run(*command, "--plain", folder=town).stdout)
    assert facts["uri"].endswith("/lender-1/auditor/alice")
    assert stat.S_IMODE(Path(facts["key"]).stat().st_mode) == 0o600
    assert Path(facts["key"]).read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----")
    assert len(facts["fingerprint"]) == 64
    (tmp_path / "words").write_text("other words\n")
    sealed = json.loads(
        run(
            *command[:-4], "--name", "bob", *command[-2:], "--key-passphrase-file", tmp_path / "words", folder=town
        ).stdout
    )
    assert Path(sealed["key"]).read_text().startswith("plimsoll sealed v1 auditor-key\n")


# The command line itself, in this process


@pytest.mark.parametrize(
    "arguments",
    [[], ["dance"], ["init"], ["sign"], ["credential", "--role", "node", "--name", "x", "--out", "y"], ["found", "x"]],
)
def test_a_wrong_command_line_is_told_in_one_line(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert re.fullmatch(r"plimsoll: [^\n]+--help\)\n", capsys.readouterr().err)


@pytest.mark.parametrize("option", ["--passphrase", "--passphrase-fil", "--password"])
def test_no_option_takes_a_passphrase_itself(option, tmp_path):
    command = ["--home", str(tmp_path / "home"), "init", "--member", "lender-1", "--address", "localhost:7701"]
    with pytest.raises(SystemExit) as caught:
        main([*command, option, "words"])
    assert caught.value.code == 2
    assert list(tmp_path.iterdir()) == []


def test_the_card_goes_to_standard_output_by_default(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PLIMSOLL_PASSPHRASE", PASSPHRASE)
    monkeypatch.setenv("PLIMSOLL_HOME", str(tmp_path / "home"))
    assert main(["init", "--member", "lender-1", "--address", "localhost:7701", "--listen", "127.0.0.1:7799"]) == 0
    capsys.readouterr()
    assert main(["card"]) == 0
    assert capsys.readouterr().out == (tmp_path / "home" / "card").read_text()
    assert 'listen = "127.0.0.1:7799"' in (tmp_path / "home" / "config.toml").read_text()


@pytest.mark.parametrize("command", ["init", "card", "found", "sign", "adopt", "credential"])
def test_every_command_explains_itself(command, capsys):
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    assert "--home" in capsys.readouterr().out
