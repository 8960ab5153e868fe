"""The manifest: every rule that its text must keep, and what it says once it does."""

from __future__ import annotations

import hashlib
import pickle
import tomllib
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given

from ledger.consortium.manifest import MAX_MANIFEST_BYTES, MAX_MEMBERS, parse_manifest, render_manifest
from ledger.consortium.policy import default_policy
from ledger.errors import InvalidInput, NotFound, PlimsollError
from ledger.strict import encode_base64
from ledger.tlog.checkpoint import log_origin
from ledger.tlog.note import COSIGNATURE_V1, ED25519
from node.homes.authority import issue_authority
from tests.ledger.mutations import edited
from tests.lenders import NOW, lender, lenders, manifest, manifest_text

TEXT = manifest_text(3)
MEMBERS = [one.member for one in lenders(3)]
ID = hashlib.sha256(TEXT.encode()).digest()


def render(members=MEMBERS, **changes):
    arguments = {
        "name": "Example",
        "currency": "CNY",
        "time_zone": "Asia/Shanghai",
        "policy": default_policy(len(members)),
    }
    return render_manifest(**{**arguments, "members": members, **changes})


def with_line(key, value):
    """The good text with one top-level value replaced."""
    lines = [
        f"{key} = {value}" if line.startswith(f"{key} =") else line for line in TEXT.split("\n[policy]")[0].split("\n")
    ]
    return "\n".join(lines) + "\n[policy]" + TEXT.split("\n[policy]", 1)[1]


def refusal(text):
    with pytest.raises(InvalidInput) as caught:
        parse_manifest(text)
    return caught.value.reason, caught.value.path


def test_a_manifest_says_what_was_put_in_it():
    read = parse_manifest(TEXT)
    assert (read.name, read.currency, read.minor_per_major, read.time_zone) == ("Example", "CNY", 100, "Asia/Shanghai")
    assert read.members == tuple(MEMBERS)
    assert read.member("lender-2") == MEMBERS[1]
    assert read.custodians == ("lender-1", "lender-2", "lender-3")
    assert read.threshold == 2
    assert read.policy == default_policy(3)
    assert read.text == TEXT


def test_the_id_is_the_hash_of_the_text_and_the_consortiums_own():
    read = parse_manifest(TEXT)
    assert read.id == read.consortium == ID
    assert (read.previous, read.sequence) == (None, 0)


def test_the_same_members_and_rules_give_the_same_text():
    assert render() == TEXT


@pytest.mark.parametrize("first", range(4))
def test_a_flipped_byte_anywhere_is_refused_or_changes_the_id(first):
    raw = TEXT.encode()
    for position in range(first, len(raw), 53):  # every line several times
        flipped = (raw[:position] + bytes([raw[position] ^ 1]) + raw[position + 1 :]).decode(errors="replace")
        try:
            assert parse_manifest(flipped).id != ID
        except InvalidInput:
            continue


def test_keys_are_named_by_the_log():
    read = manifest(3)
    origin = log_origin(ID.hex(), "lender-1")
    assert read.origin("lender-1") == origin
    assert (read.log_key("lender-1").name, read.log_key("lender-1").type) == (origin, ED25519)
    assert read.log_key("lender-1").public_key == MEMBERS[0].log_key
    assert (read.cosigner_key("lender-1").name, read.cosigner_key("lender-1").type) == (
        f"{origin}/cosigner",
        COSIGNATURE_V1,
    )
    assert read.cosigner_key("lender-1").public_key == MEMBERS[0].cosign_key


def test_custodians_count_from_one_in_their_own_order():
    read = parse_manifest(render(custodians=["lender-3", "lender-1"]))
    assert read.threshold == 2
    assert [read.custodian_index(f"lender-{number}") for number in (1, 2, 3)] == [2, 0, 1]


def test_a_stranger_is_not_found():
    read = manifest(3)
    assert "lender-1" in read
    assert "lender-4" not in read
    for ask in (read.member, read.log_key, read.cosigner_key, read.origin, read.custodian_index):
        with pytest.raises(NotFound):
            ask("lender-4")


