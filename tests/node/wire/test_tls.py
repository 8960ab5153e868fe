"""Mutual TLS: who gets through a handshake, and for whom a certificate then speaks."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID

from ledger.consortium.authority import authority_subject
from ledger.consortium.caller import ROLES, Caller
from ledger.consortium.certificate import certificate_pem, key_pem
from ledger.errors import NotFound, Refused
from node.homes.authority import issue_authority, issue_leaf
from node.homes.keyring import generate_key
from node.wire.tls import (
    MAX_REMEMBERED,
    Callers,
    Presented,
    channel_credentials,
    channel_options,
    peer_identity,
    server_credentials,
)
from tests.lenders import NOW, lender, manifest

MANIFEST = manifest(3)
KEY = generate_key()
DAY = timedelta(days=1)


def leaf(number=1, role="node", *, member=None, name="home", consortium=MANIFEST.consortium, now=NOW, days=30, ca=None):
    """A certificate by lender-<number>'s CA, or `ca` = (certificate, key)."""
    authority, key = ca or (lender(number).authority, lender(number).keyring.authority_key)
    caller = Caller(consortium, member or f"lender-{number}", role, name)
    return certificate_pem(issue_leaf(authority, key, caller, KEY.public_key(), now, days=days))


def custom(*, uris, usages=(ExtendedKeyUsageOID.CLIENT_AUTH,), is_ca=False, number=1):
    """A certificate by lender-<number>'s CA with any contents; None leaves an extension out."""
    signer = lender(number)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(signer.authority.subject)
        .public_key(KEY.public_key())
        .serial_number(7)
        .not_valid_before(NOW)
        .not_valid_after(NOW + DAY)
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
    )
    if uris is not None:
        names = [x509.UniformResourceIdentifier(uri) for uri in uris]
        builder = builder.add_extension(x509.SubjectAlternativeName([*names, x509.DNSName("x")]), critical=True)
    if usages is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    return certificate_pem(builder.sign(signer.keyring.authority_key, SHA256()))


def reason_of(pem, now=NOW):
    with pytest.raises(Refused) as caught:
        peer_identity(pem, MANIFEST, now)
    assert caught.value.path == "certificate"
    return caught.value.reason


# Whom a certificate speaks for


@pytest.mark.parametrize("role", ROLES)
def test_a_members_ca_speaks_for_that_member_in_every_role(role):
    assert peer_identity(leaf(2, role, name="alice"), MANIFEST, NOW) == Caller(
        MANIFEST.consortium, "lender-2", role, "alice"
    )


def test_another_members_ca_does_not_speak_for_this_member():
    assert reason_of(leaf(2, member="lender-1")) == "WRONG_AUTHORITY"


def test_an_unknown_ca_speaks_for_nobody():
    assert reason_of(leaf(4)) == "UNKNOWN_MEMBER"
    assert reason_of(leaf(4, member="lender-1")) == "WRONG_AUTHORITY"


def test_a_ca_that_took_a_members_name_does_not_speak_for_it():
    key = generate_key()
    impostor = issue_authority("lender-1", key, NOW)
    assert impostor.subject == lender(1).authority.subject
    assert reason_of(leaf(ca=(impostor, key), member="lender-1")) == "WRONG_AUTHORITY"


def test_a_leaf_issues_nothing():
    below = generate_key()
    fake_ca = x509.load_pem_x509_certificate(leaf(1))
    builder = (
        x509.CertificateBuilder()
        .subject_name(authority_subject("lender-1"))
        .issuer_name(fake_ca.subject)
        .public_key(below.public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + DAY)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
    )
    uri = x509.UniformResourceIdentifier(Caller(MANIFEST.consortium, "lender-1", "node", "home").uri)
    builder = builder.add_extension(x509.SubjectAlternativeName([uri]), critical=False)
    assert reason_of(certificate_pem(builder.sign(KEY, SHA256()))) == "WRONG_AUTHORITY"


def test_a_certificate_of_another_consortium_is_refused():
    assert reason_of(leaf(consortium=bytes(32))) == "WRONG_CONSORTIUM"


