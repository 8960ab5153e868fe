"""Callers: whom a SAN URI names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.consortium.caller import ROLES, Caller, check_name, check_role, parse_caller, server_name
from ledger.errors import InvalidInput

ID = bytes(range(32))
NAMES = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?", fullmatch=True)
GOOD = Caller(ID, "lender-1", "auditor", "alice")


@given(NAMES, st.sampled_from(ROLES), NAMES, st.binary(min_size=32, max_size=32))
def test_a_uri_names_the_caller_that_it_was_made_of(member, role, name, consortium):
    caller = Caller(consortium, member, role, name)
    assert parse_caller(caller.uri, "") == caller


@pytest.mark.parametrize(
    "uri",
    [
        "",
        GOOD.uri + "/",
        GOOD.uri + "\n",
        GOOD.uri + "?x",
        GOOD.uri.upper(),
        GOOD.uri.replace("plimsoll:", "https:"),
        GOOD.uri.replace("auditor", "root"),
        GOOD.uri.replace("auditor", "Auditor"),
        GOOD.uri.replace("alice", ""),
        GOOD.uri.replace("alice", "a" * 33),
        GOOD.uri.replace("lender-1", "-lender"),
        GOOD.uri.replace("lender-1", "lender%2d1"),
        GOOD.uri.replace("/lender-1", ""),
        GOOD.uri.replace(ID.hex(), ID.hex()[:-2]),
        GOOD.uri.replace(ID.hex(), ID.hex().upper()),
    ],
)
def test_any_other_uri_is_refused(uri):
    with pytest.raises(InvalidInput) as caught:
        parse_caller(uri, "certificate")
    assert caught.value.path == "certificate"


@pytest.mark.parametrize("name", ["", "A", "a_b", "a.b", "a b", "-a", "a-", "a" * 33, "é", "a\n", "a/b", "a+b"])
def test_a_name_is_a_dns_label_in_lower_case(name):
    with pytest.raises(InvalidInput):
        check_name(name, "name")


def test_roles_are_these_four():
    assert [check_role(role, "role") for role in ("node", "lender", "operator", "auditor")] == list(ROLES)
    with pytest.raises(InvalidInput):
        check_role("", "role")


def test_two_members_never_share_a_server_name():
    assert server_name("a") != server_name("b")
    assert server_name("lender-1") == "lender-1.plimsoll.internal"
