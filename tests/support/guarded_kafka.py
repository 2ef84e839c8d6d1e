"""A Kafka with access control. Its usual listener is for the superuser. A second listener takes SASL/PLAIN, and allows
only what the ACLs allow.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.admin import CreateAclsRequest, DeleteAclsRequest, DescribeAclsRequest
from pydantic import SecretStr

from daybook_infra.runtime.kafka.clients import admin
from daybook_infra.runtime.settings import Settings
from daybook_infra.stack.kafka import Cluster, Kafka
from daybook_infra.stack.places import EVERYBODY_READS, write_file
from daybook_infra.stack.ports import LOOPBACK, release, remembered_ports
from support.brokers import kafka_arguments
from support.driving import eventually
from support.stack import own_home

USER, PASSWORD = "hub", "of-a-throw-away-broker"
ANY_HOST, LITERAL, ALLOW = "*", 3, 3
Acl = tuple[int, str, int, str, str, int, int]
"""In the order of Kafka's requests: resource type and name, pattern, principal, host, operation, permission."""
GUARDED = """\
super.users=User:ANONYMOUS
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
listener.name.guarded.sasl.enabled.mechanisms=PLAIN
listener.name.guarded.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
user_{user}="{password}";
"""


class Resource(IntEnum):
    TOPIC = 2
    GROUP = 3
    CLUSTER = 4


class Operation(IntEnum):
    ALL = 2
    READ = 3
    WRITE = 4
    CREATE = 5
    DESCRIBE = 8
    DESCRIBE_CONFIGS = 10
    IDEMPOTENT_WRITE = 12


@dataclass(frozen=True, slots=True)
class GuardedKafka(Kafka):
    guarded_port: int

    def _write_settings(self, logs: Path) -> None:
        Kafka._write_settings(self, logs)
        text = self._settings.read_text(encoding="utf-8")
        listener = f",GUARDED://{LOOPBACK}:{self.guarded_port}"
        for name, more in {
            "listeners": listener,
            "advertised.listeners": listener,
            "listener.security.protocol.map": ",GUARDED:SASL_PLAINTEXT",
        }.items():
            line = next(line for line in text.splitlines() if line.startswith(f"{name}="))
            text = text.replace(f"\n{line}\n", f"\n{line}{more}\n")
        text += GUARDED.format(user=USER, password=PASSWORD)
        write_file(self._settings, text, EVERYBODY_READS)

    def settings(self, **changes: object) -> Settings:
        """The settings of a client that logs in as USER, over the guarded listener."""
        own: dict[str, object] = {
            "kafka_bootstrap": f"{LOOPBACK}:{self.guarded_port}",
            "kafka_security": "SASL_PLAINTEXT",
            "kafka_sasl": "PLAIN",
            "kafka_user": USER,
            "kafka_password": SecretStr(PASSWORD),
            "partitions": 2,
        }
        return Settings.model_validate(own | changes)

    def superuser(self, **changes: object) -> Settings:
        return self.settings(kafka_bootstrap=self.bootstrap, kafka_security="PLAINTEXT", **changes)

    async def allow(self, resource: Resource, name: str, *operations: Operation) -> None:
        for acl in acls(resource, name, operations):
            async with admin(self.superuser()) as client:
                answer: Any = await client._send_request(CreateAclsRequest(*acl))
                assert [each[0] for each in answer.creation_responses] == [0], answer
                await until_applied(client, acl, is_there=True)

    async def forbid(self, resource: Resource, name: str, *operations: Operation) -> None:
        """Revokes what `allow` has allowed."""
        for acl in acls(resource, name, operations):
            async with admin(self.superuser()) as client:
                answer: Any = await client._send_request(DeleteAclsRequest(*acl))
                assert [each[0] for each in answer.filter_responses] == [0], answer
                await until_applied(client, acl, is_there=False)


def acls(resource: Resource, name: str, operations: Iterable[Operation]) -> list[Acl]:
    return [(resource, name, LITERAL, f"User:{USER}", ANY_HOST, operation, ALLOW) for operation in operations]


async def until_applied(client: AIOKafkaAdminClient, acl: Acl, *, is_there: bool) -> None:
    """Waits until the broker applies the change: the controller answers before the broker's authorizer has it."""

    async def is_applied() -> bool:
        answer: Any = await client._send_request(DescribeAclsRequest(*acl))
        return bool(answer.resources) is is_there

    await eventually(is_applied)


@contextmanager
def guarded_kafka() -> Iterator[GuardedKafka]:
    with own_home() as home:
        home.make()
        ports = remembered_ports(home.ports, ("kafka", "kafka_controller", "guarded"))
        cluster = Cluster((ports["kafka_controller"],))
        kafka = GuardedKafka(**kafka_arguments(home, ports["kafka"], cluster), guarded_port=ports["guarded"])
        kafka.prepare()
        release(ports["guarded"])
        kafka.launch()
        try:
            kafka.await_ready()
            yield kafka
        finally:
            kafka.stop()
