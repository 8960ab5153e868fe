"""OperatorService: how the node is, and copies of what it has."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

from plimsoll.v1 import operator_pb2, operator_pb2_grpc

from node.backup import Index
from node.backups import Backups
from node.gate import Context
from node.state import State


class OperatorService(operator_pb2_grpc.OperatorServiceServicer):
    """Translates."""

    def __init__(self, state: State, backups: Backups) -> None:
        self._state = state
        self._backups = backups

    async def Status(  # noqa: N802 -- gRPC's names
        self, request: operator_pb2.StatusRequest, context: Context
    ) -> operator_pb2.StatusResponse:
        """Everything an operator asks first at three in the morning."""
        return self._state.describe()

    async def Backup(  # noqa: N802
        self, request: operator_pb2.BackupRequest, context: Context
    ) -> AsyncIterator[operator_pb2.BackupResponse]:
        """Progress, then what the backup holds. One that is not waited for to its end leaves nothing behind."""
        async with aclosing(self._backups.back_up(request.folder)) as steps:
            async for step in steps:
                if isinstance(step, Index):
                    summary = operator_pb2.BackupSummary(
                        folder=request.folder,
                        bytes=step.bytes,
                        files=len(step.files),
                        borrowers=step.borrowers,
                        entries=step.entries,
                    )
                    yield operator_pb2.BackupResponse(phase="done", summary=summary)
                else:
                    yield operator_pb2.BackupResponse(phase=step.phase, done=step.done, total=step.total)
