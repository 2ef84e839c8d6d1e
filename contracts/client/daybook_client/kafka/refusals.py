"""Says why Kafka refuses a client: aiokafka's errors in, a sentence out. An aiokafka client that fails to start does
not report the reason, so `find_refusal` opens another connection to find it.
"""

import asyncio
import ssl
from collections.abc import Mapping
from typing import Any, Final

from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import (
    AuthenticationFailedError,
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    IllegalSaslStateError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.metadata import MetadataRequest

from daybook_client.kafka.connection import KafkaConnection

DENIALS: Final = (TopicAuthorizationFailedError, GroupAuthorizationFailedError, ClusterAuthorizationFailedError)
ASK_SECONDS = 5.0


def describe_denial(connection: KafkaConnection, error: BaseException) -> str | None:
    """The missing ACL; None if the error is not one of `DENIALS`."""
    match error:
        case TopicAuthorizationFailedError():
            return f"{_client_name(connection)} is not authorised for topic {_names_in(error)}: an ACL is missing"
        case GroupAuthorizationFailedError():
            return (
                f"{_client_name(connection)} is not authorised for group {_names_in(error)}: an ACL (Read) is missing"
            )
        case ClusterAuthorizationFailedError():
            return f"{_client_name(connection)} is not authorised to write to any topic: an ACL (Write) is missing"
        case _:
            return None


def describe_error(connection: KafkaConnection, error: BaseException) -> str:
    """A text for health and logs: the missing ACL, or else the error itself."""
    return describe_denial(connection, error) or repr(error)


async def find_refusal(connection: KafkaConnection) -> str | None:
    """Why a reachable broker refuses this client; None if no broker gives a reason."""
    options = connection.options("daybook-asks-why")
    for host, port, _ in collect_hosts(options.pop("bootstrap_servers"), randomize=False):
        try:
            async with asyncio.timeout(ASK_SECONDS):
                await _request_metadata(host, port, options, [])
        except (KafkaError, OSError) as error:
            reason = _refusal_text(connection, error)
            if reason is not None:
                return f"Kafka at {host}:{port} {reason}"
    return None


async def is_hidden(connection: KafkaConnection, topic: str) -> bool:
    """Whether an ACL hides the topic from this client. A list of all topics then omits it, as if it did not exist."""
    options = connection.options("daybook-asks-why")
    for host, port, _ in collect_hosts(options.pop("bootstrap_servers"), randomize=False):
        try:
            async with asyncio.timeout(ASK_SECONDS):
                answer = await _request_metadata(host, port, options, [topic])
        except (KafkaError, OSError):
            continue
        return any(found["error_code"] == TopicAuthorizationFailedError.errno for found in answer["topics"])
    return False


async def _request_metadata(host: str, port: int, options: Mapping[str, Any], topics: list[str]) -> dict[str, Any]:
    connection = await create_conn(host, port, **options)
    try:
        answer = await connection.send(MetadataRequest(topics, allow_auto_topic_creation=False))
    except KafkaConnectionError as error:
        raise _Closed(str(error)) from error
    finally:
        connection.close()
    described: dict[str, Any] = answer.to_object()
    return described


class _Closed(KafkaError):
    """The broker closed the connection after the API versions exchange."""


def _refusal_text(connection: KafkaConnection, error: Exception) -> str | None:
    match error:
        case SaslAuthenticationFailed() | AuthenticationFailedError():
            check = "check DAYBOOK_KAFKA_USER and DAYBOOK_KAFKA_PASSWORD"
            return f"refuses {_client_name(connection)}: SASL authentication failed; {check}"
        case UnsupportedSaslMechanismError():
            return f"does not accept {connection.sasl}: check DAYBOOK_KAFKA_SASL"
        case IllegalSaslStateError():
            return "does not use SASL at this port: check DAYBOOK_KAFKA_SECURITY"
        case ssl.SSLError():
            check = "check DAYBOOK_KAFKA_SECURITY and DAYBOOK_KAFKA_CA_FILE"
            return f"refuses TLS or has an untrusted certificate ({error.reason}): {check}"
        case _Closed() | ConnectionResetError():
            return f"closes the connection: does it speak {connection.security}? check DAYBOOK_KAFKA_SECURITY"
        case _:
            return None


def _client_name(connection: KafkaConnection) -> str:
    return f"user {connection.user}" if connection.user else "this client"


def _names_in(error: KafkaError) -> str:
    """The names of topics or groups in the error's arguments."""
    names = [each for given in error.args for each in ([given] if isinstance(given, str) else given)]
    return ", ".join(sorted(names)) or "(unnamed)"
