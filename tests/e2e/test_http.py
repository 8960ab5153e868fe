"""Auditors read over HTTPS with nothing but what the specifications say; witnesses cosign in both directions."""

from __future__ import annotations

import base64
import hashlib
import http.client
import re
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from plimsoll.v1 import audit_pb2
from prometheus_client.parser import text_string_to_metric_families

from ledger.consortium.caller import Role, server_name
from ledger.consortium.certificate import certificate_pem, key_pem
from ledger.tlog.checkpoint import open_head
from ledger.tlog.tlog_policy import Policy, PolicyLog, PolicyWitness, parse_policy
from tests.cluster import PASSPHRASE, Cluster, free_ports
from tests.e2e.conftest import Found
from tests.e2e.elsewhere import ForeignLog, Witness
from tests.e2e.feeds import row
from tests.second import merkle, note

AT, PLAIN, WITHOUT = "lender-1", "lender-2", "lender-3"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@dataclass
class Web:
    """The consortium, and how its nodes are reached. foreign: a log that AT cosigns; witness: who cosigns AT's log."""

    cluster: Cluster
    folder: Path
    foreign: ForeignLog
    witness: Witness
    ports: dict[str, int]
    metrics_port: int
    _contexts: dict[Role | None, ssl.SSLContext] = field(default_factory=dict)

    def context(self, role: Role | None) -> ssl.SSLContext:
        """Trusts AT's CA alone; shows lender-2's certificate of that role, an operator's of AT."""
        if role not in self._contexts:
            made = ssl.create_default_context(cadata=self.cluster.home(AT).member().authority_pem.decode())
            if role is not None:
                home = self.cluster.home(AT if role == "operator" else PLAIN)
                file = self.folder / f"{role}.pem"
                file.write_bytes(key_pem(home.key(role, PASSPHRASE)) + certificate_pem(home.certificate(role)))
                made.load_cert_chain(file)
            self._contexts[role] = made
        return self._contexts[role]

    def ask(
        self, path: str, body: bytes | None = None, *, at: str = AT, role: Role | None = "auditor", method: str = ""
    ) -> tuple[int, bytes, dict[str, str]]:
        """Status, body, headers."""
        secure = at == AT
        url = f"{'https' if secure else 'http'}://127.0.0.1:{self.ports[at]}{path}"
        request = urllib.request.Request(url, body, method=method or None)
        context = self.context(role) if secure else None
        try:
            with urllib.request.urlopen(request, timeout=20, context=context) as response:
                return response.status, response.read(), dict(response.headers)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read(), dict(error.headers)

    def get(self, path: str, **how: object) -> bytes:
        """A page that must be there."""
        status, body, _ = self.ask(path, **how)  # type: ignore[arg-type]
        assert status == 200, body
        return body

    def add(self, body: bytes, **how: object) -> tuple[int, bytes]:
        """To AT as a witness."""
        return self.ask("/add-checkpoint", body, **how)[:2]  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def web(found_module: Found, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    cluster = found_module(3, policy={"heartbeat_seconds": 1, "gossip_seconds": 1})
    foreign, witness = ForeignLog(), Witness("witness.example/w1")
    secure, plain, metrics = free_ports(3)
    with witness.in_a_thread():
        settings = {
            AT: f"""
                metrics = "127.0.0.1:{metrics}"
                [web]
                listen = "127.0.0.1:{secure}"
                [[web.witness_for]]
                log = "{foreign.key}"
                [[web.witnesses]]
                name = "outside"
                key = "{witness.key}"
                url = "{witness.url}"
                """,
            PLAIN: f'\n[web]\nlisten = "127.0.0.1:{plain}"\nplain = true\n',
        }
        for member, lines in settings.items():
            with (cluster.home_folder(member) / "config.toml").open("a") as config:
                config.write(re.sub("(?m)^ +", "", lines))
        cluster.start()
        cluster.wait_ready()
        assert cluster.report(AT, [row(f"test:7200{number}", 1_000_000) for number in range(300)]).published == 300
        cluster.wait_same_heads()
        folder = tmp_path_factory.mktemp("web")
        yield Web(cluster, folder, foreign, witness, {AT: secure, PLAIN: plain}, metrics)


# -- an auditor's own reader


def tile_path(level: str, number: int, width: int) -> str:
    elements = re.findall("...", f"{number:03d}".zfill(-(-len(f"{number:03d}") // 3) * 3))
    name = "/".join([*(f"x{element}" for element in elements[:-1]), elements[-1]])
    return f"tile/{level}/{name}{'' if width == 256 else f'.p/{width}'}"


def tiles(level: int, size: int) -> list[tuple[int, int]]:
    """(number, width) of a level's tiles."""
    count = size >> 8 * level
    full = [(number, 256) for number in range(count // 256)]
    return [*full, (count // 256, count % 256)] if count % 256 else full


def checkpoint(raw: bytes, key: note.Key) -> tuple[int, bytes]:
    """Size and root, the log's signature verified."""
    text = note.open_note(raw, [key]).text
    origin, size, root, end = text.split("\n")
    assert (origin, end) == (key.name, "")
    return int(size), base64.b64decode(root)


def read_log(web: Web, member: str, at: str = AT) -> list[bytes]:
    """Its entries, everything verified from the checkpoint down to every byte."""
    key = note.verifier_key(str(web.cluster.manifest.log_key(member)))
    size, root = checkpoint(web.get(f"/{member}/checkpoint", at=at), key)
    entries: list[bytes] = []
    for number, width in tiles(0, size):
        bundle = web.get(f"/{member}/{tile_path('entries', number, width)}", at=at)
        before = len(entries)
        while bundle:
            length = int.from_bytes(bundle[:2], "big")
            entries.append(bundle[2 : 2 + length])
            assert len(entries[-1]) == length > 0
            bundle = bundle[2 + length :]
        assert len(entries) - before == width
    leaves = [merkle.leaf_hash(entry) for entry in entries]
    assert merkle.root(leaves) == root
    for level in range(3):
        for number, width in tiles(level, size):
            span, first = 256**level, 256 * number
            hashes = [merkle.root(leaves[n * span : (n + 1) * span]) for n in range(first, first + width)]
            assert web.get(f"/{member}/{tile_path(str(level), number, width)}", at=at) == b"".join(hashes)
    return entries


def test_every_log_reads_the_same_at_every_node_down_to_its_last_byte(web: Web) -> None:
    sizes = {member: size for member, (size, _) in web.cluster.sizes(AT).items()}

    def all_shown() -> bool:
        heads = {(at, member): web.get(f"/{member}/checkpoint", at=at) for at in (AT, PLAIN) for member in sizes}
        return all(int(head.split(b"\n")[1]) >= sizes[member] for (_, member), head in heads.items())

    web.cluster.wait_until(all_shown, "all that was reported is witnessed", 30)
    for member in web.cluster.members:
        secure, plain = read_log(web, member), read_log(web, member, PLAIN)
        assert secure == plain
        assert len(secure) >= 3
    assert len(read_log(web, AT)) > 300


def test_the_node_proves_who_it_is_as_over_grpc(web: Web) -> None:
    connection = http.client.HTTPSConnection("127.0.0.1", web.ports[AT], context=web.context("auditor"), timeout=10)
    connection.connect()
    shown = connection.sock.getpeercert()
    assert shown is not None
    assert ("DNS", server_name(AT)) in shown["subjectAltName"]
    for _ in range(3):  # one connection serves many requests
        connection.request("GET", f"/{AT}/checkpoint")
        assert connection.getresponse().read()
    connection.close()


def test_manifests_are_what_the_home_holds(web: Web) -> None:
    lineage = audit_pb2.Lineage.FromString(web.get("/manifest"))
    assert lineage.founding == web.cluster.manifest_file.read_bytes()


@pytest.mark.parametrize("role", ["auditor", "operator", "lender", "node"])
def test_every_role_reads_and_strangers_do_not(web: Web, role: Role) -> None:
    assert web.ask(f"/{AT}/checkpoint", role=role)[0] == 200
    assert web.ask(f"/{AT}/checkpoint", role=None)[0] == 403
    assert web.ask("/manifest", role=None)[0] == 403
    assert web.ask(f"/{AT}/checkpoint", b"x", role=role)[0] == 405


def test_what_is_asked_for_without_its_bytes_has_its_headers(web: Web) -> None:
    status, body, headers = web.ask(f"/{AT}/tile/0/000", method="HEAD")
    assert (status, body, headers["Content-Length"]) == (200, b"", "8192")


# -- monitoring


def figures(raw: bytes) -> dict[str, dict[str, float]]:
    """By name, then by label."""
    found: dict[str, dict[str, float]] = {}
    for family in text_string_to_metric_families(raw.decode()):
        for sample in family.samples:
            found.setdefault(sample.name, {})["/".join(sample.labels.values())] = sample.value
    return found


def test_what_operators_need_to_know_is_measured_and_nothing_of_borrowers(web: Web) -> None:
    web.cluster.ask(AT, "test:72001")
    with urllib.request.urlopen(f"http://127.0.0.1:{web.metrics_port}/metrics", timeout=10) as response:
        raw = response.read()
    found = figures(raw)
    assert found["plimsoll_state"]["serving"] == 1
    assert found["plimsoll_log_entries"][AT] > 300
    assert found["plimsoll_log_lag_entries"] == dict.fromkeys(web.cluster.members, 0.0)
    assert found["plimsoll_log_stale"] == found["plimsoll_log_frozen"] == dict.fromkeys(web.cluster.members, 0.0)
    assert max(found["plimsoll_log_heartbeat_age_seconds"].values()) < 30
    assert found["plimsoll_peer_reachable"] == {PLAIN: 1.0, WITHOUT: 1.0}
    assert found["plimsoll_calls_total"]["Exposure/OK/LenderService"] >= 1
    assert found["plimsoll_quota_used"]["inquiry"] >= 1
    assert found["plimsoll_quota_used"]["evaluation"] >= 300
    assert found["plimsoll_quota_limit"]["inquiry"] >= 1000
    assert found["plimsoll_ceremony_phase"]["final"] == 1
    assert found["plimsoll_key_epoch"][""] == 1
    assert found["plimsoll_sync_seconds_count"]["chain"] > 0 < found["plimsoll_sync_seconds_sum"]["chain"]
    assert found["plimsoll_disk_free_bytes"][""] > found["plimsoll_disk_reserve_bytes"][""]
    day = 86_400
    assert 300 * day < found["plimsoll_certificate_expiry_timestamp_seconds"]["node"] - time.time() < 400 * day
    assert found["plimsoll_outside_witness_age_seconds"]["outside"] < 60
    assert found["plimsoll_alerts"][""] == 0
    assert b"7200" not in raw
    assert b"PRIVATE" not in raw


def test_metrics_are_on_their_own_address_and_for_operators(web: Web) -> None:
    assert web.ask("/metrics", role="operator")[0] == 200
    assert web.ask("/metrics", role="auditor")[0] == 403
    assert web.ask("/metrics", at=PLAIN)[0] == 403
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"http://127.0.0.1:{web.metrics_port}/manifest", timeout=10)
    with caught.value as error:
        assert error.code == 404


def test_a_node_without_http_has_none_of_it(web: Web) -> None:
    maps = {member: Path(f"/proc/{web.cluster.process(member).pid}/maps").read_text() for member in (AT, WITHOUT)}
    assert "aiohttp" in maps[AT]
    assert "aiohttp" not in maps[WITHOUT]


# -- this node as a witness


def test_a_log_elsewhere_is_cosigned_and_what_was_cosigned_outlives_kill_9(web: Web) -> None:
    log = web.foreign
    cosigner = note.verifier_key(str(web.cluster.manifest.cosigner_key(AT)))
    assert web.add(log.request(3, 5), role=None) == (409, b"0\n")
    status, line = web.add(log.request(0, 5), role=None)
    assert status == 200
    found = note.open_note(log.head(5) + line, [note.verifier_key(log.key), cosigner])
    cosigned_at = found.verified[cosigner]
    assert cosigned_at is not None
    assert abs(cosigned_at - time.time()) < 60

    web.cluster.kill(AT)
    web.cluster.restart(AT)
    assert web.add(log.request(0, 9, log.forked), role=None) == (409, b"5\n")
    assert web.add(log.request(5, 9, log.forked), role=None)[0] == 422
    assert web.add(log.request(5, 5, log.forked), role=None)[0] == 422
    assert web.add(log.request(5, 9), role=None)[0] == 200
    path = f"/{hashlib.sha256(log.origin.encode()).hexdigest()}/checkpoint"
    assert web.get(path).startswith(log.head(9))


def test_a_members_head_is_cosigned_on_request_by_the_memory_that_its_peers_share(web: Web) -> None:
    cluster = web.cluster
    head = web.get(f"/{PLAIN}/checkpoint")
    size = int(head.split(b"\n")[1])

    def is_cosigned() -> bool:
        status, body = web.add(b"old 0\n\n" + head)  # it has been cosigned by heartbeats long ago
        return status == 409 and int(body) >= size

    cluster.wait_until(is_cosigned, "the restarted node may cosign", 30)
    known = int(web.add(b"old 0\n\n" + head)[1])
    if known == size:
        assert web.add(b"old %d\n\n" % known + head)[0] == 200
    assert web.add(b"old 0\n\n" + web.get(f"/{AT}/checkpoint"))[0] == 404, "nobody is a witness of its own log"
    assert web.add(b"old 0\n\n" + head, role=None)[0] == 404, "strangers ask for logs that are listed"
    assert cluster.report(PLAIN, [row("test:720900", 1_000_000)]).published == 1

    def is_witnessed() -> bool:
        return all(log.witnessed_size == log.size > 0 for log in cluster.status(AT).logs)

    cluster.wait_until(is_witnessed, "heads go on being witnessed", 30)


# -- others as witnesses


def policy(web: Web) -> Policy:
    log = PolicyLog(web.cluster.manifest.log_key(AT))
    witness = f"witness outside {web.witness.key}\n"
    return parse_policy(f"log {log.key}\n{witness}quorum outside\n".encode())


def grow(cluster: Cluster, first: int, count: int) -> None:
    """AT's log, by inquiries."""
    for number in range(first, first + count):
        cluster.ask(AT, f"test:7200{number}")


def test_a_policy_that_asks_for_an_outside_witness_is_met_by_what_is_shown(web: Web) -> None:
    cluster, key = web.cluster, web.cluster.manifest.log_key(AT)
    cosigner = next(one for one in policy(web).witnesses if isinstance(one, PolicyWitness)).key

    def is_cosigned(raw: bytes) -> bool:
        return any(one.key == cosigner for one in open_head(raw, key, [cosigner]).cosignatures)

    def over_grpc() -> bool:
        raws = cluster.session(AT, "auditor").heads()
        return any(raw.startswith(key.name.encode() + b"\n") and is_cosigned(raw) for raw in raws)

    cluster.wait_until(lambda: is_cosigned(web.get(f"/{AT}/checkpoint")), "cosigned over HTTP", 30)
    cluster.wait_until(over_grpc, "cosigned over gRPC", 30)
    before = web.witness.size
    grow(cluster, 10, 3)
    cluster.wait_until(lambda: web.witness.size >= before + 3, "the witness has seen what is new", 30)
    assert is_cosigned(web.get(f"/{AT}/checkpoint"))


def test_an_outside_witness_that_stops_answering_slows_nothing(web: Web) -> None:
    with web.witness.held():
        begun = time.monotonic()
        grow(web.cluster, 20, 3)
        web.get(f"/{AT}/checkpoint")
        assert time.monotonic() - begun < 10
        logs = {log.member: log for log in web.cluster.status(AT).logs}
        size = logs[AT].size
        web.cluster.wait_until(
            lambda: next(log for log in web.cluster.status(PLAIN).logs if log.member == AT).witnessed_size >= size,
            "members go on cosigning",
            30,
        )
    web.cluster.wait_until(lambda: web.witness.size >= size, "it cosigns again", 60)
