"""What an audit tells of challenges: who raised them, whom they name, and what has become of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from client.audit.keeping.memory import parse
from client.audit.transcripts import Saved
from ledger.chain.entries import Kind, file_entry
from ledger.queries.inquiry import DAY
from ledger.queries.transcript import FULL, Transcript
from ledger.tlog.merkle import leaf_hash
from tests.client.audit.world import BORROWERS, MEMBERS, Served, audit_over, consortium, hold
from tests.ledger.sample_challenges import a_day_later, answer, challenge, lie, proof, watched
from tests.ledger.sample_consortium import START, Consortium

CHALLENGER, AUTHOR = "lender-1", "lender-2"


def grown() -> Consortium:
    """The consortium's logs, to be appended to."""
    whole = consortium()
    return replace(whole, logs={name: log.fork(log.size) for name, log in whole.logs.items()}, now=START)


def positions(whole: Consortium) -> list[int]:
    log = whole.log(AUTHOR)
    return [index for index in range(log.size) if file_entry(log.entry(index)).code == Kind.POSITION]


def audited(whole: Consortium, **scope: Any) -> Any:
    nodes = {member: Served(member, dict(whole.logs)) for member in MEMBERS}
    return audit_over(nodes, nodes["lender-3"], **scope)


def states(whole: Consortium, **scope: Any) -> list[str]:
    report, _ = audited(whole, **scope)
    assert report.findings == []
    return [each["state"] for each in report.facts()["challenges"]]


def test_without_challenges_nothing_is_told() -> None:
    assert states(grown(), now=START) == []


def test_every_challenge_is_told_with_what_has_become_of_it() -> None:
    whole = grown()
    first, second, third = positions(whole)[:3]
    at = challenge(whole, CHALLENGER, AUTHOR, first)
    challenge(whole, CHALLENGER, AUTHOR, second)
    challenge(whole, CHALLENGER, AUTHOR, third)
    challenge(whole, CHALLENGER, AUTHOR, first, leaf=bytes(32))
    challenge(whole, CHALLENGER, AUTHOR, 1 << 40)
    challenge(whole, CHALLENGER, AUTHOR, first, origin="nothing")
    challenge(whole, CHALLENGER, CHALLENGER, 0)
    answer(whole, AUTHOR, first)
    answer(whole, AUTHOR, second, proof(whole, AUTHOR, first))
    report, _ = audited(whole, now=START + 60)
    told = report.facts()["challenges"]
    assert [each["state"] for each in told] == ["answered", "open", "open", "void", "void", "void", "void"]
    assert told[0] == {
        "by": CHALLENGER,
        "index": at,
        "time": START,
        "member": AUTHOR,
        "origin": whole.manifest.origin(AUTHOR),
        "position": first,
        "state": "answered",
    }
    assert "CHALLENGED" not in {each.reason for each in report.remarks}
    report, _ = audited(whole, now=START + DAY)
    assert [each["state"] for each in report.challenges][:3] == ["answered", "expired", "expired"]
    named = [(each.member, each.index) for each in report.remarks if each.reason == "CHALLENGED"]
    assert named == [(AUTHOR, second), (AUTHOR, third)]


def test_an_audit_that_goes_on_from_the_last_one_tells_the_same() -> None:
    whole = grown()
    first, second = positions(whole)[:2]
    challenge(whole, CHALLENGER, AUTHOR, first)
    challenge(whole, CHALLENGER, AUTHOR, second)
    answer(whole, AUTHOR, first)
    report, auditor = audited(whole, now=START)
    remembered = parse(auditor.remember(report).encode())
    assert states(whole, now=START, last=remembered) == ["answered", "open"]
    answer(whole, AUTHOR, second)
    assert states(whole, now=START, last=remembered) == ["answered", "answered"]


def test_an_entry_that_is_changed_on_the_way_answers_nothing() -> None:
    whole = grown()
    first = positions(whole)[0]
    challenge(whole, CHALLENGER, AUTHOR, first)
    place = answer(whole, AUTHOR, first)
    leaf = leaf_hash(whole.log(AUTHOR).entry(place))

    def lie(member: str, index: int, entry: bytes) -> bytes:
        return entry[:-1] + bytes([entry[-1] ^ 1]) if leaf_hash(entry) == leaf else entry

    nodes = {member: Served(member, dict(whole.logs)) for member in MEMBERS}
    nodes["lender-3"].entries_of = lie
    report, _ = audit_over(nodes, nodes["lender-3"], now=START)
    assert report.findings
    assert [each["state"] for each in report.challenges] == ["open"]


def test_a_transcript_of_sums_that_leave_out_a_challenged_record_verifies() -> None:
    """Its verifier looks for challenges and answers in logs of which it keeps no more than it is asked for."""
    whole = grown()
    hold(whole, whole.ceremony)
    witnesses = watched(whole)
    borrower = BORROWERS[5]
    liar = lie(whole, "lender-3", borrower)
    challenge(whole, CHALLENGER, "lender-3", liar)
    labels = whole.borrower(borrower).query.positions(AUTHOR)
    at = whole.log(AUTHOR).find(labels(0))
    assert at is not None
    challenge(whole, "lender-3", AUTHOR, at)
    answer(whole, AUTHOR, at)
    witnesses.witness()
    a_day_later(whole)
    said = whole.ask(CHALLENGER, borrower)
    assert [left.reason for left in said.findings.selection.exclusions] == ["CHALLENGED"]
    raw = Transcript.of(said, FULL).encode()
    report, _ = audited(whole, now=whole.now, transcripts=[Saved.of("t", raw)])
    assert [(each["verdict"], each["assumed"]) for each in report.transcripts] == [("ok", ["settled"])]
    wrong = raw.replace(b'"CHALLENGED"', b'"BAD_PROOF"')
    report, _ = audited(whole, now=whole.now, transcripts=[Saved.of("t", wrong)])
    assert [each["failed"] for each in report.transcripts] == ["T6"]
