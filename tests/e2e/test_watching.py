"""Watching over real nodes: what happens elsewhere shows at the next question, and the lender's own system is told."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from plimsoll.v1 import entry_pb2, lender_pb2

from ledger.errors import InvalidInput, NotFound, Refused
from ledger.monitoring import Rules, Schedule, parse_watch_policy
from ledger.monitoring.consent import question_digest
from ledger.monitoring.webhook import EVENT_HEADER, verify
from ledger.queries.inquiry import Inquiry
from tests.cluster import CONSENT, Cluster
from tests.e2e.commands import plimsoll
from tests.e2e.feeds import row
from tests.node.monitoring.receiver import Receiver, receiving

MEMBER, OTHERS = "lender-3", ("lender-1", "lender-2")
NEW = itertools.count(580_000)
SECRET = b"a secret of the lender's own"


@pytest.fixture
def receiver(consortium: Cluster) -> Iterator[Receiver]:
    """Where MEMBER's node sends what it finds."""
    home = consortium.home_folder(MEMBER)
    with receiving() as found:
        secret = home / "webhook.secret"
        secret.write_bytes(SECRET + b"\n")
        secret.chmod(0o600)
        policy = home / "watch.toml"
        policy.write_text(
            f'format = "plimsoll/watch/v1"\n[webhook]\nurl = "{found.url}"\nsecret_file = "webhook.secret"\n'
        )
        yield found
        policy.unlink()


def lent(cluster: Cluster, *members: str) -> str:
    """A borrower of MEMBER and of these."""
    borrower = f"test:{next(NEW)}"
    for member in (MEMBER, *members):
        cluster.report(member, [row(borrower)])
    cluster.wait_same_heads()
    return borrower


def watch(cluster: Cluster, *arguments: object, code: int = 0):
    return plimsoll(cluster, MEMBER, "watch", *arguments, code=code)


def added(cluster: Cluster, borrower: str, *more: object) -> dict[str, object]:
    """On the list, and asked about for the first time, which the node does by itself."""
    made: dict[str, object] = watch(cluster, "add", borrower, "--consent-digest", CONSENT.hex(), *more)

    def is_answered() -> bool:
        return any(each.id == made["id"] and each.answered for each in cluster.lender(MEMBER).watched())

    cluster.wait_until(is_answered, "the first answer", 30)
    return made


def test_a_debt_that_is_settled_elsewhere_shows_at_the_next_question(consortium: Cluster, receiver: Receiver) -> None:
    borrower = lent(consortium, *OTHERS)
    made = added(consortium, borrower, "--reference", "case 1", "--every", 30, "--until", "2200-01-01")
    assert not consortium.lender(MEMBER).check_watched(borrower).events
    consortium.report(OTHERS[0], [row(borrower, 0, status="closed", as_of="2025-07-01")])
    consortium.wait_same_heads()
    [event] = watch(consortium, "check", borrower)["events"]
    assert (event["code"], event["before"], event["now"]) == ("SETTLED", 2, 1)
    assert event["text"]["zh"]

    consortium.wait_until(lambda: len(receiver.got) == 1, "the notification", 30)
    [(_, headers, body)] = receiver.got
    told = json.loads(body)
    verify(SECRET, headers, body, told["time"])
    assert (told["id"], told["code"], told["reference"]) == (event["id"], "SETTLED", "case 1")
    assert told["watch"] == made["id"]
    assert borrower.encode() not in body
    assert borrower not in consortium.log_text(MEMBER)

    waiting = watch(consortium, "events")["events"]
    assert [each["id"] for each in waiting if each["borrower"] == borrower] == [event["id"]]
    assert watch(consortium, "acknowledge", event["id"])["acknowledged_by"]
    assert event["id"] not in {each.id for each in consortium.lender(MEMBER).events()}


