"""A witness and a log that are no part of any consortium: nothing of the ledger's, written from the specifications."""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.second import merkle
from tests.second.refusal import Refused

PREFIX = "/some/prefix"


class Witness:
    """C2SP tlog-witness, for one log."""

    def __init__(self, name: str = "w1") -> None:
        self.name = name
        self.secret = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())
        self.public = self.secret.public_key().public_bytes_raw()
        self.size, self.root = 0, b""
        self.time = 1_700_000_000
        self.asked: list[tuple[int, int]] = []
        self.port = 0
        #: Of whoever is answered.
        self.turn = threading.Lock()

    @property
    def id(self) -> bytes:
        return hashlib.sha256(self.name.encode() + b"\n\x04" + self.public).digest()[:4]

    @property
    def key(self) -> str:
        """Its verifier key."""
        return "+".join((self.name, self.id.hex(), base64.b64encode(b"\x04" + self.public).decode()))

    @property
    def url(self) -> str:
        """Its submission prefix."""
        return f"http://127.0.0.1:{self.port}{PREFIX}"

    def answer(self, raw: bytes) -> tuple[int, str, bytes]:
        first, _, note = raw.partition(b"\n\n")
        lines = first.decode().split("\n")
        old, proof = int(lines[0].removeprefix("old ")), [base64.b64decode(line) for line in lines[1:]]
        text = note.rpartition(b"\n\n")[0] + b"\n"
        _, size_text, root_text = text.decode().split("\n")[:3]
        size, root = int(size_text), base64.b64decode(root_text)
        self.asked.append((old, size))
        if old != self.size:
            return 409, "text/x.tlog.size", b"%d\n" % self.size
        try:
            if old:
                merkle.check_consistency(old, size, self.root, root, proof)
        except Refused:
            return 422, "text/plain", b""
        self.size, self.root = size, root
        return 200, "text/plain", self.line(text)

    def line(self, text: bytes) -> bytes:
        self.time += 1
        signed = self.secret.sign(b"cosignature/v1\ntime %d\n" % self.time + text)
        payload = self.id + self.time.to_bytes(8, "big") + signed
        return f"— {self.name} {base64.b64encode(payload).decode()}\n".encode()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Answers nobody for as long as the block runs; whoever asked meanwhile is answered then."""
        with self.turn:
            yield

    @contextmanager
    def in_a_thread(self) -> Iterator[None]:
        """Serves on its port, if it has one already."""
        witness = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                with witness.turn:
                    known = self.path == f"{PREFIX}/add-checkpoint"
                    status, kind, body = witness.answer(raw) if known else (404, "text/plain", b"")
                with suppress(ConnectionError):  # whoever asked did not wait
                    self.send_response(status)
                    self.send_header("Content-Type", kind)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


class ForeignLog:
    """A log of its own making, with two histories that have their first entries in common."""

    def __init__(self, origin: str = "log.example/rome", common: int = 2) -> None:
        self.origin = origin
        self.secret = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(origin.encode()).digest())
        self.public = self.secret.public_key().public_bytes_raw()
        self.leaves = [merkle.leaf_hash(b"%d" % number) for number in range(100)]
        self.forked = [
            *self.leaves[:common],
            *(merkle.leaf_hash(b"other %d" % number) for number in range(100 - common)),
        ]

    @property
    def id(self) -> bytes:
        """Of its key."""
        return hashlib.sha256(self.origin.encode() + b"\n\x01" + self.public).digest()[:4]

    @property
    def key(self) -> str:
        """Its verifier key."""
        return "+".join((self.origin, self.id.hex(), base64.b64encode(b"\x01" + self.public).decode()))

    def head(self, size: int, leaves: list[bytes] | None = None) -> bytes:
        """The note of its first so many entries."""
        root = base64.b64encode(merkle.root((leaves or self.leaves)[:size])).decode()
        text = f"{self.origin}\n{size}\n{root}\n"
        line = base64.b64encode(self.id + self.secret.sign(text.encode())).decode()
        return f"{text}\n— {self.origin} {line}\n".encode()

    def request(self, old: int, size: int, leaves: list[bytes] | None = None) -> bytes:
        """To a witness that stands at `old`."""
        proof = _proof(old, (leaves or self.leaves)[:size], whole=True) if 0 < old < size else []
        lines = "".join(f"{base64.b64encode(one).decode()}\n" for one in proof)
        return f"old {old}\n{lines}\n".encode() + self.head(size, leaves)


def _proof(m: int, leaves: list[bytes], *, whole: bool) -> list[bytes]:
    """SUBPROOF of RFC 6962, section 2.1.2."""
    if m == len(leaves):
        return [] if whole else [merkle.root(leaves)]
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    if m <= k:
        return [*_proof(m, leaves[:k], whole=whole), merkle.root(leaves[k:])]
    return [*_proof(m - k, leaves[k:], whole=False), merkle.root(leaves[:k])]
