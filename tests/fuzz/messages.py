"""Targets: every message of every call, as bytes: through the gate's deserializer into the core that reads it; and
transcripts. Calls are read off the generated code, so that a new one is fuzzed from the day it is there.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from itertools import islice
from types import SimpleNamespace
from typing import Any

import plimsoll.v1
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from plimsoll.v1 import audit_pb2, entry_pb2, lender_pb2, peer_pb2

from client import plain, watching
from client.audit.judging.witnesses import Collector
from client.consent import from_digest
from ledger.borrower.pseudonym import Batch
from ledger.chain.block import blocks_from, head_block
from ledger.consortium.history import History
from ledger.consortium.lineage import verify_lineage
from ledger.decision import DecisionPolicy, parse_decision_policy, render_decision_policy
from ledger.errors import InvalidInput, PlimsollError, Unverified
from ledger.positions.feed import FeedReader
from ledger.queries.transcript import FULL, REDACTED, Transcript
from ledger.queries.transcript_check import verify
from ledger.refusal import from_status, to_status
from ledger.tlog.checkpoint import parse_head_text
from ledger.tlog.note import parse_note
from ledger.tlog.receipt import Receipt
from ledger.witnessing.cosigned import open_cosigned, spoken_at, verify_witnessed_in
from ledger.witnessing.shown import opened_shown
from ledger.witnessing.witnessed import Collected
from node.lending import asking, deciding
from node.monitoring import desk
from node.services.audit import AuditService
from node.wire import gate
from tests import lenders
from tests.fuzz import governance, logs
from tests.fuzz.entries import JSON, PROTOBUF, filled
from tests.fuzz.inputs import message as message_of
from tests.fuzz.target import Target, check_refusal
from tests.fuzz.world import ASKER, BORROWER, world
from tests.ledger import sample_logs
from tests.ledger.witnesses import AUTHOR

# -- all calls


class _Collector:
    """Stands in for the server that generated code registers a service with."""

    def __init__(self) -> None:
        self.handlers: dict[str, Any] = {}

    def add_generic_rpc_handlers(self, handlers: object) -> None:
        """The other way in, not needed."""

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Any]) -> None:
        self.handlers |= {f"{service}/{method}": handler for method, handler in handlers.items()}


def services() -> Iterator[Any]:
    """Descriptors of all services."""
    for module in pkgutil.iter_modules(plimsoll.v1.__path__):
        if module.name.endswith("_pb2"):
            yield from importlib.import_module(f"plimsoll.v1.{module.name}").DESCRIPTOR.services_by_name.values()


@cache
def handlers() -> Mapping[str, Any]:
    """What the gate calls, by "package.Service/Method"."""
    collector = _Collector()
    for service in services():
        stem = service.file.name.removesuffix(".proto").replace("/", ".")
        generated = importlib.import_module(f"{stem}_pb2_grpc")
        servicer = getattr(generated, f"{service.name}Servicer")()
        getattr(generated, f"add_{service.name}Servicer_to_server")(servicer, collector)
    return collector.handlers


def _request(method: str, raw: bytes) -> None:
    message = gate._message(handlers()[method], raw)
    _read(message)


def _response(kind: Any, raw: bytes) -> None:
    _read(message_of(kind, raw))


def _read(message: Message) -> None:
    json.dumps(plain.plain(message))
    READERS.get(message.DESCRIPTOR.name, _read_heads)(message)


# -- what reads them


def _read_heads(message: Any) -> None:
    """Of a message that nobody has told of here: whatever it calls a head."""
    for field in _heads_in(message.DESCRIPTOR):
        value = getattr(message, field.name)
        for note in value if field.is_repeated else [value] if value else []:
            parse_head_text(parse_note(note).text)


def _heads_in(descriptor: Any) -> list[Any]:
    named = [field for field in descriptor.fields if field.name in ("head", "heads", "witnessed", "cosigned")]
    return [field for field in named if field.type == field.TYPE_BYTES]


def _made_up(descriptor: Any) -> Any:
    """Something in every field, true heads among it."""
    message = filled(descriptor)
    for field in _heads_in(descriptor):
        if field.is_repeated:
            getattr(message, field.name)[:] = _heads_held()
        else:
            setattr(message, field.name, _heads_held()[0])
    return message


@cache
def _log() -> Any:
    return logs.held_log()


def _of_log(origin: str) -> Any:
    if origin != sample_logs.ORIGIN:
        raise InvalidInput("UNKNOWN_LOG", "another log")
    return _log()


class _Chain:
    """What AuditService asks of a chain."""

    log_by_origin = staticmethod(_of_log)

    def logs(self) -> list[Any]:
        return [_log()]


class _Witnessed:
    """And of witnessed heads: the log's first three entries."""

    def newest(self, origin: str) -> Any:
        return SimpleNamespace(signed=sample_logs.head_over(list(_log().entries(0, 3))))