def test_a_certificate_is_good_only_in_its_time():
    pem = leaf(days=30)
    assert peer_identity(pem, MANIFEST, NOW + 30 * DAY)
    assert reason_of(pem, NOW + 30 * DAY + timedelta(seconds=1)) == "EXPIRED_CERTIFICATE"
    assert reason_of(pem, NOW - timedelta(minutes=11)) == "EXPIRED_CERTIFICATE"


GOOD_URI = Caller(MANIFEST.consortium, "lender-1", "auditor", "alice").uri


def test_a_certificate_must_be_made_for_a_client():
    assert peer_identity(custom(uris=[GOOD_URI]), MANIFEST, NOW).name == "alice"
    assert reason_of(custom(uris=[GOOD_URI], usages=None)) == "BAD_CERTIFICATE"
    assert reason_of(custom(uris=[GOOD_URI], usages=[ExtendedKeyUsageOID.SERVER_AUTH])) == "BAD_CERTIFICATE"
    assert reason_of(custom(uris=[GOOD_URI], usages=[ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE])) == "BAD_CERTIFICATE"
    assert reason_of(custom(uris=[GOOD_URI], is_ca=True)) == "BAD_CERTIFICATE"


@pytest.mark.parametrize("uris", [None, [], [GOOD_URI, GOOD_URI.replace("auditor", "node")], ["https://a.example"]])
def test_a_certificate_must_name_one_caller(uris):
    assert reason_of(custom(uris=uris)) in ("BAD_CERTIFICATE", "BAD_CALLER")


def test_a_role_nobody_has_is_refused():
    assert reason_of(custom(uris=[GOOD_URI.replace("auditor", "admin")])) == "BAD_ROLE"


@pytest.mark.parametrize("pem", [b"", b"x", leaf()[:-60], lender(1).card])
def test_what_is_no_certificate_is_refused(pem):
    assert reason_of(pem) == "BAD_CERTIFICATE"


def test_a_cas_own_certificate_is_no_callers():
    assert reason_of(lender(1).member.authority_pem) == "BAD_CERTIFICATE"


# Remembering


def test_a_remembered_certificate_still_lapses():
    now = [NOW]
    callers = Callers(MANIFEST, clock=lambda: now[0])
    pem = leaf(days=30)
    assert callers.identify(pem) == callers.identify(pem)
    now[0] = NOW + 31 * DAY
    with pytest.raises(Refused):
        callers.identify(pem)


def test_a_refused_certificate_is_refused_again():
    callers = Callers(MANIFEST, clock=lambda: NOW)
    for _ in range(2):
        with pytest.raises(Refused):
            callers.identify(leaf(2, member="lender-1"))


def test_a_revoked_certificate_is_refused_and_no_other():
    pem, other = leaf(), leaf()
    fingerprint = x509.load_pem_x509_certificate(pem).fingerprint(SHA256())
    callers = Callers(MANIFEST, frozenset({fingerprint}), clock=lambda: NOW)
    with pytest.raises(Refused) as caught:
        callers.identify(pem)
    assert caught.value.reason == "REVOKED_CERTIFICATE"
    assert callers.identify(other).member == "lender-1"


def test_ever_new_certificates_do_not_fill_memory():
    callers = Callers(MANIFEST, clock=lambda: NOW)
    pem = leaf()
    for number in range(MAX_REMEMBERED + 10):  # white space around PEM: other bytes, the same certificate
        callers.identify(pem + b"\n" * number)
    assert len(callers._known) <= MAX_REMEMBERED


# Handshakes


class Echo(grpc.GenericRpcHandler):
    """Answers with the caller that the certificate names, or why it is refused."""

    def service(self, details):
        def answer(_, context):
            try:
                presented = context.auth_context()["x509_pem_cert"][0]
                return peer_identity(presented, MANIFEST, datetime.now(UTC)).uri.encode()
            except Refused as error:
                context.abort(grpc.StatusCode.PERMISSION_DENIED, error.reason)

        return grpc.unary_unary_rpc_method_handler(answer)


def serving(certificate, key=KEY, trusted=MANIFEST):
    return serving_as(lambda: (trusted, Presented(key_pem(key), certificate)))


@contextmanager
def serving_as(now):
    pool = ThreadPoolExecutor(1)
    server = grpc.server(pool, [Echo()])
    credentials = server_credentials(now)
    port = server.add_secure_port("localhost:0", credentials)
    server.start()
    try:
        yield f"localhost:{port}"
    finally:
        server.stop(None).wait()
        pool.shutdown()


