"""The Python SDK: a lender's, auditor's or operator's view of one node, as plain blocking calls.

Every call raises only PlimsollError: the node's own refusal with its reason and field path, or Unavailable where the node
does not answer. The messages returned are those of protos/plimsoll/v1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import grpc
from ledger import refusal
from ledger.errors import PlimsollError, Unavailable
from plimsoll.v1 import (
    audit_pb2,
    audit_pb2_grpc,
    entry_pb2,
    lender_pb2,
    lender_pb2_grpc,
    operator_pb2,
    operator_pb2_grpc,
    peer_pb2,
)

from client.credentials import Endpoint

T = TypeVar("T")

MAX_MESSAGE = 16 * 1024 * 1024
ROWS_PER_MESSAGE = 1000
#: Seconds an exposure query may take, failures of custodians and catching up included.
QUERY_TIMEOUT = 30.0
#: Seconds a short call may take.
CALL_TIMEOUT = 10.0


class Session:
    """A mutual TLS connection to one node in one role; a context manager.

    lender, auditor and operator calls need an endpoint of that role.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._channel = grpc.secure_channel(
            endpoint.address,
            endpoint.credentials,
            options=[
                ("grpc.ssl_target_name_override", endpoint.server_name),
                ("grpc.max_receive_message_length", MAX_MESSAGE),
                ("grpc.enable_http_proxy", 0),
                ("grpc.enable_retries", 0),
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
        purpose: entry_pb2.Purpose,
        consent_digest: bytes,
        transcript: lender_pb2.TranscriptForm = lender_pb2.TRANSCRIPT_FORM_UNSPECIFIED,
        timeout: float = QUERY_TIMEOUT,
    ) -> lender_pb2.ExposureResponse:
        """How loaded one borrower (`<scheme>:<value>`) is; amounts in minor units, consent_digest 32 bytes."""
        request = lender_pb2.ExposureRequest(
            borrower=borrower, purpose=purpose, consent_digest=consent_digest, transcript=transcript
        )
        return _call(self._lender.Exposure, request, timeout)

    def exposures(
        self, requests: Iterable[lender_pb2.ExposuresRequest], timeout: float | None = None
    ) -> Iterator[lender_pb2.ExposuresResponse]:
        """Many borrowers in one stream; answers in the order they are ready, each with its request's id."""
        return _stream(self._lender.Exposures, iter(requests), timeout)

    def report(
        self, batches: Iterable[Iterable[lender_pb2.FeedRow]], strict: bool = False
    ) -> Iterator[lender_pb2.ReportResponse]:
        """Sends a feed; yields progress, last the summary. Batches of up to 4,096 rows."""

        def requests() -> Iterator[lender_pb2.ReportRequest]:
            yield lender_pb2.ReportRequest(strict=strict)
            for rows in batches:
                yield lender_pb2.ReportRequest(rows=rows)

        return _stream(self._lender.Report, requests(), None)

    # -- any role

    def manifest(self) -> bytes:
        """The manifest in force, a signed note."""
        return _call(self._audit.Manifest, audit_pb2.ManifestRequest(), CALL_TIMEOUT).manifest

    def heads(self) -> list[bytes]:
        """The signed heads the node holds."""
        return list(_call(self._audit.LatestHeads, audit_pb2.LatestHeadsRequest(), CALL_TIMEOUT).heads)

    def read(self, origin: str, start: int = 0) -> Iterator[peer_pb2.Block]:
        """One log's entries from `start` on, in verifiable blocks."""
        request = audit_pb2.ReadRequest(origin=origin, start=start)
        for response in _stream(self._audit.Read, request, None):
            yield response.block

    def consistency(self, origin: str, old_size: int, new_size: int) -> list[bytes]:
        """RFC 6962 consistency proof, 32 bytes each."""
        request = audit_pb2.ConsistencyRequest(origin=origin, old_size=old_size, new_size=new_size)
        return list(_call(self._audit.Consistency, request, CALL_TIMEOUT).path)

    def receipt(self, origin: str, index: int) -> audit_pb2.ReceiptResponse:
        """One entry and its receipt, a C2SP tlog-proof."""
        return _call(self._audit.Receipt, audit_pb2.ReceiptRequest(origin=origin, index=index), CALL_TIMEOUT)

    # -- role operator

    def status(self, timeout: float = CALL_TIMEOUT) -> operator_pb2.StatusResponse:
        """How the node is."""
        return _call(self._operator.Status, operator_pb2.StatusRequest(), timeout)


def _call(method: Callable[..., T], request: Any, timeout: float) -> T:
    try:
        return method(request, timeout=timeout)
    except grpc.RpcError as error:
        raise _refusal(error) from error


def _stream(method: Callable[..., Iterable[T]], request: Any, timeout: float | None) -> Iterator[T]:
    try:
        yield from method(request, timeout=timeout)
    except grpc.RpcError as error:
        raise _refusal(error) from error


def _refusal(error: grpc.RpcError) -> PlimsollError:
    """A failed call is also a grpc.Call, which knows code and details."""
    assert isinstance(error, grpc.Call)
    code = error.code()
    if code is grpc.StatusCode.UNAVAILABLE and not _details(error):
        return Unavailable("UNREACHABLE", f"the node does not answer: {error.details()}")
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return Unavailable("TIMEOUT", "the node did not answer in time")
    return refusal.from_status(_details(error), code.name, error.details() or code.name)


def _details(error: grpc.Call) -> bytes | None:
    trailers: dict[str, Any] = dict(error.trailing_metadata() or ())
    return trailers.get(refusal.TRAILER)