def _audit(method: str, request: Any) -> None:
    service = AuditService(_Chain(), b"", _Witnessed())  # type: ignore[arg-type]
    call = getattr(service, method)(request, None)
    try:
        call.send(None)
    except StopIteration as done:
        _read(done.value)
    finally:
        call.close()


def _pull(request: Any) -> None:
    log = _of_log(request.origin)
    for block in islice(blocks_from(log, request.start), 2):
        logs.read_block(block)
    head_block(log, request.start)


def _witness(request: Any) -> None:
    """As a witness is asked by lender-1."""
    signed = open_cosigned(request.head, lenders.manifest(5), AUTHOR)
    if request.witnessed:
        verify_witnessed_in(request.witnessed, History([lenders.manifest(5)]))
    spoken_at(signed, lenders.manifest(5), AUTHOR)


def _witnessed(response: Any) -> None:
    """As lender-1 takes what a witness answers."""
    collected = Collected(governance.cosigned_heads()[0], lenders.manifest(5), AUTHOR)
    if response.head:
        collected.add(collected.opened(response.head))
    assert collected.time is not None


def _manifests(response: Any) -> None:
    lineage = verify_lineage(response.manifest, response.successions)
    assert lineage.successions() == list(response.successions)


def _heads(response: Any) -> None:
    _, findings = Collector(world().consortium.history).collect("lender-2", response.heads)
    if findings:
        raise Unverified(findings[0].reason, findings[0].message)


def _shown(response: Any) -> None:
    for note in response.cosigned:
        opened_shown(note, lenders.manifest(5), AUTHOR, "lender-2")
    _heads(response)


def _heads_held() -> list[bytes]:
    consortium = world().consortium
    return [Receipt.parse(log.receipt(0)).head_note for log in consortium.logs.values()]


def _evaluate(request: Any) -> None:
    consortium = world().consortium
    consortium.custodians[1].evaluate(ASKER, request, consortium.now)


def _decrypt(request: Any) -> None:
    world().consortium.answer(3, ASKER, request)


def _decrypted(response: Any) -> None:
    if not world().query.accept(1, response):
        raise Unverified("REFUSED", world().query.failed[1])


@cache
def _batch() -> Batch:
    consortium = world().consortium
    keys, threshold = consortium.keys, consortium.manifest.threshold
    return Batch(["test:1", "test:2"], consortium.manifest.consortium, keys, threshold, lenders.seeded("batch"))


@cache
def _evaluations() -> list[bytes]:
    from ledger.crypto import dleq, group, oprf

    share = world().consortium.ceremony.shares[0]
    evaluated = oprf.evaluate(share.oprf, _batch().elements)
    nonce = dleq.hedged_nonce(share.oprf, bytes(32), _batch().elements)
    public = world().consortium.keys.custodian(1).oprf
    proof = dleq.generate_proof(share.oprf, group.BASE, public, _batch().elements, evaluated, nonce)
    response = peer_pb2.EvaluateResponse(custodian=1, epoch=1, elements=evaluated, proof=proof)
    return [response.SerializeToString()]


def _evaluated(response: Any) -> None:
    if not _batch().accept(1, response):
        raise Unverified("REFUSED", _batch().failed[1])


def _report(request: Any) -> None:
    taken, rejected = FeedReader("CNY", 20_600).read(request.rows)
    assert len(taken) + len(rejected) == len(request.rows)
    for one in rejected:
        check_refusal(InvalidInput(one.reason, one.message, one.path))
    if rejected and not taken:
        raise InvalidInput(rejected[0].reason, rejected[0].message)


