"""Clients of the pytest plugin's server: the login comes from the environment only if Kafka does, the key never."""

import pytest

from daybook_client.kafka.connection import KafkaConnection
from daybook_client.kafka.transport import KafkaTransport
from daybook_client.testing import DaybookServer

OF_THE_DEVELOPER = {
    "DAYBOOK_KAFKA_SECURITY": "SASL_PLAINTEXT",
    "DAYBOOK_KAFKA_USER": "shop",
    "DAYBOOK_SERVICE_KEY": "a-key-of-the-developer-32-chars-l",
}


def server(*, embedded: bool) -> DaybookServer:
    return DaybookServer("http://a:1", "http://a:2", "a:3", "x.", "postgresql://", "s" * 32, embedded)


def transport(monkeypatch: pytest.MonkeyPatch, *, embedded: bool) -> KafkaTransport:
    for name, value in OF_THE_DEVELOPER.items():
        monkeypatch.setenv(name, value)
    found = server(embedded=embedded).over_kafka()._transport
    assert isinstance(found, KafkaTransport)
    return found


def test_an_embedded_kafka_is_not_given_a_login(monkeypatch: pytest.MonkeyPatch) -> None:
    assert transport(monkeypatch, embedded=True)._connection == KafkaConnection("a:3")


def test_a_kafka_of_the_environment_is_given_the_environments_login(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = KafkaConnection("a:3", security="SASL_PLAINTEXT", user="shop")
    assert transport(monkeypatch, embedded=False)._connection == expected


def test_records_are_not_signed_with_the_environments_key(monkeypatch: pytest.MonkeyPatch) -> None:
    assert transport(monkeypatch, embedded=True)._signer.key is None
