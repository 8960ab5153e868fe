"""What config.toml asks for is put together, or refused by its place there."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ledger.consortium.address import Address
from ledger.consortium.history import History
from ledger.errors import InvalidInput
from ledger.homes.config import Config
from ledger.homes.web import OutsideWitness, Web
from ledger.tlog.note import Signer
from node.clock import Clock
from node.consortium import Consortium
from node.web.start import Ground, Http
from node.wire.tally import Tally
from tests.cluster import free_ports
from tests.e2e.elsewhere import Witness
from tests.ledger.witnesses import chain_of, cosigner, signer
from tests.lenders import manifest

MANIFEST = manifest(5)
HERE = Address("127.0.0.1", 1)
FOREIGN = Signer.from_seed("log.example/rome", bytes(range(32))).key


def http(tmp_path: Path, web: Web | None, metrics: Address | None = None) -> Http:
    parts = SimpleNamespace(
        chain=chain_of(MANIFEST), witnessed=None, freshness=None, witnessing=SimpleNamespace(extend=None)
    )
    absent = cast(Any, None)
    return Http(
        Ground(
            folder=tmp_path,
            config=Config("lender-1", HERE, HERE, web=web, metrics=metrics),
            consortium=Consortium("lender-1", History([MANIFEST])),
            clock=Clock(),
            parts=cast(Any, parts),
            callers=cast(Any, SimpleNamespace(identify=None)),
            connections=absent,
            state=cast(Any, SimpleNamespace(describe=None)),
            lineage=absent,
            stores=[],
            tally=Tally(),
            cosigner=cosigner(1, MANIFEST),
        )
    )


@pytest.mark.parametrize("number", [1, 2])
def test_no_member_is_listed_among_logs_elsewhere_as_one_key_has_one_memory(tmp_path: Path, number: int) -> None:
    with pytest.raises(InvalidInput) as caught:
        http(tmp_path, Web(HERE, witness_for=(FOREIGN, signer(number).key)))
    assert (caught.value.reason, caught.value.path) == ("OWN_LOG", "config.toml.web.witness_for[1].log")


def test_nor_a_log_that_a_member_may_write_one_day(tmp_path: Path) -> None:
    later = Signer.from_seed(f"plimsoll/{MANIFEST.consortium.hex()}/lender-9.3", bytes(32)).key
    with pytest.raises(InvalidInput):
        http(tmp_path, Web(HERE, witness_for=(later,)))


def test_a_witness_whose_certificates_cannot_be_read_is_named(tmp_path: Path) -> None:
    from ledger.tlog.note import VerifierKey

    witness = OutsideWitness("w1", VerifierKey.parse(Witness().key), "https://w.example", "absent.pem")
    with pytest.raises(InvalidInput) as caught:
        http(tmp_path, Web(None, witnesses=(witness,)))
    assert caught.value.path == "config.toml.web.witnesses[0].ca"


async def test_only_what_is_asked_for_listens(tmp_path: Path) -> None:
    first, second = free_ports(2)
    assert http(tmp_path, None, Address("127.0.0.1", first)).alerts == []
    both = http(tmp_path, Web(Address("127.0.0.1", first), plain=True), Address("127.0.0.1", second))
    await both.start()
    running = both.background()
    assert sorted(running) == ["http 0", "http 1"]
    for work in running.values():
        work.close()
    await both.stop()
