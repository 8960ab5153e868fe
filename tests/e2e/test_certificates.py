"""Who may call what, tried at real nodes with real handshakes: every RPC with every kind of certificate."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args

import grpc
import pytest
from cryptography import x509
from grpc_health.v1 import health_pb2, health_pb2_grpc

from ledger.consortium.caller import Caller, Role, server_name
from ledger.consortium.certificate import certificate_pem, key_pem
from node.homes.authority import issue_authority, issue_leaf
from node.homes.keyring import generate_key
from tests.cluster import Cluster
from tests.e2e.wire import METHODS, Failure, bare_call, failure_of

SERVER, OTHER = "lender-1", "lender-2"
KEY = generate_key()
SERVICES = ("PeerService", "LenderService", "AuditService", "OperatorService")
STATUS, HEADS = "OperatorService.Status", "AuditService.LatestHeads"


@dataclass(frozen=True)
class Visitor:
    """Calls SERVER's node with certificates made to order."""

    cluster: Cluster
    channels: dict[tuple[str, Role], grpc.Channel] = field(default_factory=dict)

    def leaf(
        self,
        member: str,
        role: Role,
        *,
        issuer: str = "",
        consortium: bytes = b"",
        now: datetime | None = None,
        days: int = 30,
    ) -> bytes:
        """A certificate for KEY by the CA of `issuer` (default: the member's own), PEM."""
        issuer = issuer or member
        caller = Caller(consortium or self.cluster.manifest.consortium, member, role, "test")
        authority = self.cluster.home(issuer).authority()
        signing = self.cluster.keyring(issuer).authority_key
        now = now or datetime.now(UTC)
        return certificate_pem(issue_leaf(authority, signing, caller, KEY.public_key(), now, days=days))

    def channel(self, member: str, role: Role) -> grpc.Channel:
        """With a good certificate; kept."""
        if (member, role) not in self.channels:
            channel = self.cluster.channel(SERVER, key_pem(KEY), self.leaf(member, role))
            self.channels[member, role] = channel
        return self.channels[member, role]

    def call(self, method: str, certificate: bytes | None) -> Failure | None:
        """How a call with this certificate is refused, None if it is not."""
        key = None if certificate is None else key_pem(KEY)
        return failure_of(*bare_call(self.cluster.channel(SERVER, key, certificate), method))


@pytest.fixture(scope="module")
def visitor(consortium: Cluster) -> Visitor:
    return Visitor(consortium)


def admitted(service: str, member: str, role: str) -> bool:
    """Design section 7 and the comments in protos/plimsoll/v1, in other words than the gate's."""
    if service == "PeerService":
        return role == "node"
    if service == "LenderService":
        return role == "lender" and member == SERVER
    if service == "OperatorService":
        return role == "operator" and member == SERVER
    return True


@pytest.mark.parametrize("role", get_args(Role))
@pytest.mark.parametrize("member", [SERVER, OTHER])
def test_every_rpc_is_open_to_its_roles_and_to_no_other(visitor: Visitor, member: str, role: Role) -> None:
    assert {name.split(".")[0] for name in METHODS} == set(SERVICES)
    for method in METHODS:
        failure = failure_of(*bare_call(visitor.channel(member, role), method))
        refused = failure is not None and failure.reason in ("ROLE", "NOT_OURS")
        assert refused == (not admitted(method.split(".")[0], member, role)), (method, failure)
        if refused:
            assert failure is not None
            assert failure.code is grpc.StatusCode.PERMISSION_DENIED
        elif failure is not None:  # an empty request may be refused, but as what it is
            assert failure.reason not in ("", "INTERNAL"), (method, failure)


def test_without_a_certificate_nobody_gets_through_the_handshake(visitor: Visitor) -> None:
    for method in (STATUS, HEADS, "PeerService.Heads", "LenderService.Exposure"):
        failure = visitor.call(method, None)
        assert failure is not None
        assert failure.code is grpc.StatusCode.UNAVAILABLE


def test_without_tls_nobody_is_answered(visitor: Visitor) -> None:
    with grpc.insecure_channel(visitor.cluster.address(SERVER)) as channel:
        failure = failure_of(*bare_call(channel, HEADS))
    assert failure is not None
    assert failure.code is grpc.StatusCode.UNAVAILABLE


def test_an_unknown_ca_is_refused_by_the_handshake(visitor: Visitor) -> None:
    now = datetime.now(UTC)
    signing = generate_key()
    impostor = issue_authority(SERVER, signing, now)
    caller = Caller(visitor.cluster.manifest.consortium, SERVER, "operator", "test")
    failure = visitor.call(STATUS, certificate_pem(issue_leaf(impostor, signing, caller, KEY.public_key(), now)))
    assert failure is not None
    assert failure.code is grpc.StatusCode.UNAVAILABLE


def test_an_expired_certificate_is_refused_by_the_handshake(visitor: Visitor) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=90)
    failure = visitor.call(STATUS, visitor.leaf(SERVER, "operator", now=long_ago, days=30))
    assert failure is not None
    assert failure.code is grpc.StatusCode.UNAVAILABLE


def test_a_certificate_that_expires_while_connected_is_refused_from_then_on(visitor: Visitor) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=3)
    channel = visitor.cluster.channel(SERVER, key_pem(KEY), visitor.leaf(SERVER, "operator", now=soon, days=0))
    assert failure_of(*bare_call(channel, STATUS)) is None
    time.sleep(4)
    failure = failure_of(*bare_call(channel, STATUS))
    assert failure is not None
    assert failure.brief == ("PERMISSION_DENIED", "EXPIRED_CERTIFICATE", "certificate")


