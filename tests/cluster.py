"""A consortium of real processes: founded by commands, running on free loopback ports, with their logs in files.

Everything a test does to a node is done from outside: signals, files, and calls over mutual TLS.
"""

from __future__ import annotations

import atexit
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import grpc
from plimsoll.v1 import entry_pb2, lender_pb2, operator_pb2

from client.credentials import Endpoint, endpoint_from_home
from client.sdk import Session
from ledger.consortium.caller import Role, server_name
from ledger.consortium.certificate import certificate_pem, key_pem
from ledger.consortium.founding import open_manifest
from ledger.consortium.manifest import Manifest
from ledger.errors import PlimsollError
from node.homes.home import Home, open_home
from node.homes.keyring import Keyring

PASSPHRASE = "correct horse battery staple"
CONSENT = bytes(range(32))
#: Seconds: from the start of the processes to final keys everywhere. Mostly the ceremony's own waits.
READY_TIMEOUT = 60.0
STOP_TIMEOUT = 30.0
_REPOSITORY = Path(__file__).resolve().parents[1]
#: Below the range from which Linux gives out ports, so that nobody takes a node's port while the node is down; of every
#: process that runs tests beside others (pytest-xdist) a part.
_PORTS, _PARTS = range(10_000, 32_000), 4
_FOUNDING_TIMEOUT = 60


class Loopback:
    """Where nodes run and how they are reached: all in one place, on ports of the loopback interface."""

    def addresses(self, members: Sequence[str]) -> list[str]:
        """host:port for a node of each of these, no two alike."""
        return [f"127.0.0.1:{port}" for port in free_ports(len(members))]

    def inside(self, member: str) -> list[str]:
        """What a command starts with that is to run where this member's node does."""
        return []

    def reached_at(self, member: str, address: str) -> str:
        """Where the test gets through to `address` of this member's node."""
        return address


