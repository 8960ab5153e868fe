"""What lies on the disks of lenders: opened raw, replicas tell nobody's name, amount or order (design section 2).

Two months of three lenders' feeds are loaded and asked about; then the nodes stop, and what they leave is read byte by
byte.
"""

from __future__ import annotations

import base64
import hashlib
import math
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from plimsoll.v1 import entry_pb2, sealed_pb2

from ledger.borrower.labels import BorrowerKeys
from ledger.homes import home as layout
from ledger.positions.sealed_copy import open_copy
from node.upkeep.leveldb import LevelStore
from tests.cluster import Cluster
from tests.e2e.conftest import Found
from tests.e2e.feeds import CLASSES, read_csv, send_file

MEMBERS = 3
MONTHS = (1, 2)
BORROWERS = 400
SAMPLE = 60

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@dataclass
class Disks:
    """The nodes have stopped. records: all feeds' rows by lender and month."""

    cluster: Cluster
    records: Mapping[tuple[str, int], list[dict[str, str]]]

    def raw(self, member: str, *names: str) -> bytes:
        """Every byte of every file in these folders of a home, or in all of it."""
        folder = self.cluster.home_folder(member)
        roots = [folder / name for name in names] or [folder]
        return b"\0".join(path.read_bytes() for root in roots for path in sorted(root.rglob("*")) if path.is_file())

    def entries(self, member: str) -> dict[str, list[entry_pb2.Entry]]:
        """The logs as they lie in a member's store, by author, in order; read without the product's log."""
        store = LevelStore(self.cluster.home_folder(member) / layout.CHAIN)
        try:
            authors = {bytes(number): key[1:].decode().rpartition("/")[2] for key, number in store.scan(b"o", b"p")}
            logs: dict[str, list[entry_pb2.Entry]] = {author: [] for author in authors.values()}
            for key, value in store.scan(b"e", b"f"):
                logs[authors[key[1:3]]].append(entry_pb2.Entry.FromString(value))
        finally:
            store.close()
        return logs


@pytest.fixture(scope="module")
def disks(shared_data: Path, tmp_path_factory: pytest.TempPathFactory, found_module: Found) -> Disks:
    folder = tmp_path_factory.mktemp("feeds")
    options = [f"--lenders={MEMBERS}", f"--borrowers={BORROWERS}", f"--months={max(MONTHS)}"]
    subprocess.run([sys.executable, str(shared_data / "make_feed.py"), str(folder), *options], check=True)
    cluster = found_module(MEMBERS, currency="TWD")
    cluster.start()
    cluster.wait_ready()
    records = {}
    for month in MONTHS:
        for member in cluster.members:
            path = folder / f"m{month}" / f"{member}.csv"
            records[member, month] = read_csv(path)
            assert not send_file(cluster, member, path).rejected
    for number in range(1, 21):
        for member in cluster.members:
            cluster.ask(member, f"test:{number:06d}")
    cluster.wait_same_heads()
    cluster.stop(*cluster.members)
    return Disks(cluster, records)


def everything(disks: Disks) -> bytes:
    """All that two lenders have on disk, and all that any node has logged."""
    homes = b"".join(disks.raw(member) for member in disks.cluster.members[:2])
    return homes + b"".join(disks.cluster.log_file(member).read_bytes() for member in disks.cluster.members)


