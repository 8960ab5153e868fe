"""Section 14, from the manifest of query.json."""

from __future__ import annotations

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.second import manifest
from tests.second.note import strict_base64
from tests.second.query_world import (
    CONSORTIUM,
    RAW,
    VECTORS,
)
from tests.second.refusal import Refused

TEXT = VECTORS["manifest"]
CHANGED = {
    "another first line": ("manifest v1", "manifest v2"),
    "a tab": ('name = "Example"', 'name =\t"Example"'),
    "an unknown key": ('name = "Example"', 'name = "Example"\nmotto = "x"'),
    "an unknown term": ("amount_bits = 24", "amount_bits = 24\nhurry = 1"),
    "a key missing": ("threshold = 4\n", ""),
    "half of the custodians": ("threshold = 4", "threshold = 3"),
    "more than all custodians": ("threshold = 4", "threshold = 7"),
    "a custodian twice": ('"lender-5", "lender-6"]', '"lender-5", "lender-5"]'),
    "a custodian who is no member": ('"lender-6"]', '"lender-7"]'),
    "a truth for a number": ("amount_bits = 24", "amount_bits = true"),
    "too few bits": ("amount_bits = 24", "amount_bits = 23"),
    "too many bits": ("amount_bits = 24", "amount_bits = 41"),
    "edges that go back": ("[10, 50,", "[50, 10,"),
    "an edge too few": ("[10, 50, 100, 200, 500]", "[10, 50, 100, 200]"),
    "a strange unit": ("minor_per_major = 100", "minor_per_major = 60"),
    "a member twice": ('name = "lender-2"', 'name = "lender-1"'),
    "a name in capitals": ('name = "lender-2"', 'name = "Lender-2"'),
    "a name with a hyphen at the end": ('name = "lender-2"', 'name = "lender-"'),
}


@pytest.mark.parametrize("why", CHANGED)
def test_bad_manifests_are_refused(why):
    old, new = CHANGED[why]
    assert old in TEXT
    with pytest.raises(Refused):
        manifest.read(TEXT.replace(old, new, 1))


def test_a_manifest_is_in_force_when_all_have_signed():
    secrets = {name: Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest()) for name in RAW}
    text = TEXT
    for member, secret in zip(CONSORTIUM.members, secrets.values(), strict=True):
        text = text.replace(encoded(member.log_key), encoded(secret.public_key().public_bytes_raw()))
    consortium = manifest.read(text)
    lines = []
    for name, secret in secrets.items():
        key = consortium.log_key(name)
        lines.append(f"— {key.name} {encoded(key.id + secret.sign(text.encode()))}\n")
    assert manifest.founded(f"{text}\n{''.join(lines)}".encode()) == consortium
    with pytest.raises(Refused, match="UNVERIFIED"):
        manifest.founded(f"{text}\n{''.join(lines[:-1])}".encode())


def encoded(raw):
    text = base64.b64encode(raw).decode()
    assert strict_base64(text) == raw
    return text