def _asked(request: Any) -> None:
    asking._checked(request)


def _assessed(request: Any) -> None:
    asking._checked(request.question)
    deciding._application(request)
    deciding._reference(request.reference)
    if request.policy:
        parse_decision_policy(request.policy)


def _watched(request: Any) -> None:
    desk._reference(request)
    desk._every(request.every_days)
    desk._digest(request.consent_digest)
    desk._income(request.income)


def _receipted(response: Any) -> None:
    Receipt.parse(response.receipt).verify(response.entry, sample_logs.SIGNER.key)


READERS: Mapping[str, Callable[[Any], object]] = {
    "PushRequest": lambda request: logs.read_block(request.block),
    "PullRequest": _pull,
    "PullResponse": lambda response: logs.read_block(response.block),
    "ReadResponse": lambda response: logs.read_block(response.block),
    "ConsistencyRequest": partial(_audit, "Consistency"),
    "ReceiptRequest": partial(_audit, "Receipt"),
    "ReceiptResponse": _receipted,
    "HeadsResponse": _shown,
    "LatestHeadsResponse": _heads,
    "WitnessRequest": _witness,
    "WitnessResponse": _witnessed,
    "EvaluateRequest": _evaluate,
    "EvaluateResponse": _evaluated,
    "DecryptRequest": _decrypt,
    "DecryptResponse": _decrypted,
    "ReportRequest": _report,
    "ExposureRequest": _asked,
    "ExposuresRequest": lambda request: _asked(request.request),
    "AssessRequest": _assessed,
    "AssessmentsRequest": lambda request: _assessed(request.request),
    "WatchBorrowerRequest": _watched,
    "WatchBorrowerResponse": lambda response: watching.watch_facts(response.watch),
    "EventsResponse": lambda response: watching.events_view(response.events),
    "ExposureResponse": plain.exposure,
    "ManifestResponse": _manifests,
    "SuccessorRequest": lambda request: governance.lineages()[1].succession_of(request.previous),
    "SuccessorResponse": lambda response: governance.lineages()[0].followed_by_step(response.succession),
}


def _question() -> lender_pb2.ExposureRequest:
    digest = from_digest("5f" * 32).digest
    return lender_pb2.ExposureRequest(borrower=BORROWER, purpose=entry_pb2.PURPOSE_PRE_LOAN, consent_digest=digest)


def _case() -> lender_pb2.AssessRequest:
    loan = lender_pb2.ProposedLoan(principal=100_000, monthly_due=10_000)
    policy = render_decision_policy(DecisionPolicy()).encode()
    return lender_pb2.AssessRequest(question=_question(), income=800_000, loan=loan, policy=policy, reference="case 7")


def _rows() -> list[lender_pb2.FeedRow]:
    text: Any = {"currency": "CNY", "classification": "pass", "status": "open", "as_of": "2026-02-28"}
    return [lender_pb2.FeedRow(line=n, borrower=BORROWER, loan_id=f"L{n}", outstanding=n, **text) for n in (2, 3)]


def _in_log(**more: Any) -> dict[str, Any]:
    return {"origin": sample_logs.ORIGIN, **more}


