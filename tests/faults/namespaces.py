"""A network of its own for each node: namespaces joined by a bridge, with partitions and loss made by nftables.

Nothing of it touches the machine's own network: the bridge, too, is in a namespace, and the addresses exist in these
alone. The test reaches the nodes through relays on the loopback interface, which no fault made here disturbs.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import re
import shutil
import socket
import socketserver
import subprocess
import threading
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

from tests.cluster import Loopback
from tests.faults.broom import Broom

PORT = 7700
SUBNET = "10.83.0"
PROGRAMS = ("ip", "nft", "nsenter")
_CLONE_NEWNET = 0x40000000
_COUNTER = itertools.count()


def _run(*command: str, given: str | None = None) -> str:
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False, timeout=30)
    if done.returncode:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


@cache
def reason() -> str:
    """Why there can be no such network here; "" where there can."""
    if os.geteuid() != 0:
        return "network namespaces take root"
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        return f"no program {', '.join(missing)}: install Debian's iproute2, nftables and util-linux"
    try:
        with Namespaces(["one", "other"]) as network:
            network.lose(0.5)
    except OSError as error:
        return f"the kernel allows no namespaces with nftables: {error}"
    return ""


class Namespaces(Loopback):
    """One namespace a member. A context manager; what it made goes also where the test is killed."""

    def __init__(self, members: Sequence[str]) -> None:
        self._prefix = f"plimsoll-{os.getpid()}-{next(_COUNTER)}"
        self.members = tuple(members)
        self._loss: dict[frozenset[str], float] = {}
        self._relays: dict[tuple[str, str], _Relay] = {}
        self._lock = threading.Lock()
        self._broom: Broom | None = None

    # -- making

    def __enter__(self) -> Namespaces:
        everything = [*map(self._name, self.members), self._prefix]
        sweeping = "ip netns pids {0} | xargs -r kill -9; ip netns del {0}"
        self._broom = Broom("\n".join(sweeping.format(name) for name in everything))
        try:
            self._make()
        except BaseException:
            self._broom.sweep()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for relay in self._relays.values():
            relay.close()
        assert self._broom is not None
        self._broom.sweep()

    def _make(self) -> None:
        _run("ip", "netns", "add", self._prefix)
        _run("ip", "-n", self._prefix, "link", "add", "bridge", "type", "bridge")
        _run("ip", "-n", self._prefix, "link", "set", "bridge", "up")
        for place, member in enumerate(self.members):
            name, port = self._name(member), f"port{place}"
            _run("ip", "netns", "add", name)
            _run("ip", "-n", self._prefix, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", name)
            _run("ip", "-n", self._prefix, "link", "set", port, "master", "bridge", "up")
            _run("ip", "-n", name, "address", "add", f"{self.host(member)}/24", "dev", "eth0")
            for device in ("lo", "eth0"):
                _run("ip", "-n", name, "link", "set", device, "up")

    def _name(self, member: str) -> str:
        return f"{self._prefix}-{member}"

    def host(self, member: str) -> str:
        """A member's address inside."""
        return f"{SUBNET}.{self.members.index(member) + 1}"

    # -- what a cluster asks for

    def addresses(self, members: Sequence[str]) -> list[str]:
        """host:port for a node of each of these, no two alike."""
        return [f"{self.host(member)}:{PORT + place}" for place, member in enumerate(members)]

    def inside(self, member: str) -> list[str]:
        """What a command starts with that is to run in the member's namespace; it keeps its process id."""
        return ["nsenter", f"--net={self._file(member)}", "--"]

    def reached_at(self, member: str, address: str) -> str:
        """A relay's address on the loopback interface."""
        with self._lock:
            if (member, address) not in self._relays:
                self._relays[member, address] = _Relay(self._file(member), address)
            return self._relays[member, address].address

    def _file(self, member: str) -> Path:
        return Path("/run/netns") / self._name(member)

    # -- faults

    def part(self, *halves: Collection[str]) -> None:
        """Nothing passes any more between members of different halves; within one all is well."""
        pairs = (itertools.product(*two) for two in itertools.combinations(halves, 2))
        self._apply({frozenset(pair): 1.0 for pair in itertools.chain.from_iterable(pairs)})

    def lose(self, share: float, pairs: Iterable[Collection[str]] | None = None) -> None:
        """Each packet between these pairs, or any, is lost with this probability."""
        pairs = itertools.combinations(self.members, 2) if pairs is None else pairs
        self._apply({frozenset(pair): share for pair in pairs})

    def heal(self) -> None:
        """Everything passes."""
        self._apply({})

    def lost(self) -> int:
        """Packets, since the last change."""
        said = (_run(*self.inside(member), "nft", "list", "table", "inet", "faults") for member in self.members)
        return sum(int(count) for text in said for count in re.findall(r"counter packets (\d+)", text))

    def _apply(self, loss: dict[frozenset[str], float]) -> None:
        self._loss = loss
        for member in self.members:
            _run(*self.inside(member), "nft", "-f", "-", given=self._rules(member))

    def _rules(self, member: str) -> str:
        """Replaces in one go what was there; each end drops what arrives, so both directions suffer alike."""
        drops = [
            f"ip saddr {self.host(other)} {_chance(share)} counter drop"
            for pair, share in self._loss.items()
            if member in pair
            for other in pair - {member}
        ]
        chain = ["chain input {", "type filter hook input priority 0; policy accept;", *drops, "}"]
        return "\n".join(["table inet faults", "delete table inet faults", "table inet faults {", *chain, "}\n"])


def _chance(share: float) -> str:
    """The condition that holds for so many packets."""
    return f"numgen random mod 1000 < {round(1000 * share)}" if share < 1 else ""


class _Relay(socketserver.ThreadingTCPServer):
    """From a free port of the loopback interface to an address in a namespace."""

    daemon_threads = True

    def __init__(self, namespace: Path, target: str) -> None:
        super().__init__(("127.0.0.1", 0), _Passing)
        host, _, port = target.rpartition(":")
        self.namespace, self.target = namespace, (host, int(port))
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.1})
        self._thread.start()

    @property
    def address(self) -> str:
        """host:port."""
        host, port = self.socket.getsockname()
        return f"{host}:{port}"

    def close(self) -> None:
        """No new connections; those that there are end with their nodes."""
        self.shutdown()
        self.server_close()
        self._thread.join()


class _Passing(socketserver.BaseRequestHandler):
    """One connection. It is closed at once where nobody listens."""

    def handle(self) -> None:
        assert isinstance(self.server, _Relay)
        with suppress(OSError):
            _enter(self.server.namespace)  # this thread alone, which ends with the connection
            with socket.create_connection(self.server.target, timeout=5) as inner:
                inner.settimeout(None)
                back = threading.Thread(target=_pass, args=(inner, self.request), daemon=True)
                back.start()
                _pass(self.request, inner)
                back.join()


def _enter(namespace: Path) -> None:
    """setns(2); Python has it from 3.12 on."""
    with namespace.open("rb") as file:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(file.fileno(), _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")


def _pass(source: socket.socket, target: socket.socket) -> None:
    """Until one of them ends, which ends both."""
    with suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
    for each in (source, target):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
