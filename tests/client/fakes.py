"""A server that answers what a test told it to, behind the TLS of a real node."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import grpc
from plimsoll.v1 import (
    audit_pb2,
    audit_pb2_grpc,
    lender_pb2,
    lender_pb2_grpc,
    operator_pb2,
    operator_pb2_grpc,
)

from ledger import refusal
from ledger.consortium.caller import Caller
from ledger.consortium.certificate import certificate_pem, key_pem
from ledger.errors import PlimsollError
from node.homes.home import Home
from node.wire.tls import Presented, peer_identity, server_credentials

Answer = Callable[[Any], Any]


@contextmanager
def _refusing(context: grpc.ServicerContext) -> Iterator[None]:
    """Turns a PlimsollError into the status that a node would send."""
    try:
        yield
    except PlimsollError as error:
        context.set_trailing_metadata(((refusal.TRAILER, refusal.to_status(error).SerializeToString()),))
        context.abort(getattr(grpc.StatusCode, error.grpc_status), error.message)


def free_port() -> int:
    """A loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class FakeNode(
    lender_pb2_grpc.LenderServiceServicer,
    audit_pb2_grpc.AuditServiceServicer,
    operator_pb2_grpc.OperatorServiceServicer,
):
    """answers: by method, a message (or list, for a stream), a PlimsollError, or a function of the request(s).

    asked: (method, caller, request or list of requests), in order.
    """

    def __init__(self, home: Home, passphrase: str) -> None:
        self._manifest = home.manifest()
        self.manifest_note = (home.folder / "manifest.note").read_bytes()
        key, certificate = key_pem(home.key("node", passphrase)), certificate_pem(home.certificate("node"))
        self._server = grpc.server(ThreadPoolExecutor(8))
        lender_pb2_grpc.add_LenderServiceServicer_to_server(self, self._server)
        audit_pb2_grpc.add_AuditServiceServicer_to_server(self, self._server)
        operator_pb2_grpc.add_OperatorServiceServicer_to_server(self, self._server)
        self.address = str(home.config.address)
        self._server.add_secure_port(
            self.address, server_credentials(lambda: (self._manifest, Presented(key, certificate)))
        )
        self._server.start()
        self.reset()

    def reset(self) -> None:
        """Forgets what it was told and asked; serves the manifest."""
        self.answers: dict[str, Any] = {"Manifest": audit_pb2.ManifestResponse(manifest=self.manifest_note)}
        self.asked: list[tuple[str, Caller, Any]] = []

    def stop(self) -> None:
        """At once."""
        self._server.stop(None).wait()

    def _answer(self, method: str, request: Any, context: grpc.ServicerContext) -> Any:
        with _refusing(context):
            return self._result(method, request, context)

    def _stream(self, method: str, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        with _refusing(context):
            yield from self._result(method, request, context)

    def _result(self, method: str, request: Any, context: grpc.ServicerContext) -> Any:
        pem = bytes(context.auth_context()["x509_pem_cert"][0])
        self.asked.append((method, peer_identity(pem, self._manifest, datetime.now(UTC)), request))
        answer = self.answers[method]
        if isinstance(answer, PlimsollError):
            raise answer
        return answer(request) if callable(answer) else answer

    def Exposure(self, request: lender_pb2.ExposureRequest, context: grpc.ServicerContext) -> Any:  # noqa: N802
        return self._answer("Exposure", request, context)

    def Assess(self, request: lender_pb2.AssessRequest, context: grpc.ServicerContext) -> Any:  # noqa: N802
        return self._answer("Assess", request, context)

    def Disclose(self, request: lender_pb2.DiscloseRequest, context: grpc.ServicerContext) -> Any:  # noqa: N802
        return self._answer("Disclose", request, context)

    def WatchBorrower(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        return self._answer("WatchBorrower", request, context)

    def UnwatchBorrower(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        return self._answer("UnwatchBorrower", request, context)

    def CheckWatched(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        return self._answer("CheckWatched", request, context)

    def Watched(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        return self._answer("Watched", request, context)

    def Events(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        return self._answer("Events", request, context)

    def AcknowledgeEvent(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        return self._answer("AcknowledgeEvent", request, context)

    def Exposures(self, request_iterator: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Any]:  # noqa: N802
        yield from self._stream("Exposures", list(request_iterator), context)

    def Assessments(self, request_iterator: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Any]:  # noqa: N802
        yield from self._stream("Assessments", list(request_iterator), context)

    def Report(self, request_iterator: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Any]:  # noqa: N802
        yield from self._stream("Report", list(request_iterator), context)

    def Status(self, request: operator_pb2.StatusRequest, context: grpc.ServicerContext) -> Any:  # noqa: N802
        return self._answer("Status", request, context)

    def Backup(self, request: operator_pb2.BackupRequest, context: grpc.ServicerContext) -> Iterator[Any]:  # noqa: N802
        yield from self._stream("Backup", request, context)

    def HeldFeeds(self, request: operator_pb2.HeldFeedsRequest, context: grpc.ServicerContext) -> Any:  # noqa: N802
        return self._answer("HeldFeeds", request, context)

    def ReleaseFeed(  # noqa: N802
        self, request: operator_pb2.ReleaseFeedRequest, context: grpc.ServicerContext
    ) -> Iterator[Any]:
        yield from self._stream("ReleaseFeed", request, context)

    def DiscardFeed(self, request: operator_pb2.DiscardFeedRequest, context: grpc.ServicerContext) -> Any:  # noqa: N802
        return self._answer("DiscardFeed", request, context)

    def Propose(self, request: operator_pb2.ProposeRequest, context: grpc.ServicerContext) -> Any:  # noqa: N802
        return self._answer("Propose", request, context)

    def Approve(self, request: operator_pb2.ApproveRequest, context: grpc.ServicerContext) -> Any:  # noqa: N802
        return self._answer("Approve", request, context)

    def Proposals(self, request: operator_pb2.ProposalsRequest, context: grpc.ServicerContext) -> Any:  # noqa: N802
        return self._answer("Proposals", request, context)

    def Manifest(self, request: audit_pb2.ManifestRequest, context: grpc.ServicerContext) -> Any:  # noqa: N802
        return self._answer("Manifest", request, context)

    def LatestHeads(self, request: audit_pb2.LatestHeadsRequest, context: grpc.ServicerContext) -> Any:  # noqa: N802
        return self._answer("LatestHeads", request, context)

    def Consistency(self, request: audit_pb2.ConsistencyRequest, context: grpc.ServicerContext) -> Any:  # noqa: N802
        return self._answer("Consistency", request, context)

    def Receipt(self, request: audit_pb2.ReceiptRequest, context: grpc.ServicerContext) -> Any:  # noqa: N802
        return self._answer("Receipt", request, context)

    def Read(self, request: audit_pb2.ReadRequest, context: grpc.ServicerContext) -> Iterator[Any]:  # noqa: N802
        yield from self._stream("Read", request, context)
