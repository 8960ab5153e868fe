"""Which bytes are a sound entry, which field is to blame where not, and how a log files it."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plimsoll.v1 import entry_pb2 as pb

from ledger.chain.entries import (
    MAX_ENTRY,
    UNSOUND,
    Filing,
    Kind,
    answer_label,
    challenge_label,
    file_entry,
    kind_name,
    kind_of,
    parse_entry,
)
from ledger.chain.entry_wire import label_of_plain_position, only_kind
from ledger.errors import InvalidInput
from tests.ledger import sample_entries as sample

RNG = Random(4)
SOUND = {builder.__name__: builder(RNG) for builder in sample.BUILDERS}
SOUND |= {
    "closed position": sample.position(RNG, closed=True),
    "unknown kind": sample.unknown(RNG),
    **{f"position with a copy of {size}": sample.position(RNG, copy=size) for size in (2048, 8192, 32_768)},
}


def refusal(raw: bytes) -> tuple[str, str]:
    with pytest.raises(InvalidInput) as caught:
        parse_entry(raw)
    return caught.value.reason, caught.value.path


def test_kinds_are_the_field_numbers_of_the_schema_and_each_is_checked():
    fields = pb.Entry.DESCRIPTOR.oneofs_by_name["kind"].fields
    assert {field.name: field.number for field in fields} == {kind.name.lower(): kind.value for kind in Kind}
    assert {kind_of(parse_entry(builder(RNG))) for builder in sample.BUILDERS} == set(Kind)


def test_every_other_field_of_an_entry_is_a_number_as_only_kinds_may_be_length_delimited():
    kinds = {kind.name.lower() for kind in Kind}
    others = [field for field in pb.Entry.DESCRIPTOR.fields if field.name not in kinds]
    assert all(field.cpp_type != field.CPPTYPE_STRING and field.message_type is None for field in others)


@pytest.mark.parametrize("raw", SOUND.values(), ids=SOUND)
def test_sound_entries_parse_and_their_bytes_are_their_fields(raw):
    assert parse_entry(raw).SerializeToString() == raw


def test_an_unknown_kind_is_sound_but_of_no_kind_and_filed_under_its_number():
    raw = sample.unknown(RNG, 100)
    assert kind_of(parse_entry(raw)) is None
    assert file_entry(raw) == Filing(100, None)


def test_entries_that_are_looked_for_are_filed_under_their_label_and_others_by_kind_alone():
    for name, raw in SOUND.items():
        code, label = file_entry(raw)
        entry = parse_entry(raw)
        if "position" in name:
            assert (code, label) == (Kind.POSITION, entry.position.label)
        elif name == "inquiry":
            assert (code, label) == (Kind.INQUIRY, entry.inquiry.label)
        elif name == "challenge":
            named = entry.challenge
            assert (code, label) == (Kind.CHALLENGE, challenge_label(named.origin, named.index, named.leaf_hash))
        elif name == "challenge_answer":
            assert (code, label) == (Kind.CHALLENGE_ANSWER, answer_label(entry.challenge_answer.leaf_hash))
        elif name != "unknown kind":
            assert (kind_name(code), label) == (name, None)


def test_codes_have_names_for_people():
    names = ["unsound", "position", "challenge", "confirmation", "kind 100"]
    assert [kind_name(code) for code in (0, 2, 7, 15, 100)] == names


@pytest.mark.parametrize("raw", [b"", b"\x08", b"\xff" * 20, bytes(10), b"\x12\x05ab", b"plain text"])
def test_bytes_that_are_no_entry_are_refused_and_filed_as_unsound(raw):
    refusal(raw)
    assert file_entry(raw) == Filing(UNSOUND, None)


def test_an_entry_has_at_most_65535_bytes():
    body = sample.unknown(RNG)[:6]
    largest = body + b"\xa2\x06" + b"\xf4\xff\x03" + bytes(MAX_ENTRY - 11)
    assert len(largest) == MAX_ENTRY
    parse_entry(largest)
    assert refusal(body + b"\x3a" + b"\xf6\xff\x03" + bytes(MAX_ENTRY - 9)) == ("BAD_ENTRY_SIZE", "")


POSITION = SOUND["position"]


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (pb.Entry(time=5).SerializeToString(), "BAD_KIND"),
        (POSITION + sample.unknown(RNG)[6:], "BAD_KIND"),  # a later reader would see the other kind
        (sample.unknown(RNG)[6:] + POSITION, "BAD_KIND"),
        (POSITION + SOUND["inquiry"][6:], "BAD_KIND"),
        (POSITION + POSITION[6:], "BAD_KIND"),  # protobuf would merge the two
        (b"\x0a\x01a", "BAD_KIND"),  # the time, length-delimited
        (b"\x82\x10\x01a", "BAD_KIND"),  # number 256
        (b"\x08\x05\x4b\x4c", "BAD_ENTRY"),  # a group
        (POSITION + b"\x4b\x4c", "BAD_ENTRY"),
    ],
)
def test_an_entry_has_exactly_one_kind(raw, reason):
    assert refusal(raw) == (reason, "")
    assert file_entry(raw) == Filing(UNSOUND, None)


def test_the_largest_number_of_a_kind_is_255():
    assert file_entry(b"\x08\x05\xfa\x0f\x01a") == Filing(255, None)


def test_further_numbers_beside_the_kind_are_let_be():
    raw = POSITION + b"\x90\x01\x05" + b"\x99\x01" + bytes(8) + b"\x9d\x01" + bytes(4)
    assert file_entry(raw) == file_entry(POSITION)


SIZED = {
    "position": ["label", "records_digest", "sealed", "nonce_point", "bodies", "proof"],
    "inquiry": ["label", "consent_digest", "manifest", "heads_digest"],
    "evaluation": ["batch_digest"],
    "ready": ["ceremony", "hpke_key"],
    "dealing": [
        "ceremony",
        "readies_digest",
        "coordinates[3].commitments",
        "coordinates[7].possession",
        "sealed_shares",
    ],
    "close": ["ceremony", "dealings"],
    "complaint": ["ceremony", "close", "dealing"],
    "reveal": ["ceremony", "complaint", "shares"],
    "confirmation": ["ceremony", "close", "complaints", "reveals", "transcript"],
    "challenge": ["leaf_hash"],
    "challenge_answer": ["leaf_hash"],
}


def test_the_table_of_sized_fields_is_complete():
    for name, paths in SIZED.items():
        message = pb.Entry.DESCRIPTOR.fields_by_name[name].message_type
        assert message is not None
        sized = {field.name for field in message.fields if field.cpp_type == field.CPPTYPE_STRING}
        assert {path.split("[")[0] for path in paths} - {"coordinates"} == sized - RANGED.get(name, set())


RANGED = {"challenge": {"origin"}, "challenge_answer": {"proof"}}


@pytest.mark.parametrize(
    ("path", "bad", "good"),
    [
        ("challenge.origin", ["", "a" * 256, "\u2014" * 86], ["a", "a" * 255, "\u2014" * 85]),
        ("challenge_answer.proof", [b"", bytes(65_001)], [b"a", bytes(65_000)]),
    ],
)
def test_a_field_outside_its_range_of_sizes_is_named(path, bad, good):
    for value in bad + good:
        entry = parse_entry(SOUND[path.split(".")[0]])
        holder, name = reach(entry, path)
        setattr(holder, name, value)
        if value in bad:
            assert refusal(entry.SerializeToString()) == ("BAD_LENGTH", path)
        else:
            parse_entry(entry.SerializeToString())


def test_an_inquiry_names_no_size_that_settles_more_than_it_uses_and_all_or_none():
    for settled, answer in ([4, 0, 0], ("OUT_OF_RANGE", "inquiry.settled[0]")), ([1], ("BAD_COUNT", "inquiry.settled")):
        entry = parse_entry(SOUND["inquiry"])
        entry.inquiry.settled[:] = settled
        assert refusal(entry.SerializeToString()) == answer
    entry.inquiry.settled[:] = []
    parse_entry(entry.SerializeToString())


def reach(entry, path):
    """(the message that holds the last field of the path, that field's name)."""
    *way, last = path.replace("[", ".").replace("]", "").split(".")
    for step in way:
        entry = entry[int(step)] if step.isdigit() else getattr(entry, step)
    return entry, last


@pytest.mark.parametrize("change", [lambda raw: raw[:-1], lambda raw: raw + b"\0", lambda raw: b""])
@pytest.mark.parametrize("path", [f"{name}.{path}" for name, paths in SIZED.items() for path in paths])
def test_a_field_of_the_wrong_size_is_named(path, change):
    entry = parse_entry(SOUND[path.split(".")[0]])
    holder, name = reach(entry, path)
    value = getattr(holder, name)
    if isinstance(value, bytes):
        setattr(holder, name, change(value))
    else:
        value[1] = change(value[1])
        path += "[1]"
    raw = entry.SerializeToString()
    assert refusal(raw) == ("BAD_LENGTH", path)
    assert file_entry(raw) == Filing(UNSOUND, None)


COUNTED = [
    "position.bodies", "dealing.coordinates", "dealing.coordinates[3].commitments", "reveal.shares",
]  # fmt: skip


@pytest.mark.parametrize("change", [lambda values: values[:-1], lambda values: [*values, values[0]], lambda values: []])
@pytest.mark.parametrize("path", COUNTED)
def test_a_list_of_the_wrong_length_is_named(path, change):
    entry = parse_entry(SOUND[path.split(".")[0]])
    holder, name = reach(entry, path)
    values = list(getattr(holder, name))
    holder.ClearField(name)
    getattr(holder, name).extend(change(values))
    assert refusal(entry.SerializeToString()) == ("BAD_COUNT", path)


@pytest.mark.parametrize(
    "path", ["inquiry.sizes", "dealing.coordinates[0].commitments", "dealing.sealed_shares", "close.dealings"]
)
def test_a_list_that_must_not_be_empty_is_named(path):
    entry = parse_entry(SOUND[path.split(".")[0]])
    holder, name = reach(entry, path)
    holder.ClearField(name)
    assert refusal(entry.SerializeToString()) == ("BAD_COUNT", path)


@pytest.mark.parametrize("name", ["complaints", "reveals"])
def test_a_confirmation_lists_leaf_hashes_in_ascending_order_each_once(name):
    for order in ([1, 0], [0, 0]):
        entry = parse_entry(SOUND["confirmation"])
        hashes = getattr(entry.confirmation, name)
        hashes[:] = [hashes[number] for number in order]
        assert refusal(entry.SerializeToString()) == ("BAD_ORDER", f"confirmation.{name}[1]")


@pytest.mark.parametrize("field", ["nonce_point", "bodies", "proof"])
def test_a_closed_position_has_no_ciphertext(field):
    open_, closed = parse_entry(POSITION), parse_entry(SOUND["closed position"])
    if field == "bodies":
        closed.position.bodies.extend(open_.position.bodies)
    else:
        setattr(closed.position, field, getattr(open_.position, field))
    assert refusal(closed.SerializeToString())[1] == f"position.{field}"
    open_.position.closed = True
    assert refusal(open_.SerializeToString())[1] == "position.nonce_point"


@pytest.mark.parametrize("purpose", [0, 6, 200, -1])
def test_an_inquirys_purpose_is_one_of_the_five(purpose):
    entry = parse_entry(SOUND["inquiry"])
    entry.inquiry.purpose = purpose
    assert refusal(entry.SerializeToString()) == ("BAD_PURPOSE", "inquiry.purpose")


@pytest.mark.parametrize("count", [0, 4097, 2**32 - 1])
def test_an_evaluation_counts_1_to_4096(count):
    entry = parse_entry(SOUND["evaluation"])
    entry.evaluation.count = count
    assert refusal(entry.SerializeToString()) == ("OUT_OF_RANGE", "evaluation.count")
    entry.evaluation.count = 4096
    parse_entry(entry.SerializeToString())


@given(st.binary(max_size=60))
def test_any_bytes_are_an_entry_or_refused(raw):
    try:
        parse_entry(raw)
    except InvalidInput:
        assert file_entry(raw) == Filing(UNSOUND, None)
    else:
        assert file_entry(raw).code == only_kind(raw) != UNSOUND


def filed_by_parsing(raw: bytes) -> Filing:
    try:
        entry = parse_entry(raw)
    except InvalidInput:
        return Filing(UNSOUND, None)
    kind = entry.WhichOneof("kind")
    if kind == "challenge":
        named = entry.challenge
        return Filing(only_kind(raw), challenge_label(named.origin, named.index, named.leaf_hash))
    if kind == "challenge_answer":
        return Filing(only_kind(raw), answer_label(entry.challenge_answer.leaf_hash))
    return Filing(only_kind(raw), getattr(getattr(entry, kind or "", None), "label", None))


edits = st.tuples(st.integers(0, 3), st.integers(0, 10**6), st.binary(min_size=1, max_size=3))


@settings(max_examples=500)
@given(st.sampled_from(list(SOUND.values())), st.lists(edits, max_size=3))
def test_the_shortcut_for_plain_positions_never_differs_from_parsing(raw, changes):
    """Edits gather at the start, where the lengths stand."""
    for how, where, new in changes:
        at = where % (40 if where & 1 else len(raw))
        raw = raw[:at] + (new if how else b"") + raw[at + (how != 1) * len(new) :]
    assert file_entry(raw) == filed_by_parsing(raw)


@pytest.mark.parametrize("name", [name for name in SOUND if "position" in name])
def test_the_shortcut_takes_the_positions_that_our_encoder_writes_and_that_are_open(name):
    label = label_of_plain_position(SOUND[name])
    assert label == (None if name.startswith("closed") else parse_entry(SOUND[name]).position.label)


@pytest.mark.parametrize("wrong", [1, -1, 128])
def test_the_shortcut_does_not_take_a_position_whose_length_is_another(wrong):
    raw = bytearray(POSITION)
    raw[7] += wrong if wrong != 128 else 0
    raw[8:9] = bytes([raw[8] | 0x80, 0]) if wrong == 128 else raw[8:9]
    assert label_of_plain_position(bytes(raw)) is None