def test_a_manifest_crosses_to_other_processes():
    assert pickle.loads(pickle.dumps(manifest(3))) == manifest(3)
    assert pickle.loads(pickle.dumps(manifest(3))).log_key("lender-1") == manifest(3).log_key("lender-1")


# Rules


def test_it_starts_with_its_title():
    assert refusal(TEXT.replace("v1", "v2"))[0] == "BAD_MANIFEST"
    assert refusal("\n" + TEXT)[0] == "BAD_MANIFEST"


def test_it_ends_in_a_newline_and_holds_no_control_character():
    assert refusal(TEXT[:-1])[0] == "BAD_NOTE_TEXT"
    assert refusal(TEXT + "# \t\n")[0] == "BAD_NOTE_TEXT"
    assert refusal(TEXT + "# \udcff\n")[0] == "BAD_NOTE_TEXT"


def test_it_is_not_endless():
    assert refusal(TEXT + "#" * MAX_MANIFEST_BYTES + "\n")[0] == "BAD_MANIFEST"


def test_unknown_keys_are_refused_wherever_they_stand():
    assert refusal(TEXT.replace("threshold", "extra = 1\nthreshold")) == ("UNKNOWN_KEY", "extra")
    assert refusal(TEXT.replace("grace_days", "extra = 1\ngrace_days")) == ("UNKNOWN_KEY", "policy.extra")
    assert refusal(TEXT + "extra = 1\n") == ("UNKNOWN_KEY", "member[2].extra")


@pytest.mark.parametrize("key", ["name", "currency", "minor_per_major", "time_zone", "custodians", "threshold"])
def test_every_key_is_needed(key):
    lines = TEXT.split("\n")
    lines.remove(next(line for line in lines if line.startswith(f"{key} =")))
    assert refusal("\n".join(lines)) == ("MISSING_KEY", key)


@pytest.mark.parametrize("block", ["policy", "member"])
def test_policy_and_members_are_needed(block):
    values = tomllib.loads(TEXT)
    text = TEXT.split("\n[policy]")[0] + "\n"
    if block == "member":
        text += "[policy]\n"
    else:
        text += TEXT[TEXT.index("\n[[member]]") :]
    assert block in values
    assert refusal(text) == ("MISSING_KEY", block)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", '""'),
        ("name", f'"{"x" * 101}"'),
        ("name", r'"\u001b[2J"'),
        ("currency", '"cny"'),
        ("currency", '"CNYX"'),
        ("currency", "156"),
        ("minor_per_major", "0"),
        ("minor_per_major", "50"),
        ("minor_per_major", "100000"),
        ("minor_per_major", "true"),
        ("time_zone", '"Asia Shanghai"'),
        ("time_zone", '"/etc/passwd"'),
        ("time_zone", '"../Shanghai"'),
        ("time_zone", '"Asia/"'),
        ("threshold", "1"),
        ("threshold", "4"),
        ("threshold", '"2"'),
        ("custodians", "[]"),
        ("custodians", '["lender-1"]'),
        ("custodians", '"lender-1"'),
    ],
)
def test_values_out_of_bounds_are_refused_by_name(key, value):
    assert refusal(with_line(key, value))[1] == key


@pytest.mark.parametrize("names", ['["lender-1", "lender-1"]', '["lender-1", "lender-4"]'])
def test_custodians_are_members_named_once(names):
    assert refusal(with_line("custodians", names)) == ("BAD_CUSTODIAN", "custodians[1]")


@pytest.mark.parametrize(("count", "least"), [(2, 2), (3, 2), (4, 3), (5, 3)])
def test_two_quorums_of_custodians_always_meet(count, least):
    members = [one.member for one in lenders(5)]
    custodians = [member.name for member in members[:count]]
    assert parse_manifest(render(members, custodians=custodians)).threshold == least
    assert parse_manifest(render(members, custodians=custodians, threshold=count)).threshold == count
    for threshold in (least - 1, count + 1):
        assert refusal(render(members, custodians=custodians, threshold=threshold)) == ("OUT_OF_RANGE", "threshold")


