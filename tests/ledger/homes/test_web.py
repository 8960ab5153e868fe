"""The table [web] of config.toml."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.consortium.address import Address
from ledger.errors import InvalidInput
from ledger.homes.config import parse_config
from ledger.homes.web import OutsideWitness, Web
from ledger.tlog.cosignature import Cosigner
from ledger.tlog.note import Signer

LOG = Signer.from_seed("log.example/rome", bytes(range(32))).key
WITNESS = Cosigner.from_seed("witness.example/w1", bytes([7]) * 32).key
OTHER = Cosigner.from_seed("witness.example/w2", bytes([8]) * 32).key
MINIMAL = 'member = "lender-1"\naddress = "lender-1.example:7700"\n'


def web(text: str) -> Web | None:
    return parse_config(f"{MINIMAL}{text}".encode()).web


def witness(name: str = "w1", key: object = WITNESS, url: str = "https://w.example/a", more: str = "") -> str:
    return f'[[web.witnesses]]\nname = "{name}"\nkey = "{key}"\nurl = "{url}"\n{more}\n'


def log(key: object = LOG) -> str:
    return f'[[web.witness_for]]\nlog = "{key}"\n'


LISTEN = '[web]\nlisten = "127.0.0.1:7780"\n'


def test_without_the_table_there_is_no_http():
    assert web("") is None


def test_everything_can_be_said():
    last = witness(more='ca = "ca.pem"')
    assert web(f"{LISTEN}plain = true\n{log()}{last}") == Web(
        Address("127.0.0.1", 7780), True, (LOG,), (OutsideWitness("w1", WITNESS, "https://w.example/a", "ca.pem"),)
    )


def test_a_log_can_have_outside_witnesses_without_serving_http():
    assert web(witness()) == Web(None, witnesses=(OutsideWitness("w1", WITNESS, "https://w.example/a"),))


@pytest.mark.parametrize("listen", ["127.0.0.1:1", "[::1]:1", "localhost:1", "127.9.9.9:1"])
def test_plain_http_is_served_on_the_loopback_interface(listen):
    assert web(f'[web]\nlisten = "{listen}"\nplain = true') is not None


@pytest.mark.parametrize(
    "url",
    ["https://w.example", "https://w.example:8443/a/b", "https://10.0.0.1/a", "https://[2001:db8::1]:1", "http://[::1]:80",
     "http://127.0.0.1:9000/x", "http://localhost"],
)  # fmt: skip
def test_a_witness_is_reached_by_https_or_on_this_machine(url):
    found = web(witness(url=url))
    assert found is not None
    assert found.witnesses[0].url == url


def test_the_example_of_the_documentation_can_be_read():
    guide = (Path(__file__).parents[3] / "docs" / "founding.md").read_text()
    example = next(block for block in guide.split("```toml\n") if block.startswith("[web]")).partition("```")[0]
    found = web(example)
    assert found is not None
    assert (found.witness_for, [one.key for one in found.witnesses]) == ((LOG,), [WITNESS])


BAD = {
    "nothing said": ("[web]", "web.listen"),
    "no address": ('[web]\nlisten = "x"', "web.listen"),
    "another key": (f"{LISTEN}colour = 1", "web.colour"),
    "plain elsewhere": ('[web]\nlisten = "0.0.0.0:1"\nplain = true', "web.listen"),
    "plain on a name": ('[web]\nlisten = "lender.example:1"\nplain = true', "web.listen"),
    "plain as a number": (f"{LISTEN}plain = 1", "web.plain"),
    "plain and nowhere": (f"[web]\nplain = true\n{witness()}", "web.listen"),
    "cosigning and nowhere": (log(), "web.listen"),
    "no table": ("web = 1", "web"),
    "a log that is no key": (LISTEN + log("x"), "web.witness_for[0].log"),
    "a log with a witness's key": (LISTEN + log(WITNESS), "web.witness_for[0].log"),
    "a log twice": (LISTEN + log() * 2, "web.witness_for[1]"),
    "more of a log": (f"{LISTEN}{log()}url = 'x'", "web.witness_for[0].url"),
    "65 logs": (LISTEN + "".join(log(Signer.from_seed(f"l{n}", bytes(32)).key) for n in range(65)), "web.witness_for"),
    "a witness's name": (witness(name="W 1"), "web.witnesses[0].name"),
    "a witness with a log's key": (witness(key=LOG), "web.witnesses[0].key"),
    "a witness twice": (witness() + witness(key=OTHER), "web.witnesses[1]"),
    "a key twice": (witness() + witness("w2"), "web.witnesses[1]"),
    "no url": (f'[[web.witnesses]]\nname = "w1"\nkey = "{WITNESS}"', "web.witnesses[0].url"),
    "a CA without TLS": (witness(url="http://localhost", more="ca = 'x'"), "web.witnesses[0].ca"),
}


@pytest.mark.parametrize(("text", "path"), BAD.values(), ids=BAD.keys())
def test_what_is_wrong_is_named(text, path):
    with pytest.raises(InvalidInput) as caught:
        web(text)
    assert caught.value.path == f"config.toml.{path}"


@pytest.mark.parametrize(
    "url",
    ["", "w.example", "ftp://w.example", "http://w.example", "http://10.0.0.1", "https://", "https://W.example",
     "https://w.example/", "https://w.example//a", "https://u@w.example", "https://w.example?a", "https://w.example#a",
     "https://w.example:0", "https://w.example:99999", "https://w.example:+1", "https://w.example/%2e", "https://w.example/..",
     "https://w.example/./a", "https://127.1", "https://[::1", "https://[1.2.3.4]", "HTTPS://w.example", "https://w.example\\\\a"],
)  # fmt: skip
def test_what_is_no_prefix_of_a_witness_is_refused(url):
    with pytest.raises(InvalidInput):
        web(witness(url=url))
