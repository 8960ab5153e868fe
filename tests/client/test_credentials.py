"""How a client reaches a node: from a home, or from files issued for a program elsewhere."""

from __future__ import annotations

import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime

import grpc
import pytest

from client.credentials import Endpoint, endpoint_from_files, endpoint_from_home, local_address
from ledger.consortium.address import Address
from ledger.errors import InvalidInput, NotFound, Refused, Unready
from ledger.homes import home as layout
from ledger.homes.config import Config
from node.homes.credentials import issue_credential, open_node
from node.homes.home import open_home
from node.wire.tls import Presented, peer_identity, server_credentials
from tests.lenders import NOW, PASSPHRASE, adopt_all, found_homes, make_homes, seeded


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.setenv("PLIMSOLL_PASSPHRASE", PASSPHRASE)
    monkeypatch.delenv("PLIMSOLL_PASSPHRASE_FILE", raising=False)
    monkeypatch.setattr(sys, "stdin", None)


@pytest.fixture(scope="module")
def homes(tmp_path_factory):
    homes = make_homes(tmp_path_factory.mktemp("homes"))
    adopt_all(homes[:2], found_homes(homes))
    return homes


@pytest.fixture
def folder(homes, tmp_path):
    shutil.copytree(homes[0].folder, tmp_path / "home")
    return tmp_path / "home"


class Echo(grpc.GenericRpcHandler):
    """Answers with the caller whom the node sees."""

    def __init__(self, manifest):
        self._manifest = manifest

    def service(self, details):
        def answer(_, context):
            presented = context.auth_context()["x509_pem_cert"][0]
            return peer_identity(presented, self._manifest, datetime.now(UTC)).uri.encode()

        return grpc.unary_unary_rpc_method_handler(answer)


@contextmanager
def running(home):
    """The home's node as far as its TLS goes; its address."""
    node = open_node(home, PASSPHRASE, rng=seeded("open"), now=NOW)
    pool = ThreadPoolExecutor(1)
    server = grpc.server(pool, [Echo(node.manifest)])
    port = server.add_secure_port(
        "localhost:0", server_credentials(lambda: (node.manifest, Presented(node.key, node.certificate)))
    )
    server.start()
    try:
        yield f"localhost:{port}"
    finally:
        server.stop(None).wait()
        pool.shutdown()


@pytest.fixture(scope="module")
def nodes(homes):
    with running(homes[0]) as first, running(homes[1]) as second:
        yield first, second


def call(endpoint: Endpoint):
    options = (("grpc.ssl_target_name_override", endpoint.server_name), ("grpc.enable_retries", 0))
    with grpc.secure_channel(endpoint.address, endpoint.credentials, options) as channel:
        return channel.unary_unary("/a/b", bytes, bytes)(b"", timeout=5).decode()


def issued(homes, folder, **arguments):
    keywords = {"role": "auditor", "name": "alice", "rng": seeded("issue"), "now": NOW}
    return issue_credential(homes[0], folder=folder, passphrase=PASSPHRASE, **{**keywords, **arguments})


def from_files(credential, address, **arguments):
    paths = {"certificate": credential.certificate, "key": credential.key, "authority": credential.authority}
    return endpoint_from_files(**{**paths, **arguments}, address=address)


# From a home


@pytest.mark.parametrize("role", ["lender", "operator", "auditor"])
def test_a_homes_own_node_is_reached_in_every_role(folder, nodes, role):
    endpoint = endpoint_from_home(folder, role, address=nodes[0])
    assert call(endpoint) == endpoint.caller.uri
    assert (endpoint.caller.member, endpoint.caller.role) == ("lender-1", role)


def test_another_members_node_is_reached_under_its_own_ca(folder, nodes):
    endpoint = endpoint_from_home(folder, "auditor", member="lender-2", address=nodes[1])
    assert call(endpoint).endswith("/lender-1/auditor/home")


def test_another_members_node_does_not_pass_for_ones_own(folder, nodes):
    with pytest.raises(grpc.RpcError) as caught:
        call(endpoint_from_home(folder, "lender", address=nodes[1]))
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


def test_without_an_address_nodes_are_where_config_and_manifest_say(folder):
    assert endpoint_from_home(folder, "lender").address == "localhost:7701"
    assert endpoint_from_home(folder, "auditor", member="lender-3").address == "localhost:7703"


@pytest.mark.parametrize(
    ("listen", "local"),
    [
        (Address("0.0.0.0", 1), "127.0.0.1:1"),
        (Address("::", 1), "[::1]:1"),
        (Address("10.0.0.1", 1), "10.0.0.1:1"),
        (Address("localhost", 1), "localhost:1"),
    ],
)
def test_ones_own_node_is_reached_where_it_listens(listen, local):
    assert str(local_address(Config("lender-1", Address("far.example", 2), listen))) == local


