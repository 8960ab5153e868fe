"""The second verifier beside the first, over folders that the program has exported: good ones, and spoilt ones.

What both must agree on is the verdict, whom it names, and the first entry of each that is bad.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from random import Random

import pytest

from client.audit.auditor import Auditor, Scope
from client.audit.reading.tiles import TILES, Tiles
from client.audit.report import Report
from client.audit.transcripts import Saved
from ledger import disclosure
from ledger.errors import PlimsollError
from ledger.tlog import merkle
from ledger.tlog.checkpoint import Head, sign_head
from ledger.tlog.receipt import Receipt
from ledger.witnessing.cosigned import seats
from tests.client.audit.tile_folder import write_log
from tests.client.audit.whole import BORROWER, LONG, before_the_expulsion, export_whole, whole, witnessed
from tests.second import entry as entries
from tests.second.audited import Audit
from tests.second.refusal import Refused

ROOT = Path(__file__).parents[2]
RNG = Random(5)
Verdict = tuple[str, dict[str, int | None]]


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> Path:
    """Not to be changed."""
    return export_whole(whole(), tmp_path_factory.mktemp("good"))


@pytest.fixture
def folder(good, tmp_path) -> Path:
    return Path(shutil.copytree(good, tmp_path / "spoilt"))


def report(where: Path, *transcripts: Saved) -> Report:
    """What the program's auditor says."""
    scope = Scope(lambda size: 0, proofs=True, workers=1, transcripts=list(transcripts))
    return Auditor(Tiles(where), scope, lambda *_: None).run()


def first_of(found: Iterable[tuple[str, int | None]]) -> dict[str, int | None]:
    """By member the smallest index that was found bad."""
    first: dict[str, list[int]] = {}
    for member, index in found:
        first.setdefault("" if member == TILES else member, []).extend([] if index is None else [index])
    return {member: min(indices, default=None) for member, indices in first.items()}


def by_the_first(where: Path) -> Verdict:
    try:
        found = report(where)
    except PlimsollError:
        return "refused", {}
    return found.verdict, first_of((one.member, one.index) for one in found.findings)


def by_the_second(where: Path) -> Verdict:
    try:
        audit = Audit(where)
    except Refused:
        return "refused", {}
    return audit.verdict, audit.first_bad


def agreed(where: Path) -> Verdict:
    """What both say."""
    second = by_the_second(where)
    assert second == by_the_first(where)
    return second


def flipped(raw: bytes, at: int) -> bytes:
    return raw[:at] + bytes([raw[at] ^ 1 << RNG.randrange(8)]) + raw[at + 1 :]


# -- nothing is wrong, or only what members have done


def test_of_a_good_folder_both_say_the_same_in_full(good):
    first, second = report(good), Audit(good)
    assert (first.verdict, second.verdict, second.findings) == ("ok", "ok", [])
    assert [(log.head.origin, log.head.size, log.head.root) for log in first.logs] == [
        (key, len(held.log), held.log.root(len(held.log))) for key, held in second.logs.items() if held.log
    ]
    assert second.keys
    assert [key.encoded for key in second.keys.public] == list(first.public_keys)
    assert [(each["epoch"], each["phase"]) for each in first.epochs] == [
        (epoch, state) for epoch, (state, _) in second.epochs.items()
    ]
    assert [(each["by"], each["index"], each["state"]) for each in first.challenges] == second.challenges
    assert {state for _, _, state in second.challenges} == {"answered", "open", "void"}
    assert sum(log.proofs or 0 for log in first.logs) == second.proofs == 11
    for log, held in zip(first.logs, second.logs.values(), strict=True):
        kinds = Counter({"ignored" if kind == "unsound" else kind: n for kind, n in log.entries.items()})
        assert kinds == Counter(held.kinds())
        assert (log.frozen, log.witnessed and log.witnessed["size"]) == (held.frozen, held.settled)
        assert log.inquiries == {state: second.inquiries[held.name, state] for state in ("checked", "unchecked")}
    met = {kind for held in second.logs.values() for kind in held.kinds()}
    assert met == {"ignored", *entries.SHAPES} - {"complaint", "reveal"}


def test_a_log_with_two_histories_is_a_finding_until_it_has_ended(tmp_path):
    where = export_whole(before_the_expulsion(), tmp_path / "tiles")
    assert agreed(where) == ("bad", {"lender-4": None})


