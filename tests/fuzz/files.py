"""Targets: what stands in files, a member's own or handed from one to another: manifests, cards, keys, certificates."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from functools import cache
from typing import Any

from client.audit.keeping import docket, memory
from client.audit.report import Finding
from client.csvfeed import read_feed
from client.screening import cases, rows
from client.text import one_line
from ledger.borrower.identity import canonical
from ledger.consortium import founding
from ledger.consortium.address import parse_address
from ledger.consortium.authority import authority_member, read_authority
from ledger.consortium.caller import Caller, parse_caller
from ledger.consortium.card import parse_card
from ledger.consortium.certificate import certificate_pem, key_der, key_pem, load_certificate, load_key, named_caller
from ledger.consortium.manifest import parse_manifest
from ledger.consortium.member import read_member, render_member
from ledger.consortium.policy import default_policy, override_policy, read_policy, render_policy
from ledger.crypto.passphrase import DOMAIN, open_with_passphrase
from ledger.crypto.sealed import seal
from ledger.homes.config import parse_config, render_config
from ledger.homes.unlock import find_passphrase
from ledger.monitoring import parse_watch_policy
from ledger.positions.feed import COLUMNS, FeedReader
from ledger.positions.feed_fold import fold_feed
from ledger.redaction import redact
from ledger.tlog.checkpoint import Head
from ledger.toml import read_toml
from node.homes.authority import issue_leaf
from node.homes.keyring import generate_key, parse_keyring
from node.wire.tls import peer_identity
from tests import lenders
from tests.fuzz.entries import JSON
from tests.fuzz.formats import NOTE_TOKENS
from tests.fuzz.inputs import text_of, vectors
from tests.fuzz.target import Target, words

TOML = (b"[a]\n", b"[[member]]\n", b"a = 1\n", b"a.", b"[", b"{", b'"""', b"'''", b'"\\u0000"', b"0x", b"1e9", b"inf")


# -- TOML


def _manifest(raw: bytes) -> None:
    manifest = parse_manifest(text_of(raw))
    assert manifest.text.encode() == raw
    for member in manifest.members:
        assert manifest.origin(member.name) == manifest.log_key(member.name).name


def _signed_manifest(raw: bytes) -> None:
    signed = founding.read_signed_manifest(raw)
    assert founding.read_signed_manifest(signed.encode()) == signed
    assert founding.merge_signed([signed, signed]) == signed
    founding.open_manifest(raw)


def _card(raw: bytes) -> None:
    _same_member(parse_card(raw))


def _member(raw: bytes) -> None:
    _same_member(read_member(read_toml(text_of(raw))))


def _same_member(member: Any) -> None:
    assert read_member(read_toml(render_member(member))) == member
    assert authority_member(member.authority) == member.name


def _policy(raw: bytes) -> None:
    policy = read_policy(read_toml(text_of(raw)), 5, 100)
    assert read_policy(read_toml(render_policy(policy)), 5, 100) == policy


def _setting(raw: bytes) -> None:
    """`--set key=value`."""
    key, _, value = text_of(raw).partition("=")
    override_policy(default_policy(3), {key: value})


def _watch_policy(raw: bytes) -> None:
    parse_watch_policy(raw)


def _watch_policies() -> list[bytes]:
    webhook = b'[webhook]\nurl = "https://a.example:1/b"\nsecret_file = "s"\n'
    return [b'format = "plimsoll/watch/v1"\n[rules]\ndispute = false\n[exposure]\npercent = 5\n' + webhook]


def _config(raw: bytes) -> None:
    config = parse_config(raw)
    parse_config(render_config(config.member, config.address, config.listen).encode())


def _configs() -> Iterator[bytes]:
    made = render_config("lender-1", parse_address("lender-1.example:7700", ""), parse_address("0.0.0.0:7700", ""))
    yield made.encode()
    suggested = [line.removeprefix("# ") if " = " in line or line == "# [web]" else line for line in made.split("\n")]
    yield "\n".join(suggested).encode()
    keys = {"log": vectors("head")["log_key"], "witness": vectors("head")["cosigner_keys"][0]}
    elsewhere = [
        f'[[web.witness_for]]\nlog = "{keys["log"]}"',
        f'[[web.witnesses]]\nname = "w1"\nkey = "{keys["witness"]}"\nurl = "https://w.example/a"\nca = "ca.pem"',
    ]
    yield "\n".join([*suggested, *elsewhere]).encode()


def _keyring(raw: bytes) -> None:
    keyring = parse_keyring(raw)
    assert parse_keyring(keyring.encode()) == keyring


# -- names and numbers


def _address(raw: bytes) -> None:
    text = text_of(raw)
    assert str(parse_address(text, "address")) == text


