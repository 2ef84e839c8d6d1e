"""Turns settings into a `KafkaConnection` of `daybook_client`, and into keyword arguments of aiokafka's clients."""

from typing import Any

from daybook_client.kafka.connection import MIB, KafkaConnection, fetch_options
from daybook_infra.runtime.errors import KafkaAway, KafkaRefuses
from daybook_infra.runtime.kafka import lenient_records
from daybook_infra.runtime.settings import Settings, require_kafka

__all__ = ["MIB", "connection_of", "connection_options", "fetch_options"]


def connection_of(settings: Settings) -> KafkaConnection:
    """Raises `SettingsError` if no server is named."""
    lenient_records.install()
    return KafkaConnection(
        bootstrap=require_kafka(settings),
        security=settings.kafka_security,
        sasl=settings.kafka_sasl,
        user=settings.kafka_user,
        password=settings.kafka_password.get_secret_value(),
        ca_file=settings.kafka_ca_file,
        away=KafkaAway,
        refuses=KafkaRefuses,
    )


def connection_options(settings: Settings, client_id: str) -> dict[str, Any]:
    """The keyword arguments that all of aiokafka's clients share. Raises `SettingsError` if no server is named."""
    return connection_of(settings).options(client_id)