def test_two_lenders_are_no_consortium():
    assert refusal(render(MEMBERS[:2], policy=default_policy(3))) == ("OUT_OF_RANGE", "member")


def test_there_are_at_most_a_hundred_members():
    assert refusal(TEXT + "[[member]]\n" * (MAX_MEMBERS - 2)) == ("OUT_OF_RANGE", "member")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"address": MEMBERS[0].address}, ("DUPLICATE_ADDRESS", "member[2].address")),
        ({"log_key": MEMBERS[0].log_key}, ("SHARED_KEY", "member")),
        ({"cosign_key": MEMBERS[0].cosign_key}, ("SHARED_KEY", "member")),
        ({"log_key": MEMBERS[0].cosign_key}, ("SHARED_KEY", "member")),
        ({"cosign_key": MEMBERS[2].log_key}, ("SHARED_KEY", "member[2].cosign_key")),
        ({"tls_ca": MEMBERS[0].tls_ca}, ("BAD_CA", "member[2].tls_ca")),
        ({"log_key": bytes(32)}, ("BAD_PUBLIC_KEY", "member[2].log_key")),
        ({"name": "lender_3"}, ("BAD_NAME", "member[2].name")),
    ],
)
def test_members_share_nothing_and_each_fits_the_rules(change, expected):
    assert (
        refusal(render([*MEMBERS[:2], replace(MEMBERS[2], **change)], custodians=["lender-1", "lender-2"])) == expected
    )


def test_no_name_is_used_twice():
    assert refusal(render([*MEMBERS, MEMBERS[0]], custodians=["lender-1", "lender-2"])) == (
        "DUPLICATE_MEMBER",
        "member[3].name",
    )


def test_one_key_behind_two_ca_certificates_is_refused():
    again = issue_authority("lender-3", lender(1).keyring.authority_key, NOW).public_bytes(Encoding.DER)
    assert refusal(render([*MEMBERS[:2], replace(MEMBERS[2], tls_ca=again)])) == ("SHARED_KEY", "member[2].tls_ca")


def test_a_hundred_members_fit():
    text = manifest_text(3)
    block = text[text.index("\n[[member]]") :]
    assert len(text) + len(block) // 3 * 97 < MAX_MANIFEST_BYTES


# Successors


def successor(**keys):
    values = {"previous": f'"{ID.hex()}"', "consortium": f'"{ID.hex()}"', "sequence": "1", **keys}
    lines = "".join(f"{key} = {value}\n" for key, value in values.items() if value)
    return TEXT.replace("name =", lines + "name =", 1)


def test_a_successor_keeps_the_consortium_and_its_logs():
    read = parse_manifest(successor())
    assert (read.consortium, read.previous, read.sequence) == (ID, ID, 1)
    assert read.id != ID
    assert read.origin("lender-1") == manifest(3).origin("lender-1")


@pytest.mark.parametrize("missing", ["previous", "consortium", "sequence"])
def test_a_successor_says_all_of_where_it_stands(missing):
    assert refusal(successor(**{missing: ""})) == ("MISSING_KEY", missing)


@pytest.mark.parametrize(
    ("keys", "path"),
    [
        ({"sequence": "0"}, "sequence"),
        ({"sequence": "2"}, "previous"),
        ({"previous": f'"{"0" * 64}"'}, "previous"),
        ({"previous": f'"{ID.hex()[:-1]}"'}, "previous"),
        ({"previous": f'"{ID.hex().upper()}"'}, "previous"),
        ({"consortium": '"x"'}, "consortium"),
    ],
)
def test_a_successor_out_of_place_is_refused(keys, path):
    assert refusal(successor(**keys))[1] == path


@given(edited([TEXT.encode(), successor().encode()]))
def test_edited_bytes_are_read_or_refused(raw):
    try:
        read = parse_manifest(raw.decode(errors="surrogateescape"))
    except PlimsollError:
        return
    assert read.id == hashlib.sha256(raw).digest()


# Logs that have ended, and key epochs


