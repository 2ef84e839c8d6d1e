"""Reports a request on a broken connection as an error of Kafka. If a connection is reset, uvloop closes its transport
at once, but aiokafka notices this a moment later. If aiokafka sends a request in between, uvloop raises a RuntimeError,
which aiokafka does not expect: a consumer would stop fetching for ever, and its callers would see no error.
"""

from functools import cache, wraps
from typing import Any

from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError


@cache
def install() -> None:
    """Affects all connections of this process, because aiokafka has no setting for it. For aiokafka clients that are
    not Daybook's, this is safe: only that RuntimeError is replaced. Further calls do nothing.
    """
    send = AIOKafkaConnection.send

    @wraps(send)
    def send_or_report(connection: AIOKafkaConnection, *args: Any, **kwargs: Any) -> Any:
        try:
            return send(connection, *args, **kwargs)  # type: ignore[no-untyped-call]  # aiokafka's
        except RuntimeError as error:
            writer = connection._writer  # noqa: SLF001 - aiokafka has no other way to ask
            if writer is None or not writer.transport.is_closing():
                raise
            # As aiokafka does if the write raises an OSError.
            connection.close(reason=CloseReason.CONNECTION_BROKEN)
            raise KafkaConnectionError(f"Connection at {connection.host}:{connection.port} broken: {error}") from error

    AIOKafkaConnection.send = send_or_report  # type: ignore[assignment, method-assign]  # as said above
