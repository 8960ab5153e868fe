"""Loopback ports for nodes that will listen a moment later."""

from __future__ import annotations

import random
import socket
from contextlib import ExitStack
from pathlib import Path

from ledger.errors import Unready

HOST = "127.0.0.1"
_LOWEST = 20_000
_USUAL_EPHEMERAL = 32_768
_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_ports(count: int) -> list[int]:
    """So many different ports that are free now. Raises Unready where there are not that many.

    They lie below the range from which outgoing connections take theirs: a node that connects to one that does not
    listen yet must not occupy the port of a third, nor connect to itself.
    """
    candidates = list(range(_LOWEST, _first_ephemeral()))
    random.shuffle(candidates)
    ports: list[int] = []
    with ExitStack() as held:
        for port in candidates:
            if len(ports) == count:
                return ports
            probe = held.enter_context(socket.socket())
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            ports.append(port)
    raise Unready("NO_PORTS", f"there are no {count} free ports from {_LOWEST} on")


def _first_ephemeral() -> int:
    try:
        first = int(_RANGE.read_text().split()[0])
    except (OSError, ValueError, IndexError):  # not Linux
        return _USUAL_EPHEMERAL
    return first if first > _LOWEST + 1000 else _USUAL_EPHEMERAL
