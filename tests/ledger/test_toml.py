"""Strict TOML: nothing is taken with another type, and nothing is left over."""

from __future__ import annotations

import time
import tomllib
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import InvalidInput
from ledger.toml import MAX_PARTS, MAX_TEXT, quote, quote_list, read_toml

PRINTABLE = st.text(min_size=1, max_size=50).filter(str.isprintable)


def refusal(take) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        take()
    return caught.value


def test_values_come_back_with_their_types():
    table = read_toml('a = "x"\nb = 3\nc = ["p", "q"]\nd = [1, 2]\n[e]\nf = "y"\n[[g]]\nh = 1\n[[g]]\nh = 2\n')
    assert table.text("a") == "x"
    assert table.integer("b", 0, 3) == 3
    assert table.texts("c") == ("p", "q")
    assert table.integers("d", 1, 2) == (1, 2)
    assert table.table("e").text("f") == "y"
    assert [one.integer("h", 0, 9) for one in table.tables("g", 1, 2)] == [1, 2]
    table.finish()


def test_what_nobody_took_is_refused_with_its_path():
    table = read_toml("[a]\nb = 1\n")
    inner = table.table("a")
    table.finish()
    assert (refusal(inner.finish).reason, refusal(inner.finish).path) == ("UNKNOWN_KEY", "a.b")


def test_a_value_is_taken_once():
    table = read_toml("a = 1\n")
    table.integer("a", 0, 9)
    assert refusal(lambda: table.integer("a", 0, 9)).reason == "MISSING_KEY"


def test_a_missing_key_is_refused_unless_it_has_a_default():
    table = read_toml("")
    assert refusal(lambda: table.text("a")).reason == "MISSING_KEY"
    assert table.text("a", "x") == "x"
    assert table.integer("a", 1, 5, 2) == 2
    assert table.integers("a", 1, 5, (2, 3)) == (2, 3)
    assert table.texts("a", ()) == ()


@pytest.mark.parametrize("value", ["1", "1.0", "true", '["x"]', "{}", "1979-05-27"])
def test_only_a_string_is_a_text(value):
    assert refusal(lambda: read_toml(f"a = {value}").text("a")).reason == "BAD_TYPE"


@pytest.mark.parametrize("value", ['"1"', "1.0", "true", "[1]", "inf"])
def test_only_an_integer_is_an_integer(value):
    assert refusal(lambda: read_toml(f"a = {value}").integer("a", 0, 9)).reason == "BAD_TYPE"


@pytest.mark.parametrize(
    "value", ['""', r'"a\nb"', r'"\u001b[2J"', r'"\u202e"', r'"\u2028"', f'"{"x" * (MAX_TEXT + 1)}"']
)
def test_a_text_is_not_empty_not_endless_and_prints(value):
    assert refusal(lambda: read_toml(f"a = {value}").text("a")).reason == "BAD_TEXT"


@pytest.mark.parametrize("value", ["-1", "10", "99999999999999999999999999"])
def test_an_integer_stays_in_range(value):
    assert refusal(lambda: read_toml(f"a = {value}").integer("a", 0, 9)).reason == "OUT_OF_RANGE"


def test_items_of_lists_are_checked_and_named():
    assert refusal(lambda: read_toml('a = [1, "2"]').integers("a", 0, 9)).path == "a[1]"
    assert refusal(lambda: read_toml('a = ["1", 2]').texts("a")).path == "a[1]"
    assert refusal(lambda: read_toml("a = [{}, 2]").tables("a", 1, 2)).path == "a[1]"
    assert refusal(lambda: read_toml("a = 1").texts("a")).reason == "BAD_TYPE"
    assert refusal(lambda: read_toml("a = 1").table("a")).reason == "BAD_TYPE"


@pytest.mark.parametrize("count", [1, 4])
def test_an_array_of_tables_has_as_many_as_it_must(count):
    assert refusal(lambda: read_toml("[[a]]\n" * count).tables("a", 2, 3)).reason == "OUT_OF_RANGE"


@pytest.mark.parametrize(
    "text", ["a", "a = 1\na = 2", "a = [" * 5000, "a = " + "{a=" * 5000, "=", "a = 'secret", "a = " + "9" * 5000]
)
def test_what_is_no_toml_is_refused_without_being_quoted(text):
    error = refusal(lambda: read_toml(text))
    assert error.reason == "BAD_TOML"
    assert "secret" not in str(error)
    assert error.__suppress_context__


def test_an_unprintable_key_does_not_reach_the_terminal():
    assert refusal(read_toml(r'"\u001b[2J" = 1').finish).path == "?"


@pytest.mark.parametrize("key", ["a." * 30_000 + "a", "'a' . " * 10_000 + "a", r'"\""."."."#".' * 3_000 + "a"])
@pytest.mark.parametrize(
    "text", ["{} = 1", "[{}]", "a = {{ {} = 1 }}", 'a = """\n"\\""""""\n{} = 1', "a = ''''''\n[[{}]]"]
)
def test_a_key_of_many_parts_is_refused_at_once(text, key):
    # Python's own reader takes time and memory in the square of the parts: 4 GB for 60 KB.
    began = time.thread_time()
    assert refusal(lambda: read_toml(text.format(key))).reason == "BAD_TOML"
    assert time.thread_time() - began < 1


DOTS = "." * 99


@pytest.mark.parametrize(
    "value", [f'"{DOTS}"', f"'{DOTS}'", f'"""\n""{DOTS}"""""', f"'''\n{DOTS}''''", rf'"\"{DOTS}"', "[1.5, 2.5]"]
)
def test_dots_in_text_and_comments_are_no_parts_of_a_key(value):
    text = f"# {DOTS}\nb.c.d = {value} # {DOTS}\n"
    assert read_toml(text).table("b").table("c")._left == tomllib.loads(text)["b"]["c"]


PIECES = [
    "a",
    "=",
    "1",
    ".",
    '"',
    "'",
    '"""',
    "'''",
    "\\",
    "\n",
    "#",
    "[",
    "]",
    "{",
    "}",
    ",",
    " ",
    "1.5",
    'a = "',
    "b = '",
]


@settings(max_examples=300)
@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join))
def test_what_is_toml_is_taken_but_for_keys_of_many_parts(text):
    try:
        tomllib.loads(text)
    except ValueError:
        return
    if text.count(".") < MAX_PARTS:
        read_toml(text)


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(text):
    with suppress(InvalidInput):
        read_toml(text).finish()


@given(PRINTABLE, st.lists(PRINTABLE | st.integers(-(2**40), 2**40), max_size=5))
def test_what_is_quoted_reads_back(text, items):
    assert tomllib.loads(f"a = {quote(text)}\nb = {quote_list(items)}\n") == {"a": text, "b": items}