def test_a_secret_key_is_not_shown(folder):
    assert "PRIVATE" not in repr(endpoint_from_home(folder, "lender"))


def test_the_passphrase_may_come_from_a_file_the_config_names(folder, monkeypatch):
    monkeypatch.delenv("PLIMSOLL_PASSPHRASE")
    with pytest.raises(Unready) as caught:
        endpoint_from_home(folder, "lender")
    assert caught.value.reason == "NO_PASSPHRASE"
    (folder / "words").write_text(PASSPHRASE + "\n")
    assert endpoint_from_home(folder, "lender", passphrase_file=str(folder / "words"))
    config = folder / layout.CONFIG
    config.write_text(config.read_text() + 'passphrase_file = "words"\n')
    assert endpoint_from_home(folder, "lender")


def test_a_wrong_passphrase_opens_no_key(folder, monkeypatch):
    monkeypatch.setenv("PLIMSOLL_PASSPHRASE", "wrong")
    with pytest.raises(Refused) as caught:
        endpoint_from_home(folder, "lender")
    assert caught.value.reason == "WRONG_PASSPHRASE"


def test_what_is_missing_is_named(folder, homes, tmp_path):
    for reach, kind, reason in (
        (lambda: endpoint_from_home(tmp_path, "lender"), NotFound, "NO_HOME"),
        (lambda: endpoint_from_home(homes[2].folder, "lender"), Unready, "NOT_FOUNDED"),
        (lambda: endpoint_from_home(folder, "lender", member="lender-4"), NotFound, "UNKNOWN_MEMBER"),
        (lambda: endpoint_from_home(folder, "lender", address="nowhere"), InvalidInput, "BAD_ADDRESS"),
    ):
        with pytest.raises(kind) as caught:
            reach()
        assert caught.value.reason == reason
    (folder / layout.key_file("lender")).unlink()
    with pytest.raises(NotFound, match=r"lender\.sealed"):
        endpoint_from_home(folder, "lender")


def test_one_roles_key_does_not_open_as_anothers(folder):
    shutil.copy(folder / layout.key_file("operator"), folder / layout.key_file("lender"))
    with pytest.raises(InvalidInput) as caught:
        endpoint_from_home(folder, "lender")
    assert caught.value.reason == "WRONG_KIND"


# From files


def test_files_reach_the_node_of_the_ca_among_them_without_a_passphrase(homes, nodes, tmp_path, monkeypatch):
    monkeypatch.delenv("PLIMSOLL_PASSPHRASE")
    endpoint = from_files(issued(homes, tmp_path), nodes[0])
    assert endpoint.server_name == "lender-1.plimsoll.internal"
    assert call(endpoint) == endpoint.caller.uri
    assert endpoint.caller.name == "alice"


def test_files_with_another_members_ca_reach_that_members_node(homes, nodes, tmp_path):
    authority = homes[1].folder / layout.AUTHORITY
    endpoint = from_files(issued(homes, tmp_path), nodes[1], authority=authority)
    assert endpoint.server_name == "lender-2.plimsoll.internal"
    assert call(endpoint).endswith("/lender-1/auditor/alice")


def test_a_sealed_key_needs_its_own_passphrase(homes, nodes, tmp_path, monkeypatch):
    credential = issued(homes, tmp_path, key_passphrase="other words")
    with pytest.raises(Refused):
        from_files(credential, nodes[0])
    monkeypatch.setenv("PLIMSOLL_PASSPHRASE", "other words")
    assert call(from_files(credential, nodes[0])).endswith("/lender-1/auditor/alice")


def test_files_that_hold_something_else_are_refused_by_name(homes, tmp_path):
    credential = issued(homes, tmp_path)
    (tmp_path / "garbage").write_bytes(b"\xff\xfe")
    for what in ("certificate", "key", "authority"):
        with pytest.raises(InvalidInput):
            from_files(credential, "localhost:1", **{what: tmp_path / "garbage"})
        with pytest.raises(NotFound):
            from_files(credential, "localhost:1", **{what: tmp_path / "absent"})
        with pytest.raises(Unready):
            from_files(credential, "localhost:1", **{what: tmp_path})
    with pytest.raises(InvalidInput):
        from_files(credential, "localhost:1", authority=credential.certificate)
    with pytest.raises(InvalidInput):
        from_files(credential, "localhost:1", certificate=credential.authority)
    with pytest.raises(InvalidInput):
        from_files(credential, "localhost:1", key=credential.certificate)


def test_a_home_is_the_same_to_client_and_node(folder):
    assert endpoint_from_home(folder, "lender").certificate == (folder / layout.certificate_file("lender")).read_bytes()
    assert open_home(folder).manifest().consortium == endpoint_from_home(folder, "lender").caller.consortium
