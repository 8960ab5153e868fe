"""Backups, restored ones too, a disk that is lost, one that is full: with real nodes and the commands people type."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from plimsoll.v1 import lender_pb2

from ledger.chain.chain import Chain
from ledger.errors import PlimsollError, Unready
from ledger.homes import home as layout
from node.lending.book import Book
from node.upkeep.leveldb import LevelStore
from node.upkeep.stores import log_names
from tests.cluster import Cluster
from tests.e2e.conftest import Found
from tests.e2e.feeds import row

pytestmark = [pytest.mark.slow, pytest.mark.faults, pytest.mark.timeout(300)]

ROOT = Path(__file__).resolve().parents[2]
MINE, SECOND, THIRD = "lender-1", "lender-2", "lender-3"
PLIMSOLL = "import sys; from client.cli import main; sys.exit(main())"


@pytest.fixture(scope="module")
def three(found_module: Found) -> Cluster:
    cluster = found_module(3)
    cluster.start()
    cluster.wait_ready()
    return cluster


def rows(first: int, count: int = 5, more: int = 0) -> list[lender_pb2.FeedRow]:
    return [
        row(f"test:{number:06d}", 30_000 + number + more, line=number + 2) for number in range(first, first + count)
    ]


def plimsoll(cluster: Cluster, member: str, *arguments: object, code: int = 0) -> dict[str, Any]:
    """A command as it is typed; what it says as JSON."""
    command = [sys.executable, "-c", PLIMSOLL, "--home", str(cluster.home_folder(member)), "--json"]
    done = subprocess.run(
        [*command, *map(str, arguments)], cwd=ROOT, env=cluster.environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    said: dict[str, Any] = json.loads(done.stdout if done.stdout else done.stderr)
    return said


def problems(cluster: Cluster) -> list[str]:
    return [log.problem for member in cluster.running for log in cluster.status(member).logs if log.problem]


def total(cluster: Cluster, borrower: str) -> int:
    answer = cluster.ask(THIRD, borrower)
    return answer.amounts.outstanding if answer.HasField("amounts") else answer.lenders


def test_a_backup_of_a_node_at_work_is_whole_and_what_came_later_is_fetched_from_the_others(three: Cluster) -> None:
    three.report(MINE, rows(0))
    folder = three.folder / "backup"
    summary = plimsoll(three, MINE, "backup", folder)
    assert summary["borrowers"] == 5
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    assert layout.KEYRING in files
    assert layout.CUSTODY not in files
    assert all(path.stat().st_mode & 0o077 == 0 for path in (folder, *folder.rglob("*")))
    assert plimsoll(three, MINE, "restore", folder, "--check")["member"] == MINE
    assert plimsoll(three, MINE, "backup", folder, code=4)["error"]["reason"] == "FILE_EXISTS"
    assert plimsoll(three, MINE, "restore", folder, code=4)["error"]["reason"] == "HOME_EXISTS"

    two_loans = [*rows(100), row("test:000100", 7, loan_id="second", line=99)]
    assert three.report(MINE, two_loans).published == 5
    before = three.wait_same_heads()
    three.stop(MINE)
    home = three.home_folder(MINE)
    home.rename(three.folder / "lost")
    restored = plimsoll(three, MINE, "restore", folder)
    assert restored["entries"] == summary["entries"]
    three.start(MINE)
    three.wait_until(lambda: three.status(MINE).borrowers == 10, "the book is brought up to the log")
    assert three.wait_same_heads() == before
    # The second loan was reported after the backup, and is not in this feed: it must not be forgotten.
    assert three.report(MINE, rows(100)).published == 0
    assert three.report(MINE, rows(0)).published == 0
    assert three.report(MINE, rows(100, more=1)).published == 5
    three.wait_same_heads()
    assert problems(three) == []
    assert three.ask(SECOND, "test:000100").accounts == 2

    three.wait_until(lambda: bool(three.status(MINE).alerts), "the lost share is told")
    keys = three.status(MINE).keys
    assert (keys.holds_shares, bool(keys.public_keys)) == (False, True)
    three.stop(MINE)  # its own shares are where they were
    shutil.copy(three.folder / "lost" / layout.CUSTODY, home / layout.CUSTODY)
    three.restart(MINE)


def test_a_backup_with_a_flipped_or_missing_file_makes_no_home(three: Cluster) -> None:
    folder = three.folder / "rotten"
    shutil.copytree(three.folder / "backup", folder)
    victim = next(path for path in sorted((folder / layout.CHAIN).iterdir()) if path.stat().st_size > 1000)
    raw = bytearray(victim.read_bytes())
    raw[500] ^= 1
    victim.write_bytes(raw)
    command = [sys.executable, "-m", "node", "--home", str(three.folder / "new"), "restore", str(folder)]
    for reason in ("is not what was backed up", "lacks this file"):
        done = subprocess.run(command, cwd=ROOT, env=three.environment, capture_output=True, text=True, check=False)
        assert (done.returncode, reason in done.stderr) == (9, True), done.stderr
        assert not (three.folder / "new").exists()
        victim.unlink(missing_ok=True)


def test_a_lender_that_lost_its_disk_has_lost_nothing_it_published(three: Cluster) -> None:
    three.report(MINE, rows(200, 300))
    three.wait_same_heads()
    told = total(three, "test:000200")
    before = three.wait_same_heads()
    three.kill(MINE)
    home = three.home_folder(MINE)
    custody = (home / layout.CUSTODY).read_bytes()
    for name in (layout.CHAIN, layout.BOOK):
        shutil.rmtree(home / name)
    (home / layout.CUSTODY).unlink()
    three.start(MINE)
    three.wait_until(lambda: three.status(MINE).borrowers == 310, "the book is there again")
    assert three.wait_same_heads() == before
    # Keys are final where heads are known to be witnessed, which others tell of after the entries (protocol section 5).
    three.wait_until(lambda: three.status(MINE).state == "serving", "it knows the keys")
    assert three.report(MINE, rows(200, 300)).published == 0
    # Not by itself: so few rows after so many would be kept back.
    assert three.report(MINE, [*rows(200, 1, more=5), *rows(201, 99)]).published == 1
    assert three.report(MINE, rows(200, 100)).published == 1
    three.wait_same_heads()
    assert total(three, "test:000200") == told
    assert three.ask(MINE, "test:000200").lenders == 1  # it still asks, with the others' shares
    assert not three.status(MINE).keys.holds_shares
    assert any("lost its shares" in alert for alert in three.status(MINE).alerts)
    assert problems(three) == []
    three.stop(MINE)
    (home / layout.CUSTODY).write_bytes(custody)

    assert plimsoll(three, MINE, "rebuild", "--book")["borrowers"] == 310
    assert plimsoll(three, MINE, "rebuild") == plimsoll(three, MINE, "rebuild")
    assert plimsoll(three, MINE, "fsck")["verdict"] == "ok"
    three.restart(MINE)
    assert three.report(MINE, rows(200, 300)).published == 0


def test_fsck_repairs_what_follows_from_the_logs_and_says_what_to_do_about_the_rest(three: Cluster) -> None:
    assert plimsoll(three, MINE, "fsck", code=7)["error"]["reason"] == "STORE_IN_USE"
    heads = three.wait_same_heads()
    three.stop(MINE)
    home = three.home_folder(MINE)
    with closing(LevelStore(home / layout.CHAIN)) as store:
        chain = Chain(store, log_names(three.manifest))
        own, replica = chain.log(MINE), chain.log(SECOND)
        tile, rotten = own.keys.tile(0, 0), replica.keys.entry(1)
        entry = store.get(rotten)
        assert store.get(tile) is not None
        assert entry is not None
        store.write([(tile, None), (rotten, entry[:-1] + bytes([entry[-1] ^ 1]))])
    with closing(LevelStore(home / layout.BOOK)) as store:
        (place, box), *_ = store.scan(b"r", b"s", limit=1)
        store.write([(place, box[:-1] + bytes([box[-1] ^ 1])), (b"n", bytes(8))])
    found = {each["what"]: each["verdict"] for each in plimsoll(three, MINE, "fsck", code=9)["findings"]}
    assert found == {MINE: "damaged", SECOND: "damaged", THIRD: "ok", "book": "damaged", "custody": "ok"}
    found = {each["what"]: each["verdict"] for each in plimsoll(three, MINE, "fsck", "--repair")["findings"]}
    assert found == {MINE: "repaired", SECOND: "forgotten", THIRD: "ok", "book": "repaired", "custody": "ok"}
    assert plimsoll(three, MINE, "fsck")["verdict"] == "ok"
    three.restart(MINE)
    assert three.wait_same_heads() == heads
    assert three.report(MINE, rows(200, 300)).published == 0

    three.stop(MINE)
    with closing(LevelStore(home / layout.CHAIN)) as store:
        key = Chain(store, log_names(three.manifest)).log(MINE).keys.entry(7)
        entry = store.get(key)
        assert entry is not None
        store.write([(key, entry[:-1] + bytes([entry[-1] ^ 1]))])
    said = plimsoll(three, MINE, "fsck", "--repair", code=9)
    damaged = next(each for each in said["findings"] if each["verdict"] == "damaged")
    assert (damaged["what"], damaged["path"]) == (MINE, "entries[7]") or damaged["reason"] == "ROOT_MISMATCH"
    assert "rebuild --chain" in damaged["todo"]
    assert Path(plimsoll(three, MINE, "rebuild", "--chain")["chain"]).is_dir()
    three.restart(MINE)
    assert three.wait_same_heads() == heads
    assert three.report(MINE, rows(200, 300)).published == 0


def test_the_books_of_all_end_as_they_should(three: Cluster) -> None:
    three.stop(*three.members)
    for member in three.members:
        assert plimsoll(three, member, "fsck")["verdict"] == "ok"
    with closing(LevelStore(three.home_folder(MINE) / layout.BOOK)) as store:
        book = Book(store, three.keyring(MINE).book_key, os.urandom)
        records = [record for _, record in book.records()]
        assert len(records) == book.borrowers == 310
        assert None not in records


# -- a full disk


@pytest.fixture
def small_disk(tmp_path: Path) -> Path:
    """A file system of 24 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m,mode=0700", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("may not mount a small file system here")
    return folder


