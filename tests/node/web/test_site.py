"""What is served over HTTP: tiles as the specification has them, and each refusal with its status."""

from __future__ import annotations

import hashlib
import threading
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ledger.chain.chain import Chain
from ledger.chain.memory_store import Fault, MemoryStore
from ledger.consortium.caller import Caller
from ledger.consortium.history import History
from ledger.consortium.lineage import founded, open_lineage
from ledger.errors import PlimsollError, Unready, Unverified
from ledger.strict import encode_base64
from ledger.tlog import merkle
from ledger.tlog.checkpoint import Head, open_head, sign_head
from ledger.tlog.cosignature import verify_cosignature
from ledger.tlog.note import SignatureLine, Signer, parse_note
from ledger.tlog.tiles import BUNDLE, Tile
from ledger.tlog.tlog_witness import AddCheckpoint, ForeignWitness
from ledger.witnessing.witnessed import Witnessed
from node.web.page import Page, refusal
from node.web.server import Asked
from node.web.site import Site, metrics_only
from node.wire.limits import Limits, Party
from tests.ledger import rfc6962
from tests.ledger.witnesses import chain_of, cosigned, cosigner, entry, head_of, history, signer
from tests.lenders import lender, manifest, signed_manifest

MANIFEST = manifest(5)
NOW = 1_700_000_000
FOREIGN = Signer.from_seed("log.example/rome", bytes(range(32)))
TIMES = {2: NOW - 100, 3: NOW - 100, 4: NOW - 100}
SIZE = 300
ENTRIES = [entry(number) for number in range(SIZE)]
MINE = cosigner(2, MANIFEST)


class Request:
    """One that a test makes up."""

    def __init__(self, path: str, method: str, caller: Caller | None, plain: bool, body: bytes, known: str) -> None:
        self.path, self.method, self.caller, self.plain = path, method, caller, plain
        self.party = Party("somebody", 10, Limits(), 0.0)
        self.held: list[int] = []
        self._body = body
        self._known = known

    def header(self, name: str) -> str:
        return self._known if name == "If-None-Match" else ""

    async def body(self, limit: int) -> bytes:
        assert len(self._body) <= limit
        return self._body

    async def room(self, amount: int) -> None:
        self.held.append(amount)

    def keep(self, amount: int) -> None:
        self.held.append(amount)


@pytest.fixture(scope="module")
def chain() -> Chain:
    """lender-1's log has 300 entries, of which 280 have been witnessed."""
    chain = chain_of(MANIFEST, MemoryStore(lock=threading.RLock()))
    chain.own(signer(1)).append(ENTRIES)
    note = cosigned(head_of(ENTRIES[:280], MANIFEST), MANIFEST, TIMES)
    Witnessed(chain.store, History([MANIFEST])).add(note)
    return chain


class Served:
    """lender-2's site. now: its clock."""

    def __init__(self, chain: Chain, store: MemoryStore | None = None, now: int = NOW) -> None:
        self.store = store or MemoryStore(lock=threading.RLock())
        self.extended: list[AddCheckpoint] = []
        self.failure: PlimsollError | None = None
        foreign = ForeignWitness(self.store, [FOREIGN.key], MINE, threading.Lock())
        lineage = founded(signed_manifest(5).encode())
        witnessed = Witnessed(chain.store, History([MANIFEST]))
        self.site = Site(
            "lender-2",
            chain,
            witnessed,
            lambda: lineage,
            self._extend,
            foreign,
            lambda: b"# figures\n",
            clock=lambda: now,
        )

    async def _extend(self, request: AddCheckpoint) -> SignatureLine:
        self.extended.append(request)
        if self.failure is not None:
            raise self.failure
        return MINE.cosign(request.note.text, NOW)

    async def page(
        self, path: str, method: str = "GET", *, role: str | None = "auditor", member: str = "lender-1",
        plain: bool = False, body: bytes = b"", known: str = "",
    ) -> Page:  # fmt: skip
        """As the server would answer."""
        caller = None if role is None else Caller(MANIFEST.consortium, member, role, "home")  # type: ignore[arg-type]
        request = Request(path, method, caller, plain, body, known)
        try:
            return await self.site.answer(cast(Asked, request))
        except PlimsollError as error:
            return refusal(error)

    async def add(self, body: bytes, **how: Any) -> Page:
        return await self.page("/add-checkpoint", "POST", body=body, **how)


