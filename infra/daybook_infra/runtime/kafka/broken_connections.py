"""Reports a broken connection as an error of Kafka. If a connection is reset, uvloop closes its transport at once, but
aiokafka hears of this a moment later. If aiokafka sends a request in between, uvloop raises a RuntimeError, which
aiokafka does not expect: a consumer would stop fetching.
"""

from typing import Any

from aiokafka import conn
from aiokafka.errors import KafkaConnectionError


class DetectingConnection(conn.AIOKafkaConnection):
    def send(self, request: Any, expect_response: bool = True) -> Any:  # noqa: FBT001, FBT002 - as in aiokafka
        if self._writer is not None and self._writer.transport.is_closing():
            self.close(reason=conn.CloseReason.CONNECTION_BROKEN)  # type: ignore[no-untyped-call]  # aiokafka's
            raise KafkaConnectionError(f"Connection at {self._host}:{self._port} broken")
        return super().send(request, expect_response)  # type: ignore[no-untyped-call]  # as above


def install() -> None:
    """Affects every connection that this process makes from now on: aiokafka has no setting for it."""
    conn.AIOKafkaConnection = DetectingConnection  # type: ignore[misc]  # as above
