"""plimsoll audit run --watch: one round after the other, until it is interrupted."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from client.cli.output import line
from ledger.consortium.address import Address, parse_address
from ledger.errors import Unavailable, Unready, Unverified

if TYPE_CHECKING:
    from client.audit.watching.metrics import Metrics
    from client.audit.watching.watch import Watch
    from client.cli.auditing.making import Files

LOOPBACK = "127.0.0.1"
SLICE = 0.5  # seconds


def watch_on(watch: Watch, files: Files, interval: float, address: Address | None, *, as_json: bool) -> None:
    """Until Ctrl-C; then exits with the code of the last verdict, or as for a node that is away if there was none."""
    from client.audit.watching.lines import round_line
    from client.audit.watching.metrics import Metrics

    metrics, stop = Metrics(), _Stop()
    try:
        with exported(metrics, address), stop.on_interrupt():
            for done in watch.rounds(interval, stop.wait):
                metrics.take(done)
                if done.facts is not None:
                    files.write(dict(done.facts), done.began)
                if as_json:
                    line(done.told())
                else:
                    sys.stdout.write(round_line(done) + "\n")
                    sys.stdout.flush()
    except KeyboardInterrupt:
        raise typer.Exit(exit_code(watch.verdict)) from None


class _Stop:
    """Ctrl-C, also where it arrives while the interpreter tidies up and an exception would be lost."""

    def __init__(self) -> None:
        self._asked = False

    def wait(self, seconds: float) -> None:
        """Raises KeyboardInterrupt as soon as there was one.

        In slices: where another thread, one of gRPC's for instance, gets the signal, it does not end this one's sleep.
        """
        until = time.monotonic() + seconds
        while not self._asked and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, SLICE))
        if self._asked:
            raise KeyboardInterrupt

    @contextmanager
    def on_interrupt(self) -> Iterator[None]:
        """While the block runs, in the main thread."""

        def note(number: int, frame: object) -> None:
            self._asked = True
            raise KeyboardInterrupt

        before = signal.signal(signal.SIGINT, note)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)


def exit_code(verdict: str) -> int:
    """Of a verdict; that of a node that is away where there is none."""
    return {"ok": 0, "bad": Unverified.exit_code}.get(verdict, Unavailable.exit_code)


def metrics_address(text: str) -> Address:
    """HOST:PORT, or a port of the loopback interface. Raises InvalidInput."""
    return parse_address(text if ":" in text else f"{LOOPBACK}:{text}", "metrics")


@contextmanager
def exported(metrics: Metrics, address: Address | None) -> Iterator[None]:
    """Serves the metrics over HTTP while the block runs. Raises Unready where nobody can listen there."""
    if address is None:
        yield
        return
    from prometheus_client import CollectorRegistry, start_http_server

    registry = CollectorRegistry()
    registry.register(metrics)
    try:
        server, thread = start_http_server(address.port, address.host, registry)
    except OSError as error:
        raise Unready("METRICS_ADDRESS", f"cannot listen on {address}: {error.strerror}", "metrics") from error
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
