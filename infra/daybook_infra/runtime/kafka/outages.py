"""Translates aiokafka's errors, as postgres/connections.py translates asyncpg's: errors in, `KafkaAway` out."""

from contextlib import AbstractAsyncContextManager

from daybook_client.kafka import outages
from daybook_client.kafka.outages import OUTAGES
from daybook_infra.runtime.kafka.options import connection_of
from daybook_infra.runtime.settings import Settings

__all__ = ["OUTAGES", "translated"]


def translated(
    settings: Settings,
    problem: str | None = None,
    *,
    seconds: float | None = None,
    passing: tuple[type[Exception], ...] = (),
) -> AbstractAsyncContextManager[None]:
    """Like `translated` of `daybook_client`, for the Kafka that the settings name."""
    return outages.translated(connection_of(settings), problem, seconds=seconds, passing=passing)
