"""Promises of secrets under a passphrase."""

from __future__ import annotations

import base64
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.crypto import passphrase
from ledger.crypto.passphrase import open_with_passphrase, seal_with_passphrase
from ledger.errors import InvalidInput, PlimsollError, Refused

SECRET = bytes(range(200))


def counting(count: int) -> bytes:
    return bytes(n % 251 for n in range(count))


@pytest.fixture(scope="module")
def text() -> str:
    return seal_with_passphrase("correct horse", "node-keys", SECRET, counting)


def test_the_right_passphrase_opens_it(text: str) -> None:
    assert open_with_passphrase("correct horse", "node-keys", text) == SECRET


def test_a_file_says_what_it_is_in_lines_that_survive_mail(text: str) -> None:
    lines = text.split("\n")
    assert lines[0] == "plimsoll sealed v1 node-keys"
    assert lines[-1] == ""
    assert max(map(len, lines)) <= 76
    assert text.isascii()
    assert open_with_passphrase("correct horse", "node-keys", text.replace("\n", "\r\n")) == SECRET


@pytest.mark.parametrize("wrong", ["correct horse ", "Correct horse", "x"])
def test_a_wrong_passphrase_is_refused(text: str, wrong: str) -> None:
    with pytest.raises(Refused) as caught:
        open_with_passphrase(wrong, "node-keys", text)
    assert caught.value.reason == "WRONG_PASSPHRASE"
    assert wrong not in caught.value.message.split()


def test_a_passphrase_typed_on_another_keyboard_is_the_same() -> None:
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    assert open_with_passphrase(decomposed, "k", seal_with_passphrase(composed, "k", b"s", counting)) == b"s"


@pytest.mark.parametrize("bad", ["", "\udcff"])
def test_what_is_no_passphrase_is_refused(text: str, bad: str) -> None:
    for attempt in (
        lambda: seal_with_passphrase(bad, "k", b"s", counting),
        lambda: open_with_passphrase(bad, "node-keys", text),
    ):
        with pytest.raises(InvalidInput) as caught:
            attempt()
        assert caught.value.reason == "BAD_PASSPHRASE"


def body(text: str) -> bytes:
    return base64.b64decode("".join(text.split("\n")[1:]))


def armour(raw: bytes, kind: str = "node-keys") -> str:
    return f"plimsoll sealed v1 {kind}\n{base64.b64encode(raw).decode()}\n"


@pytest.mark.parametrize("place", [3, 18, 19, 30, 31, 100, -16, -1])
def test_altered_salt_nonce_or_ciphertext_does_not_open(text: str, place: int) -> None:
    raw = bytearray(body(text))
    raw[place] ^= 1
    with pytest.raises(Refused):
        open_with_passphrase("correct horse", "node-keys", armour(bytes(raw)))


def test_the_parameters_are_bound_even_where_others_give_a_key() -> None:
    raw = bytearray(body(seal_with_passphrase("p", "k", b"s", counting)))
    raw[0] = 14
    with pytest.raises(Refused):
        open_with_passphrase("p", "k", armour(bytes(raw), "k"))


def test_a_secret_of_one_kind_does_not_pass_for_another(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        open_with_passphrase("correct horse", "backup-key", text)
    assert caught.value.reason == "WRONG_KIND"
    with pytest.raises(Refused):
        open_with_passphrase("correct horse", "backup-key", armour(body(text), "backup-key"))


@pytest.mark.parametrize(
    "parameters",
    # The last two are small enough, but none that OpenSSL takes.
    [(0, 8, 1), (15, 0, 1), (15, 8, 0), (40, 8, 1), (15, 255, 255), (255, 255, 255), (16, 1, 1), (17, 1, 8)],
)
def test_parameters_that_would_eat_memory_or_time_are_refused_at_once(text: str, parameters: tuple[int, ...]) -> None:
    started = time.perf_counter()
    with pytest.raises(InvalidInput) as caught:
        open_with_passphrase("p", "node-keys", armour(bytes(parameters) + body(text)[3:]))
    assert caught.value.reason == "BAD_SEALED_FILE"
    assert time.perf_counter() - started < 1


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "\n",
        "plimsoll sealed v2 node-keys\nAAAA\n",
        "plimsoll sealed v1 node-keys",
        "plimsoll sealed v1 node-keys\n",
        "plimsoll sealed v1 node-keys\nAAAA\n",
        "plimsoll sealed v1 node-keys\n!!!!\n",
        "plimsoll sealed v1 node-keys\nAAB=\n",
        "plimsoll sealed v1 node-keys \nAAAA\n",
        "plimsoll sealed v1 node-keys\n" + "A" * (1 << 20),
    ],
)
def test_what_is_not_such_a_file_is_refused(bad: str) -> None:
    with pytest.raises(InvalidInput):
        open_with_passphrase("p", "node-keys", bad)


@given(st.text(max_size=120) | st.text(max_size=120).map(lambda tail: "plimsoll sealed v1 k\n" + tail))
@settings(max_examples=100)
def test_any_text_is_opened_or_refused(bad: str) -> None:
    with pytest.raises(PlimsollError):
        open_with_passphrase("p", "k", bad)


@pytest.mark.parametrize("kind", ["", "Node", "a b", "a" * 33, "-a", "a\n"])
def test_kinds_are_plain_words(kind: str) -> None:
    with pytest.raises(InvalidInput):
        seal_with_passphrase("p", kind, b"", counting)


def test_stretching_costs_what_the_design_asks() -> None:
    assert (1 << passphrase.LOG_N, passphrase.R, passphrase.P) == (32_768, 8, 1)
