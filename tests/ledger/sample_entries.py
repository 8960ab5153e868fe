"""Sound entries of every kind, with random bytes where real ones hold points, proofs and digests."""

from __future__ import annotations

from random import Random

from plimsoll.v1 import entry_pb2 as pb

TIME = 1_760_000_000


def position(
    rng: Random, label: bytes | None = None, *, time: int = TIME, closed: bool = False, copy: int = 512
) -> bytes:
    """A Position; copy: the padded size of the sealed copy."""
    message = pb.Position(
        label=label or rng.randbytes(16),
        epoch=1,
        as_of=20_000,
        closed=closed,
        records_digest=rng.randbytes(32),
        sealed=rng.randbytes(copy + 28),
        nonce_point=b"" if closed else rng.randbytes(32),
        bodies=[] if closed else [rng.randbytes(32) for _ in range(7)],
        proof=b"" if closed else rng.randbytes(64),
    )
    return pb.Entry(time=time, position=message).SerializeToString()


def inquiry(rng: Random, label: bytes | None = None, *, time: int = TIME) -> bytes:
    """An Inquiry."""
    message = pb.Inquiry(
        label=label or rng.randbytes(16),
        purpose=pb.PURPOSE_PRE_LOAN,
        consent_digest=rng.randbytes(32),
        epoch=1,
        manifest=rng.randbytes(32),
        sizes=[3, 0, 70_000],
        frozen=[0, 2],
        conflicting=[2],
        heads_digest=rng.randbytes(32),
        settled=[3, 0, 69_999],
    )
    return pb.Entry(time=time, inquiry=message).SerializeToString()


def evaluation(rng: Random) -> bytes:
    """An Evaluation."""
    message = pb.Evaluation(count=7, epoch=1, batch_digest=rng.randbytes(32))
    return pb.Entry(time=TIME, evaluation=message).SerializeToString()


def ready(rng: Random) -> bytes:
    """A Ready."""
    return pb.Entry(
        time=TIME, ready=pb.Ready(ceremony=rng.randbytes(32), hpke_key=rng.randbytes(32))
    ).SerializeToString()


def dealing(rng: Random) -> bytes:
    """A Dealing of 2 of 3."""
    message = pb.Dealing(
        ceremony=rng.randbytes(32),
        readies_digest=rng.randbytes(32),
        coordinates=[
            pb.Coordinate(commitments=[rng.randbytes(32), rng.randbytes(32)], possession=rng.randbytes(64))
            for _ in range(8)
        ],
        sealed_shares=[rng.randbytes(304) for _ in range(3)],
    )
    return pb.Entry(time=TIME, dealing=message).SerializeToString()


def close(rng: Random) -> bytes:
    """A Close."""
    message = pb.Close(ceremony=rng.randbytes(32), dealings=[rng.randbytes(32), rng.randbytes(32)])
    return pb.Entry(time=TIME, close=message).SerializeToString()


def complaint(rng: Random) -> bytes:
    """A Complaint."""
    message = pb.Complaint(ceremony=rng.randbytes(32), close=rng.randbytes(32), dealing=rng.randbytes(32))
    return pb.Entry(time=TIME, complaint=message).SerializeToString()


def reveal(rng: Random) -> bytes:
    """A Reveal."""
    message = pb.Reveal(
        ceremony=rng.randbytes(32), complaint=rng.randbytes(32), shares=[rng.randbytes(32) for _ in range(8)]
    )
    return pb.Entry(time=TIME, reveal=message).SerializeToString()


def confirmation(rng: Random) -> bytes:
    """A Confirmation."""
    message = pb.Confirmation(
        ceremony=rng.randbytes(32),
        close=rng.randbytes(32),
        complaints=sorted(rng.randbytes(32) for _ in range(2)),
        reveals=sorted(rng.randbytes(32) for _ in range(2)),
        transcript=rng.randbytes(32),
    )
    return pb.Entry(time=TIME, confirmation=message).SerializeToString()


def proposal(rng: Random) -> bytes:
    """A Proposal."""
    message = pb.Proposal(previous=rng.randbytes(32), manifest=rng.randbytes(700))
    return pb.Entry(time=TIME, proposal=message).SerializeToString()


def approval(rng: Random) -> bytes:
    """An Approval."""
    message = pb.Approval(previous=rng.randbytes(32), manifest=rng.randbytes(32))
    return pb.Entry(time=TIME, approval=message).SerializeToString()


def evidence(rng: Random) -> bytes:
    """An Evidence."""
    message = pb.Evidence(
        origin="plimsoll/example/lender-9",
        known=rng.randbytes(200),
        conflicting=rng.randbytes(200),
        old_root=rng.randbytes(32),
        consistency=[rng.randbytes(32) for _ in range(5)],
    )
    return pb.Entry(time=TIME, evidence=message).SerializeToString()


def challenge(rng: Random) -> bytes:
    """A Challenge."""
    message = pb.Challenge(origin="plimsoll/example/lender-9", index=70_000, leaf_hash=rng.randbytes(32))
    return pb.Entry(time=TIME, challenge=message).SerializeToString()


def challenge_answer(rng: Random) -> bytes:
    """A ChallengeAnswer."""
    message = pb.ChallengeAnswer(leaf_hash=rng.randbytes(32), proof=rng.randbytes(300))
    return pb.Entry(time=TIME, challenge_answer=message).SerializeToString()


def unknown(rng: Random, number: int = 100) -> bytes:
    """An entry of a kind that this version does not know."""
    body = rng.randbytes(20)
    tag = number << 3 | 2
    encoded = bytes([tag]) if tag < 0x80 else bytes([tag & 0x7F | 0x80, tag >> 7])
    return pb.Entry(time=TIME).SerializeToString() + encoded + bytes([len(body)]) + body


CEREMONY = (ready, dealing, close, complaint, reveal, confirmation)
BUILDERS = (position, inquiry, evaluation, proposal, approval, *CEREMONY, evidence, challenge, challenge_answer)