@pytest.fixture
def served(chain: Chain) -> Served:
    return Served(chain)


# -- tiles


def hash_at(level: int, place: int) -> bytes:
    """MTH(D[place * 256^level : (place + 1) * 256^level]), by the definition."""
    width = 256**level
    return rfc6962.mth(ENTRIES[place * width : (place + 1) * width])


async def test_hashes_and_entries_are_those_of_the_specification(served: Served) -> None:
    full = await served.page("/lender-1/tile/0/000")
    assert full.body == b"".join(hash_at(0, place) for place in range(256))
    assert (full.status, full.type, full.cache) == (
        200,
        "application/octet-stream",
        "private, max-age=31536000, immutable",
    )
    assert (await served.page("/lender-1/tile/0/001.p/44")).body == b"".join(hash_at(0, n) for n in range(256, 300))
    assert (await served.page("/lender-1/tile/1/000.p/1")).body == hash_at(1, 0)
    for path, stretch in [("000", range(256)), ("001.p/44", range(256, 300)), ("000.p/7", range(7))]:
        bundle = b"".join(len(ENTRIES[n]).to_bytes(2, "big") + ENTRIES[n] for n in stretch)
        page = await served.page(f"/lender-1/tile/entries/{path}")
        assert (page.body, page.type, page.cache) == (bundle, full.type, full.cache)


async def test_partial_tiles_of_every_earlier_size_are_there(served: Served) -> None:
    for width in (1, 2, 43):
        page = await served.page(f"/lender-1/tile/0/001.p/{width}")
        assert page.body == b"".join(hash_at(0, place) for place in range(256, 256 + width))


NOT_YET = [
    "tile/0/001",
    "tile/0/001.p/45",
    "tile/0/002.p/1",
    "tile/1/000",
    "tile/1/000.p/2",
    "tile/1/001.p/1",
    "tile/2/000.p/1",
    "tile/63/000.p/1",
    "tile/entries/001",
    "tile/entries/001.p/45",
    "tile/0/x999/x999/x999/x999/x999/999",
]
RESPELLED = [
    "tile/0/0",
    "tile/0/00",
    "tile/0/0000",
    "tile/0/x000/000",
    "tile/00/000",
    "tile/64/000",
    "tile/-1/000",
    "tile/0/000.p/0",
    "tile/0/000.p/256",
    "tile/0/000.p/01",
    "tile/0/000.p/",
    "tile/0/000.p/1/",
    "tile/0/000/",
    "tile//000",
    "tile/0/000.P/1",
    "tile/entries/0",
    "tile/Entries/000",
    "tile/0/%30%30%30",
    "tile/0/٠٠٠",
    "tile/0/+00",
    "tile/0/000.p/+1",
    "tile/0",
    "tile/",
    "tile",
    "Checkpoint",
    "checkpoint/",
    "./checkpoint",
    "../lender-1/checkpoint",
    "tile/0/x-01/000",
]


@pytest.mark.parametrize("path", NOT_YET)
async def test_a_tile_that_is_not_there_yet_is_not_found(served: Served, path: str) -> None:
    page = await served.page(f"/lender-1/{path}")
    assert (page.status, page.cache) == (404, "no-store")


@pytest.mark.parametrize("path", [*RESPELLED, ""])
async def test_other_spellings_are_not_found(served: Served, path: str) -> None:
    assert (await served.page(f"/lender-1/{path}")).status == 404


@pytest.mark.parametrize(
    "path", ["/", "", "/lender-1", "/lender-9/checkpoint", "//checkpoint", "/lender-1.1/checkpoint"]
)
async def test_nothing_else_is_served(served: Served, path: str) -> None:
    assert (await served.page(path)).status == 404


async def test_a_log_without_entries_has_no_checkpoint_and_no_tiles(served: Served) -> None:
    for rest in ("checkpoint", "tile/0/000.p/1", "tile/entries/000.p/1"):
        assert (await served.page(f"/lender-3/{rest}")).status == 404


async def test_a_rotten_tile_is_not_served(chain: Chain) -> None:
    store = MemoryStore(dict(chain.store.scan(b"\x00", b"\xff")))
    opened = chain_of(MANIFEST, store)
    key = opened.log("lender-1").keys.tile(0, 0)
    good = store.get(key)
    assert good is not None
    store.write([(key, bytes([good[0] ^ 1]) + good[1:])])
    page = await Served(opened).page("/lender-1/tile/0/000")
    assert page.status == 500
    assert b"BAD_TILE" in page.body