def _caller(raw: bytes) -> None:
    text = text_of(raw)
    assert parse_caller(text, "uri").uri == text


def _identity(raw: bytes) -> None:
    identity = canonical(text_of(raw))
    assert canonical(identity) == identity
    assert identity.isascii()


IDENTITIES = (
    *words("cn-id:11010519491231002X cn-id:110105491231002 passport:CN:E12345678 in-pan:ACUPA7085R test:a._-Z9"),
    *words("cn-uscc:91110000600037341L jp-cn:5835678256246 th-pin:1234545678781 tw-ubn:00501503"),
    b"lei:213800KUD8LAJWSQ9D15",
)


def _redacted(raw: bytes) -> None:
    """Refuses nothing; nor does what is shown of others' text."""
    text = raw.decode("utf-8", "replace")
    hidden = redact(text)
    assert redact(hidden) == hidden
    assert one_line(text).isprintable()


# -- certificates and keys


@cache
def _leaf() -> tuple[bytes, Any]:
    lender = lenders.lender(1)
    caller = Caller(lenders.manifest().consortium, lender.name, "node", "home")
    key = generate_key()
    leaf = issue_leaf(lender.authority, lender.keyring.authority_key, caller, key.public_key(), lenders.NOW)
    return certificate_pem(leaf), key


def _certificate(raw: bytes) -> None:
    """A caller's, as gRPC hands it on."""
    named_caller(load_certificate(raw, "certificate"), "certificate")
    peer_identity(raw, lenders.manifest(), lenders.NOW)


def _pem(der: bytes) -> bytes:
    return b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(der) + b"-----END CERTIFICATE-----\n"


def _der(pem: bytes) -> bytes:
    return base64.b64decode(b"".join(pem.splitlines()[1:-1]))


def _authority(raw: bytes) -> None:
    """A member's CA, as the manifest pins it."""
    authority_member(read_authority(raw, "lender-1", "tls_ca"))


def _secret_key(raw: bytes) -> None:
    key_pem(load_key(raw, "key"))


# -- what a passphrase seals


KIND = "keyring"
CHEAP = (1, 1, 1)  # scrypt's log2 n, r and p: the least it takes


def _sealed_file(raw: bytes) -> None:
    open_with_passphrase("words", KIND, text_of(raw))


def _sealed_files() -> Iterator[bytes]:
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    log_n, r, p = CHEAP
    key = Scrypt(salt=bytes(16), length=32, n=1 << log_n, r=r, p=p).derive(b"words")
    box = seal(key, DOMAIN, (KIND, *CHEAP, bytes(16)), b"a secret", lenders.seeded("fuzz"))
    body = base64.b64encode(bytes(CHEAP) + bytes(16) + box).decode()
    yield f"plimsoll sealed v1 {KIND}\n{body}\n".encode()


def _passphrase(raw: bytes) -> None:
    find_passphrase("file", {}, None, lambda name: raw, None)


# -- feeds


def _feed(raw: bytes) -> None:
    """A CSV file, all the way into the book."""
    reader = FeedReader("CNY", 20_600)
    lines, rows = set(), []
    for batch in read_feed(io.BytesIO(raw)):
        taken, rejected = reader.read(batch.rows)
        assert len(taken) + len(rejected) == len(batch.rows)
        lines |= {row.line for row in batch.rows} | {one.line for one in batch.rejected}
        rows += taken
    assert max(lines, default=1) <= raw.count(b"\n") + 1
    for folded in fold_feed(rows, {}).values():
        assert fold_feed(rows, {row.borrower: folded.loans for row in rows})
    held = {borrower: folded.loans for borrower, folded in fold_feed(rows, {}).items()}
    assert not any(folded.changed for folded in fold_feed(rows, held).values())


def _feeds() -> Iterator[bytes]:
    row = "test:000001,A1,revolving,CNY,5000000,1234567,61728,0,0,pass,open,2026-02-28"
    lines = [",".join(COLUMNS), row, row.replace("A1", '"A ""2"""'), row.replace("open", "closed"), ""]
    yield "\n".join(lines).encode()
    yield ("\ufeff" + "\r\n".join(lines)).encode()


# -- portfolios


def _portfolio(raw: bytes) -> None:
    read = cases.read_cases(raw, needs_consent=False)
    assert len({case.borrower for case in read}) == len(read)
    assert all(1 < case.line <= raw.count(b"\n") + 1 for case in read)


def _portfolios() -> Iterator[bytes]:
    lines = [",".join(cases.COLUMNS), f'test:1,800000,5,1,"case ""1""",{"5f" * 32}', "test:2,,,,,", ""]
    yield "\n".join(lines).encode()
    yield ("\ufeff" + "\r\n".join(lines)).encode()


