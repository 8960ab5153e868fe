"""C2SP tlog-witness: a head is cosigned if it extends what was cosigned before, and each refusal has its own status."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.chain.memory_store import Fault, MemoryStore
from ledger.chain.own_log import OwnLog
from ledger.chain.store import StoreConflict
from ledger.errors import InvalidInput, NotFound, PlimsollError, Refused, Unready, Unverified
from ledger.strict import encode_base64
from ledger.tlog import merkle
from ledger.tlog.checkpoint import Head, open_head, sign_head
from ledger.tlog.cosignature import Cosigner, verify_cosignature
from ledger.tlog.note import Note, SignatureLine, Signer, parse_note
from ledger.tlog.tlog_witness import (
    MAX_REQUEST,
    AddCheckpoint,
    ForeignWitness,
    OldSize,
    Remembered,
    parse_add_checkpoint,
    parse_lines,
    parse_size,
    render_lines,
    render_size,
)
from ledger.witnessing.fork import Fork
from ledger.witnessing.witness import Witness
from tests.ledger.witnesses import AUTHOR, chain_of, cosigner, head_of, history, signer
from tests.lenders import manifest

LOG = Signer.from_seed("log.example/rome", bytes(range(32)))
OTHER = Signer.from_seed("log.example/rome", bytes(range(1, 33)))
MINE = Cosigner.from_seed("plimsoll/me/cosigner", bytes([7]) * 32)
TIME = 1_700_000_000
LEAVES = [merkle.leaf_hash(b"%d" % number) for number in range(600)]
FORKED = [*LEAVES[:4], *(merkle.leaf_hash(b"other %d" % number) for number in range(596))]


def note_at(size: int, leaves: list[bytes] = LEAVES, log: Signer = LOG) -> Note:
    return sign_head(Head(log.key.name, size, merkle.root_of(leaves[:size])), log).note


def proof(old: int, new: int, leaves: list[bytes] = LEAVES) -> tuple[bytes, ...]:
    if old == 0:
        return ()
    return merkle.consistency_path(old, new, lambda level, n: merkle.root_of(leaves[n << level : (n + 1) << level]))


def body(old: int, new: int, leaves: list[bytes] = LEAVES, note: Note | None = None) -> bytes:
    lines = "".join(f"{encode_base64(one)}\n" for one in proof(old, new, leaves))
    return f"old {old}\n{lines}\n".encode() + (note or note_at(new, leaves)).encode()


def request(old: int, new: int, leaves: list[bytes] = LEAVES, note: Note | None = None) -> AddCheckpoint:
    return parse_add_checkpoint(body(old, new, leaves, note))


def witness(store: MemoryStore | None = None, lock: threading.Lock | None = None) -> ForeignWitness:
    return ForeignWitness(MemoryStore() if store is None else store, [LOG.key], MINE, lock)


# -- reading


def test_a_request_is_read_and_written_back_as_it_was():
    raw = body(5, 300)
    found = parse_add_checkpoint(raw)
    assert (found.old_size, found.size, found.origin) == (5, 300, "log.example/rome")
    assert found.proof == proof(5, 300)
    assert found.encode() == raw


HASH = encode_base64(bytes(32)).encode()
GOOD = body(0, 3)
HEAD = note_at(3).encode()

BAD = {
    "nothing": b"",
    "only an old size": b"old 0\n",
    "no empty line": b"old 0\n" + HEAD.replace(b"\n\n", b"\n"),
    "no head": b"old 0\n\n",
    "no old size": b"\n" + HEAD,
    "another word": b"new 0\n\n" + HEAD,
    "a capital": b"Old 0\n\n" + HEAD,
    "two spaces": b"old  0\n\n" + HEAD,
    "a tab": b"old\t0\n\n" + HEAD,
    "a space behind": b"old 0 \n\n" + HEAD,
    "a leading zero": b"old 00\n\n" + HEAD,
    "a sign": b"old +0\n\n" + HEAD,
    "a negative": b"old -0\n\n" + HEAD,
    "an underscore": b"old 1_0\n\n" + HEAD,
    "arabic digits": "old ٣\n\n".encode() + HEAD,
    "hex": b"old 0x1\n\n" + HEAD,
    "a fraction": b"old 1.0\n\n" + HEAD,
    "no number": b"old \n\n" + HEAD,
    "beyond 63 bits": b"old 9223372036854775808\n\n" + HEAD,
    "a thousand digits": b"old " + b"9" * 1000 + b"\n\n" + HEAD,
    "CRLF": GOOD.replace(b"\n", b"\r\n"),
    "CR in front": b"old 0\r\n\n" + HEAD,
    "a byte order mark": b"\xef\xbb\xbf" + GOOD,
    "64 hashes": b"old 1\n" + (HASH + b"\n") * 64 + b"\n" + HEAD,
    "a short hash": b"old 1\n" + encode_base64(bytes(31)).encode() + b"\n\n" + HEAD,
    "a long hash": b"old 1\n" + encode_base64(bytes(33)).encode() + b"\n\n" + HEAD,
    "a hash without padding": b"old 1\n" + HASH.rstrip(b"=") + b"\n\n" + HEAD,
    "a respelled hash": b"old 1\n" + HASH[:-2] + b"B=\n\n" + HEAD,
    "a url-safe hash": b"old 1\n" + b"-" * 43 + b"=\n\n" + HEAD,
    "a space in a hash": b"old 1\n" + HASH[:-1] + b" \n\n" + HEAD,
    "an old size twice": b"old 0\nold 0\n\n" + HEAD,
    "an extension line": b"old 0\n\n" + sign_head(Head("log.example/rome", 0, merkle.EMPTY_ROOT), LOG).note.encode()
    .replace(b"=\n\n", b"=\nmore\n\n"),
    "a head without signatures": b"old 0\n\n" + HEAD.partition(b"\n\n")[0] + b"\n\n",
    "a head whose size has a zero ahead": GOOD.replace(b"\n3\n", b"\n03\n"),
    "a head with a short root": b"old 0\n\nlog.example/rome\n3\nAAAA\n\n" + HEAD.partition(b"\n\n")[2],
    "an empty tree with a short root": b"old 0\n\nlog.example/rome\n0\nAAAA\n\n" + HEAD.partition(b"\n\n")[2],
    "an origin with a space": GOOD.replace(b"log.example/rome\n", b"log example\n", 1),
    "something behind": GOOD + b"x",
    "an empty line behind": GOOD + b"\n",
    "not UTF-8": GOOD.replace(b"log.example", b"log.\xff"),
    "a zero byte": GOOD.replace(b"log.example", b"log.\x00"),
    "a line separator": GOOD.replace(b"old 0\n", "old 0\u2028".encode()),
    "too large": GOOD + b"\xe2\x80\x94 a AAAAAAAA\n" * (MAX_REQUEST // 16),
    "257 signatures": GOOD + b"\xe2\x80\x94 a AAAAAAAA\n" * 256,
}  # fmt: skip


@pytest.mark.parametrize("raw", BAD.values(), ids=BAD.keys())
def test_what_is_no_request_is_refused_as_such(raw):
    with pytest.raises(InvalidInput):
        parse_add_checkpoint(raw)


def test_63_hashes_are_read():
    assert len(parse_add_checkpoint(b"old 1\n" + (HASH + b"\n") * 63 + b"\n" + HEAD).proof) == 63


@settings(max_examples=200)
@given(st.binary(max_size=300) | st.text(max_size=200).map(str.encode))
def test_arbitrary_bytes_are_refused_and_nothing_else_happens(raw):
    for text in (raw, b"old 0\n\n" + raw, b"old 3\n" + raw + b"\n" + HEAD):
        try:
            assert parse_add_checkpoint(text).encode()
        except InvalidInput:
            continue


# -- cosigning


def test_a_log_is_followed_from_nothing():
    one = witness()
    for old, new in [(0, 0), (0, 3), (3, 3), (3, 4), (4, 256), (256, 600)]:
        line = one.add(request(old, new), TIME + new)
        assert verify_cosignature(note_at(new).text, line, MINE.key) == TIME + new
        last = one.last("log.example/rome")
        assert last is not None
        assert (last.size, last.time) == (new, TIME + new)


def test_the_answer_is_a_note_of_the_head_once_it_is_put_behind_it():
    one = witness()
    lines = render_lines([one.add(request(0, 7), TIME)])
    signed = open_head(note_at(7).encode() + lines, LOG.key, [MINE.key])
    assert [cosignature.time for cosignature in signed.cosignatures] == [TIME]
    assert parse_lines(lines) == tuple(parse_note(note_at(7).encode() + lines).signatures[1:])


def test_what_others_have_signed_is_ignored_and_not_kept():
    one = witness()
    stranger = Cosigner.from_seed("stranger", bytes([9]) * 32)
    note = note_at(3)
    one.add(request(0, 3, note=note.with_signatures([stranger.cosign(note.text, 1)])), TIME)
    found = one.checkpoint("log.example/rome")
    assert found is not None
    assert [line.name for line in parse_note(found).signatures] == ["log.example/rome", MINE.key.name]


def test_monitors_get_the_cosignature_that_was_answered():
    one = witness()
    assert one.checkpoint("log.example/rome") is None
    line = one.add(request(0, 3), TIME)
    assert one.checkpoint("log.example/rome") == note_at(3).with_signatures([line]).encode()


def refusal(one: ForeignWitness, asked: AddCheckpoint) -> PlimsollError:
    with pytest.raises(PlimsollError) as caught:
        one.add(asked, TIME)
    return caught.value


def test_an_origin_nobody_knows_is_not_found():
    stranger = Signer.from_seed("log.example/oslo", bytes(range(32)))
    assert isinstance(refusal(witness(), request(0, 3, note=note_at(3, log=stranger))), NotFound)


def test_a_head_that_its_log_has_not_signed_is_forbidden():
    one = witness()
    assert isinstance(refusal(one, request(0, 3, note=note_at(3, log=OTHER))), Refused)
    # The right key's name and id, and a signature that fails beside one that holds.
    good = note_at(3)
    line = good.signatures[0]
    bad = SignatureLine(line.name, line.key_id, line.payload[:-1] + bytes([line.payload[-1] ^ 1]))
    for lines in ((bad,), (line, bad), (bad, line)):
        assert isinstance(refusal(one, request(0, 3, note=Note(good.text, lines))), Refused)
    assert one.last("log.example/rome") is None


def test_an_old_size_above_the_heads_is_a_bad_request():
    one = witness()
    asked = parse_add_checkpoint(b"old 4\n\n" + HEAD)
    assert isinstance(refusal(one, asked), InvalidInput)


def test_another_old_size_than_the_last_is_a_conflict_that_tells_the_last():
    one = witness()
    assert refusal(one, request(2, 5)).size == 0  # type: ignore[attr-defined]
    one.add(request(0, 5), TIME)
    for old, new in [(0, 9), (4, 9), (6, 9), (0, 5), (0, 3), (3, 4)]:
        found = refusal(one, request(old, new))
        assert isinstance(found, OldSize)
        assert found.size == 5
        assert parse_size(render_size(found.size)) == 5


def test_a_proof_that_does_not_join_is_unprocessable():
    one = witness()
    one.add(request(0, 5), TIME)
    good = proof(5, 9)
    flipped = [tuple(h if n != k else bytes([h[0] ^ 1]) + h[1:] for n, h in enumerate(good)) for k in range(len(good))]
    for bad in [(), good[:-1], (*good, bytes(32)), tuple(reversed(good)), *flipped]:
        asked = AddCheckpoint(5, bad, LOG.key.name, 9, merkle.root_of(LEAVES[:9]), note_at(9))
        found = refusal(one, asked)
        assert (type(found), found.reason) == (Unverified, "BAD_PROOF")
    assert isinstance(refusal(one, request(5, 9, FORKED)), Unverified)
    assert one.add(request(5, 9), TIME)


def test_a_proof_from_nothing_is_empty():
    asked = AddCheckpoint(0, (bytes(32),), LOG.key.name, 9, merkle.root_of(LEAVES[:9]), note_at(9))
    assert isinstance(refusal(witness(), asked), Unverified)


def test_one_size_has_one_root():
    one = witness()
    one.add(request(0, 5), TIME)
    assert isinstance(refusal(one, request(5, 5, FORKED)), Unverified)


def test_the_empty_tree_has_one_root_and_that_is_looked_at_after_the_old_size():
    text = f"log.example/rome\n0\n{encode_base64(bytes(32))}\n"
    asked = parse_add_checkpoint(b"old 0\n\n" + Note(text, (LOG.sign(text),)).encode())
    one = witness()
    assert isinstance(refusal(one, asked), Unverified)
    one.add(request(0, 5), TIME)
    assert isinstance(refusal(one, asked), OldSize)


def test_of_several_faults_the_first_of_the_specification_is_told():
    one = witness()
    one.add(request(0, 5), TIME)
    oslo = Signer.from_seed("log.example/oslo", bytes(range(32)))
    assert isinstance(refusal(one, request(2, 9, FORKED, note_at(9, FORKED, OTHER))), Refused)
    assert isinstance(refusal(one, request(2, 9, FORKED, note_at(9, FORKED, oslo))), NotFound)
    assert isinstance(refusal(one, parse_add_checkpoint(b"old 9\n\n" + note_at(8, FORKED).encode())), InvalidInput)
    assert isinstance(refusal(one, request(2, 9, FORKED)), OldSize)


# -- what is remembered


def test_a_restarted_witness_goes_on_where_it_was():
    store = MemoryStore()
    witness(store).add(request(0, 5), TIME)
    again = witness(store)
    assert isinstance(refusal(again, request(0, 9, FORKED)), OldSize)
    assert again.add(request(5, 9), TIME)


@pytest.mark.parametrize("fault", Fault)
def test_where_the_write_fails_nobody_has_a_line_and_what_was_kept_counts(fault):
    store = MemoryStore(faults={0: fault})
    one = witness(store)
    with pytest.raises(Unready):
        one.add(request(0, 5), TIME)
    if fault is Fault.LOST:
        assert one.add(request(0, 9, FORKED), TIME)
        return
    # The machine may have died between the write and the answer: the other history is refused all the same.
    assert isinstance(refusal(witness(store), request(0, 9, FORKED)), OldSize)
    assert witness(store).add(request(5, 5), TIME)


def test_of_two_processes_over_one_store_the_slower_is_refused():
    store = MemoryStore()

    class Slow(MemoryStore):
        """Somebody else writes between reading and writing."""

        def get(self, key):
            found = store.get(key)
            if not other_has_written:
                other_has_written.append(True)
                witness(store).add(request(0, 9, FORKED), TIME)
            return found

        def write(self, puts, *, sync=True, expect=None):
            store.write(puts, sync=sync, expect=expect)

    other_has_written: list[bool] = []
    with pytest.raises(StoreConflict):
        witness(Slow()).add(request(0, 5), TIME)
    last = witness(store).last("log.example/rome")
    assert last is not None
    assert last.size == 9


def test_of_many_at_once_each_extends_the_one_before():
    store = MemoryStore(lock=threading.RLock())
    one = witness(store, threading.Lock())
    cosigned: list[tuple[int, int]] = []

    def push(branch: list[bytes]) -> None:
        old = 0
        for new in range(1, 40):
            try:
                one.add(request(old, new, branch), TIME)
            except OldSize as told:
                old = told.size
                continue
            except (Unverified, InvalidInput):
                return
            cosigned.append((old, new))
            old = new

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(push, [LEAVES, LEAVES, FORKED, LEAVES]))
    last = one.last("log.example/rome")
    assert last is not None
    olds = [old for old, new in cosigned if new > old]
    assert len(olds) == len(set(olds)), "two heads extend one"
    assert last.size == max(new for _, new in cosigned)


def test_a_record_that_has_rotted_is_not_built_on():
    store = MemoryStore()
    witness(store).add(request(0, 5), TIME)
    key = b"xlog.example/rome"
    raw = store.get(key)
    assert raw is not None
    assert Remembered.decode(raw).encode() == raw
    for rotten in (b"", raw[:48], raw[:15] + b"\x06" + raw[16:], raw[:20] + b"\xff" + raw[21:], raw[:-3]):
        with pytest.raises(Unverified):
            witness(MemoryStore({key: rotten})).add(request(5, 9), TIME)


def test_each_log_has_one_key_that_signs_notes():
    for keys in ([LOG.key, OTHER.key], [MINE.key]):
        with pytest.raises(InvalidInput):
            ForeignWitness(MemoryStore(), keys, MINE)


# -- answers


@pytest.mark.parametrize("raw", [b"", b"5", b"05\n", b"5\n\n", b"+5\n", b"5\r\n", b"9223372036854775808\n", b"5" * 40])
def test_a_size_has_one_spelling(raw):
    with pytest.raises(InvalidInput):
        parse_size(raw)


LINE = b"\xe2\x80\x94 a AAAAAAAA\n"


@pytest.mark.parametrize("raw", [b"", b"\n", b"x\n", b"\xff\n", LINE[:-1], LINE + b"\n", LINE * 257])
def test_lines_are_signature_lines(raw):
    with pytest.raises(InvalidInput):
        parse_lines(raw)


# -- logs of one's own consortium: one memory, whatever way a head comes

MANIFEST = manifest(5)
ORIGIN = MANIFEST.origin(AUTHOR)


def member_witness(store: MemoryStore, size: int, lock: threading.Lock | None = None) -> Witness:
    chain = chain_of(MANIFEST, store)
    log = chain.log(AUTHOR)
    if log.size < size:
        OwnLog(log, signer(1)).append(history(size)[log.size :])
    return Witness(store, chain, cosigner(2, MANIFEST), lock)


def member_request(old: int, new: int, branch: int = 0) -> AddCheckpoint:
    entries = history(new, branch)
    leaves = [merkle.leaf_hash(entry) for entry in entries]
    signed = head_of(entries, MANIFEST)
    return parse_add_checkpoint(body(old, new, leaves, signed.note))


def test_a_members_log_is_cosigned_over_http_as_by_its_peers():
    store = MemoryStore()
    one = member_witness(store, 9)
    line = one.extend(member_request(0, 5), TIME)
    assert verify_cosignature(head_of(history(5), MANIFEST).note.text, line, MANIFEST.cosigner_key("lender-2")) == TIME
    last = one.last(ORIGIN)
    assert last is not None
    assert last.head.size == 5


def test_what_was_cosigned_on_one_way_is_known_on_the_other():
    store = MemoryStore()
    one = member_witness(store, 9)
    (line,) = one.cosign([head_of(history(7), MANIFEST)], TIME)
    assert isinstance(line, SignatureLine)
    with pytest.raises(OldSize) as caught:
        one.extend(member_request(0, 9), TIME)
    assert caught.value.size == 7
    assert one.extend(member_request(7, 9), TIME)
    (error,) = one.cosign([head_of(history(7), MANIFEST)], TIME)
    assert isinstance(error, PlimsollError)
    assert error.reason == "WENT_BACK"


def test_a_members_other_history_is_not_cosigned_though_its_proof_is_good():
    store = MemoryStore()
    one = member_witness(store, 9)
    with pytest.raises(Unverified) as caught:
        one.extend(member_request(0, 5, 1), TIME)
    assert caught.value.reason == "OTHER_ROOT"
    assert one.last(ORIGIN) is None


def test_a_members_entries_must_be_held():
    with pytest.raises(Unready) as caught:
        member_witness(MemoryStore(), 5).extend(member_request(0, 9), TIME)
    assert caught.value.reason == "LACKS_ENTRIES"


@pytest.mark.parametrize("fault", Fault)
def test_where_the_shared_memory_fails_to_write_there_is_no_line(fault):
    store = MemoryStore()
    held = member_witness(store, 9)
    held.extend(member_request(0, 3), TIME)
    store._faults = {store.writes: fault}
    with pytest.raises(Unready):
        held.extend(member_request(3, 5), TIME)
    size = 3 if fault is Fault.LOST else 5
    assert held.extend(member_request(size, 9), TIME)


def test_by_both_ways_at_once_no_two_cosigned_heads_conflict_and_none_goes_back():
    store = MemoryStore(lock=threading.RLock())
    one = member_witness(store, 30, threading.Lock())
    seen: list[tuple[int, bytes]] = []
    write = store.write

    def watched(puts, *, sync=True, expect=None):
        puts = list(puts)
        write(puts, sync=sync, expect=expect)
        last = Witness(store, chain_of(MANIFEST, store), cosigner(2, MANIFEST)).last(ORIGIN)
        assert last is not None
        seen.append((last.head.size, last.head.root))

    store.write = watched  # type: ignore[method-assign]

    def by_peers(branch: int) -> None:
        for size in range(1, 31):
            one.cosign([head_of(history(size, branch), MANIFEST)], TIME)

    def by_http(branch: int) -> None:
        old = 0
        for size in range(1, 31):
            try:
                one.extend(member_request(min(old, size), size, branch), TIME)
                old = size
            except OldSize as told:
                old = told.size
            except (PlimsollError, Fork):
                continue

    with ThreadPoolExecutor(4) as threads:
        for done in [threads.submit(way, branch) for way in (by_peers, by_http) for branch in (0, 1)]:
            done.result()
    sizes = [size for size, _ in seen]
    assert sizes == sorted(sizes)
    assert sizes[-1] == 30
    assert all(root == head_of(history(size), MANIFEST).head.root for size, root in seen)
