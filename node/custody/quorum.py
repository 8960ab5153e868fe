"""Asking custodians until enough have answered well (design section 6, Query): any t, another where one is slow."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence

from ledger.errors import PlimsollError, Unavailable, Unverified

#: Asks one custodian; False where its answer was wrong. Raises PlimsollError where there is none.
Ask = Callable[[str], Awaitable[bool]]

#: How a custodian refuses that does not hold the shares asked for, and may in a moment: where keys have just become
#: final not everybody knows it yet (protocol section 5, Settled).
NOT_YET = frozenset(("NO_SHARES", "OTHER_EPOCH"))
#: Seconds before those that refuse so are asked again.
AGAIN = 0.2


async def ask_quorum(
    order: Sequence[str], needed: int, ask: Ask, patience: float, behind: float = 0.0
) -> dict[str, PlimsollError]:
    """Asks `needed` custodians at once, the next in `order` for each that fails, and one more every `patience` seconds.

    behind: seconds for which those that refuse as in NOT_YET are asked again, where it cannot be done without them.

    Returns who failed and why once `needed` have answered well. Raises Unavailable naming everybody who is missing, or
    the refusal itself where so many refuse that no quorum is left.
    """
    asked = _Asked(list(order), ask)
    loop = asyncio.get_running_loop()
    until = loop.time() + behind
    try:
        asked.start(needed)
        while asked.good < needed:
            if not asked.running:
                if not asked.can_still(needed) or loop.time() >= until:
                    raise _too_few(asked.good, needed, len(order), asked.failures)
                await asyncio.sleep(AGAIN)
                asked.start_again()
            done, _ = await asyncio.wait(asked.running, timeout=patience or None, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                asked.start()
            for task in done:
                asked.take(task)
    finally:
        for task in asked.running:
            task.cancel()
        await asyncio.gather(*asked.running, return_exceptions=True)
    return asked.failures


class _Asked:
    """Who is asked, was asked, and is to be asked."""

    def __init__(self, waiting: list[str], ask: Ask) -> None:
        self._waiting, self._ask = waiting, ask
        self.running: dict[asyncio.Task[bool], str] = {}
        self.failures: dict[str, PlimsollError] = {}
        self.good = 0

    def start(self, count: int = 1) -> None:
        """So many more, as far as there are any."""
        for member in self._waiting[:count]:
            self.running[asyncio.ensure_future(self._ask(member))] = member
        del self._waiting[:count]

    def take(self, task: asyncio.Task[bool]) -> None:
        """One has answered; another is asked where that was no good."""
        failure = _failure(task)
        member = self.running.pop(task)
        if failure is None:
            self.good += 1
        else:
            self.failures[member] = failure
            self.start()

    def can_still(self, needed: int) -> bool:
        """Whether enough might answer after all."""
        return self.good + len(self._late()) >= needed

    def start_again(self) -> None:
        """Those that might."""
        self._waiting += self._late()
        for member in self._waiting:
            del self.failures[member]
        self.start(len(self._waiting))

    def _late(self) -> list[str]:
        return [member for member, error in self.failures.items() if error.reason in NOT_YET]


def _failure(task: asyncio.Task[bool]) -> PlimsollError | None:
    """Why this answer does not count. A bug of ours is raised."""
    error = task.exception()
    if error is None:
        return None if task.result() else Unverified("BAD_ANSWER", "the answer was wrong")
    if isinstance(error, PlimsollError):
        return error
    raise error


def _too_few(good: int, needed: int, total: int, failures: Mapping[str, PlimsollError]) -> PlimsollError:
    refusals = [error for error in failures.values() if not isinstance(error, Unavailable)]
    if len(refusals) > total - needed:
        (reason, _), *_ = Counter(error.reason for error in refusals).most_common(1)
        return next(error for error in refusals if error.reason == reason)
    missing = ", ".join(f"{member} ({error.message})" for member, error in sorted(failures.items()))
    return Unavailable("TOO_FEW_CUSTODIANS", f"{good} of {needed} custodians answered; missing: {missing}")