def test_questions_are_asked_after_a_loan_and_each_under_a_digest_of_its_own(consortium: Cluster) -> None:
    borrower = lent(consortium)
    added(consortium, borrower)
    shown = consortium.lender(MEMBER).check_watched(borrower).watch
    assert shown.questions == 2
    secret, consent = shown.consent_secret, shown.consent_digest
    assert consent == CONSENT
    log = consortium.session(MEMBER, "auditor").read(consortium.manifest.origin(MEMBER))
    entries = [entry for block in log for entry in block.entries]
    found = [Inquiry.parse(each) for each in entries if entry_pb2.Entry.FromString(each).HasField("inquiry")]
    ours = [each for each in found if each.consent_digest in {question_digest(secret, n, consent) for n in range(2)}]
    assert len(ours) == 2
    assert {each.purpose for each in ours} == {entry_pb2.PURPOSE_POST_LOAN}
    assert not [each for each in found if each.consent_digest == CONSENT and each.label in {o.label for o in ours}]


def test_nothing_is_lost_where_the_node_is_killed_between_the_event_and_the_webhook(
    consortium: Cluster, receiver: Receiver
) -> None:
    borrower = lent(consortium, OTHERS[0])
    added(consortium, borrower)
    receiver.mode = "hang"
    consortium.report(OTHERS[1], [row(borrower)])
    consortium.wait_same_heads()
    [event] = consortium.lender(MEMBER).check_watched(borrower).events
    assert event.code == "NEW_LENDER"
    consortium.wait_until(lambda: len(receiver.got) == 1, "the first try", 30)
    consortium.kill(MEMBER)
    receiver.mode = "ok"
    consortium.restart(MEMBER)
    consortium.wait_until(lambda: len(receiver.got) >= 2, "it is sent again", 60)
    assert {headers[EVENT_HEADER] for _, headers, _ in receiver.got} == {event.id}

    def is_sent() -> bool:
        found = {each.id: each.delivery for each in consortium.lender(MEMBER).events()}
        return found[event.id] == "sent"

    consortium.wait_until(is_sent, "it is written down as sent", 30)


def test_only_own_borrowers_are_watched_each_once_and_with_consent(consortium: Cluster) -> None:
    lender, stranger = consortium.lender(MEMBER), f"test:{next(NEW)}"

    def request(borrower: str, consent: bytes = CONSENT) -> lender_pb2.WatchBorrowerRequest:
        return lender_pb2.WatchBorrowerRequest(borrower=borrower, consent_digest=consent)

    with pytest.raises(Refused, match="NOT_OWN_BORROWER"):
        lender.watch_borrower(request(stranger))
    borrower = lent(consortium)
    with pytest.raises(InvalidInput, match="consent_digest"):
        lender.watch_borrower(request(borrower, b""))
    lender.watch_borrower(request(borrower))
    with pytest.raises(Refused, match="ALREADY_WATCHED"):
        lender.watch_borrower(request(borrower))
    assert watch(consortium, "remove", borrower)["ended"] == "REMOVED"
    with pytest.raises(NotFound, match="NOT_WATCHED"):
        lender.check_watched(borrower)
    assert borrower not in {each.borrower for each in lender.watched()}
    assert [each.ended for each in lender.watched(ended=True) if each.borrower == borrower] == ["REMOVED"]


def test_a_mistake_in_the_policy_is_named_to_whoever_looks(consortium: Cluster) -> None:
    policy = consortium.home_folder(MEMBER) / "watch.toml"
    borrower = lent(consortium)
    try:
        policy.write_text('format = "plimsoll/watch/v1"\n[rules]\nsettle = true\n')
        refused = watch(consortium, "add", borrower, "--consent-digest", CONSENT.hex(), code=InvalidInput.exit_code)
        assert refused["error"]["path"] == "watch.toml.rules.settle"
    finally:
        policy.unlink()


def test_the_documented_policy_is_the_default_one() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "watching.md").read_text()
    block = page.split("```toml\n")[1].split("```")[0]
    found = parse_watch_policy(block.encode())
    assert (found.rules, found.schedule) == (Rules(), Schedule())
    assert all(f"\n{key} = " in block for key in ("percent", "at_least", "above", *Schedule.__slots__))
    assert block.count(" = true") == 8
