"""The Python SDK: a lender's, auditor's or operator's view of one node, as plain blocking calls.

Every call raises only PlimsollError: the node's own refusal with its reason and field path, or Unavailable where the
node does not answer. The messages returned are those of protos/plimsoll/v1.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

import grpc
from plimsoll.v1 import (
    audit_pb2,
    audit_pb2_grpc,
    lender_pb2,
    lender_pb2_grpc,
    operator_pb2,
    operator_pb2_grpc,
    peer_pb2,
)

from client.credentials import Endpoint
from ledger import refusal
from ledger.consortium.lineage import Lineage, verify_lineage
from ledger.errors import PlimsollError, Unavailable

T = TypeVar("T")

MAX_MESSAGE = 16 * 1024 * 1024
#: Seconds an exposure query may take, failures of custodians and catching up included.
QUERY_TIMEOUT = 30.0
#: Seconds a short call may take.
CALL_TIMEOUT = 10.0
#: Seconds until a node says that it may not sign yet, and some.
APPEND_TIMEOUT = 20.0


class Session:
    """A mutual TLS connection to one node in one role; a context manager.

    lender, auditor and operator calls need an endpoint of that role. Sessions may be used by several threads; `close`
    from another thread ends the calls under way.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._channel = grpc.secure_channel(
            endpoint.address,
            endpoint.credentials,
            options=[
                ("grpc.ssl_target_name_override", endpoint.server_name),
                ("grpc.max_receive_message_length", MAX_MESSAGE),
                ("grpc.enable_http_proxy", 0),
                ("grpc.enable_retries", 0),
                # A node that is being started is there within seconds.
                ("grpc.initial_reconnect_backoff_ms", 100),
                ("grpc.max_reconnect_backoff_ms", 2000),
            ],
        )
        self._lender = lender_pb2_grpc.LenderServiceStub(self._channel)
        self._audit = audit_pb2_grpc.AuditServiceStub(self._channel)
        self._operator = operator_pb2_grpc.OperatorServiceStub(self._channel)

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection."""
        self._channel.close()

    # -- role lender

    def exposure(
        self,
        borrower: str,
        purpose: int,
        consent_digest: bytes,
        transcript: lender_pb2.TranscriptForm.ValueType = lender_pb2.TRANSCRIPT_FORM_UNSPECIFIED,
        timeout: float = QUERY_TIMEOUT,
    ) -> lender_pb2.ExposureResponse:
        """How loaded one borrower (`<scheme>:<value>`) is; amounts in minor units.

        purpose: a number of the Purpose enumeration (ledger.queries.inquiry.purpose_number). consent_digest: 32 bytes.
        """
        request = exposure_request(borrower, purpose, consent_digest, transcript)
        return self._call(self._lender.Exposure, request, timeout)

    def exposures(
        self, requests: Iterable[lender_pb2.ExposuresRequest], timeout: float | None = None
    ) -> Iterator[lender_pb2.ExposuresResponse]:
        """Many borrowers in one stream; answers in the order they are ready, each with its request's id."""
        return self._exchange(self._lender.Exposures, requests, timeout)

    def report(
        self, batches: Iterable[Iterable[lender_pb2.FeedRow]], strict: bool = False
    ) -> Iterator[lender_pb2.ReportResponse]:
        """Sends a feed; yields progress, last the summary. Batches of up to 4,096 rows.

        What `batches` raises ends the call, before the node takes anything, and is raised here.
        """

        def requests() -> Iterator[lender_pb2.ReportRequest]:
            yield lender_pb2.ReportRequest(strict=strict)
            for rows in batches:
                yield lender_pb2.ReportRequest(rows=rows)

        return self._exchange(self._lender.Report, requests(), None)

    def assess(self, request: lender_pb2.AssessRequest, timeout: float = QUERY_TIMEOUT) -> lender_pb2.AssessResponse:
        """One borrower's exposure, and what follows from it for a loan by a decision policy; amounts in minor units."""
        return self._call(self._lender.Assess, request, timeout)

    def assessments(
        self, requests: Iterable[lender_pb2.AssessmentsRequest], timeout: float | None = None
    ) -> Iterator[lender_pb2.AssessmentsResponse]:
        """Many borrowers in one stream; answers in the order they are ready, each with its request's id."""
        return self._exchange(self._lender.Assessments, requests, timeout)

    def disclose(self, request: lender_pb2.DiscloseRequest) -> lender_pb2.DiscloseResponse:
        """One of the lender's own published positions, opened (ledger.disclosure): a secret."""
        return self._call(self._lender.Disclose, request, CALL_TIMEOUT)

    def watch_borrower(self, request: lender_pb2.WatchBorrowerRequest) -> lender_pb2.Watch:
        """Puts one of the lender's own borrowers on the watch list."""
        return self._call(self._lender.WatchBorrower, request, CALL_TIMEOUT).watch

    def unwatch_borrower(self, borrower: str) -> lender_pb2.Watch:
        """Takes one off it, for good."""
        request = lender_pb2.UnwatchBorrowerRequest(borrower=borrower)
        return self._call(self._lender.UnwatchBorrower, request, CALL_TIMEOUT).watch

    def check_watched(self, borrower: str, timeout: float = QUERY_TIMEOUT) -> lender_pb2.CheckWatchedResponse:
        """Asks about one on the list now, and says what has changed since the last answer."""
        return self._call(self._lender.CheckWatched, lender_pb2.CheckWatchedRequest(borrower=borrower), timeout)

    def watched(self, *, ended: bool = False) -> Iterator[lender_pb2.Watch]:
        """The watch list; ended: with what has ended, too."""
        request = lender_pb2.WatchedRequest(ended=ended)
        while True:
            part = self._call(self._lender.Watched, request, CALL_TIMEOUT)
            yield from part.watches
            if not part.next:
                return
            request.after = part.next

    def events(self, after: int = 0, *, acknowledged: bool = False) -> Iterator[lender_pb2.WatchEvent]:
        """What watching has found, in order: events with higher numbers; acknowledged: those that were, too."""
        request = lender_pb2.EventsRequest(after=after, acknowledged=acknowledged)
        while True:
            part = self._call(self._lender.Events, request, CALL_TIMEOUT)
            yield from part.events
            if not part.more:
                return
            request.after = part.last

    def acknowledge_event(self, identity: str) -> lender_pb2.WatchEvent:
        """Says that an event has been dealt with, by its id or its number alone."""
        request = lender_pb2.AcknowledgeEventRequest(id=identity)
        return self._call(self._lender.AcknowledgeEvent, request, CALL_TIMEOUT).event

    # -- any role

    def manifest(self) -> bytes:
        """The founding manifest, a signed note; `lineage` has what followed it."""
        return self.manifests().manifest

    def manifests(self) -> audit_pb2.ManifestResponse:
        """All manifests with what shows them to be approved; nothing of it is verified."""
        return self._call(self._audit.Manifest, audit_pb2.ManifestRequest(), CALL_TIMEOUT)

    def lineage(self) -> Lineage:
        """All manifests, of which the last one is in force: verified. Raises as `lineage.open_lineage`."""
        response = self.manifests()
        return verify_lineage(response.manifest, response.successions)

    def heads(self) -> list[bytes]:
        """The signed heads the node holds."""
        return list(self.latest_heads().heads)

    def witnessed(self) -> list[bytes]:
        """The largest head of each log that the node knows to be witnessed, with its cosignatures: signed notes, of
        which nothing is verified. Of a log where two conflict, both."""
        return list(self.latest_heads().witnessed)

    def latest_heads(self) -> audit_pb2.LatestHeadsResponse:
        """Both at once."""
        return self._call(self._audit.LatestHeads, audit_pb2.LatestHeadsRequest(), CALL_TIMEOUT)

    def read(self, origin: str, start: int = 0) -> Iterator[peer_pb2.Block]:
        """One log's entries from `start` on, in verifiable blocks."""
        request = audit_pb2.ReadRequest(origin=origin, start=start)
        for response in self._stream(self._audit.Read, request, None):
            yield response.block

    def consistency(self, origin: str, old_size: int, new_size: int) -> list[bytes]:
        """RFC 6962 consistency proof, 32 bytes each."""
        request = audit_pb2.ConsistencyRequest(origin=origin, old_size=old_size, new_size=new_size)
        return list(self._call(self._audit.Consistency, request, CALL_TIMEOUT).path)

    def receipt(self, origin: str, index: int, witnessed: bool = False) -> audit_pb2.ReceiptResponse:
        """One entry and its receipt, a C2SP tlog-proof. witnessed: under the largest head that the node knows to be
        witnessed, if that covers the entry, else under the newest one."""
        request = audit_pb2.ReceiptRequest(origin=origin, index=index, witnessed=witnessed)
        return self._call(self._audit.Receipt, request, CALL_TIMEOUT)

    # -- role operator

    def status(self, timeout: float = CALL_TIMEOUT) -> operator_pb2.StatusResponse:
        """How the node is."""
        return self._call(self._operator.Status, operator_pb2.StatusRequest(), timeout)

    def backup(self, folder: str) -> Iterator[operator_pb2.BackupResponse]:
        """Has the node copy its home to a folder on its machine (absolute, not there yet): progress, then the summary.

        Whoever stops iterating stops the backup, of which nothing is left then.
        """
        yield from self._stream(self._operator.Backup, operator_pb2.BackupRequest(folder=folder), None)

    def held_feeds(self) -> list[lender_pb2.HeldFeed]:
        """The feeds that are kept back, the oldest first."""
        return list(self._call(self._operator.HeldFeeds, operator_pb2.HeldFeedsRequest(), CALL_TIMEOUT).feeds)

    def release_feed(self, identity: str) -> Iterator[lender_pb2.ReportResponse]:
        """Lets a feed pass that somebody else has sent; yields progress, last the summary."""
        request = operator_pb2.ReleaseFeedRequest(id=identity)
        for response in self._stream(self._operator.ReleaseFeed, request, None):
            yield response.progress

    def discard_feed(self, identity: str) -> None:
        """Throws a feed away that is kept back."""
        self._call(self._operator.DiscardFeed, operator_pb2.DiscardFeedRequest(id=identity), CALL_TIMEOUT)

    def propose(self, text: bytes) -> operator_pb2.ProposeResponse:
        """Puts a successor of the manifest in force, its text, before the members."""
        return self._call(self._operator.Propose, operator_pb2.ProposeRequest(manifest=text), APPEND_TIMEOUT)

    def approve(self, identity: bytes) -> operator_pb2.ApproveResponse:
        """Approves a proposed successor by its id (32 bytes), for good."""
        return self._call(self._operator.Approve, operator_pb2.ApproveRequest(manifest=identity), APPEND_TIMEOUT)

    def proposals(self) -> list[operator_pb2.ProposedManifest]:
        """What is proposed to succeed the manifest in force."""
        response = self._call(self._operator.Proposals, operator_pb2.ProposalsRequest(), CALL_TIMEOUT)
        return list(response.proposals)

    # -- calls

    def _call(self, method: Callable[..., T], request: Any, timeout: float) -> T:
        try:
            return method(request, timeout=timeout)
        except grpc.RpcError as error:
            raise self._refusal(error) from error
        except ValueError as error:  # gRPC's way to say that the channel was closed
            raise self._closed() from error

    def _stream(self, method: Callable[..., Any], request: Any, timeout: float | None) -> Iterator[Any]:
        """The answers to one request, or to an iterator of requests; the call ends with the iteration."""
        try:
            call = method(request, timeout=timeout)
        except ValueError as error:
            raise self._closed() from error
        if isinstance(request, _Requests):
            request.attach(call)
        try:
            yield from call
        except grpc.RpcError as error:
            raise self._refusal(error) from error
        finally:
            call.cancel()

    def _exchange(self, method: Callable[..., Any], requests: Iterable[Any], timeout: float | None) -> Iterator[Any]:
        sent = _Requests(requests)
        try:
            yield from self._stream(method, sent, timeout)
        except PlimsollError as error:
            raise sent.error or error from error

    def _refusal(self, error: grpc.RpcError) -> PlimsollError:
        call: Any = error  # a failed call is also a grpc.Call, which knows code and details
        code, details = call.code(), _details(call)
        if code is grpc.StatusCode.UNAVAILABLE and not details:
            return Unavailable("UNREACHABLE", f"the node at {self.endpoint.address} does not answer: {call.details()}")
        if code is grpc.StatusCode.DEADLINE_EXCEEDED and not details:
            return Unavailable("TIMEOUT", f"the node at {self.endpoint.address} did not answer in time")
        if code is grpc.StatusCode.CANCELLED and not details:
            return self._closed()
        return refusal.from_status(details, code.name, call.details() or code.name)

    def _closed(self) -> PlimsollError:
        return Unavailable("CLOSED", f"the connection to {self.endpoint.address} was closed")


