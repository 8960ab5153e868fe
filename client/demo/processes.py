"""The processes of the demo: short commands of the node, and the nodes themselves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from client.text import one_line
from ledger.errors import PlimsollError, Unavailable

LOG = "node.log"
STOP_SECONDS = 8.0

#: -P: a folder `node` in the working directory is none of ours.
_PYTHON = (sys.executable, "-P", "-m")


def run_all(commands: Sequence[Sequence[str]]) -> Iterator[int]:
    """Runs commands of the node, one a core at a time; yields how many are done. Raises PlimsollError for the first
    that fails, and ends those under way."""
    waiting = list(reversed(commands))
    running: list[subprocess.Popen[str]] = []
    done = 0
    try:
        while waiting or running:
            while waiting and len(running) < (os.cpu_count() or 1):
                running.append(_start(waiting.pop()))
            process = running[0]
            _, err = process.communicate()
            running.pop(0)
            if process.returncode != 0:
                raise _failure(process.returncode, err)
            done += 1
            yield done
    finally:
        for process in running:
            process.kill()
            process.communicate()


def _start(command: Sequence[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*_PYTHON, "node", *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=_environment(),
    )


def _failure(code: int, err: str) -> PlimsollError:
    last = (err.strip().split("\n") or [""])[-1]
    return PlimsollError(
        "COMMAND_FAILED", last.removeprefix("plimsoll: ") or f"a command of the node ended with {code}"
    )


@dataclass(frozen=True, slots=True)
class NodeProcess:
    """A running node and the file its log goes to."""

    member: str
    process: subprocess.Popen[bytes]
    log: Path

    def check(self) -> None:
        """Raises Unavailable where it has ended, with the last line of its log."""
        code = self.process.poll()
        if code is not None:
            raise Unavailable("NODE_DIED", f"the node of {self.member} ended with {code}: {last_line(self.log)}")


class Nodes:
    """The nodes that run. They are started by one thread, which must live as long as they do (see leash)."""

    def __init__(self) -> None:
        self._running: list[NodeProcess] = []

    def start(self, member: str, home: Path) -> None:
        """Starts a lender's node; it is ready some seconds later."""
        log = home / LOG
        with log.open("ab") as file:
            process = subprocess.Popen(
                [*_PYTHON, "client.demo.leash", str(os.getpid()), *_PYTHON, "node", "--home", str(home), "run"],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,  # Ctrl-C is for the demo, which then stops them
                env=_environment(),
            )
        self._running.append(NodeProcess(member, process, log))

    def check(self) -> None:
        """Raises Unavailable where one has ended."""
        for node in self._running:
            node.check()

    def stop(self) -> None:
        """Stops all and waits for them: first asks, then insists."""
        for node in self._running:
            node.process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for node in self._running:
            try:
                node.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                with suppress(ProcessLookupError):
                    os.killpg(node.process.pid, signal.SIGKILL)  # its workers too
                node.process.wait()
        self._running.clear()


@contextmanager
def running_nodes() -> Iterator[Nodes]:
    """Nodes that are stopped at the end of the block, however it ends; signals wait until they are."""
    nodes = Nodes()
    try:
        yield nodes
    finally:
        before = {each: signal.signal(each, signal.SIG_IGN) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        try:
            nodes.stop()
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)


def last_line(log: Path) -> str:
    """The last thing a node said: event and reason of a JSON line, or the line itself; one line."""
    with suppress(OSError):
        lines = [line for line in log.read_text(errors="replace").split("\n") if line.strip()]
        if lines:
            return one_line(_told(lines[-1]))
    return "it said nothing"


def _told(line: str) -> str:
    try:
        facts = json.loads(line)
    except ValueError:
        return line.removeprefix("plimsoll: ")
    if not isinstance(facts, Mapping):
        return line
    error = facts.get("error")
    message = error.get("message") if isinstance(error, Mapping) else error
    parts = (facts.get("event"), facts.get("why"), message)
    return ": ".join(str(part) for part in parts if part) or line


def _environment() -> dict[str, str]:
    """Ours without what would speak for a home of the user's."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PLIMSOLL_")}
