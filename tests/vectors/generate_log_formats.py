"""Writes merkle.json, note.json, head.json and receipt.json, for this and any second implementation of the log formats.

    python -m tests.vectors.generate_log_formats

Made from the standards' text with the RFC's recursion and an Ed25519 library, without the ledger's code. The same run
gives the same bytes. "why" says what is wrong with a refused example; those of heads and receipts are truly signed.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.ledger import rfc6962

FOLDER = Path(__file__).parent
LOG = "example.com/log"
TIME = 1_700_000_000

ENTRIES = [
    *map(bytes.fromhex, ["", "00", "10", "2021", "3031", "40414243", "5051525354555657"]),
    bytes.fromhex("606162636465666768696a6b6c6d6e6f"),
    *[bytes([number]) * (4 * number) for number in range(8, 16)],
    bytes(range(256)) * 8,
]


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


class Key:
    """One named Ed25519 key of type 1 or 4, as the standards spell it."""

    def __init__(self, name: str, kind: int, seed: bytes) -> None:
        self.name, self.kind = name, kind
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        public = self._private.public_key().public_bytes_raw()
        self.id = sha256(name.encode() + b"\n" + bytes([kind]) + public).digest()[:4]
        self.vkey = f"{name}+{self.id.hex()}+{b64(bytes([kind]) + public)}"

    def line(self, text: str, time: int = TIME) -> str:
        if self.kind == 1:
            return f"— {self.name} {b64(self.id + self._private.sign(text.encode()))}\n"
        signature = self._private.sign(f"cosignature/v1\ntime {time}\n{text}".encode())
        return f"— {self.name} {b64(self.id + time.to_bytes(8, 'big') + signature)}\n"


LOG_KEY = Key(LOG, 1, bytes(32))
OTHER_KEY = Key("other.example", 1, bytes([1]) * 32)
WITNESSES = [
    Key(LOG, 4, bytes(32)),
    Key("witness.example/w1", 4, bytes([2]) * 32),
    Key("见证.example", 4, bytes([3]) * 32),
]


def merkle() -> dict[str, Any]:
    trees = []
    for size in (*range(1, 9), 11, 13, 16, 17):
        entries = ENTRIES[:size]
        trees.append(
            {
                "size": size,
                "root": rfc6962.mth(entries).hex(),
                "inclusion": [[hash_.hex() for hash_ in rfc6962.path(index, entries)] for index in range(size)],
                "consistency": [[hash_.hex() for hash_ in rfc6962.proof(old, entries)] for old in range(1, size + 1)],
            }
        )
    return {
        "about": "RFC 6962 section 2.1. inclusion[index]: leaf's sibling first; consistency[old size - 1].",
        "entries": [entry.hex() for entry in ENTRIES],
        "trees": trees,
    }


def note() -> dict[str, Any]:
    keys = [LOG_KEY.vkey, WITNESSES[0].vkey]
    texts = [
        "text\n",
        "\n",
        "\n\n\n",
        "two\n\nparagraphs\n",
        "a\n\n— looks.like AAAAAAAA\n",
        "行\u2028\u0085  \n",
        "\ufeffé\n",
    ]
    valid = [{"note": f"{text}\n{LOG_KEY.line(text)}", "text": text, "verified": [LOG_KEY.vkey]} for text in texts]
    text = "text\n"
    own, cosigned, foreign = LOG_KEY.line(text), WITNESSES[0].line(text), OTHER_KEY.line(text)
    garbled = Key(LOG, 1, bytes([9]) * 32).line(text)  # the name is known, the key ID is not
    for lines, verified in [
        (own + cosigned, keys),
        (foreign + own + garbled, [LOG_KEY.vkey]),
        (own + own, [LOG_KEY.vkey]),
        (f"— {LOG} {b64(OTHER_KEY.id + bytes(64))}\n{own}", [LOG_KEY.vkey]),
    ]:
        valid.append({"note": f"{text}\n{lines}", "text": text, "verified": verified})
    return {
        "about": "C2SP signed-note, opened with these keys. note: UTF-8; bytes: hex.",
        "keys": keys,
        "valid": valid,
        "malformed": malformed_notes(text, own),
        "unverified": [
            {"why": "no known key", "note": f"{text}\n{foreign}"},
            {"why": "another text", "note": f"Text\n\n{own}"},
            {"why": "a known key fails beside one that verifies", "note": f"{text}\n{own}{WITNESSES[0].line('x')}"},
            {"why": "a known key's second line fails", "note": f"{text}\n{own}{LOG_KEY.line('x')}"},
            {"why": "signature too short", "note": f"{text}\n— {LOG} {b64(LOG_KEY.id + bytes(63))}\n"},
            {"why": "blank line signed too", "note": f"{text}\n{LOG_KEY.line(text + chr(10))}"},
        ],
    }


def malformed_notes(text: str, line: str) -> list[dict[str, str]]:
    name, sig = line.split(" ")[1:]
    sig = sig.rstrip("\n")
    trailing = sig[:-2] + chr(ord(sig[-2]) + 1) + "="  # the last digit holds two bits that must be zero
    cases: dict[str, str | bytes] = {
        "empty": "",
        "no signature": "text\n\n",
        "no blank line": f"text\n{line}",
        "no text": f"\n{line}",
        "no final newline": f"{text}\n{line}".rstrip("\n"),
        "blank line after the signatures": f"{text}\n{line}\n",
        "two newlines at the end": f"{text}\n{line}\n\n",
        "carriage returns": f"{text}\n{line}".replace("\n", "\r\n"),
        "a tab in the text": f"te\txt\n\n{LOG_KEY.line(chr(116) + 'e' + chr(9) + 'xt' + chr(10))}",
        "a NUL in the text": f"te\0xt\n\n{line}",
        "a unit separator in the text": f"te\x1fxt\n\n{line}",
        "not UTF-8": b"te\xffxt\n\n" + line.encode(),
        "a surrogate": b"te\xed\xa0\x80xt\n\n" + line.encode(),
        "overlong UTF-8": b"te\xc0\x8axt\n\n" + line.encode(),
        "a hyphen for the dash": f"{text}\n- {name} {sig}\n",
        "no space after the dash": f"{text}\n—{name} {sig}\n",
        "two spaces": f"{text}\n— {name}  {sig}\n",
        "a third field": f"{text}\n— {name} {sig} x\n",
        "a space at the end": f"{text}\n— {name} {sig} \n",
        "no key name": f"{text}\n—  {sig}\n",
        "no signature field": f"{text}\n— {name}\n",
        "a plus in the key name": f"{text}\n— a+b {sig}\n",
        "a no-break space in the key name": f"{text}\n— a\u00a0b {sig}\n",
        "an ideographic space in the key name": f"{text}\n— a\u3000b {sig}\n",
        "a line separator in the key name": f"{text}\n— a\u2028b {sig}\n",
        "base64 with trailing bits": f"{text}\n— {name} {trailing}\n",
        "base64 without padding": f"{text}\n— {name} {sig.rstrip('=')}\n",
        "base64 with junk": f"{text}\n— {name} {sig[:8]}!{sig[8:]}\n",
        "URL-safe base64": f"{text}\n— {name} {b64(bytes([251]) * 68).replace('+', '-')}\n",
        "key ID alone": f"{text}\n— {name} {b64(LOG_KEY.id)}\n",
        "less than a key ID": f"{text}\n— {name} {b64(LOG_KEY.id[:3])}\n",
        "a good line, then a bad one": f"{text}\n{line}junk\n",
    }
    return [
        {"why": why, "bytes": (raw if isinstance(raw, bytes) else raw.encode()).hex()} for why, raw in cases.items()
    ]


def signed(text: str, *keys: Key) -> str:
    return f"{text}\n" + "".join(key.line(text) for key in keys)


def head_text(size: int) -> str:
    return f"{LOG}\n{size}\n{b64(rfc6962.mth(ENTRIES[:size]))}\n"


def head() -> dict[str, Any]:
    valid = []
    for size, keys in [(0, []), (1, WITNESSES[:1]), (3, WITNESSES), (17, WITNESSES[1:2])]:
        valid.append(
            {
                "note": signed(head_text(size), LOG_KEY, *keys),
                "size": size,
                "root": rfc6962.mth(ENTRIES[:size]).hex(),
                "cosigned": [{"key": key.vkey, "time": TIME} for key in keys],
            }
        )
    root = b64(rfc6962.mth(ENTRIES[:3]))
    short, long = b64(bytes(31)), b64(bytes(33))
    texts = {
        "no root": f"{LOG}\n3\n",
        "an extension line": f"{LOG}\n3\n{root}\nmore\n",
        "an empty extension line": f"{LOG}\n3\n{root}\n\n",
        "a blank line first": f"\n{LOG}\n3\n{root}\n",
        "a leading zero": f"{LOG}\n03\n{root}\n",
        "a plus sign": f"{LOG}\n+3\n{root}\n",
        "a minus sign": f"{LOG}\n-3\n{root}\n",
        "minus zero": f"{LOG}\n-0\n{b64(rfc6962.mth([]))}\n",
        "an underscore": f"{LOG}\n1_0\n{root}\n",
        "an Arabic digit": f"{LOG}\n\u0663\n{root}\n",
        "a fraction": f"{LOG}\n3.0\n{root}\n",
        "a space before the size": f"{LOG}\n 3\n{root}\n",
        "an empty size": f"{LOG}\n\n{root}\n",
        "a size of 2^63": f"{LOG}\n{1 << 63}\n{root}\n",
        "a size of 5,000 digits": f"{LOG}\n{'9' * 5000}\n{root}\n",
        "a root of 31 bytes": f"{LOG}\n3\n{short}\n",
        "a root of 33 bytes": f"{LOG}\n3\n{long}\n",
        "a root in hex": f"{LOG}\n3\n{'00' * 32}\n",
        "a root with trailing bits": f"{LOG}\n3\n{root[:-2]}{chr(ord(root[-2]) + 1)}=\n",
        "no entries, but a root": f"{LOG}\n0\n{root}\n",
        "no origin": f"\n3\n{root}\n",
        "an origin with a space": f"example.com/ log\n3\n{root}\n",
    }
    return {
        "about": "C2SP tlog-checkpoint and cosignature/v1. Opened with these keys.",
        "log_key": LOG_KEY.vkey,
        "cosigner_keys": [key.vkey for key in WITNESSES],
        "valid": valid,
        "malformed": [{"why": why, "note": signed(text, LOG_KEY)} for why, text in texts.items()],
        "unverified": [
            {"why": "cosigned only", "note": signed(head_text(3), WITNESSES[1])},
            {"why": "another log's origin", "note": signed(head_text(3).replace(LOG, "example.com/log2"), LOG_KEY)},
            {"why": "signed by another key", "note": signed(head_text(3), Key(LOG, 1, bytes([9]) * 32))},
            {"why": "another size", "note": signed(head_text(3), LOG_KEY).replace("\n3\n", "\n4\n")},
            {
                "why": "another time",
                "note": signed(head_text(3), LOG_KEY) + WITNESSES[1].line(head_text(3)).replace("AABlU/EA", "AABlU/EB"),
            },
        ],
    }


def receipt_text(index: int, size: int, note: str | None = None) -> str:
    hashes = "".join(b64(hash_) + "\n" for hash_ in rfc6962.path(index, ENTRIES[:size]))
    return f"c2sp.org/tlog-proof@v1\nindex {index}\n{hashes}\n{note or signed(head_text(size), LOG_KEY, WITNESSES[1])}"


def receipt() -> dict[str, Any]:
    good = receipt_text(4, 7)
    lines = good.split("\n")
    edit: Callable[..., str] = lambda at, *new: "\n".join([*lines[:at], *new, *lines[at + 1 :]])  # noqa: E731
    trailing = lines[2][:-2] + chr(ord(lines[2][-2]) + 1) + "="
    malformed = {
        "empty": "",
        "version 2": good.replace("@v1", "@v2"),
        "an extra line": edit(1, "extra AAAA", lines[1]),
        "no index": edit(1),
        "index 04": edit(1, "index 04"),
        "index -4": edit(1, "index -4"),
        "index without a value": edit(1, "index "),
        "an index not in the tree": edit(1, "index 7"),
        "a hash too many": edit(2, lines[2], lines[2]),
        "a hash too few": edit(2),
        "a hash of 31 bytes": edit(2, b64(bytes(31))),
        "a hash with trailing bits": edit(2, trailing),
        "no blank line": good.replace("\n\n", "\n", 1),
        "two blank lines": good.replace("\n\n", "\n\n\n", 1),
        "no head": good.split("\n\n")[0] + "\n\n",
        "an extension line in the head": receipt_text(4, 7, signed(head_text(7) + "more\n", LOG_KEY)),
        "a space after a hash": edit(2, lines[2] + " "),
        "carriage returns": good.replace("\n", "\r\n"),
    }
    return {
        "about": "C2SP tlog-proof. entry: hex. Verified with these keys.",
        "log_key": LOG_KEY.vkey,
        "cosigner_keys": [WITNESSES[1].vkey],
        "valid": [
            {"receipt": receipt_text(index, size), "entry": ENTRIES[index].hex(), "index": index, "size": size}
            for index, size in [(0, 1), (0, 2), (1, 2), (2, 3), (4, 7), (6, 7), (16, 17), (9, 17)]
        ],
        "malformed": [{"why": why, "receipt": text} for why, text in malformed.items()],
        "unverified": [
            {"why": "another entry", "receipt": good, "entry": ENTRIES[5].hex()},
            {"why": "another index", "receipt": edit(1, "index 5"), "entry": ENTRIES[4].hex()},
            {"why": "another hash", "receipt": edit(2, b64(bytes(32))), "entry": ENTRIES[4].hex()},
            {
                "why": "a head the log did not sign",
                "receipt": receipt_text(4, 7, signed(head_text(7), OTHER_KEY)),
                "entry": ENTRIES[4].hex(),
            },
            {
                "why": "a claimed size one larger",
                "receipt": good.replace("\n7\n", "\n8\n"),
                "entry": ENTRIES[4].hex(),
            },
        ],
    }


def files() -> dict[str, str]:
    """File name to content."""
    made = {"merkle.json": merkle(), "note.json": note(), "head.json": head(), "receipt.json": receipt()}
    return {name: json.dumps(content, indent=1, ensure_ascii=False) + "\n" for name, content in made.items()}


if __name__ == "__main__":
    for name, content in files().items():
        (FOLDER / name).write_text(content, encoding="utf-8")
