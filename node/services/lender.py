"""LenderService: the lender's own loan system and staff."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import aclosing
from typing import TypeVar

import structlog
from plimsoll.v1 import lender_pb2, lender_pb2_grpc

from ledger.errors import Exhausted, InvalidInput, PlimsollError
from ledger.positions.feed import MAX_BATCH_ROWS
from node.lending.asking import Asking
from node.lending.deciding import Deciding
from node.lending.disclosing import Disclosing
from node.lending.reporting import Reporting
from node.monitoring.desk import WatchDesk
from node.services.stream import side_by_side
from node.wire.gate import CALLER, Context

T = TypeVar("T")
log = structlog.get_logger()


class LenderService(lender_pb2_grpc.LenderServiceServicer):
    """Translates; a stream's questions are asked side by side."""

    def __init__(
        self, asking: Asking, reporting: Reporting, deciding: Deciding, disclosing: Disclosing, desk: WatchDesk
    ) -> None:
        self._asking = asking
        self._deciding = deciding
        self._disclosing = disclosing
        self._desk = desk
        self._reporting = reporting

    async def Report(  # noqa: N802 -- gRPC's names
        self, request_iterator: AsyncIterator[lender_pb2.ReportRequest], context: Context
    ) -> AsyncIterator[lender_pb2.ReportResponse]:
        """Progress as it is made, then the summary."""
        async for response in self._reporting.report(_bounded(request_iterator), CALLER.get().name):
            yield response

    async def Exposure(  # noqa: N802
        self, request: lender_pb2.ExposureRequest, context: Context
    ) -> lender_pb2.ExposureResponse:
        """One borrower."""
        return await self._asking.exposure(request)

    async def Exposures(  # noqa: N802
        self, request_iterator: AsyncIterator[lender_pb2.ExposuresRequest], context: Context
    ) -> AsyncIterator[lender_pb2.ExposuresResponse]:
        """Many borrowers; answers come as they are ready."""
        answers = side_by_side(request_iterator, self._answer, self._prepare)
        async with aclosing(answers):
            async for answer in answers:
                yield answer

    async def Assess(  # noqa: N802
        self, request: lender_pb2.AssessRequest, context: Context
    ) -> lender_pb2.AssessResponse:
        """One borrower, and what follows for a loan."""
        return await self._deciding.assess(request)

    async def Assessments(  # noqa: N802
        self, request_iterator: AsyncIterator[lender_pb2.AssessmentsRequest], context: Context
    ) -> AsyncIterator[lender_pb2.AssessmentsResponse]:
        """Many borrowers; answers come as they are ready."""
        answers = side_by_side(request_iterator, self._decide, self._prepare_cases)
        async with aclosing(answers):
            async for answer in answers:
                yield answer

    async def Disclose(  # noqa: N802
        self, request: lender_pb2.DiscloseRequest, context: Context
    ) -> lender_pb2.DiscloseResponse:
        """One of this lender's own positions, opened."""
        return await self._disclosing.disclose(request, CALLER.get().name)

    async def WatchBorrower(  # noqa: N802
        self, request: lender_pb2.WatchBorrowerRequest, context: Context
    ) -> lender_pb2.WatchBorrowerResponse:
        """One of this lender's own borrowers, from now on."""
        return await self._desk.watch(request, CALLER.get().name)

    async def UnwatchBorrower(  # noqa: N802
        self, request: lender_pb2.UnwatchBorrowerRequest, context: Context
    ) -> lender_pb2.UnwatchBorrowerResponse:
        """No longer."""
        return await self._desk.unwatch(request.borrower, CALLER.get().name)

    async def CheckWatched(  # noqa: N802
        self, request: lender_pb2.CheckWatchedRequest, context: Context
    ) -> lender_pb2.CheckWatchedResponse:
        """One that is watched, now."""
        return await self._desk.check(request.borrower)

    async def Watched(  # noqa: N802
        self, request: lender_pb2.WatchedRequest, context: Context
    ) -> lender_pb2.WatchedResponse:
        """One part of the list."""
        return await self._desk.watched(request)

    async def Events(  # noqa: N802
        self, request: lender_pb2.EventsRequest, context: Context
    ) -> lender_pb2.EventsResponse:
        """What watching has found."""
        return await self._desk.events(request)

    async def AcknowledgeEvent(  # noqa: N802
        self, request: lender_pb2.AcknowledgeEventRequest, context: Context
    ) -> lender_pb2.AcknowledgeEventResponse:
        """One of these has been dealt with."""
        return await self._desk.acknowledge(request.id, CALLER.get().name)

    async def _answer(self, request: lender_pb2.ExposuresRequest) -> lender_pb2.ExposuresResponse:
        response = await _outcome(self._asking.exposure(request.request))
        if isinstance(response, lender_pb2.Failure):
            return lender_pb2.ExposuresResponse(id=request.id, failure=response)
        return lender_pb2.ExposuresResponse(id=request.id, response=response)

    async def _decide(self, request: lender_pb2.AssessmentsRequest) -> lender_pb2.AssessmentsResponse:
        response = await _outcome(self._deciding.assess(request.request))
        if isinstance(response, lender_pb2.Failure):
            return lender_pb2.AssessmentsResponse(id=request.id, failure=response)
        return lender_pb2.AssessmentsResponse(id=request.id, response=response)

    async def _prepare(self, requests: Sequence[lender_pb2.ExposuresRequest]) -> None:
        await _outcome(self._asking.prepare([each.request for each in requests]))

    async def _prepare_cases(self, requests: Sequence[lender_pb2.AssessmentsRequest]) -> None:
        await _outcome(self._asking.prepare([each.request.question for each in requests]))


async def _outcome(work: Awaitable[T]) -> T | lender_pb2.Failure:
    """What comes of one question among many."""
    try:
        return await work
    except PlimsollError as error:
        return _failed(error)
    except Exception:
        log.exception("question failed")  # a bug of ours costs one answer, not those of the whole stream
        return _failed(PlimsollError("INTERNAL", "the node failed to answer this; its log says why"))


def _failed(error: PlimsollError) -> lender_pb2.Failure:
    retry = error.retry if isinstance(error, Exhausted) else None
    return lender_pb2.Failure(
        reason=error.reason,
        message=error.message,
        path=error.path,
        status=error.grpc_status,
        retry_seconds=math.ceil(retry or 0),
    )


async def _bounded(
    requests: AsyncIterator[lender_pb2.ReportRequest],
) -> AsyncIterator[lender_pb2.ReportRequest]:
    """A feed's messages; one that holds too many rows ends it."""
    async for request in requests:
        if len(request.rows) > MAX_BATCH_ROWS:
            raise InvalidInput("TOO_MANY_ROWS", f"a message has at most {MAX_BATCH_ROWS} rows", "rows")
        yield request
