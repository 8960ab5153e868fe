"""A custodian's secrets on the disk, with a crash before and after every step that reaches it: what was said to be
stored is there, never half of it, and what a crash leaves behind is erased by whoever comes next."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ledger.errors import NotFound
from node.homes.replaced import Replaced

STEPS = ("link", "fsync", "replace", "unlink")
STATES = [b"first" * 9, b"second" * 20, b"third" * 5]


class Crash(BaseException):
    """The process ends here."""


class Machine:
    """Whose power fails at one step, before or after it; nothing happens on it from then on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, at: int, after: bool) -> None:
        self.steps = 0
        self._at = at
        self._after = after
        for name in STEPS:
            monkeypatch.setattr(os, name, self._failing(getattr(os, name)))

    def _failing(self, real: Callable[..., object]) -> Callable[..., object]:
        def step(*arguments: object, **keywords: object) -> object:
            self.steps += 1
            if self.steps > self._at or (self.steps == self._at and not self._after):
                raise Crash
            done = real(*arguments, **keywords)
            if self.steps == self._at:
                raise Crash
            return done

        return step


def run(path: Path, stored: list[bytes]) -> None:
    """As the vault does it; `stored` gets what has been said to be there."""
    place = Replaced(path)
    for state in STATES:
        place.erase_former()
        place.replace(state)
        stored.append(state)
    place.erase_former()


def count(tmp_path: Path) -> int:
    with pytest.MonkeyPatch.context() as patch:
        machine = Machine(patch, 10**9, after=False)
        run(tmp_path / "counted", [])
    return machine.steps


@pytest.mark.parametrize("after", [False, True], ids=["failed", "failed but persisted"])
def test_a_crash_at_any_step_leaves_one_whole_state_and_nothing_that_is_not_erased(tmp_path: Path, after: bool) -> None:
    total = count(tmp_path)
    assert total > 20
    for at in range(1, total + 1):
        folder = tmp_path / str(at)
        folder.mkdir()
        stored: list[bytes] = []
        with pytest.MonkeyPatch.context() as patch:
            Machine(patch, at, after)
            with pytest.raises(Crash):
                run(folder / "secret", stored)
        place = Replaced(folder / "secret")
        under_way = STATES[len(stored) : len(stored) + 1]
        try:
            held = place.read()
        except NotFound:
            assert not stored
            held = None
        assert held is None or held in [*stored[-1:], *under_way]
        place.erase_former()
        assert [file.name for file in folder.iterdir()] == ([] if held is None else ["secret"])
        place.replace(b"later")
        place.erase_former()
        assert place.read() == b"later"
        assert [file.name for file in folder.iterdir()] == ["secret"]
