"""Openings of positions: openings.json."""

from __future__ import annotations

import json

import pytest

from tests.second import manifest, opening
from tests.second.refusal import Refused
from tests.second.vectors import load, unhex

VECTORS = load("openings")
MANIFESTS = [manifest.read(VECTORS["manifest"])]
KEYS = unhex(VECTORS["public_keys"])
OPENINGS = [each["opening"] for each in VECTORS["openings"]]


def raw(document):
    return json.dumps(document).encode()


def reason(document, known=None):
    with pytest.raises(Refused) as refused:
        opening.verify(raw(document), MANIFESTS, known)
    return refused.value.code


@pytest.mark.parametrize("vector", VECTORS["openings"], ids=lambda vector: vector["what"])
def test_openings_hold(vector):
    for known in (None, KEYS):
        shown = opening.verify(raw(vector["opening"]), MANIFESTS, known)
        assert len(shown.loans) == 3
        assert shown.entry.body.closed == (vector["what"] == "closed")
    assert [len(opening.verify(raw(each), MANIFESTS).cosigned) for each in OPENINGS] == [3, 0, 2]


@pytest.mark.parametrize("case", VECTORS["refused"], ids=lambda case: case["why"])
def test_changes_are_refused_with_the_code(case):
    document = OPENINGS[case["of"]] | case.get("set", {})
    assert reason({key: value for key, value in document.items() if key not in case.get("drop", ())}) == case["code"]


def test_other_keys_than_those_known_are_refused():
    assert reason(OPENINGS[0], KEYS[::-1]) == "OTHER_KEYS"


@pytest.mark.parametrize("bad", [b"", b"[]", b"\xff", b"[" * 100_000, b" " * (5 << 20), b'{"a":1,"a":1}', b'{"a":1.0}'])
def test_what_is_no_opening_is_refused(bad):
    with pytest.raises(Refused) as refused:
        opening.verify(bad, MANIFESTS)
    assert refused.value.code == "D1"
