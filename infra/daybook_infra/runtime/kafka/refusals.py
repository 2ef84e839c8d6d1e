"""Says why Kafka refuses a client: aiokafka's errors in, a sentence out. A client that fails to start gives no reason,
so `find_refusal` opens a connection of its own to find the reason.
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

from daybook_infra.runtime.kafka.options import connection_options
from daybook_infra.runtime.settings import Settings, env_name

DENIALS: Final = (TopicAuthorizationFailedError, GroupAuthorizationFailedError, ClusterAuthorizationFailedError)
ASK_SECONDS = 5.0


def describe_denial(settings: Settings, error: BaseException) -> str | None:
    """The missing ACL; None if the error is not one of `DENIALS`."""
    match error:
        case TopicAuthorizationFailedError():
            return f"{_client_name(settings)} is not authorised for topic {_names_in(error)}: an ACL is missing"
        case GroupAuthorizationFailedError():
            return f"{_client_name(settings)} is not authorised for group {_names_in(error)}: an ACL (Read) is missing"
        case ClusterAuthorizationFailedError():
            return f"{_client_name(settings)} is not authorised to write to any topic: an ACL (Write) is missing"
        case _:
            return None


def describe_error(settings: Settings, error: BaseException) -> str:
    """A text for health and logs: the missing ACL, or else the error itself."""
    return describe_denial(settings, error) or repr(error)


async def find_refusal(settings: Settings) -> str | None:
    """Why a reachable broker refuses this client; None if no broker gives a reason."""
    options = connection_options(settings, "daybook-asks-why")
    for host, port, _ in collect_hosts(options.pop("bootstrap_servers"), randomize=False):
        try:
            async with asyncio.timeout(ASK_SECONDS):
                await _request_metadata(host, port, options, [])
        except (KafkaError, OSError) as error:
            reason = _refusal_text(settings, error)
            if reason is not None:
                return f"Kafka at {host}:{port} {reason}"
    return None


async def is_hidden(settings: Settings, topic: str) -> bool:
    """Whether this client may not see the topic. A list of all topics omits it then, as if it did not exist."""
    options = connection_options(settings, "daybook-asks-why")
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


def _refusal_text(settings: Settings, error: Exception) -> str | None:
    match error:
        case SaslAuthenticationFailed() | AuthenticationFailedError():
            check = f"check {env_name('kafka_user')} and {env_name('kafka_password')}"
            return f"refuses {_client_name(settings)}: SASL authentication failed; {check}"
        case UnsupportedSaslMechanismError():
            return f"does not accept {settings.kafka_sasl}: check {env_name('kafka_sasl')}"
        case IllegalSaslStateError():
            return f"does not use SASL at this port: check {env_name('kafka_security')}"
        case ssl.SSLError():
            settings_of_tls = f"{env_name('kafka_security')} and {env_name('kafka_ca_file')}"
            return f"refuses TLS or has an untrusted certificate ({error.reason}): check {settings_of_tls}"
        case _Closed() | ConnectionResetError():
            return f"closes the connection: does it speak {settings.kafka_security}? check {env_name('kafka_security')}"
        case _:
            return None


def _client_name(settings: Settings) -> str:
    return f"user {settings.kafka_user}" if settings.kafka_user else "this client"


def _names_in(error: KafkaError) -> str:
    """The names in the error's arguments: one, several or none."""
    names = [each for given in error.args for each in ([given] if isinstance(given, str) else given)]
    return ", ".join(sorted(names)) or "(unnamed)"