def test_where_no_head_is_witnessed_all_that_is_there_counts(tmp_path):
    nothing = dict.fromkeys(whole().logs, -1)
    where = export_whole(whole(), tmp_path / "tiles", nothing)
    assert not list(where.glob("*/witnessed"))
    assert agreed(where) == ("ok", {})
    assert [state for state, _ in Audit(where).epochs.values()] == ["final", "final"]


# -- files


@pytest.mark.parametrize(
    ("path", "member"),
    [
        ("lender-1/checkpoint", "lender-1"),
        ("lender-1/witnessed", "lender-1"),
        ("lender-3/checkpoint", "lender-3"),
        ("lender-3.2/tile/0/000.p/7", "lender-3"),
        ("lender-4/tile/entries/000.p/3", "lender-4"),
        (f"{LONG}/tile/0/000", LONG),
        (f"{LONG}/tile/0/001.p/44", LONG),
        (f"{LONG}/tile/1/000.p/1", LONG),
        (f"{LONG}/tile/entries/000", LONG),
        (f"{LONG}/tile/entries/001.p/44", LONG),
    ],
)
def test_a_file_that_is_changed_cut_too_long_or_gone_is_found_alike(folder, path, member):
    file, is_note = folder / path, "tile" not in path
    raw = file.read_bytes()
    file.write_bytes(flipped(raw, RNG.randrange(len(raw))))
    verdict, named = agreed(folder)
    assert is_note or (verdict == "bad" and named[member] is not None)
    file.write_bytes(raw[: RNG.randrange(len(raw))] if len(path) % 2 else raw + b"\0")
    verdict, named = agreed(folder)
    assert verdict == "bad"
    assert member in named
    file.unlink()
    assert agreed(folder)[0] == ("ok" if path.endswith("witnessed") else "bad")


@pytest.mark.parametrize(("path", "lines"), [("lender-3.2/checkpoint", range(5)), ("lender-2/witnessed", range(5, 8))])
def test_every_part_of_a_signed_head_is_looked_at_alike(folder, path, lines):
    """Origin, size, root and the author's signature of one; the cosignatures of the other."""
    file = folder / path
    raw = file.read_bytes()
    parts = raw.split(b"\n")
    for number in lines:
        start = sum(len(part) + 1 for part in parts[:number])
        if parts[number]:
            file.write_bytes(flipped(raw, start + max(0, len(parts[number]) - 3)))
            agreed(folder)


def test_every_region_of_an_entry_is_looked_at(folder):
    """The position, with its length ahead of it: label, digest, points, proof, sealed copy."""
    file = folder / "lender-3.2" / "tile/entries/000.p/7"
    raw = file.read_bytes()
    length = int.from_bytes(raw[:2], "big")
    for place in (0, 1, 5, 80, 330, length + 1):
        file.write_bytes(flipped(raw, place))
        verdict, named = agreed(folder)
        assert (verdict, named.pop("lender-3")) == ("bad", 0)


