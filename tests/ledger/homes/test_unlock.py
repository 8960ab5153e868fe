"""Where a passphrase comes from, in order."""

from __future__ import annotations

import pytest

from ledger.errors import InvalidInput, Unready
from ledger.homes.unlock import FILE_VARIABLE, MAX_PASSPHRASE, VARIABLE, find_passphrase

FILES = {"option": b"from option\n", "variable": b"from variable\r\n", "configured": b"from configured"}
ENVIRONMENT = {FILE_VARIABLE: "variable", VARIABLE: "from words"}


def find(option="option", environment=ENVIRONMENT, configured="configured", ask=lambda: "from person"):
    return find_passphrase(option, environment, configured, FILES.__getitem__, ask)


def test_the_nearest_source_wins():
    assert find() == "from option"
    assert find(None) == "from variable"
    assert find(None, {VARIABLE: "from words"}) == "from words"
    assert find(None, {}) == "from configured"
    assert find(None, {}, None) == "from person"


def test_where_nobody_can_be_asked_it_says_what_is_missing():
    with pytest.raises(Unready, match=FILE_VARIABLE) as caught:
        find(None, {}, None, None)
    assert caught.value.reason == "NO_PASSPHRASE"


@pytest.mark.parametrize("text", ["", "a\nb", "a\0b", "x" * (MAX_PASSPHRASE + 1), "\udcff"])
def test_a_passphrase_is_one_printable_line(text):
    with pytest.raises(InvalidInput) as caught:
        find(None, {VARIABLE: text})
    assert text not in str(caught.value) or not text


@pytest.mark.parametrize("raw", [b"", b"\n", b"a\nb\n", b"a\n\n", b"\xff"])
def test_a_passphrase_file_holds_one_line(raw):
    with pytest.raises(InvalidInput):
        find_passphrase("f", {}, None, lambda _: raw, None)


def test_spaces_belong_to_the_passphrase():
    assert find_passphrase("f", {}, None, lambda _: b" a b \n", None) == " a b "