class Cluster:
    """lender-1 .. lender-N. A context manager: at its end, and at the end of the program, no process is left."""

    def __init__(self, folder: Path, members: Sequence[str], network: Loopback | None = None) -> None:
        """For `found`."""
        self.folder = folder
        self.network = network or Loopback()
        #: How a node is started.
        self.program = [sys.executable, "-m", "node"]
        self.members = tuple(members)
        self._passphrase_file = folder / "passphrase"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._sessions: dict[tuple[str, Role], Session] = {}
        self._endpoints: dict[tuple[str, Role, str], Endpoint] = {}
        self._keyrings: dict[str, Keyring] = {}
        self._channels: list[grpc.Channel] = []
        #: Members whose nodes are about to end by themselves.
        self.ending: set[str] = set()

    # -- founding

    @classmethod
    def found(
        cls,
        folder: Path,
        size: int = 5,
        *,
        currency: str = "CNY",
        policy: Mapping[str, int] | None = None,
        options: Sequence[str] = (),
        behind: Collection[str] = (),
        network: Loopback | None = None,
    ) -> Cluster:
        """Homes in `folder`, a manifest signed by all; nothing runs yet.

        options: more of them for the command `found`. behind: members whose nodes listen elsewhere than the manifest
        says, so that a test can stand in between; they have adopted the manifest already. network: where nodes run.
        """
        folder.mkdir(parents=True, exist_ok=True)
        cluster = cls(folder, [f"lender-{number}" for number in range(1, size + 1)], network)
        cluster._passphrase_file.write_text(PASSPHRASE)
        addresses = cluster.network.addresses([*cluster.members, *cluster.members])
        cluster._run(
            [
                *("--home", str(cluster.home_folder(member)), "init", "--member", member),
                *("--address", addresses[place]),
                *(("--listen", addresses[size + place]) if member in behind else ()),
            ]
            for place, member in enumerate(cluster.members)
        )
        cards = {member: str(folder / f"{member}.card") for member in cluster.members}
        cluster._run(["--home", str(cluster.home_folder(member)), "card", "-o", cards[member]] for member in cards)
        settings = [f"--policy={key}={value}" for key, value in (policy or {}).items()]
        terms = ["--name", "Tests", "--currency", currency, "--time-zone", "Asia/Shanghai", *settings, *options]
        cluster._run([["found", *terms, "-o", str(cluster.manifest_file), *cards.values()]])
        signed = {member: str(folder / f"{member}.note") for member in cluster.members}
        cluster._run(
            ["--home", str(cluster.home_folder(member)), "sign", str(cluster.manifest_file), "-o", signed[member]]
            for member in cluster.members
        )
        cluster._run([["found", "--merge", *signed.values(), "-o", str(cluster.manifest_file)]])
        cluster._run(
            ["--home", str(cluster.home_folder(member)), "adopt", str(cluster.manifest_file)] for member in behind
        )
        for member in cluster.members:
            with (cluster.home_folder(member) / "config.toml").open("a") as config:
                config.write('log_level = "debug"\ncache_mib = 64\n')
        return cluster

    def _run(self, commands: Iterable[Sequence[str]]) -> None:
        """`python -m node` with each of these arguments, side by side."""
        running = [
            subprocess.Popen(
                [sys.executable, "-m", "node", *command],
                cwd=_REPOSITORY,
                env=self.environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            for command in commands
        ]
        for process in running:
            said, _ = process.communicate(timeout=_FOUNDING_TIMEOUT)
            assert process.returncode == 0, said.decode()

    @property
    def environment(self) -> dict[str, str]:
        """Of every command: nothing of the developer's own, and the passphrase in a file."""
        own = {key: value for key, value in os.environ.items() if not key.startswith("PLIMSOLL_")}
        return {**own, "PLIMSOLL_PASSPHRASE_FILE": str(self._passphrase_file), "PYTHONFAULTHANDLER": "1"}

    @property
    def manifest_file(self) -> Path:
        """The manifest, signed by everybody."""
        return self.folder / "manifest.note"

    @property
    def passphrase_file(self) -> Path:
        """Of every home."""
        return self._passphrase_file

    def home_folder(self, member: str) -> Path:
        """Where a member's home lies."""
        return self.folder / member

    def home(self, member: str) -> Home:
        """A member's home, to look into."""
        return open_home(self.home_folder(member))

    def keyring(self, member: str) -> Keyring:
        """A member's own secrets."""
        if member not in self._keyrings:
            self._keyrings[member] = self.home(member).keyring(PASSPHRASE)
        return self._keyrings[member]

    @cached_property
    def manifest(self) -> Manifest:
        """What all have signed."""
        return open_manifest(self.manifest_file.read_bytes())

    # -- processes

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends every connection and every process, workers included."""
        for session in self._sessions.values():
            session.close()
        for channel in self._channels:
            channel.close()
        self._sessions.clear()
        self._channels.clear()
        for member in list(self._processes):
            self._end(member, signal.SIGKILL)
        atexit.unregister(self.close)

    def start(self, *members: str) -> None:
        """Starts these nodes, or all that do not run. Their logs are continued."""
        atexit.register(self.close)
        for member in members or self.members:
            if member in self._processes:
                continue
            home = self.home_folder(member)
            adopt = [] if (home / "manifest.note").exists() else ["--manifest", str(self.manifest_file)]
            with self.log_file(member).open("ab") as log:
                self._processes[member] = subprocess.Popen(
                    [*self.network.inside(member), *self.program, "--home", str(home), "run", *adopt],
                    cwd=_REPOSITORY,
                    env=self.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,  # so that its workers can be ended with it, and Ctrl-C is ours alone
                )

    def kill(self, *members: str) -> None:
        """kill -9 of the node alone: what becomes of its workers is its own business."""
        for member in members:
            self.process(member).kill()
        for member in members:
            self._reap(member)

    def stop(self, *members: str) -> float:
        """SIGTERM; how many seconds the slowest took. Fails for a node that does not end well."""
        started = time.monotonic()
        for member in members:
            self.process(member).terminate()
        for member in members:
            code = self.process(member).wait(STOP_TIMEOUT)
            self._reap(member)
            assert code == 0, f"{member} ended with {code}:\n{self.tail(member)}"
        return time.monotonic() - started

    def restart(self, *members: str) -> None:
        """Starts what was stopped or killed, and waits until it serves, holds its shares and the others reach it."""
        self.start(*members)
        self.wait_ready(*members)
        for other in [each for each in self.running if not self._stopped(each)]:
            self.wait_until(partial(self._reaches_all, other), f"{other} reaches all that run")

    def _reaches_all(self, member: str) -> bool:
        reached = {peer.member for peer in self.status(member).peers if peer.reachable}
        return reached >= {other for other in self.running if other != member and not self._stopped(other)}

    def _stopped(self, member: str) -> bool:
        """Whether its process is frozen."""
        with open(f"/proc/{self.process(member).pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] == "T"

    def wait_ended(self, member: str, timeout: float = READY_TIMEOUT) -> None:
        """Until a node has ended by itself, which it does where it must not go on."""
        process = self._processes.pop(member)
        process.wait(timeout)
        for key in [key for key in self._sessions if key[0] == member]:
            self.forget_session(*key)

    def freeze(self, member: str) -> None:
        """SIGSTOP: the node's port stays open and nothing answers."""
        self.process(member).send_signal(signal.SIGSTOP)

    def thaw(self, member: str) -> None:
        """SIGCONT."""
        self.process(member).send_signal(signal.SIGCONT)

    def process(self, member: str) -> subprocess.Popen[bytes]:
        """The running node of a member."""
        assert member in self._processes, f"{member} does not run"
        return self._processes[member]

    @property
    def running(self) -> list[str]:
        """Whose nodes were started and neither stopped nor killed."""
        return [member for member in self.members if member in self._processes]

    def _end(self, member: str, number: int) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._processes[member].pid, number)
        self._reap(member)

    def _reap(self, member: str) -> None:
        self._processes.pop(member).wait(STOP_TIMEOUT)
        for _, role in [key for key in self._sessions if key[0] == member]:
            self.forget_session(member, role)  # its channel would wait a while before it tries again

    def wait_ready(self, *members: str, timeout: float = READY_TIMEOUT) -> None:
        """Until these nodes, or all that run, know the keys and, as custodians, hold their shares."""
        for member in members or self.running:

            def is_ready(member: str = member) -> bool:
                keys = self.status(member).keys
                return bool(keys.public_keys) and (keys.holds_shares or not keys.custodian)

            self.wait_until(is_ready, f"{member} is ready", timeout)

    def wait_until(self, holds: Callable[[], bool], what: str, timeout: float = READY_TIMEOUT) -> None:
        """Looks until `holds`, also while nodes do not answer. Fails at once where a node has died by itself."""
        deadline = time.monotonic() + timeout
        while True:
            with suppress(Unanswered):
                if holds():
                    return
            for member, process in self._processes.items():
                if process.poll() is not None and member not in self.ending:
                    raise AssertionError(f"{member} died with {process.returncode}:\n{self.tail(member)}")
            assert time.monotonic() < deadline, f"not within {timeout:.0f} s: {what}\n{self._tails()}"
            time.sleep(0.05)

    # -- what they say

    def log_file(self, member: str) -> Path:
        """What the node wrote to its standard streams."""
        return self.folder / f"{member}.log"

    def log_text(self, member: str) -> str:
        """All of it."""
        return self.log_file(member).read_text()

    def tail(self, member: str, lines: int = 15) -> str:
        """The end of it."""
        return "\n".join(self.log_text(member).splitlines()[-lines:])

    def _tails(self) -> str:
        return "\n".join(f"--- {member}\n{self.tail(member, 5)}" for member in self.running)

    def check_logs(self) -> None:
        """No node has met an error that it did not expect."""
        for member in self.members:
            said = self.log_text(member) if self.log_file(member).exists() else ""
            for word in ('"handler failed"', '"question failed"', "never retrieved", "Fatal Python error"):
                assert word not in said, f"{member}: {word}\n{said[said.index(word) - 200 :][:3000]}"

    def status(self, member: str) -> operator_pb2.StatusResponse:
        """What its operator sees. Raises Unanswered."""
        try:  # a home that has not adopted the manifest yet has no certificates to ask with
            return self.session(member, "operator").status(5.0)
        except PlimsollError as error:
            raise Unanswered(str(error)) from error

    def sizes(self, member: str) -> dict[str, tuple[int, str]]:
        """By author: size and root of each log as this node holds it."""
        return {log.member: (log.size, log.root) for log in self.status(member).logs}

    def wait_same_heads(self, timeout: float = READY_TIMEOUT) -> dict[str, tuple[int, str]]:
        """Until all running nodes hold the same logs; which."""

        def agree() -> bool:
            first, *others = (self.sizes(member) for member in self.running)
            return all(first == other for other in others)

        self.wait_until(agree, "all nodes hold the same heads", timeout)
        return self.sizes(self.running[0])

    # -- talking to them

    def address(self, member: str) -> str:
        """host:port, where the test reaches the node."""
        return self.network.reached_at(member, str(self.home(member).config.listen))

    def endpoint(self, member: str, role: Role, server: str = "") -> Endpoint:
        """A member's own certificate of a role, towards its own node or another's."""
        server = server or member
        key = (member, role, server)
        if key not in self._endpoints:
            passphrase = str(self._passphrase_file)
            home = self.home_folder(member)
            made = endpoint_from_home(home, role, member=server, passphrase_file=passphrase)
            self._endpoints[key] = replace(made, address=self.network.reached_at(server, made.address))
        return self._endpoints[key]

    def session(self, member: str, role: Role) -> Session:
        """An open connection to a member's node, kept until the end."""
        key = (member, role)
        if key not in self._sessions:
            self._sessions[key] = Session(self.endpoint(member, role))
        return self._sessions[key]

    def forget_session(self, member: str, role: Role) -> None:
        """Ends a connection; the next call opens another."""
        if (member, role) in self._sessions:
            self._sessions.pop((member, role)).close()

    def lender(self, member: str) -> Session:
        """As the lender's loan system."""
        return self.session(member, "lender")

    def node_identity(self, member: str) -> tuple[bytes, bytes]:
        """Key and certificate with which a member's node speaks to the others, PEM."""
        home = self.home(member)
        return key_pem(home.key("node", PASSPHRASE)), certificate_pem(home.certificate("node"))

    def channel(self, server: str, key: bytes | None, certificate: bytes | None) -> grpc.Channel:
        """A bare gRPC channel to a member's node with any certificate (PEM), or with none."""
        authority = self.home(server).member().authority_pem
        credentials = grpc.ssl_channel_credentials(authority, key, certificate)
        options: list[tuple[str, Any]] = [
            ("grpc.ssl_target_name_override", server_name(server)),
            ("grpc.enable_http_proxy", 0),
            ("grpc.enable_retries", 0),
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.max_receive_message_length", 16 << 20),
        ]
        channel = grpc.secure_channel(self.address(server), credentials, options)
        self._channels.append(channel)
        return channel

    def report(
        self, member: str, rows: Iterable[lender_pb2.FeedRow], *, strict: bool = False
    ) -> lender_pb2.ReportSummary:
        """Sends a feed over the wire; its summary."""
        summary = None
        for response in self.lender(member).report(batched(rows, 1000), strict):
            if response.HasField("summary"):
                summary = response.summary
        assert summary is not None, "the last message carries the summary"
        return summary

    def ask(
        self,
        member: str,
        borrower: str,
        purpose: int = entry_pb2.PURPOSE_PRE_LOAN,
        transcript: lender_pb2.TranscriptForm.ValueType = lender_pb2.TRANSCRIPT_FORM_UNSPECIFIED,
    ) -> lender_pb2.ExposureResponse:
        """How loaded a borrower is, asked by this member."""
        return self.lender(member).exposure(borrower, purpose, CONSENT, transcript)


class Unanswered(Exception):
    """A node does not tell its status."""


def batched(rows: Iterable[lender_pb2.FeedRow], size: int) -> Iterator[list[lender_pb2.FeedRow]]:
    """The rows in messages of at most `size`."""
    batch: list[lender_pb2.FeedRow] = []
    for row in rows:
        batch.append(row)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def free_ports(count: int) -> list[int]:
    """Ports of the loopback interface on which nobody listens."""
    found: list[int] = []
    part = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % _PARTS
    while len(found) < count:
        port = random.choice(_PORTS[part::_PARTS])
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            if port not in found:
                found.append(port)
    return found
