"""Promises of the canonical identity: one borrower, one spelling, and never an echo."""

from __future__ import annotations

import unicodedata
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.borrower.identity import SCHEMES, canonical
from ledger.errors import InvalidInput, PlimsollError

# GB 11643's own example, and the examples of the other numbers' standards or registers.
PERSON = "11010519491231002X"
CASES = {
    f"cn-id:{PERSON}": f"cn-id:{PERSON}",
    "cn-uscc:91110000600037341L": "cn-uscc:91110000600037341L",
    "passport:CN:E12345678": "passport:CN:E12345678",
    "in-pan:ACUPA7085R": "in-pan:ACUPA7085R",
    "jp-cn:5835678256246": "jp-cn:5835678256246",
    "th-pin:1234545678781": "th-pin:1234545678781",
    "tw-ubn:00501503": "tw-ubn:00501503",
    "lei:213800KUD8LAJWSQ9D15": "lei:213800KUD8LAJWSQ9D15",
    "test:000001": "test:000001",
}
SPELLINGS = {
    " cn-id:11010519491231002x\n": f"cn-id:{PERSON}",
    "CN-ID:110105 19491231 002X": f"cn-id:{PERSON}",
    "cn-id:110105-1949-1231-002X": f"cn-id:{PERSON}",
    "cn-id：１１０１０５１９４９１２３１００２Ｘ": f"cn-id:{PERSON}",
    "cn-id:110105491231002": f"cn-id:{PERSON}",
    "cn-uscc:91110000-600037341-l": "cn-uscc:91110000600037341L",
    "passport:cn:e 1234 5678": "passport:CN:E12345678",
    "passport: CN : E12345678": "passport:CN:E12345678",
    "lei:2138 00KU D8LA JWSQ 9D15": "lei:213800KUD8LAJWSQ9D15",
    "jp-cn:5-8356-7825-6246": "jp-cn:5835678256246",
    "TEST:000001": "test:000001",
}
REFUSED = {
    "": "BAD_IDENTITY",
    "000001": "BAD_IDENTITY",
    PERSON: "BAD_IDENTITY",
    "ssn:123": "UNKNOWN_SCHEME",
    f":{PERSON}": "UNKNOWN_SCHEME",
    "cn-id:110105194912310021": "BAD_CHECKSUM",
    "cn-id:11010519491231002": "BAD_IDENTITY",
    "cn-id:1101051949123100XX": "BAD_IDENTITY",
    "cn-id:110105194902310026": "BAD_IDENTITY",  # 31 February, its check digit right
    "cn-id:110105490231002": "BAD_IDENTITY",
    "cn-id:110105194912310०2X": "BAD_IDENTITY",  # a Devanagari zero
    "cn-uscc:91110000600037341M": "BAD_CHECKSUM",
    "passport:E12345678": "BAD_IDENTITY",
    "passport:CHN:E12345678": "BAD_IDENTITY",
    "passport:XX:E12345678": "BAD_IDENTITY",
    "passport:ß:E12345678": "BAD_IDENTITY",  # "ß".upper() is South Sudan
    "passport:DE:ß12345678": "BAD_IDENTITY",
    "passport:CN:E12": "BAD_IDENTITY",
    "lei:213800KUD8LXJWSQ9D15": "BAD_CHECKSUM",
    "lei:213800KUD8LAJWSQ9": "BAD_IDENTITY",
    "tw-ubn:00501502": "BAD_CHECKSUM",
    "in-pan:ABMXA3211G": "BAD_IDENTITY",
    "test:": "BAD_IDENTITY",
    "test:a b": "BAD_IDENTITY",
    "test:" + "a" * 65: "BAD_IDENTITY",
    "test:é": "BAD_IDENTITY",
    "test:a\x00": "BAD_IDENTITY",
    "test:" + "a" * 1_000_000: "BAD_IDENTITY",
    "test:\udcff": "BAD_IDENTITY",
}


def with_check_digit(first: str) -> str:
    """GB 11643, section 4.2.5, by its table of weights: written apart from the library's way."""
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return first + "10X98765432"[sum(int(d) * w for d, w in zip(first, weights, strict=True)) % 11]


people = st.builds(
    lambda place, born, order: with_check_digit(f"{place:06d}{born:%Y%m%d}{order:03d}"),
    st.integers(0, 999_999),
    st.dates(date(1800, 1, 1), date(2199, 12, 31)),
    st.integers(0, 999),
)


@pytest.mark.parametrize(("given_text", "expected"), [*CASES.items(), *SPELLINGS.items()])
def test_every_spelling_gives_the_canonical_form(given_text: str, expected: str) -> None:
    assert canonical(given_text) == expected


def test_every_scheme_has_a_case() -> None:
    assert {case.partition(":")[0] for case in CASES} == set(SCHEMES)


@pytest.mark.parametrize(("text", "reason"), REFUSED.items(), ids=ascii)
def test_what_is_not_an_identity_is_refused_without_echo(text: str, reason: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        canonical(text)
    assert (caught.value.reason, caught.value.path) == (reason, "borrower")
    value = text.partition(":")[2] or text
    if len(value) > 3:
        assert value not in str(caught.value)
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None or caught.value.__suppress_context__


@given(people)
@settings(max_examples=100)
def test_any_person_of_any_place_and_age_is_accepted(number: str) -> None:
    assert canonical(f"cn-id:{number}") == f"cn-id:{number}"


@given(people.filter(lambda number: number[6:8] == "19"))
@settings(max_examples=50)
def test_the_old_form_and_the_new_one_are_one_person(number: str) -> None:
    assert canonical(f"cn-id:{number[:6]}{number[8:17]}") == f"cn-id:{number}"


@given(people, st.integers(0, 16), st.integers(1, 9))
@settings(max_examples=100)
def test_one_wrong_digit_is_always_noticed(number: str, place: int, shift: int) -> None:
    wrong = number[:place] + str((int(number[place]) + shift) % 10) + number[place + 1 :]
    with pytest.raises(InvalidInput) as caught:
        canonical(f"cn-id:{wrong}")
    assert caught.value.reason == "BAD_CHECKSUM"


texts = st.one_of(
    st.text(max_size=80),
    st.builds("{}:{}".format, st.sampled_from(sorted(SCHEMES)), st.text(max_size=24)),
    st.builds(
        "{}:{}".format, st.sampled_from(sorted(SCHEMES)), st.text("0123456789ABCDEFXabx-: .", min_size=4, max_size=24)
    ),
)


@given(texts)
@settings(max_examples=300)
def test_any_text_is_canonical_once_or_refused(text: str) -> None:
    try:
        form = canonical(text)
    except PlimsollError:
        return
    assert form.isascii()
    assert canonical(form) == form
    assert canonical(unicodedata.normalize("NFKD", form)) == form