async def test_room_for_the_largest_bundle_is_taken_before_it_is_read(served: Served) -> None:
    caller = Caller(MANIFEST.consortium, "lender-1", "auditor", "home")
    request = Request("/lender-1/tile/entries/000", "GET", caller, False, b"", "")
    page = await served.site.answer(cast(Asked, request))
    assert request.held == [256 * 65_537, len(page.body)]


# -- heads, manifests


async def test_the_checkpoint_is_the_witnessed_head_unless_that_is_old(chain: Chain) -> None:
    fresh = await Served(chain, now=NOW - 50).page("/lender-1/checkpoint")
    keys = [MANIFEST.cosigner_key(each.name) for each in MANIFEST.members]
    head = open_head(fresh.body, MANIFEST.log_key("lender-1"), keys)
    assert (head.head.size, len(head.cosignatures)) == (280, 3)
    assert (fresh.type, fresh.cache) == ("text/plain; charset=utf-8", "no-cache")
    old = await Served(chain, now=NOW).page("/lender-1/checkpoint")
    assert open_head(old.body, MANIFEST.log_key("lender-1")).head.size == 300


async def test_the_witnessed_head_has_a_name_of_its_own_however_old(chain: Chain) -> None:
    page = await Served(chain, now=NOW).page("/lender-1/witnessed")
    assert open_head(page.body, MANIFEST.log_key("lender-1")).head.size == 280
    assert (await Served(chain).page("/lender-3/witnessed")).status == 404


@pytest.mark.parametrize("path", ["/lineage", "/manifest"])
async def test_the_manifests_are_those_of_a_home(served: Served, path: str) -> None:
    page = await served.page(path)
    assert open_lineage(page.body).current == MANIFEST
    assert page.type == "application/octet-stream"


async def test_who_has_it_already_is_told_so(served: Served) -> None:
    for path in ("/manifest", "/lender-1/checkpoint", "/lender-1/tile/0/000"):
        tag = (await served.page(path)).headers["ETag"]
        for known in (tag, f"W/{tag}", f'"x", {tag}', "*"):
            page = await served.page(path, known=known)
            assert (page.status, page.body, page.headers["ETag"]) == (304, b"", tag)
        assert (await served.page(path, known='"x"')).status == 200


# -- who may


@pytest.mark.parametrize("role", ["auditor", "operator", "lender", "node"])
async def test_every_role_of_every_member_reads(served: Served, role: str) -> None:
    assert (await served.page("/lender-1/checkpoint", role=role, member="lender-5")).status == 200


async def test_nobody_reads_without_a_certificate_but_behind_a_proxy(served: Served) -> None:
    for path in ("/lender-1/checkpoint", "/manifest", "/lender-1/tile/0/000", "/metrics", "/nothing"):
        page = await served.page(path, role=None)
        assert page.status == 403
        assert b"NO_CERTIFICATE" in page.body
    assert (await served.page("/lender-1/checkpoint", role=None, plain=True)).status == 200


async def test_metrics_are_for_the_members_own_operators(served: Served) -> None:
    assert (await served.page("/metrics", role="operator", member="lender-2")).body == b"# figures\n"
    for role, member, plain in [("operator", "lender-1", False), ("auditor", "lender-2", False), (None, "", True)]:
        page = await served.page("/metrics", role=role, member=member, plain=plain)
        assert (page.status, b"figures" in page.body) == (403, False)


async def test_the_address_for_metrics_serves_nothing_else() -> None:
    answer = metrics_only(lambda: b"figures")
    assert (await answer(cast(Asked, SimpleNamespace(path="/metrics", method="GET")))).body == b"figures"
    assert (await answer(cast(Asked, SimpleNamespace(path="/metrics", method="POST")))).status == 405
    with pytest.raises(PlimsollError):
        await answer(cast(Asked, SimpleNamespace(path="/manifest", method="GET")))


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT"])
async def test_nothing_can_be_written(served: Served, method: str) -> None:
    page = await served.page("/lender-1/checkpoint", method)
    assert (page.status, page.headers) == (405, {"Allow": "GET, HEAD"})


# -- as witness


LEAVES = [merkle.leaf_hash(b"%d" % number) for number in range(40)]
FORKED = [*LEAVES[:2], *(merkle.leaf_hash(b"other %d" % number) for number in range(38))]