def test_manifests_that_were_changed_leave_no_ground_to_audit_on(folder):
    file = folder / "lineage"
    raw = file.read_bytes()
    for place in range(3, len(raw), len(raw) // 20):
        file.write_bytes(flipped(raw, place))
        assert agreed(folder) == ("refused", {}), place
    for other in (b"", raw[:-1], raw + b"\0", raw[: len(raw) // 2]):
        file.write_bytes(other)
        assert agreed(folder) == ("refused", {})


# -- logs


def test_another_members_log_in_place_of_one_is_found_alike(folder):
    shutil.rmtree(folder / "lender-2")
    shutil.copytree(folder / "lender-3", folder / "lender-2")
    verdict, named = agreed(folder)
    assert (verdict, named["lender-2"]) == ("bad", 0)


def test_two_logs_exchanged_are_found_alike(folder):
    (folder / "lender-1").rename(folder / "aside")
    (folder / LONG).rename(folder / "lender-1")
    (folder / "aside").rename(folder / LONG)
    assert agreed(folder) == ("bad", {"lender-1": 0, LONG: 0})


def test_a_log_that_is_left_out_is_found_alike(folder):
    shutil.rmtree(folder / "lender-3.2")
    assert agreed(folder)[1]["lender-3"] == 0


def test_another_members_empty_log_in_place_of_one_is_found_alike(folder):
    signer = whole().logs[LONG]._signer
    empty = sign_head(Head(signer.key.name, 0, merkle.EMPTY_ROOT), signer).note.encode()
    (folder / "lender-1" / "checkpoint").write_bytes(empty)
    assert agreed(folder)[1]["lender-1"] == 0


def rewrite(where: Path, name: str, those: list[bytes], *, witnessed: bool = False) -> Path:
    """The author signs these entries instead. witnessed: that head stays."""
    write_log(where / name, those, whole().logs[name]._signer)
    if not witnessed:
        (where / name / "witnessed").unlink()
    return where


def places_of_kinds() -> dict[str, tuple[str, int]]:
    """Of each kind of entry the first."""
    found: dict[str, tuple[str, int]] = {}
    for name, log in whole().logs.items():
        for index, raw in enumerate(log.entries):
            read = entries.read(raw)
            found.setdefault(read.kind if read else "ignored", (name, index))
    return found


@pytest.mark.parametrize("kind", sorted({"ignored", *entries.SHAPES} - {"complaint", "reveal"}))
def test_an_entry_that_its_author_has_signed_otherwise_is_judged_alike(folder, kind):
    """Every hash and signature is right; what it says, or what others say of it, is not."""
    name, index = places_of_kinds()[kind]
    those = list(whole().logs[name].entries)
    those[index] = flipped(those[index], len(those[index]) - 1)
    agreed(rewrite(folder, name, those, witnessed=kind in ("position", "evidence", "proposal", "challenge_answer")))


def test_a_position_whose_proof_fails_is_found_where_it_stands(folder):
    those = list(whole().logs["lender-2"].entries)
    (*_, (last, proof)) = (
        (at, read.body.proof) for at, raw in enumerate(those) if (read := entries.read(raw)) and read.kind == "position"
    )
    at = those[last].index(proof)
    those[last] = those[last][: at + 40] + bytes([those[last][at + 40] ^ 1]) + those[last][at + 41 :]
    assert agreed(rewrite(folder, "lender-2", those, witnessed=True)) == ("bad", {"lender-2": last, "lender-1": 22})


@pytest.mark.parametrize("name", ["lender-1", "lender-3"])
def test_records_dropped_exchanged_or_cut_off_are_found_alike(good, tmp_path, name):
    those = whole().logs[name].entries
    changes = {
        "dropped": those[:1] + those[2:],
        "exchanged": [those[1], those[0], *those[2:]],
        "cut": those[:2],
        "empty": [],
    }
    for what, changed in changes.items():
        agreed(rewrite(Path(shutil.copytree(good, tmp_path / what)), name, changed))


def test_a_log_cut_off_below_its_witnessed_head_does_not_pass(folder):
    assert agreed(rewrite(folder, "lender-1", whole().logs["lender-1"].entries[:-1], witnessed=True))[0] == "incomplete"


def test_another_history_than_the_witnessed_one_is_found_alike(folder):
    those = [*whole().logs["lender-3.2"].entries[:-1], b"\xff"]
    verdict, named = agreed(rewrite(folder, "lender-3.2", those, witnessed=True))
    assert (verdict, "lender-3" in named) == ("bad", True)


# -- transcripts, openings, receipts


def other_than(value):
    """Of the same kind."""
    if isinstance(value, str):
        return ("0" if value[:1] != "0" else "1") + value[1:]
    if isinstance(value, list):
        return value[1:]
    if isinstance(value, dict):
        key = next(iter(value))
        return {**value, key: other_than(value[key])}
    return (value or 0) + 1


def changes_of(document: dict) -> Iterable[tuple[str, bytes]]:
    """Of every key another value of its kind; and what lacks one."""
    for key, value in document.items():
        yield key, json.dumps({**document, key: other_than(value)}).encode()
    yield "short", json.dumps(dict(list(document.items())[1:])).encode()


def test_transcripts_fail_at_the_same_step(good):
    named = {**whole().transcripts, "": b"{}"}
    for form, many in (("full", 99), ("redacted", 5)):
        document = json.loads(whole().transcripts[f"challenged {form}"])
        named |= {f"{form} {what}": raw for what, raw in list(changes_of(document))[-many:]}
    withheld = {"withheld": "DIFFERENCING", "body_sums": [], "result": {}}
    document = json.loads(whole().transcripts["challenged full"])
    named["withheld"] = json.dumps({**document, **withheld, "body_sums": document["body_sums"][3:]}).encode()
    first = report(good, *(Saved.of(name, raw) for name, raw in named.items()))
    second = Audit(good)
    failed = {}
    for name, raw in named.items():
        before = len(second.findings)
        try:
            second.check_transcript(raw)
        except Refused as refused:
            failed[name] = refused.code
        assert (name in failed) == (len(second.findings) > before)
    assert {each["file"]: each["failed"] for each in first.transcripts if each["failed"]} == failed
    assert not set(failed) & set(whole().transcripts)
    assert {"T1", "T2", "T3", "T6", "T7", "T8", "T9", "T10"} <= set(failed.values())
    mine = [(one.member, one.index, one.code) for one in second.findings if one.code != "T1"]
    assert [(one.member, one.index, one.reason) for one in first.findings if one.reason != "T1"] == mine
    assert ("lender-1", 22, "T6") in mine


def test_openings_are_refused_alike(good):
    world, audit = whole(), Audit(good)
    log = world.logs["lender-2"]
    (index,) = (
        at for at, raw in enumerate(log.entries) if (read := entries.read(raw)) and read.kind == "position" and at > 13
    )
    history = world.lineage.history
    keys = tuple(key.encoded for key in audit.world().public_keys)
    receipt = world.receipt("lender-2", index)
    place = (history.consortium, "lender-2", BORROWER, log.entry(index), receipt)
    document = json.loads(disclosure.disclose(*place, keys, bytes(32), show_label=True).encode())
    shown = audit.check_opening(json.dumps(document).encode())
    assert (shown.index, [loan[0] for loan in shown.loans], len(shown.cosigned)) == (index, ["A-1", "B-2"], 3)
    for what, raw in changes_of(document):
        with pytest.raises(Refused):
            audit.check_opening(raw)
        with pytest.raises(PlimsollError):
            disclosure.verify(raw, history, keys)
        assert what
    assert audit.verdict == "bad"


def test_receipts_are_refused_alike(good):
    world, audit = whole(), Audit(good)
    log, history = world.logs["lender-3.2"], world.lineage.history
    key = log._signer.key
    cosigners = [m.cosigner_key(each.name) for m, _ in seats(history, key.name) for each in m.members]
    raw = world.receipt("lender-3.2", 3)
    assert audit.check_receipt(raw)[:2] == ("lender-3.2", 3)
    assert len(audit.check_receipt(raw)[2]) == 3
    refused = 0
    for place in range(0, len(raw), 17):
        other = flipped(raw, place)
        try:
            parsed = Receipt.parse(other)
            parsed.verify(log.entry(parsed.index), key, set(cosigners))
        except (PlimsollError, IndexError):
            refused += 1
            with pytest.raises(Refused):
                audit.check_receipt(other)
        else:
            assert audit.check_receipt(other)[1] == 3
    assert refused > 20


# -- by hand


def run(*arguments: object) -> tuple[int, str]:
    script = str(ROOT / "tests/second/audit.py")
    done = subprocess.run([sys.executable, script, *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout


def test_the_program_tells_the_verdict_and_exits_by_it(folder, tmp_path):
    (tmp_path / "t").write_bytes(whole().transcripts["challenged full"])
    (tmp_path / "r").write_bytes(whole().receipt("lender-1", 3))
    code, told = run(folder, "--transcript", tmp_path / "t", "--receipt", tmp_path / "r")
    assert code == 0
    assert told.endswith("verdict: ok\n")
    assert "entry 3 of lender-1" in told
    assert "outstanding" in told
    file = folder / "lender-3.2/tile/0/000.p/7"
    file.write_bytes(flipped(file.read_bytes(), 65))
    (folder / "lender-1" / "witnessed").write_bytes(witnessed(whole(), "lender-1", 20))
    code, told = run(folder)
    assert (code, "finding: lender-3 2 BAD_TILE" in told, told[-13:]) == (9, True, "verdict: bad\n")
    (folder / "lineage").write_bytes(b"")
    assert run(folder)[0] == 9