def call(address, credentials, member="lender-1"):
    options = (*channel_options(member), ("grpc.enable_retries", 0))
    with grpc.secure_channel(address, credentials, options) as channel:
        return channel.unary_unary("/a/b", bytes, bytes)(b"", timeout=5).decode()


def client(certificate, towards="lender-1"):
    return channel_credentials(MANIFEST, towards, key_pem(KEY), certificate)


def status_of(address, credentials, member="lender-1"):
    with pytest.raises(grpc.RpcError) as caught:
        call(address, credentials, member)
    return caught.value.code(), caught.value.details()


@pytest.fixture(scope="module")
def node():
    with serving(leaf(1)) as address:
        yield address


@pytest.mark.parametrize("role", ROLES)
def test_members_reach_each_other_and_the_server_knows_who_calls(node, role):
    assert call(node, client(leaf(2, role))) == f"plimsoll://{MANIFEST.consortium.hex()}/lender-2/{role}/home"


def test_a_handshake_succeeds_for_another_members_name_and_the_identity_is_still_refused(node):
    code, details = status_of(node, client(leaf(2, member="lender-3")))
    assert (code, details) == (grpc.StatusCode.PERMISSION_DENIED, "WRONG_AUTHORITY")


def test_a_client_of_an_unknown_ca_gets_no_handshake(node):
    assert status_of(node, client(leaf(4)))[0] == grpc.StatusCode.UNAVAILABLE


def test_a_client_without_a_certificate_gets_no_handshake(node):
    anonymous = grpc.ssl_channel_credentials(MANIFEST.member("lender-1").authority_pem)
    assert status_of(node, anonymous)[0] == grpc.StatusCode.UNAVAILABLE


def test_a_client_whose_certificate_lapsed_gets_no_handshake(node):
    lapsed = leaf(2, now=NOW - 2 * DAY, days=1)
    assert status_of(node, client(lapsed))[0] == grpc.StatusCode.UNAVAILABLE


def test_a_client_without_the_certificates_key_gets_no_handshake(node):
    certificate = leaf(2)
    with pytest.raises(grpc.RpcError):
        call(node, channel_credentials(MANIFEST, "lender-1", key_pem(generate_key()), certificate))


def test_another_members_node_does_not_pass_for_this_one():
    with serving(leaf(2, member="lender-1")) as address:
        assert status_of(address, client(leaf(3)))[0] == grpc.StatusCode.UNAVAILABLE
    with serving(leaf(2)) as address:
        assert call(address, client(leaf(3), towards="lender-2"), "lender-2").endswith("/lender-3/node/home")
        assert status_of(address, client(leaf(3)))[0] == grpc.StatusCode.UNAVAILABLE
        assert status_of(address, client(leaf(3), towards="lender-2"), "lender-1")[0] == grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize("role", ["lender", "operator", "auditor"])
def test_a_members_other_certificates_do_not_pass_for_its_node(role):
    with serving(leaf(1, role)) as address:
        assert status_of(address, client(leaf(2)))[0] == grpc.StatusCode.UNAVAILABLE


def test_every_handshake_sees_the_members_and_the_certificate_of_its_moment():
    now = [(manifest(4), leaf(1))]
    with serving_as(lambda: (now[0][0], Presented(key_pem(KEY), now[0][1]))) as address:
        assert call(address, client(leaf(2))).endswith("/lender-2/node/home")
        assert status_of(address, client(leaf(4))) == (grpc.StatusCode.PERMISSION_DENIED, "UNKNOWN_MEMBER")
        now[0] = MANIFEST, leaf(1)
        assert status_of(address, client(leaf(4)))[0] == grpc.StatusCode.UNAVAILABLE  # it has left: no handshake
        assert call(address, client(leaf(2))).endswith("/lender-2/node/home")
        now[0] = MANIFEST, leaf(2)
        assert status_of(address, client(leaf(3)))[0] == grpc.StatusCode.UNAVAILABLE
        assert call(address, client(leaf(3), towards="lender-2"), "lender-2").endswith("/lender-3/node/home")


def test_there_is_no_channel_to_a_stranger():
    with pytest.raises(NotFound):
        channel_credentials(MANIFEST, "lender-4", key_pem(KEY), leaf())