def body(old: int, new: int, leaves: list[bytes] = LEAVES, log: Signer = FOREIGN) -> bytes:
    note = sign_head(Head(log.key.name, new, merkle.root_of(leaves[:new])), log).note
    path: tuple[bytes, ...] = ()
    if 0 < old <= new:
        path = merkle.consistency_path(old, new, lambda level, n: merkle.root_of(leaves[n << level : (n + 1) << level]))
    lines = "".join(f"{encode_base64(one)}\n" for one in path)
    return f"old {old}\n{lines}\n".encode() + note.encode()


async def test_every_status_of_the_specification(served: Served) -> None:
    stranger = Signer.from_seed("log.example/oslo", bytes(32))
    liar = Signer.from_seed(FOREIGN.key.name, bytes(32))
    assert (await served.add(b"old 0\n\nnothing")).status == 400
    assert (await served.add(body(0, 5, log=stranger), role=None)).status == 404
    assert (await served.add(body(0, 5, log=liar))).status == 403
    assert (await served.add(body(6, 5))).status == 400
    assert (await served.add(body(3, 5))).body == b"0\n"

    page = await served.add(body(0, 5))
    assert (page.status, page.type) == (200, "text/plain; charset=utf-8")
    head = parse_note(body(0, 5).partition(b"\n\n")[2])
    (line,) = parse_note(head.encode() + page.body).signatures[1:]
    assert verify_cosignature(head.text, line, MINE.key) == NOW

    page = await served.add(body(0, 9))
    assert (page.status, page.type, page.body) == (409, "text/x.tlog.size", b"5\n")
    assert (await served.add(body(5, 9, FORKED))).status == 422
    assert (await served.add(body(5, 5, FORKED))).status == 422
    assert (await served.add(body(5, 9))).status == 200


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
async def test_a_checkpoint_is_posted(served: Served, method: str) -> None:
    page = await served.page("/add-checkpoint", method, body=body(0, 5))
    assert (page.status, page.headers) == (405, {"Allow": "POST"})


async def test_strangers_may_have_logs_cosigned_that_are_listed_and_no_members(served: Served) -> None:
    assert (await served.add(body(0, 5), role=None)).status == 200
    members = body(0, 9, log=Signer.from_seed(MANIFEST.origin("lender-1"), lender(1).keyring.log_seed))
    assert (await served.add(members, role=None)).status == 404
    assert served.extended == []
    assert (await served.add(members)).status == 200
    assert (await served.add(members, role=None, plain=True)).status == 200
    assert [request.origin for request in served.extended] == [MANIFEST.origin("lender-1")] * 2


async def test_a_witness_that_may_not_cosign_yet_says_when_to_come_back(served: Served) -> None:
    members = body(0, 9, log=Signer.from_seed(MANIFEST.origin("lender-1"), lender(1).keyring.log_seed))
    served.failure = Unready("UNCONFIRMED_MEMORY", "other members must first say how far this log has got")
    page = await served.add(members)
    assert (page.status, page.headers) == (503, {"Retry-After": "5"})
    served.failure = Unverified("FORK", "two histories")
    assert (await served.add(members)).status == 422


@pytest.mark.parametrize("fault", Fault)
async def test_a_store_that_fails_gives_no_line(chain: Chain, fault: Fault) -> None:
    served = Served(chain, MemoryStore(faults={0: fault}))
    page = await served.add(body(0, 5))
    assert page.status == 503
    assert MINE.key.name.encode() not in page.body
    assert (await served.add(body(0, 7, FORKED))).status == (200 if fault is Fault.LOST else 409)


async def test_monitors_read_what_was_cosigned_elsewhere(served: Served) -> None:
    path = f"/{hashlib.sha256(b'log.example/rome').hexdigest()}/checkpoint"
    assert (await served.page(path)).status == 404
    line = (await served.add(body(0, 5))).body
    page = await served.page(path)
    assert page.body == body(0, 5).partition(b"\n\n")[2] + line
    assert (await served.page(path.upper())).status == 404
    assert (await served.page(f"/{'0' * 64}/checkpoint")).status == 404


async def test_what_the_server_asks_for_matches_what_the_tiles_say(served: Served) -> None:
    for tile in (Tile(BUNDLE, 0), Tile(0, 1, 44), Tile(1, 0, 1)):
        assert (await served.page(f"/lender-1/{tile.path}")).status == 200


def test_members_histories_are_what_the_samples_say() -> None:
    assert history(3) == ENTRIES[:3]