def test_a_full_disk_stops_writes_says_so_goes_on_reading_and_recovers(found: Found, small_disk: Path) -> None:
    cluster = found(3)
    home = cluster.home_folder(MINE)
    try:
        shutil.copytree(home, small_disk, dirs_exist_ok=True)
        shutil.rmtree(home)
        home.symlink_to(small_disk)
        with (home / layout.CONFIG).open("a") as config:
            config.write("reserve_mib = 4\n")
        cluster.start()
        cluster.wait_ready()
        cluster.report(MINE, rows(0))
        cluster.report(SECOND, rows(0))
        cluster.wait_same_heads()
        ballast = small_disk / "ballast"
        fill(ballast, 2 << 20)
        cluster.wait_until(
            lambda: cluster.status(MINE).state == "read-only (disk full)", "it says that the disk is full"
        )
        refused(cluster, MINE, rows(100))
        size = cluster.sizes(MINE)[MINE]
        assert cluster.session(MINE, "auditor").heads()
        assert list(cluster.session(MINE, "auditor").read(cluster.manifest.origin(SECOND)))
        assert cluster.report(SECOND, rows(100)).published == 5  # the others go on
        assert cluster.ask(THIRD, "test:000001").lenders == 2
        assert cluster.sizes(MINE)[MINE] == size
        ballast.unlink()
        cluster.wait_until(lambda: cluster.status(MINE).state == "serving", "there is room again")
        assert cluster.report(MINE, rows(100)).published == 5
        cluster.wait_same_heads()

        # Really full, behind the reserve's back: what LevelDB writes fails half way.
        filler = [row(f"test:{500_000 + number}", 30_000, line=number + 2) for number in range(1000)]
        cluster.stop(MINE)
        text = (home / layout.CONFIG).read_text().replace("reserve_mib = 4", "reserve_mib = 0")
        (home / layout.CONFIG).write_text(text)
        cluster.restart(MINE)
        fill(ballast, 600_000)
        refused(cluster, MINE, filler)
        cluster.wait_until(
            lambda: cluster.status(MINE).state == "read-only (disk full)", "it says that the disk is full"
        )
        assert cluster.session(MINE, "auditor").heads()
        acknowledged = cluster.sizes(MINE)[MINE][0]
        ballast.unlink()
        cluster.wait_until(lambda: cluster.status(MINE).state == "serving", "there is room again")
        assert cluster.report(MINE, rows(200)).published == 5
        assert cluster.sizes(MINE)[MINE][0] >= acknowledged + 5
        cluster.wait_same_heads()
        cluster.stop(MINE)
        assert plimsoll(cluster, MINE, "fsck")["verdict"] == "ok"
    finally:
        cluster.close()
        subprocess.run(["umount", "-l", str(small_disk)], check=True)


def fill(ballast: Path, left: int) -> None:
    """Until this many bytes are left of the file system."""
    disk = os.statvfs(ballast.parent)
    ballast.write_bytes(bytes(max(0, disk.f_bavail * disk.f_frsize - left)))


def refused(cluster: Cluster, member: str, feed: list[lender_pb2.FeedRow]) -> None:
    with pytest.raises(PlimsollError) as caught:
        cluster.report(member, feed)
    assert isinstance(caught.value, Unready)
    assert caught.value.reason == "DISK_FULL"