def ended_block(**values):
    block = {"log": '"lender-9"', "log_key": f'"{KEY_OF_NINE}"', "size": "7", "root": f'"{ROOT}"', **values}
    return "\n[[ended]]\n" + "".join(f"{key} = {value}\n" for key, value in block.items() if value)


KEY_OF_NINE = encode_base64(lender(9).member.log_key)
KEY_OF_TEN = encode_base64(lender(10).member.log_key)
ROOT = encode_base64(bytes(range(32)))


def test_ended_logs_and_the_key_epoch_are_read_and_written_alike():
    read = parse_manifest(
        successor(epoch="3") + ended_block() + ended_block(log='"lender-1"', log_key=f'"{KEY_OF_TEN}"')
    )
    assert read.epoch == 3
    nine, former = read.ended
    assert (nine.member, nine.incarnation, nine.name, nine.size, nine.root) == (
        "lender-9",
        1,
        "lender-9",
        7,
        bytes(range(32)),
    )
    assert read.former_logs("lender-1") == (former,)
    assert (read.incarnation("lender-1"), read.incarnation("lender-2"), read.incarnation("lender-9")) == (2, 1, 2)
    assert read.origin("lender-1") == log_origin(ID.hex(), "lender-1", 2)
    assert read.ended_key(former).name == log_origin(ID.hex(), "lender-1")
    assert read.cosigner_key("lender-1").name == read.origin("lender-1") + "/cosigner"
    again = render(after=manifest(3), epoch=3, ended=read.ended)
    assert parse_manifest(again).ended == read.ended
    assert (parse_manifest(again).epoch, parse_manifest(again).sequence) == (3, 1)


def test_a_founding_manifest_has_neither():
    assert refusal(TEXT + ended_block()) == ("UNKNOWN_KEY", "ended")
    assert refusal(TEXT.replace("name =", "epoch = 1\nname =", 1)) == ("UNKNOWN_KEY", "epoch")
    assert (manifest(3).epoch, manifest(3).ended) == (1, ())


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"log": '"lender-9.1"'}, ("BAD_INCARNATION", "ended[0].log")),
        ({"log": '"lender-9.2"'}, ("BAD_INCARNATION", "ended[0].log")),
        ({"log": '"lender-9.02"'}, ("BAD_DECIMAL", "ended[0].log")),
        ({"log": '"Lender"'}, ("BAD_NAME", "ended[0].log")),
        ({"log_key": f'"{encode_base64(bytes(32))}"'}, ("BAD_PUBLIC_KEY", "ended[0].log_key")),
        ({"size": "-1"}, ("OUT_OF_RANGE", "ended[0].size")),
        ({"size": "0"}, ("BAD_HASH", "ended[0].root")),
        ({"root": f'"{encode_base64(bytes(31))}"'}, ("BAD_HASH", "ended[0].root")),
        ({"size": ""}, ("MISSING_KEY", "ended[0].size")),
        ({"extra": "1"}, ("UNKNOWN_KEY", "ended[0].extra")),
        ({"log_key": f'"{encode_base64(MEMBERS[0].cosign_key)}"'}, ("SHARED_KEY", "ended")),
    ],
)
def test_an_ended_log_that_breaks_a_rule_is_refused_by_name(values, expected):
    assert refusal(successor() + ended_block(**values)) == expected


def test_no_two_ended_logs_share_a_key_and_a_members_end_in_order():
    second = {"log": '"lender-9.2"', "log_key": f'"{KEY_OF_TEN}"'}
    assert parse_manifest(successor() + ended_block() + ended_block(**second)).incarnation("lender-9") == 3
    assert refusal(successor() + ended_block() + ended_block(log='"lender-9.2"')) == ("SHARED_KEY", "ended[1].log_key")
    assert refusal(successor() + ended_block(**second) + ended_block()) == ("BAD_INCARNATION", "ended[0].log")
    third = {"log": '"lender-9.3"', "log_key": f'"{KEY_OF_TEN}"'}
    assert refusal(successor() + ended_block() + ended_block(**third)) == ("BAD_INCARNATION", "ended[1].log")