@pytest.mark.parametrize("role", ["lender", "operator", "node"])
def test_another_members_ca_cannot_speak_for_this_one(visitor: Visitor, role: Role) -> None:
    for method in (STATUS, HEADS, "PeerService.Heads", "LenderService.Exposure"):
        failure = visitor.call(method, visitor.leaf(SERVER, role, issuer=OTHER))
        assert failure is not None
        assert failure.brief == ("PERMISSION_DENIED", "WRONG_AUTHORITY", "certificate")


def test_a_certificate_of_another_consortium_or_of_no_member_is_refused(visitor: Visitor) -> None:
    failure = visitor.call(HEADS, visitor.leaf(SERVER, "auditor", consortium=bytes(32)))
    assert failure is not None
    assert failure.brief == ("PERMISSION_DENIED", "WRONG_CONSORTIUM", "certificate")
    failure = visitor.call(HEADS, visitor.leaf("lender-99", "auditor", issuer=OTHER))
    assert failure is not None
    assert failure.brief == ("PERMISSION_DENIED", "UNKNOWN_MEMBER", "certificate")


def test_a_node_is_recognized_by_its_own_ca_alone(visitor: Visitor) -> None:
    """Who expects lender-2 and reaches lender-1 does not speak to it."""
    cluster = visitor.cluster
    credentials = grpc.ssl_channel_credentials(
        cluster.home(OTHER).member().authority_pem, key_pem(KEY), visitor.leaf(OTHER, "node")
    )
    options = [("grpc.ssl_target_name_override", server_name(OTHER)), ("grpc.use_local_subchannel_pool", 1)]
    with grpc.secure_channel(cluster.address(SERVER), credentials, options) as channel:
        failure = failure_of(*bare_call(channel, "PeerService.Heads"))
    assert failure is not None
    assert failure.code is grpc.StatusCode.UNAVAILABLE


def test_a_service_that_does_not_exist_is_unimplemented(visitor: Visitor) -> None:
    channel = visitor.channel(SERVER, "operator")
    call = channel.unary_unary("/plimsoll.v1.SecretService/Tell", lambda raw: raw, lambda raw: raw)
    failure = failure_of(call, b"")
    assert failure is not None
    assert failure.code is grpc.StatusCode.UNIMPLEMENTED
    assert failure_of(*bare_call(channel, STATUS)) is None


@pytest.mark.parametrize("role", get_args(Role))
def test_health_is_told_to_every_role(visitor: Visitor, role: Role) -> None:
    stub = health_pb2_grpc.HealthStub(visitor.channel(OTHER, role))
    for service in ("", *(f"plimsoll.v1.{name}" for name in SERVICES)):
        answer = stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=5)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    failure = failure_of(stub.Check, health_pb2.HealthCheckRequest(service="plimsoll.v1.Nothing"))
    assert failure is not None
    assert failure.code is grpc.StatusCode.NOT_FOUND


def test_health_is_not_told_to_strangers(visitor: Visitor) -> None:
    stub = health_pb2_grpc.HealthStub(visitor.cluster.channel(SERVER, None, None))
    failure = failure_of(stub.Check, health_pb2.HealthCheckRequest())
    assert failure is not None
    assert failure.code is grpc.StatusCode.UNAVAILABLE


def test_reflection_lists_and_describes_everything_to_grpcurl(visitor: Visitor, tmp_path: Path) -> None:
    program = shutil.which("grpcurl", path=str(Path(sys.executable).parent)) or shutil.which("grpcurl")
    if program is None:
        pytest.skip("grpcurl is not installed")
    (tmp_path / "key.pem").write_bytes(key_pem(KEY))
    (tmp_path / "cert.pem").write_bytes(visitor.leaf(SERVER, "operator"))
    (tmp_path / "ca.pem").write_bytes(visitor.cluster.home(SERVER).member().authority_pem)
    base = [program, "-cacert", "ca.pem", "-cert", "cert.pem", "-key", "key.pem", "-authority", server_name(SERVER)]

    def run(*arguments: str) -> str:
        command = [*base, visitor.cluster.address(SERVER), *arguments]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    listed = run("list").split()
    assert {f"plimsoll.v1.{name}" for name in SERVICES} <= set(listed)
    assert "grpc.health.v1.Health" in listed
    assert "rpc Exposures ( stream .plimsoll.v1.ExposuresRequest )" in run("describe", "plimsoll.v1.LenderService")
    assert '"member": "lender-1"' in run("plimsoll.v1.OperatorService/Status")


def test_the_server_speaks_no_tls_older_than_1_2(visitor: Visitor) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    address = visitor.cluster.address(SERVER)
    done = subprocess.run(
        [openssl, "s_client", "-connect", address, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert "Cipher is (NONE)" in done.stdout + done.stderr, done.stdout


def test_certificates_of_the_homes_name_their_bearer(visitor: Visitor) -> None:
    for role in get_args(Role):
        certificate = visitor.cluster.home(SERVER).certificate(role)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        (uri,) = names.get_values_for_type(x509.UniformResourceIdentifier)
        assert uri == f"plimsoll://{visitor.cluster.manifest.consortium.hex()}/{SERVER}/{role}/home"
