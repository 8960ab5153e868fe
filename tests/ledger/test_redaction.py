"""Promises of redaction: no identity passes, and logs stay readable."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ledger.redaction import MASK, redact
from tests.ledger.borrower.test_identity import CASES, SPELLINGS, people

SEPARATE_SCHEMES = ("test", "tw-ubn")  # nothing tells their bare values from any other word or number


@pytest.mark.parametrize("identity", [*CASES, *SPELLINGS])
@pytest.mark.parametrize("line", ["refused {} on line 7", '{{"borrower":"{}"}}', "http://host/{}?x=1", "b={}", "{}"])
def test_identities_with_their_scheme_are_masked_in_any_line(identity: str, line: str) -> None:
    value = identity.strip().replace("：", ":").partition(":")[2].strip()
    assert value not in redact(line.format(identity))


@pytest.mark.parametrize("form", [form for form in CASES.values() if not form.startswith(SEPARATE_SCHEMES)])
def test_bare_numbers_are_masked(form: str) -> None:
    number = form.rpartition(":")[2]
    assert redact(f"no account for {number}, sorry") == f"no account for {MASK}, sorry"


@pytest.mark.parametrize(
    "number",
    [
        "110105 19491231 002X",
        "110105-1949-1231-002x",
        "110105491231002",
        "１１０１０５１９４９１２３１００２Ｘ",
        "A123456789",
        "K123456(7)",
        "E12345678",
    ],
)
def test_the_forms_people_paste_are_masked(number: str) -> None:
    assert redact(f"看一下 {number} 的记录") == f"看一下 {MASK} 的记录"


def test_percent_encoded_identities_are_masked() -> None:
    assert "0021" not in redact("GET /exposure?borrower=cn-id%3A110105194912310021")


@pytest.mark.parametrize(
    "line",
    [
        "",
        "2025-11-22T22:51:33.123456Z head of lender-3 size=70000 verified in 0.021 s on port 50051",
        "leaf 6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "latest: 5 peers; contest:1",
        "plimsoll://0a1b2c/lender-1/node/a:7001",
        "rows[3].outstanding: must be 0 to 1099511627776 [OUT_OF_RANGE]".replace("1099511627776", "2^40"),
        "— example.com/log Hd5FMT/qR4cWAfAVpSCqz9s0",
    ],
)
def test_ordinary_lines_stay_as_they_are(line: str) -> None:
    assert redact(line) == line


@given(people, st.text(max_size=20), st.text(max_size=20))
@settings(max_examples=100)
def test_no_persons_number_survives_among_any_text(number: str, before: str, after: str) -> None:
    assert number not in redact(f"{before} {number} {after}")


@given(st.text(max_size=200))
@example("test:[redacted]")
@settings(max_examples=200)
def test_redacting_twice_changes_nothing_more(text: str) -> None:
    once = redact(text)
    assert redact(once) == once


def test_a_huge_line_takes_no_time_to_speak_of() -> None:
    line = "1" * 200_000 + "test:" * 20_000 + "A1 " * 50_000
    assert len(redact(line)) <= len(line) + 10
