"""Refusals keep all they say, wherever they are passed on."""

from __future__ import annotations

import pickle
from copy import copy

import pytest

from ledger import errors
from ledger.chain.replica_gap import LacksEntries
from ledger.chain.store import StoreConflict
from ledger.errors import InvalidInput, PlimsollError
from ledger.witnessing.fork import Fork
from ledger.witnessing.witnessed import Conflict
from tests.ledger.sample_logs import head_over

ONE, OTHER = head_over([b"a"]), head_over([b"b"])
KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, PlimsollError)]
ERRORS = [
    *(kind("A_CODE", "what happened", "rows[3]") for kind in KINDS),
    LacksEntries.of("alpha", 7),
    StoreConflict(),
    Fork(ONE, OTHER, ONE.head.root, ()),
    Conflict(ONE, OTHER),
]
each_error = pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)


def facts(error: PlimsollError) -> tuple[object, ...]:
    return type(error), str(error), error.args, {**vars(error), "path": ""}


@each_error
def test_an_error_is_the_same_in_another_process(error: PlimsollError) -> None:
    # Otherwise one refusal would break the whole pool of processes.
    again = pickle.loads(pickle.dumps(error))
    assert facts(again) == facts(error)
    assert again.path == error.path
    assert facts(copy(error)) == facts(error)


@each_error
def test_an_error_seen_from_outside_differs_in_its_path_alone(error: PlimsollError) -> None:
    outer = error.under("feed")
    assert outer is not error
    assert outer.path == f"feed.{error.path}".rstrip(".")
    assert facts(outer)[2:] == facts(error)[2:]
    assert type(outer) is type(error)
    assert str(outer).endswith(f"{error.message} [{error.reason}]")


def test_a_place_in_a_list_stands_right_behind_its_name() -> None:
    assert InvalidInput("A_CODE", "what happened", "[3].b").under("rows").path == "rows[3].b"


def test_every_kind_has_an_exit_code_of_its_own() -> None:
    assert len({kind.exit_code for kind in KINDS}) == len({kind.grpc_status for kind in KINDS}) == len(KINDS)