def _screened(raw: bytes) -> None:
    row = rows.parse(raw.split(b"\n")[0])
    assert rows.parse(rows.encode(row).removesuffix(b"\n")) == row


def _answers() -> Iterator[bytes]:
    known = rows.Row(
        2, 'case "1", 2', "review", True, 0, "", 3, 2, 1, 4, 5, "pass", ("LENDERS", "OVERDUE"), 7, "5f" * 32
    )
    for row in (known, rows.Row(3, "", error="TIMEOUT", again=True)):
        yield rows.encode(row).removesuffix(b"\n")


# -- what an audit remembers


def _memory(raw: bytes) -> None:
    remembered = memory.parse(raw)
    assert memory.parse(remembered.encode()) == remembered


def _memories() -> Iterator[bytes]:
    origin = lenders.manifest().origin("lender-1")
    yield memory.Memory(bytes(32), {origin: memory.LogState(Head(origin, 7, bytes(range(32))))}).encode()
    yield memory.Memory(bytes(32), {}).encode()


def _docket(raw: bytes) -> None:
    known = docket.parse(raw)
    assert docket.parse(known.encode()) == known
    later = known.after((each.finding for each in known.known.values()), 9)
    assert len(later.earlier(())) + sum(each.acknowledged is not None for each in later.known.values()) == len(
        known.known
    )


def _dockets() -> Iterator[bytes]:
    found = [Finding("lender-1", None, "FORK", "two"), Finding("lender-2", 5, "ROOT_MISMATCH", "")]
    kept = docket.Docket(bytes(32), {}).after(found, 7)
    yield kept.encode()
    yield kept.acknowledge(None, 8)[0].encode()


SIGNED = words("lender-1 lender-2 threshold custodians [policy] log_key previous consortium sequence")

TARGETS = (
    Target("manifest", _manifest, lambda: [lenders.manifest_text().encode()], (*TOML, *SIGNED)),
    Target(
        "signed-manifest",
        _signed_manifest,
        lambda: [lenders.signed_manifest().encode()],
        (*TOML, *SIGNED, *NOTE_TOKENS),
    ),
    Target("card", _card, lambda: [lenders.lender(1).card], (*TOML, *NOTE_TOKENS)),
    Target("member", _member, lambda: [render_member(lenders.lender(1).member).encode()], TOML),
    Target("policy", _policy, lambda: [b"", render_policy(default_policy(5)).encode()], TOML),
    Target("policy-setting", _setting, lambda: [b"grace_days=7", b"bands=1,2,3,4,5"], words("= , bands")),
    Target("watch-policy", _watch_policy, _watch_policies, TOML),
    Target("config", _config, lambda: list(_configs()), TOML),
    Target("keyring", _keyring, lambda: [lenders.lender(1).keyring.encode()], TOML),
    Target(
        "address", _address, lambda: list(words("lender-1.example:7700 10.0.0.1:1 [::1]:65535")), words("[ ] : % xn--")
    ),
    Target("caller", _caller, lambda: [f"plimsoll://{'5f' * 32}/a/{role}/b".encode() for role in ("node", "lender")]),
    Target(
        "identity",
        _identity,
        lambda: list(IDENTITIES),
        (*words(": - Ａ ß ﷺ cn-id: passport: lei: test:"), b"\xe2\x80\x94"),
    ),
    Target(
        "redaction", _redacted, lambda: [b"asked about " + one for one in IDENTITIES], words("cn-id: test: -111 A1 0")
    ),
    Target("certificate", _certificate, lambda: [_leaf()[0]]),
    Target("certificate-der", lambda raw: _certificate(_pem(raw)), lambda: [_der(_leaf()[0])]),
    Target("authority", _authority, lambda: [lenders.lender(1).member.tls_ca]),
    Target("secret-key", _secret_key, lambda: [key_pem(_leaf()[1]), key_der(_leaf()[1])]),
    Target("sealed-file", _sealed_file, lambda: list(_sealed_files())),
    Target("passphrase", _passphrase, lambda: [b"correct horse", b"words\r\n"]),
    Target("feed", _feed, lambda: list(_feeds()), (*words('" "" , \\ test:000002 2026-02-29 special-mention'), b"\r")),
    Target("portfolio", _portfolio, lambda: list(_portfolios()), (*words('"" "" , \\ test:2 5f'), b"\r")),
    Target("screened", _screened, lambda: list(_answers()), (*words('"" , true false'), b"\r")),
    Target("audit-state", _memory, lambda: list(_memories()), JSON),
    Target("audit-findings", _docket, lambda: list(_dockets()), JSON),
)