SAMPLES: Mapping[str, Callable[[], list[Any]]] = {
    "PushRequest": lambda: [peer_pb2.PushRequest(block=one) for one in logs.blocks()],
    "PullRequest": lambda: [peer_pb2.PullRequest(**_in_log(start=start)) for start in (0, 3)],
    "PullResponse": lambda: [peer_pb2.PullResponse(block=one) for one in logs.blocks()],
    "ReadResponse": lambda: [audit_pb2.ReadResponse(block=one) for one in logs.blocks()],
    "ConsistencyRequest": lambda: [audit_pb2.ConsistencyRequest(**_in_log(old_size=1, new_size=3))],
    "ReceiptRequest": lambda: [
        audit_pb2.ReceiptRequest(**_in_log(index=index, witnessed=witnessed))
        for index, witnessed in ((2, False), (2, True), (3, True))
    ],
    "ReceiptResponse": lambda: [
        audit_pb2.ReceiptResponse(entry=_log().entry(index), receipt=_log().receipt(index).encode()) for index in (0, 3)
    ],
    "HeadsResponse": lambda: [
        peer_pb2.HeadsResponse(heads=_heads_held(), cosigned=notes) for notes in ([], governance.cosigned_heads()[:1])
    ],
    "LatestHeadsResponse": lambda: [
        audit_pb2.LatestHeadsResponse(heads=_heads_held(), witnessed=governance.cosigned_heads())
    ],
    "EvaluateRequest": lambda: [world().evaluate],
    "EvaluateResponse": lambda: list(map(peer_pb2.EvaluateResponse.FromString, _evaluations())),
    "DecryptRequest": lambda: [world().request],
    "DecryptResponse": lambda: [world().responses[1]],
    "ReportRequest": lambda: [lender_pb2.ReportRequest(rows=_rows())],
    "ExposureRequest": lambda: [_question()],
    "ExposuresRequest": lambda: [lender_pb2.ExposuresRequest(id=7, request=_question())],
    "AssessRequest": lambda: [_case()],
    "AssessmentsRequest": lambda: [lender_pb2.AssessmentsRequest(id=7, request=_case())],
    "WatchBorrowerRequest": lambda: [
        lender_pb2.WatchBorrowerRequest(
            borrower=BORROWER, consent_digest=bytes(32), every_days=7, reference="case 7", until=20_000, income=1
        )
    ],
    "WitnessRequest": lambda: [
        peer_pb2.WitnessRequest(head=note, witnessed=governance.cosigned_heads()[0])
        for note in governance.cosigned_heads()
    ],
    "WitnessResponse": lambda: [peer_pb2.WitnessResponse(head=note) for note in governance.cosigned_heads()],
    "SuccessorRequest": lambda: [peer_pb2.SuccessorRequest(previous=governance.lineages()[0].current.id)],
    "SuccessorResponse": lambda: [
        peer_pb2.SuccessorResponse(
            succession=governance.lineages()[1].succession_of(governance.lineages()[0].current.id)
        )
    ],
    "ManifestResponse": lambda: [
        audit_pb2.ManifestResponse(manifest=one.founding, successions=one.successions())
        for one in governance.lineages()
    ],
}


def _samples(descriptor: Any) -> list[bytes]:
    return [one.SerializeToString() for one in SAMPLES.get(descriptor.name, lambda: [_made_up(descriptor)])()]


def _calls() -> Iterator[Target]:
    for service in services():
        for method in service.methods:
            name = f"rpc-{service.name.removesuffix('Service').lower()}-{method.name.lower()}"
            run = partial(_request, f"{service.full_name}/{method.name}")
            yield Target(name, run, partial(_samples, method.input_type), PROTOBUF)
            kind = method.output_type._concrete_class
            yield Target(f"{name}-answer", partial(_response, kind), partial(_samples, method.output_type), PROTOBUF)


# -- refusals and transcripts


def _refusal(raw: bytes) -> None:
    """The trailer of a failed call, whoever wrote it."""
    error = from_status(raw, "INTERNAL", raw.decode("utf-8", "replace"))
    if error.message:
        check_refusal(error)


def _refusals() -> list[bytes]:
    status = status_pb2.Status(code=3, message="no")
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason="BAD", domain="plimsoll"))
    return [status.SerializeToString(), to_status(InvalidInput("BAD", "no", "rows[3]")).SerializeToString()]


def _transcript(raw: bytes) -> None:
    transcript = Transcript.parse(raw)
    assert Transcript.parse(transcript.encode()) == transcript
    consortium = world().consortium
    report = verify(raw, consortium.logs, consortium.history, consortium.keys)
    if not report.is_good:
        raise PlimsollError("BAD_TRANSCRIPT", report.message, report.failed)


def _transcripts() -> list[bytes]:
    return [Transcript.of(world().answer, form).encode() for form in (FULL, REDACTED)]


TARGETS = (
    *_calls(),
    Target("refusal", _refusal, _refusals, PROTOBUF),
    Target("transcript", _transcript, _transcripts, (*JSON, b'"result"', b'"withheld": ""', b'"FEW_CONTRIBUTORS"')),
)