def sampled(disks: Disks) -> list[dict[str, str]]:
    """Rows of every lender and month, also the lender's own."""
    rows = [row for records in disks.records.values() for row in records[:: max(1, len(records) // SAMPLE)]]
    assert len(rows) > SAMPLE
    return rows


def test_what_is_searched_is_what_was_loaded(disks: Disks) -> None:
    logs = disks.entries("lender-1")
    published = sum(entry.WhichOneof("kind") == "position" for log in logs.values() for entry in log)
    assert set(logs) == set(disks.cluster.members)
    assert published >= sum(len(records) for (_, month), records in disks.records.items() if month == 1)
    raw = disks.raw("lender-1", layout.CHAIN)
    for log in logs.values():  # files are not compressed: what is searched for would be found
        assert all(entry.position.label in raw for entry in log if entry.WhichOneof("kind") == "position")


def test_no_file_and_no_log_names_a_borrower(disks: Disks) -> None:
    raw = everything(disks)
    for spelling in (b"test:0", "test:0".encode("utf-16-le"), b"test:0".hex().encode(), base64.b64encode(b"test:0")):
        assert spelling not in raw
    for row in sampled(disks)[:SAMPLE]:
        for name in ("sha256", "sha512", "sha1", "md5"):
            digest = hashlib.new(name, row["borrower"].encode(), usedforsecurity=False)
            assert digest.digest()[:16] not in raw
            assert digest.hexdigest()[:32].encode() not in raw


def test_no_file_and_no_log_names_a_loan_or_its_product(disks: Disks) -> None:
    raw = everything(disks)
    assert b"revolving" not in raw
    for row in sampled(disks):
        if len(row["loan_id"]) == 6:  # a shorter one is found in any megabyte of ciphertext
            assert row["loan_id"].encode() not in raw


def test_no_file_holds_an_amount(disks: Disks) -> None:
    raw = everything(disks)
    for row in sampled(disks):
        for needle in encodings(row):
            assert needle not in raw, needle


def encodings(row: Mapping[str, str]) -> Iterator[bytes]:
    """What somebody who looks for this loan's amounts would look for; nothing so short that chance would find it."""
    loan = sealed_pb2.Loan(
        credit_limit=int(row["credit_limit"]),
        outstanding=int(row["outstanding"]),
        monthly_due=int(row["monthly_due"]),
        overdue=int(row["overdue"]),
        days_past_due=int(row["days_past_due"]),
        classification=CLASSES.index(row["classification"]),
        open=True,
    ).SerializeToString()
    if len(loan) >= 8:
        yield loan
    for name in ("credit_limit", "outstanding", "monthly_due", "overdue"):
        amount = int(row[name])
        texts = [str(amount), f"{amount / 100:.2f}", f"{amount // 100:,}", f'"{name}":{amount}', f"{name}={amount}"]
        yield from (text.encode() for text in texts if len(text) >= 8)
        if amount > 1 << 24:  # smaller ones look like indices
            yield from (amount.to_bytes(8, "big"), amount.to_bytes(8, "little"))


def test_no_label_is_used_twice_and_nothing_else_repeats(disks: Disks) -> None:
    for member in disks.cluster.members[:2]:
        logs = disks.entries(member)
        positions = [entry.position for log in logs.values() for entry in log if entry.WhichOneof("kind") == "position"]
        inquiries = [entry.inquiry for log in logs.values() for entry in log if entry.WhichOneof("kind") == "inquiry"]
        labels = [position.label for position in positions] + [inquiry.label for inquiry in inquiries]
        assert len(set(labels)) == len(labels)
        for name in ("nonce_point", "proof", "records_digest", "sealed"):
            values = [getattr(position, name) for position in positions]
            assert len(set(values)) == len(values), name
        bodies = [body for position in positions for body in position.bodies]
        assert len(set(bodies)) == len(bodies)
        halves = {half for label in labels for half in (label[:8], label[8:])}
        assert len(halves) == 2 * len(labels)


def test_sealed_copies_do_not_tell_how_much_they_hold(disks: Disks) -> None:
    logs = disks.entries("lender-1")
    sizes = {len(entry.position.sealed) for log in logs.values() for entry in log if entry.HasField("position")}
    assert sizes == {12 + 512 + 16}  # one account a lender and borrower in these feeds: all alike


def test_two_months_of_one_lender_share_no_order(disks: Disks) -> None:
    for member in disks.cluster.members[:2]:
        first, second = orders(disks, member)
        both = [borrower for borrower in first if borrower in second]
        assert len(both) > 60
        months = rank_correlation([first[b] for b in both], [second[b] for b in both])
        assert abs(months) < limit(len(both))
        feed = {row["borrower"]: place for place, row in enumerate(disks.records[member, MONTHS[0]])}
        placed = [borrower for borrower in first if borrower in feed]
        assert abs(rank_correlation([first[b] for b in placed], [feed[b] for b in placed])) < limit(len(placed))


def test_lenders_orders_of_the_same_borrowers_have_nothing_in_common(disks: Disks) -> None:
    (first, *_), (second, *_) = (orders(disks, member) for member in disks.cluster.members[:2])
    both = [borrower for borrower in first if borrower in second]
    assert len(both) > 20
    assert abs(rank_correlation([first[b] for b in both], [second[b] for b in both])) < limit(len(both))


def test_with_a_borrowers_key_its_positions_are_found(disks: Disks) -> None:
    """What the tests above do not find is there all the same."""
    positions = [entry.position for entry in disks.entries("lender-2")["lender-1"] if entry.HasField("position")]
    copies = [copy_of(disks, "lender-1", position) for position in positions[:20]]
    for position, copy in zip(positions[:20], copies, strict=True):
        labels = BorrowerKeys.from_pseudonym_key(copy.pseudonym_key).query.positions("lender-1")
        assert position.label == labels(copy.number)


def copy_of(disks: Disks, member: str, position: entry_pb2.Position):
    """A position's sealed copy, as its author alone can open it."""
    backup_key = disks.cluster.keyring(member).backup_key
    return open_copy(position.sealed, backup_key, disks.cluster.manifest.consortium, member, position.label)


def orders(disks: Disks, member: str) -> list[dict[str, int]]:
    """By number of position, then by borrower: its place in the member's log, as only the member can tell."""
    places: list[dict[str, int]] = [{} for _ in MONTHS]
    for place, entry in enumerate(disks.entries("lender-2")[member]):
        if entry.HasField("position"):
            copy = copy_of(disks, member, entry.position)
            places[copy.number][copy.borrower] = place
    return places


def rank_correlation(one: Sequence[int], other: Sequence[int]) -> float:
    """Spearman's, of values that are all different."""
    count = len(one)
    ranks = [{value: rank for rank, value in enumerate(sorted(values))} for values in (one, other)]
    distance = sum((ranks[0][a] - ranks[1][b]) ** 2 for a, b in zip(one, other, strict=True))
    return 1 - 6 * distance / (count * (count**2 - 1))


def limit(count: int) -> float:
    """Five standard deviations of the rank correlation of two orders that have nothing to do with each other."""
    return 5 / math.sqrt(count - 1)
