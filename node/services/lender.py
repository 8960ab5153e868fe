"""LenderService: the lender's own loan system and staff."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, TypeVar

import structlog
from plimsoll.v1 import lender_pb2, lender_pb2_grpc

from ledger.errors import InvalidInput, PlimsollError
from ledger.feed import MAX_BATCH_ROWS
from node.lending.asking import Asking
from node.lending.deciding import Deciding
from node.lending.disclosing import Disclosing
from node.lending.reporting import Reporting
from node.wire.gate import CALLER, Context

T = TypeVar("T")
log = structlog.get_logger()

#: Questions of one stream that are under way at once; more wait in the caller's connection.
AT_ONCE = 16


class LenderService(lender_pb2_grpc.LenderServiceServicer):
    """Translates; a stream's questions are asked side by side."""

    def __init__(self, asking: Asking, reporting: Reporting, deciding: Deciding, disclosing: Disclosing) -> None:
        self._asking = asking
        self._deciding = deciding
        self._disclosing = disclosing
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
        running: set[asyncio.Task[lender_pb2.ExposuresResponse]] = set()
        reading: asyncio.Task[lender_pb2.ExposuresRequest | None] | None = _next(request_iterator)
        try:
            while reading is not None or running:
                awaited = running if reading is None or len(running) >= AT_ONCE else {reading, *running}
                await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
                if reading is not None and reading.done():
                    request = reading.result()
                    reading = None if request is None else _next(request_iterator)
                    if request is not None:
                        running.add(asyncio.create_task(self._answer(request)))
                answered = [task for task in running if task.done()]
                running.difference_update(answered)
                for task in answered:
                    yield task.result()
        finally:
            left: list[asyncio.Task[Any]] = [*running] if reading is None else [*running, reading]
            for task in left:
                task.cancel()

    async def Assess(  # noqa: N802
        self, request: lender_pb2.AssessRequest, context: Context
    ) -> lender_pb2.AssessResponse:
        """One borrower, and what follows for a loan."""
        return await self._deciding.assess(request)

    async def Disclose(  # noqa: N802
        self, request: lender_pb2.DiscloseRequest, context: Context
    ) -> lender_pb2.DiscloseResponse:
        """One of this lender's own positions, opened."""
        return await self._disclosing.disclose(request, CALLER.get().name)

    async def _answer(self, request: lender_pb2.ExposuresRequest) -> lender_pb2.ExposuresResponse:
        try:
            return lender_pb2.ExposuresResponse(id=request.id, response=await self._asking.exposure(request.request))
        except PlimsollError as error:
            return _failed(request, error)
        except Exception:
            log.exception("question failed")  # a bug of ours costs one answer, not those of the whole stream
            return _failed(request, PlimsollError("INTERNAL", "the node failed to answer this; its log says why"))


def _failed(request: lender_pb2.ExposuresRequest, error: PlimsollError) -> lender_pb2.ExposuresResponse:
    failure = lender_pb2.Failure(reason=error.reason, message=error.message, path=error.path, status=error.grpc_status)
    return lender_pb2.ExposuresResponse(id=request.id, failure=failure)


def _next(requests: AsyncIterator[T]) -> asyncio.Task[T | None]:
    """The next request, None at the stream's end: something to wait for among others, as a caller may send one
    question, and the next one when it has the answer."""

    async def read() -> T | None:
        return await anext(requests, None)

    return asyncio.create_task(read())


async def _bounded(
    requests: AsyncIterator[lender_pb2.ReportRequest],
) -> AsyncIterator[lender_pb2.ReportRequest]:
    """A feed's messages; one that holds too many rows ends it."""
    async for request in requests:
        if len(request.rows) > MAX_BATCH_ROWS:
            raise InvalidInput("TOO_MANY_ROWS", f"a message has at most {MAX_BATCH_ROWS} rows", "rows")
        yield request
