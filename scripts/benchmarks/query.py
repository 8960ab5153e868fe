"""How long a lender waits for an answer: at rest, under load, with two nodes down; and how many answers a second."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import cycle

from plimsoll.v1 import entry_pb2, lender_pb2

from client.sdk import exposure_request
from scripts.benchmarks.figure import Figure, Yardstick
from scripts.benchmarks.load import feeds, questions
from scripts.benchmarks.measure import quantile, spread
from scripts.benchmarks.sodium import Calls
from scripts.benchmarks.stage import LENDERS, Stage, borrower
from scripts.benchmarks.wire import Wire, bare_wire
from tests.cluster import CONSENT

STREAMS = 8
#: Of a question about a borrower at five lenders. In three custodians and the asker: the proof of each record, and
#: their sums; in the custodians seven shares and a proof; in the asker what verifies and combines them.
ARITHMETIC = Calls(
    base=4 * 5 + 3 + 3,
    other=4 * 5 + 3 * (7 + 1) + 3 * (1 + 14) + 3 * 7,
    additions=4 * 5 + 4 * (4 * 8) + 3 * 14 + 2 * 7 + 7,
)
_MESSAGE = bytes(400)
_MS = 1000.0


def run(stage: Stage) -> list[Figure]:
    """Five nodes, t = 3, every borrower at five lenders, pseudonym keys in the asker's book."""
    with bare_wire() as wire:
        return _Asking(stage, wire).run()


class _Asking:
    """lender-1 asks, one question after the other, each about the next borrower; between them goes a bare message."""

    def __init__(self, stage: Stage, wire: Wire) -> None:
        self._stage = stage
        self._wire = wire
        self._cluster = stage.cluster
        self._member, *self._others = stage.cluster.members
        self._session = stage.cluster.lender(self._member)
        self._borrowers: Iterator[int] = cycle(range(1, stage.borrowers + 1))

    def run(self) -> list[Figure]:
        """All of it; at the end all nodes are up again."""
        stage, cluster = self._stage, self._cluster
        figures = self._latency("at rest", stage.pick(400, 40), 20.0, 60.0)
        endpoints = [cluster.endpoint(member, "lender") for member in self._others]
        with questions(endpoints, STREAMS, stage.borrowers) as load:
            name = f"while {STREAMS} others ask at four lenders"
            figures += self._latency(name, stage.pick(150, 15), others=lambda: load.rate)
        with feeds(cluster.endpoint(self._others[0], "lender"), stage.borrowers) as load:
            name = "while another lender's feed is loading"
            figures += self._latency(name, stage.pick(150, 15), others=lambda: load.rate)
        figures.append(self._sustained())
        down = cluster.members[-2:]
        cluster.stop(*down)
        figures += self._latency("two of five nodes down", stage.pick(300, 30), 20.0, 60.0)
        cluster.restart(*down)
        return figures

    def _latency(
        self,
        name: str,
        count: int,
        p50: float | None = None,
        p99: float | None = None,
        others: Callable[[], float] | None = None,
    ) -> list[Figure]:
        self._stage.say(f"{count} questions {name}")
        for _ in range(self._stage.pick(20, 5)):
            self._ask()
        waits, echoes, bare, before = [], [], [], self._stage.cpu()
        for _ in range(count):
            waits.append(_timed(self._ask))
            echoes.append(_timed(lambda: self._wire.echo(_MESSAGE)))
            bare.append(_timed(ARITHMETIC.make))
        cores = _MS * (self._stage.cpu() - before) / count
        details = spread(waits)
        if others is not None:
            details["others a second"] = others()
        figures = []
        for label, share, target in (("p50", 0.5, p50), ("p99", 0.99, p99)):
            wait, echo = quantile(waits, share), quantile(echoes, share)
            yardstick = Yardstick(f"gRPC round trip, mutual TLS, {label}", echo, wait / echo)
            figures.append(Figure(f"{name}, {label}", wait, "ms", target, [yardstick], details))
        if others is None:
            arithmetic = quantile(bare, 0.5)
            yardstick = Yardstick("its arithmetic, bare", arithmetic, cores / arithmetic)
            figures.append(Figure(f"{name}, all nodes' cores", cores, "ms", yardsticks=[yardstick]))
        return figures

    def _ask(self) -> None:
        number = next(self._borrowers)
        answer = self._session.exposure(borrower(number), entry_pb2.PURPOSE_PRE_LOAN, CONSENT)
        if answer.lenders != LENDERS or not answer.HasField("amounts") or answer.amounts.outstanding >= 500_000_000:
            raise RuntimeError(f"not the answer that was to be measured: {answer}")

    def _sustained(self) -> Figure:
        """One stream of many questions; the node has several under way."""
        count = self._stage.pick(400, 40)
        self._stage.say(f"{count} questions in one stream")
        asked = [
            lender_pb2.ExposuresRequest(
                id=number,
                request=exposure_request(borrower(next(self._borrowers)), entry_pb2.PURPOSE_POST_LOAN, CONSENT),
            )
            for number in range(count)
        ]
        before, started = self._stage.cpu(), time.perf_counter()
        answered = sum(answer.HasField("response") for answer in self._session.exposures(asked))
        seconds = time.perf_counter() - started
        details = {"ms of all nodes' cores a question": _MS * (self._stage.cpu() - before) / count}
        if answered != count:
            raise RuntimeError(f"only {answered} of {count} questions were answered")
        return Figure("one stream of many questions", count / seconds, "answers/s", details=details)


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return _MS * (time.perf_counter() - started)
