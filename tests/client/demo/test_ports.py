from __future__ import annotations

import socket

import pytest

from client.demo import ports
from ledger.errors import Unready


def test_ports_are_different_free_and_below_those_of_outgoing_connections() -> None:
    found = ports.free_ports(20)
    assert len(set(found)) == 20
    with open("/proc/sys/net/ipv4/ip_local_port_range") as file:
        first = int(file.read().split()[0])
    for port in found:
        assert port < max(first, 32_768)
        with socket.socket() as probe:
            probe.bind((ports.HOST, port))


def test_a_port_in_use_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    free = ports.free_ports(2)
    monkeypatch.setattr("random.shuffle", lambda candidates: candidates.__setitem__(slice(None), free))
    with socket.socket() as taken:
        taken.bind((ports.HOST, free[0]))
        with pytest.raises(Unready):
            ports.free_ports(2)
