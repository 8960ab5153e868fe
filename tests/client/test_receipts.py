"""Receipts: what is fetched proves, to anybody and for ever, that an entry stands where it does."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from plimsoll.v1 import audit_pb2

from client.receipts import Verified, check_by_key, check_by_manifests, check_by_policy, fetch
from ledger.consortium.history import History
from ledger.consortium.trust import policy_for
from ledger.errors import InvalidInput, NotFound, PlimsollError, Unverified
from ledger.tlog.note import parse_note
from ledger.tlog.receipt import Receipt
from ledger.tlog.tlog_policy import Policy
from tests.client.export.direct import MANIFEST, TIMES, Direct
from tests.ledger.witnesses import cosigned, history, name

LOG = "lender-1"
KEY = MANIFEST.log_key(LOG)
HISTORY = History([MANIFEST])


@pytest.fixture(scope="module")
def node() -> Direct:
    """300 entries in lender-1's log, of which 270 have been witnessed."""
    node = Direct()
    node.grow(300)
    node.witness(270)
    return node


def get(node: Direct, index: int) -> Verified:
    return fetch(node, HISTORY, KEY, index)  # type: ignore[arg-type]


@pytest.mark.parametrize(("index", "size"), [(0, 270), (269, 270), (270, 300), (299, 300)])
def test_a_receipt_is_under_the_witnessed_head_if_that_covers_the_entry(node: Direct, index: int, size: int) -> None:
    found = get(node, index)
    facts = found.facts()
    assert (facts["index"], facts["size"], facts["witnessed"]) == (index, size, size == 270)
    assert facts["cosigned_by"] == ([name(number) for number in TIMES if number != 1] if size == 270 else [])
    assert found.entry == history(300)[index]
    assert check_by_key(found.receipt.encode(), found.entry, KEY).entry == found.entry


def test_what_strangers_have_put_on_the_head_is_taken_off(node: Direct) -> None:
    def with_strangers(response: audit_pb2.ReceiptResponse) -> None:
        response.receipt += "— stranger.example AAAAAAAA\n".encode()

    for index in (5, 299):
        found = fetched_through(node, with_strangers, index)
        assert found.receipt == get(node, index).receipt
        assert b"stranger" not in found.receipt.encode()


def fetched_through(node: Direct, change: Callable[[audit_pb2.ReceiptResponse], None], index: int = 5) -> Verified:
    class Liar:
        def receipt(self, origin: str, index: int, witnessed: bool) -> audit_pb2.ReceiptResponse:
            response = node.receipt(origin, index, witnessed)
            change(response)
            return response

    return fetch(Liar(), HISTORY, KEY, index)  # type: ignore[arg-type]


def lies(node: Direct) -> dict[str, Callable[[audit_pb2.ReceiptResponse], None]]:
    other = node.receipt(KEY.name, 6, True)
    forged = cosigned(node.head(270), MANIFEST, {2: 1, 3: 1, 4: 1})
    path = Receipt.parse(node.receipt(KEY.name, 5, True).receipt).path

    def put(**parts: bytes) -> Callable[[audit_pb2.ReceiptResponse], None]:
        def change(response: audit_pb2.ReceiptResponse) -> None:
            for field, value in parts.items():
                setattr(response, field, value)

        return change

    return {
        "another entry": put(entry=b"other"),
        "another entry's receipt": put(receipt=other.receipt),
        "another entry with its receipt": put(entry=other.entry, receipt=other.receipt),
        "no receipt": put(receipt=b""),
        "a bad path": put(receipt=Receipt(5, (bytes(32), *path[1:]), forged).encode()),
        "an unsigned head": put(receipt=Receipt(5, path, forged.replace(b"\n270\n", b"\n271\n")).encode()),
        "a bad cosignature": put(receipt=Receipt(5, path, forged[:-30] + b"AAAA" + forged[-26:]).encode()),
        "another log's": put(receipt=Receipt(5, path, forged.replace(b"lender-1\n", b"lender-2\n", 1)).encode()),
    }


def test_a_node_that_lies_is_not_believed(node: Direct) -> None:
    for change in lies(node).values():
        with pytest.raises((Unverified, InvalidInput)):
            fetched_through(node, change)


def test_what_is_not_there_is_said_so(node: Direct) -> None:
    with pytest.raises(NotFound):
        get(node, 300)


# Offline


def test_a_policy_says_who_must_have_cosigned(node: Direct) -> None:
    found = get(node, 5)
    proof = found.receipt.encode()
    for policy in (policy_for(HISTORY), policy_for(HISTORY, LOG)):
        told = check_by_policy(proof, found.entry, policy)
        assert told.witnessed
        assert set(told.cosigners) <= {f"{name(number)}/cosigner" for number in TIMES}
    for policy in (policy_for(HISTORY, "lender-2"), Policy()):
        with pytest.raises(Unverified):
            check_by_policy(proof, found.entry, policy)


def test_a_receipt_under_a_head_that_nobody_has_witnessed_does_not_meet_a_quorum(node: Direct) -> None:
    found = get(node, 299)
    with pytest.raises(Unverified) as caught:
        check_by_policy(found.receipt.encode(), found.entry, policy_for(HISTORY))
    assert caught.value.reason == "NO_QUORUM"
    nobody = Policy(policy_for(HISTORY).logs)
    assert check_by_policy(found.receipt.encode(), found.entry, nobody).witnessed is None


def test_the_manifests_say_whether_the_head_is_witnessed(node: Direct) -> None:
    for index in (5, 299):
        found = get(node, index)
        assert check_by_manifests(found.receipt.encode(), found.entry, HISTORY) == found


@pytest.mark.parametrize("index", [0, 255, 256])
def test_a_changed_byte_anywhere_is_refused_or_changes_nothing(node: Direct, index: int) -> None:
    found = get(node, index)
    proof = found.receipt.encode()
    log = policy_for(HISTORY, LOG)
    for place in range(0, len(proof), 3):
        changed = proof[:place] + bytes([proof[place] ^ 1]) + proof[place + 1 :]
        try:
            told = check_by_policy(changed, found.entry, log)
        except PlimsollError:
            continue
        # Lines of who is not asked may say anything: the author is no witness of its own log.
        assert told.receipt.claimed_head == found.receipt.claimed_head
        assert told.receipt.path == found.receipt.path
        lines = parse_note(told.receipt.head_note).signatures
        assert sum(line.is_by(MANIFEST.cosigner_key(name(number))) for line in lines for number in (2, 3, 4)) == 3


def test_another_entry_or_key_does_not_do(node: Direct) -> None:
    found = get(node, 5)
    proof = found.receipt.encode()
    with pytest.raises(Unverified):
        check_by_key(proof, found.entry + b"x", KEY)
    with pytest.raises(Unverified):
        check_by_key(proof, found.entry, MANIFEST.log_key("lender-2"))
    with pytest.raises(InvalidInput):
        check_by_key(proof, found.entry, MANIFEST.cosigner_key("lender-2"))
