"""OperatorService: how the node is."""

from __future__ import annotations

from plimsoll.v1 import operator_pb2, operator_pb2_grpc

from node.gate import Context
from node.state import State


class OperatorService(operator_pb2_grpc.OperatorServiceServicer):
    """Translates."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def Status(  # noqa: N802 -- gRPC's names
        self, request: operator_pb2.StatusRequest, context: Context
    ) -> operator_pb2.StatusResponse:
        """Everything an operator asks first at three in the morning."""
        return self._state.describe()
