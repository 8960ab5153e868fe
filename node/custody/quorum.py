"""Asking custodians until enough have answered well (design section 6, Query): any t, another where one is slow."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence

from ledger.errors import PlimsollError, Unavailable, Unverified

#: Asks one custodian; False where its answer was wrong. Raises PlimsollError where there is none.
Ask = Callable[[str], Awaitable[bool]]


async def ask_quorum(order: Sequence[str], needed: int, ask: Ask, patience: float) -> dict[str, PlimsollError]:
    """Asks `needed` custodians at once, the next in `order` for each that fails, and one more every `patience` seconds.

    Returns who failed and why once `needed` have answered well. Raises Unavailable naming everybody who is missing, or
    the refusal itself where so many refuse that no quorum is left.
    """
    waiting = list(order)
    running: dict[asyncio.Task[bool], str] = {}
    failures: dict[str, PlimsollError] = {}
    good = 0

    def start() -> None:
        if waiting:
            member = waiting.pop(0)
            running[asyncio.ensure_future(ask(member))] = member

    try:
        for _ in range(needed):
            start()
        while good < needed:
            if not running:
                raise _too_few(good, needed, len(order), failures)
            done, _ = await asyncio.wait(running, timeout=patience or None, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                start()
            for task in done:
                failure = _failure(task)
                member = running.pop(task)
                if failure is None:
                    good += 1
                else:
                    failures[member] = failure
                    start()
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    return failures


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