class _Requests(Generic[T]):
    """The requests of a call. Where their source fails the call is cancelled, so that a node never takes the part that
    was sent for the whole; `error` then says why."""

    def __init__(self, source: Iterable[T]) -> None:
        self._source = iter(source)
        self._attached = threading.Event()
        self._call: Any = None
        self.error: Exception | None = None

    def attach(self, call: Any) -> None:
        """Says which call the requests are for."""
        self._call = call
        self._attached.set()

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        try:
            return next(self._source)
        except StopIteration:
            raise
        except Exception as error:
            self.error = error
            self._attached.wait()
            self._call.cancel()
            raise StopIteration from error


def exposure_request(
    borrower: str,
    purpose: int,
    consent_digest: bytes,
    transcript: lender_pb2.TranscriptForm.ValueType = lender_pb2.TRANSCRIPT_FORM_UNSPECIFIED,
) -> lender_pb2.ExposureRequest:
    """One question, as `exposures` takes many."""
    return lender_pb2.ExposureRequest(
        borrower=borrower,
        purpose=purpose,  # type: ignore[arg-type]  # a number is a number
        consent_digest=consent_digest,
        transcript=transcript,
    )


def _details(call: Any) -> bytes | None:
    trailers: dict[str, Any] = dict(call.trailing_metadata() or ())
    return trailers.get(refusal.TRAILER)
