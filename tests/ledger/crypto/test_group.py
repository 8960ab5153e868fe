"""ristretto255: the RFC's vectors, agreement with plain integers, and what is refused."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.crypto import group
from ledger.crypto.group import BASE, IDENTITY, ONE, ORDER, ZERO, L
from ledger.errors import InvalidInput
from tests.ledger import rfc9496
from tests.ledger.group_strategies import integers, points, scalars, seeded

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "ristretto255_rfc9496.json").read_text())
ROOT = Path(__file__).parents[3]
BAD_POINT = bytes.fromhex("01" + "00" * 31)


def reference(point: bytes) -> rfc9496.Coordinates:
    coordinates = rfc9496.decode(point)
    assert coordinates is not None
    return coordinates


# The standard


@pytest.mark.parametrize(("factor", "encoding"), list(enumerate(VECTORS["multiples_of_base"])))
def test_multiples_of_the_base_are_the_rfcs(factor: int, encoding: str) -> None:
    scalar = group.scalar_from_int(factor)
    assert group.mul_base(scalar).hex() == encoding
    assert group.mul(scalar, BASE).hex() == encoding
    assert group.sum_points([BASE] * factor).hex() == encoding


@pytest.mark.parametrize("encoding", [bad for kind in VECTORS["bad_encodings"].values() for bad in kind])
def test_the_rfcs_bad_encodings_are_refused(encoding: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        group.decode_point(bytes.fromhex(encoding), "point", allow_identity=True)
    assert (caught.value.reason, caught.value.path) == ("BAD_POINT", "point")


@pytest.mark.parametrize("vector", VECTORS["one_way_map"], ids=lambda vector: vector["label"])
def test_the_one_way_map_is_the_rfcs(vector: dict[str, str]) -> None:
    uniform = hashlib.sha512(vector["label"].encode()).digest()
    assert group.point_from_uniform(uniform).hex() == vector["encoding"]


@given(scalars)
def test_an_element_has_one_encoding_only_although_libsodium_ignores_the_top_bit(scalar: bytes) -> None:
    point = bytearray(group.mul_base(scalar))
    point[31] |= 0x80
    with pytest.raises(InvalidInput):
        group.decode_point(bytes(point), allow_identity=True)


# Agreement with plain integers


@settings(max_examples=25)
@given(integers, integers)
def test_point_arithmetic_agrees_with_the_rfc_in_plain_integers(a: int, b: int) -> None:
    p, q = group.mul_base(group.scalar_from_int(a)), group.mul_base(group.scalar_from_int(b))
    left, right = reference(p), reference(q)
    assert p == rfc9496.encode(rfc9496.mul(a, rfc9496.BASE))
    assert group.mul(group.scalar_from_int(b), p) == rfc9496.encode(rfc9496.mul(b, left))
    assert group.add(p, q) == rfc9496.encode(rfc9496.add(left, right))
    assert group.sub(p, q) == rfc9496.encode(rfc9496.add(left, rfc9496.negate(right)))


@given(integers, integers)
def test_scalar_arithmetic_agrees_with_integers_mod_the_order(a: int, b: int) -> None:
    x, y = group.scalar_from_int(a), group.scalar_from_int(b)
    as_int = group.int_from_scalar
    assert as_int(x) == a
    assert as_int(group.scalar_add(x, y)) == (a + b) % L
    assert as_int(group.scalar_sub(x, y)) == (a - b) % L
    assert as_int(group.scalar_mul(x, y)) == a * b % L
    assert as_int(group.scalar_neg(x)) == -a % L
    if a:
        assert as_int(group.scalar_invert(x)) == pow(a, -1, L)


@given(st.binary(min_size=64, max_size=64))
def test_wide_scalars_are_reduced_like_integers(wide: bytes) -> None:
    assert group.int_from_scalar(group.scalar_reduce(wide)) == int.from_bytes(wide, "little") % L


@settings(max_examples=25)
@given(st.lists(st.tuples(scalars, points), max_size=5))
def test_a_linear_combination_is_the_sum_of_its_products(terms: list[tuple[bytes, bytes]]) -> None:
    expected = rfc9496.IDENTITY
    for scalar, point in terms:
        expected = rfc9496.add(expected, rfc9496.mul(group.int_from_scalar(scalar), reference(point)))
    assert group.lincomb([s for s, _ in terms], [p for _, p in terms]) == rfc9496.encode(expected)


# Zero and the identity


@given(scalars, points)
def test_zero_and_the_identity_behave_as_in_any_group(scalar: bytes, point: bytes) -> None:
    assert group.mul(ZERO, point) == group.mul(scalar, IDENTITY) == group.mul_base(ZERO) == IDENTITY
    assert group.mul(ONE, point) == group.add(point, IDENTITY) == group.sub(point, IDENTITY) == point
    assert group.sub(point, point) == IDENTITY
    assert group.add(point, group.mul(group.scalar_neg(ONE), point)) == IDENTITY
    assert group.scalar_add(scalar, group.scalar_neg(scalar)) == ZERO


def test_no_points_add_up_to_the_identity() -> None:
    assert group.sum_points([]) == group.lincomb([], []) == IDENTITY


def test_the_identity_decodes_only_where_it_is_allowed() -> None:
    assert group.decode_point(IDENTITY, allow_identity=True) == IDENTITY
    with pytest.raises(InvalidInput) as caught:
        group.decode_point(IDENTITY, "public_keys[3]")
    assert (caught.value.reason, caught.value.path) == ("IDENTITY_POINT", "public_keys[3]")


def test_zero_decodes_unless_it_is_ruled_out_and_has_no_inverse() -> None:
    assert group.decode_scalar(ZERO) == ZERO
    with pytest.raises(InvalidInput) as caught:
        group.decode_scalar(ZERO, "blind", nonzero=True)
    assert (caught.value.reason, caught.value.path) == ("ZERO_SCALAR", "blind")
    with pytest.raises(InvalidInput):
        group.scalar_invert(ZERO)


# Outside bytes


@given(st.binary(max_size=70))
def test_decoding_gives_back_the_same_bytes_or_refuses(raw: bytes) -> None:
    for decode, valid in (
        (lambda: group.decode_point(raw, allow_identity=True), rfc9496.decode(raw) is not None),
        (lambda: group.decode_scalar(raw), len(raw) == 32 and int.from_bytes(raw, "little") < L),
    ):
        if valid:
            assert decode() == raw
        else:
            with pytest.raises(InvalidInput):
                decode()


@pytest.mark.parametrize("value", [L, L + 1, 2 * L, 2**252 * 2, 2**255, 2**256 - 1])
def test_scalars_from_the_order_on_are_refused(value: int) -> None:
    with pytest.raises(InvalidInput) as caught:
        group.decode_scalar(value.to_bytes(32, "little"), "response")
    assert (caught.value.reason, caught.value.path) == ("BAD_SCALAR", "response")


def test_the_largest_scalar_is_accepted() -> None:
    assert L.to_bytes(32, "little") == ORDER
    assert group.int_from_scalar(group.decode_scalar((L - 1).to_bytes(32, "little"))) == L - 1


CALLS: list[Callable[[bytes], object]] = [
    lambda raw: group.add(raw, BASE),
    lambda raw: group.add(BASE, raw),
    lambda raw: group.sub(raw, BASE),
    lambda raw: group.sub(BASE, raw),
    lambda raw: group.mul(ONE, raw),
    lambda raw: group.mul(raw, BASE),
    group.mul_base,
    lambda raw: group.scalar_add(raw, ONE),
    lambda raw: group.scalar_add(ONE, raw),
    lambda raw: group.scalar_sub(raw, ONE),
    lambda raw: group.scalar_sub(ONE, raw),
    lambda raw: group.scalar_mul(raw, ONE),
    lambda raw: group.scalar_mul(ONE, raw),
    group.scalar_neg,
    group.scalar_invert,
]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_no_operation_reads_beyond_or_short_of_32_bytes(call: Callable[[bytes], object], size: int) -> None:
    with pytest.raises(InvalidInput):
        call(b"\x01" * size)


@pytest.mark.parametrize("call", [group.scalar_reduce, group.point_from_uniform])
@pytest.mark.parametrize("size", [0, 32, 63, 65])
def test_wide_inputs_are_64_bytes(call: Callable[[bytes], bytes], size: int) -> None:
    with pytest.raises(InvalidInput):
        call(bytes(size))


@pytest.mark.parametrize("call", CALLS[:5])
def test_arithmetic_on_a_malformed_point_never_gives_a_result(call: Callable[[bytes], object]) -> None:
    with pytest.raises(InvalidInput):
        call(BAD_POINT)


# Hashing and nonces


def test_hashing_to_a_scalar_is_sha512_of_the_frame_mod_the_order() -> None:
    framed = b"".join([(1).to_bytes(8, "big"), b"d", (2).to_bytes(8, "big"), b"ab", (7).to_bytes(8, "big"), bytes(8)])
    expected = int.from_bytes(hashlib.sha512(framed).digest(), "little") % L
    assert group.int_from_scalar(group.hash_to_scalar("d", b"ab", 7, b"")) == expected


def test_a_hedged_nonce_depends_on_each_of_its_inputs() -> None:
    base: tuple[str, bytes, bytes, bytes, int] = ("domain", b"secret", bytes(32), b"context", 1)
    others = [
        ("other", *base[1:]),
        (base[0], b"Secret", *base[2:]),
        (*base[:2], b"\x01" * 32, *base[3:]),
        (*base[:3], b"Context", 1),
        (*base[:4], 2),
    ]
    nonces = {group.hedged_scalar(*arguments) for arguments in (base, *others)}
    assert len(nonces) == len(others) + 1
    assert group.hedged_scalar(*base) in nonces


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_a_hedged_nonce_takes_32_bytes_of_randomness(size: int) -> None:
    with pytest.raises(InvalidInput):
        group.hedged_scalar("domain", b"secret", bytes(size))


def test_a_random_scalar_is_never_zero() -> None:
    draws = iter([bytes(64), ORDER + bytes(32), (5).to_bytes(64, "little")])
    assert group.random_scalar(lambda size: next(draws)) == group.scalar_from_int(5)
    assert group.decode_scalar(group.random_scalar(seeded(1)), nonzero=True)


# The library's temporary file


PROBE = "from ledger.crypto import group; assert group.mul_base(group.ONE) == group.BASE; print(len(group.BASE))"


def test_importing_in_several_processes_at_once_leaves_no_library_behind(tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    processes = [
        subprocess.Popen([sys.executable, "-c", PROBE], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    assert [(process.communicate()[0], process.returncode) for process in processes] == [("32\n", 0)] * 3
    assert list(tmp_path.iterdir()) == []


def test_spawned_workers_compute_and_leave_no_library_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        results = list(pool.map(group.mul_base, [ONE, ZERO]))
    assert results == [BASE, IDENTITY]
    assert list(tmp_path.glob("*.so")) == []
