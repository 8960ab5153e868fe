"""Whatever bytes come in, what comes out is a value or a `PlimsollError`, soon and without much memory."""

from __future__ import annotations

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.mutations import mutated, stretched
from tests.fuzz.target import Target
from tests.fuzz.targets import TARGETS

SOON = 2.0  # seconds of processor time, for 64 KiB; a busy machine's clock does not count
QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]
each_target = pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)


def check_soon(target: Target, raw: bytes) -> None:
    began = time.thread_time()
    target.check(raw)
    took = time.thread_time() - began
    assert took < SOON, f"{target.name}: {took:.1f} s for {len(raw)} bytes"


@each_target
def test_samples_are_taken(target):
    for raw in target.samples:
        target.run(raw)


@each_target
@settings(max_examples=20, suppress_health_check=QUIET)
@given(raw=st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(target, raw):
    check_soon(target, raw)


@each_target
@settings(max_examples=60, suppress_health_check=QUIET)
@given(data=st.data())
def test_bytes_a_few_edits_from_good_ones_are_read_or_refused(target, data):
    check_soon(target, data.draw(mutated(target.samples, target.tokens)))


@each_target
def test_long_runs_of_anything_cost_time_in_proportion(target):
    for raw in stretched(target.samples[0], (b"\x00", b"\xff", b"\n", b"A", *target.tokens)):
        check_soon(target, raw)
