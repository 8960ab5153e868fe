"""Transcripts: what they prove to somebody who holds the logs, and that nothing in them can be changed unnoticed.

The adversary is whoever shows a transcript: it may be the asker, with all its keys, or somebody who got hold of one. It
may change, leave out, add or recombine whatever it likes, but has not the shares of t custodians.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.consortium.history import History
from ledger.consortium.policy import Policy
from ledger.crypto.elgamal import Ciphertext
from ledger.positions.position_entry import PositionEntry
from ledger.queries.answer import Answer
from ledger.queries.transcript import FULL, REDACTED, Transcript
from ledger.queries.transcript_check import Report, verify
from ledger.strict_json import Document
from tests.ledger.dishonest import encrypt_any, with_ciphertext
from tests.ledger.mutations import edited
from tests.ledger.sample_consortium import TODAY, Behind, Consortium, found, loan

BORROWER = "test:1"
ASKER = "lender-1"
STEPS = {
    FULL: ("T1", "T2", "T3", "T4", "T5", "T6", "T7", "T8", "T9", "T10"),
    REDACTED: ("T1", "T2", "T3", "T4", "T9", "T10"),
}


class Case:
    """An answer and the consortium it was given in."""

    def __init__(self, consortium: Consortium, answer: Answer) -> None:
        self.consortium = consortium
        self.answer = answer

    def transcript(self, form: str) -> bytes:
        return Transcript.of(self.answer, form).encode()

    def document(self, form: str) -> Any:
        return json.loads(self.transcript(form))

    def check(self, raw: bytes) -> Report:
        return verify(raw, self.consortium.logs, self.consortium.history, self.consortium.keys)


def make(withheld: bool = False) -> Case:
    """Four contributors, one entry passed over, one author left out; or two contributors, one of them the asker."""
    consortium = found(6)
    for number, member in enumerate(consortium.logs, 1):
        if number < 5 - 2 * withheld:
            consortium.report(member, BORROWER, loan(1_000 * number))
    consortium.report("lender-2", BORROWER, loan(5, as_of=TODAY + 9))
    bent = consortium.position_entry("lender-6", BORROWER, loan(5))
    bad = Ciphertext(bytes(31) + b"\x01", (bytes(32),) * 7, bytes(64))
    consortium.logs["lender-6"].append(with_ciphertext(bent, bad))
    consortium.ask(ASKER, BORROWER)
    consortium.now += 60
    return Case(consortium, consortium.ask(ASKER, BORROWER))


@pytest.fixture(scope="module")
def case() -> Case:
    return make()


@pytest.fixture(scope="module")
def withheld() -> Case:
    return make(withheld=True)


# -- what they prove


@pytest.mark.parametrize("form", [FULL, REDACTED])
def test_an_honest_transcript_passes_every_step_of_its_form(case, withheld, form):
    for one in (case, withheld):
        report = one.check(one.transcript(form))
        assert (report.failed, report.message, report.passed, report.form) == ("", "", STEPS[form], form)
        assert report.is_good
        assert report.unopened == ()
    assert dict(case.check(case.transcript(form)).opened)["outstanding"] == 10_000
    assert set(withheld.check(withheld.transcript(form)).opened) == {"tally_low", "tally_high", "band", "overdue_band"}


def test_the_redacted_form_says_what_it_cannot_show(case):
    assert case.check(case.transcript(REDACTED)).assumed == ("contributors", "withheld")
    assert case.check(case.transcript(FULL)).assumed == ()


def test_where_nobody_contributed_there_is_nothing_to_open():
    consortium = found(3)
    case = Case(consortium, consortium.ask(ASKER, BORROWER))
    for form in (FULL, REDACTED):
        report = case.check(case.transcript(form))
        assert (report.failed, dict(report.opened)) == ("", {})


def test_an_implausible_sum_is_named_as_not_opened():
    consortium = found(3)
    for member in ("lender-2", "lender-3"):
        own = consortium.position_entry(member, BORROWER, loan(10))
        bent = encrypt_any(consortium, member, PositionEntry.parse(own).label, [-9_999_999, 1, 2, 65, 0, 1, 0])
        consortium.logs[member].append(with_ciphertext(own, bent))
    case = Case(consortium, consortium.ask(ASKER, BORROWER))
    for form in (FULL, REDACTED):
        report = case.check(case.transcript(form))
        assert report.is_good
        assert report.unopened == ("outstanding",)


def test_it_verifies_long_after_in_logs_that_have_grown(case):
    raw = case.transcript(FULL)
    grown = make()
    assert grown.transcript(FULL)  # same seeds, same logs
    for number in range(5):
        grown.consortium.report("lender-2", BORROWER, loan(number, as_of=TODAY + 9))
        grown.consortium.ask(ASKER, "test:2")
    assert verify(raw, grown.consortium.logs, case.consortium.history, case.consortium.keys).failed in ("", "T4")
    consortium = case.consortium
    consortium.report("lender-3", "test:3", loan(1))
    consortium.ask(ASKER, BORROWER)
    assert case.check(raw).is_good


def test_a_verifier_whose_logs_are_short_says_so(case):
    logs: dict[str, Any] = {**case.consortium.logs, "lender-3": Behind(case.consortium.logs["lender-3"], 0)}
    report = verify(case.transcript(FULL), logs, case.consortium.history, case.consortium.keys)
    assert report.failed == "T4"
    assert "lender-3" in report.message


def test_what_is_written_is_read_back(case, withheld):
    for one in (case, withheld):
        for form in (FULL, REDACTED):
            raw = one.transcript(form)
            assert Transcript.parse(raw) == Transcript.of(one.answer, form)
            assert Transcript.parse(raw).encode() == raw


def test_the_redacted_form_holds_no_key_no_record_and_no_label_but_the_inquirys(case):
    text = case.transcript(REDACTED).decode()
    keys = case.consortium.borrower(BORROWER).query
    assert keys.query_key.hex() not in text
    assert "records" not in text
    for member in case.consortium.logs:
        assert keys.positions(member)(0).hex() not in text


def test_no_repr_shows_the_key(case):
    shown = repr(Transcript.of(case.answer, FULL)) + repr(case.check(case.transcript(FULL)))
    assert case.consortium.borrower(BORROWER).query.query_key.hex() not in shown
    assert "10000" not in shown


# -- tampering


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from leaves(inner, (*path, place))
    else:
        yield path


def at(document: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        document = document[key]
    return document


def flips(value: Any) -> list[Any]:
    """Other values of the same type, and values of other types."""
    if isinstance(value, int):
        return [value + 1, value - 1, 0 if value else 7, 2**63, str(value), float(value), True, [], {}]
    if value == "":
        return ["x", "00" * 32, None, 0]
    middle = len(value) // 2
    other = "0" if value[middle] != "0" else "1"
    changed = [value[:middle] + other + value[middle + 1 :], value[:-1], value + "0", "", None, 0]
    swapped = value.swapcase()
    return changed + ([swapped] if swapped != value else [])


def tampered(document: Any) -> Iterator[tuple[str, Any]]:
    """Every leaf flipped every way; every key removed, every list shortened, doubled and turned round."""
    for path in leaves(document):
        for value in flips(at(document, path)):
            copy = json.loads(json.dumps(document))
            at(copy, path[:-1])[path[-1]] = value
            yield f"{path} = {value!r}"[:120], copy
    for path in {leaf[:n] for leaf in leaves(document) for n in range(len(leaf))}:
        inner = at(document, path)
        for key in list(inner) if isinstance(inner, dict) else range(len(inner)):
            copy = json.loads(json.dumps(document))
            del at(copy, path)[key]
            yield f"{path} without {key}", copy
        if isinstance(inner, list) and path:
            for what, other in (("doubled", inner * 2), ("turned round", inner[::-1])):
                if other != inner:
                    copy = json.loads(json.dumps(document))
                    at(copy, path[:-1])[path[-1]] = other
                    yield f"{path} {what}", copy
        elif isinstance(inner, dict):
            copy = json.loads(json.dumps(document))
            at(copy, path)["unexpected"] = 1
            yield f"{path} with a key more", copy


def is_free(form: str, what: str) -> bool:
    """What a redacted transcript does not prove, and says so: N, and which code withheld the amounts."""
    return form == REDACTED and what.startswith(("('contributors',)", "('withheld',)"))


@pytest.mark.parametrize("form", [FULL, REDACTED])
@pytest.mark.parametrize("name", ["case", "withheld"])
def test_whatever_is_changed_is_refused_at_a_named_step(name, form, request):
    one: Case = request.getfixturevalue(name)
    document = one.document(form)
    failed = set()
    for what, copy in tampered(document):
        report = one.check(json.dumps(copy).encode())
        if report.is_good:
            assert is_free(form, what), what
            continue
        assert report.failed in STEPS[FULL], what
        assert report.message, what
        assert set(report.passed) == set(STEPS[form][: len(report.passed)])
        failed.add(report.failed)
    assert failed >= ({"T1", "T2", "T3", "T9"} | ({"T5", "T6", "T7"} if form == FULL else {"T10"}))


@pytest.mark.parametrize("form", [FULL, REDACTED])
@given(data=st.data())
def test_no_edited_bytes_pass_as_something_else(case, form, data):
    raw = case.transcript(form)
    mutant = data.draw(edited([raw]))
    report = case.check(mutant)
    if report.is_good:
        parsed = Transcript.parse(mutant)
        whole = Transcript.parse(raw)
        if form == FULL:
            # Only what a receipt's note may carry beside the log's own signature, or how JSON is laid out, is free.
            assert parsed.result == whole.result
            assert parsed.secret == whole.secret
        assert (parsed.entry, parsed.nonce_sum, parsed.heads) == (whole.entry, whole.nonce_sum, whole.heads)


def steps_of(case: Case, form: str, **changes: Any) -> str:
    return case.check(json.dumps(case.document(form) | changes).encode()).failed


def test_each_lie_fails_at_its_own_step(case):
    document = case.document(FULL)
    other = make()
    other.consortium.report("lender-5", BORROWER, loan(1))
    later = Case(other.consortium, other.consortium.ask(ASKER, BORROWER)).document(FULL)
    assert steps_of(case, FULL, consortium="00" * 32) == "T1"
    assert steps_of(case, FULL, querier="lender-9") == "T1"
    assert steps_of(case, FULL, querier="lender-2") == "T2"
    assert steps_of(case, FULL, inquiry=later["inquiry"]) == "T3"
    assert steps_of(case, FULL, heads=later["heads"]) == "T3"
    assert steps_of(case, FULL, heads=later["heads"], inquiry=later["inquiry"]) == "T4"
    assert steps_of(case, FULL, query_key="00" * 32) == "T5"
    assert steps_of(case, FULL, records=document["records"][1:]) == "T6"
    assert steps_of(case, FULL, excluded=[]) == "T6"
    assert steps_of(case, FULL, contributors=3) == "T7"
    assert steps_of(case, FULL, body_sums=document["body_sums"][::-1]) == "T7"
    short = [{**one, "points": one["points"][3:]} for one in document["partials"]]
    fewer = {name: value for name, value in document["result"].items() if "band" in name or "tally" in name}
    hidden = {"withheld": "DIFFERENCING", "partials": short, "body_sums": document["body_sums"][3:], "result": fewer}
    assert steps_of(case, FULL, **hidden) == "T8"
    assert steps_of(case, FULL, partials=document["partials"][1:]) == "T9"
    assert steps_of(case, FULL, partials=[*document["partials"][:2], later["partials"][2]]) == "T9"
    assert steps_of(case, FULL, result={**document["result"], "outstanding": 1}) == "T10"
    assert steps_of(case, REDACTED, body_sums=later["body_sums"]) == "T9"
    assert steps_of(case, REDACTED, nonce_sum=later["nonce_sum"]) == "T9"


def test_a_null_proves_nothing_and_is_reported(case):
    for form in (FULL, REDACTED):
        document = case.document(form)
        document["result"]["outstanding"] = None
        report = case.check(json.dumps(document).encode())
        assert report.is_good
        assert report.unopened == ("outstanding",)
        assert "outstanding" not in report.opened


def test_an_inquiry_above_its_quota_is_no_answer_whoever_signs(case):
    policy = Policy(amount_bits=24, queries_per_borrower=1)
    strict = History([replace(case.consortium.manifest, policy=policy)])
    report = verify(case.transcript(FULL), case.consortium.logs, strict, case.consortium.keys)
    assert report.failed == "T8"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff",
        b"{" * 100_000,
        b"[" * 100_000,
        b'{"format": "plimsoll/exposure-transcript/v2"}',
        b'{"format": "plimsoll/exposure-transcript/v1", "form": "open"}',
        b'{"format": NaN}',
        b'{"epoch": ' + b"9" * 10_000 + b"}",
    ],
)
def test_what_is_no_transcript_fails_at_the_first_step(case, raw):
    assert case.check(raw).failed == "T1"


def test_a_key_that_stands_twice_is_refused(case):
    raw = case.transcript(REDACTED)
    assert case.check(raw.replace(b'"epoch": 1,', b'"epoch": 1, "epoch": 1,')).failed == "T1"


def test_a_document_is_read_to_the_last_key():
    document = Document.parse(b'{"a": 1, "b": "00ff", "c": [{"d": "x"}]}', 100)
    assert (document.integer("a", 1), document.hex("b", 2)) == (1, b"\x00\xff")
    assert [one.text("d") for one in document.each("c")] == ["x"]
    document.finish()
