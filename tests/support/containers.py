"""Kafka and PostgreSQL in containers that live as long as the test session: the images of the compose file."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from testcontainers.community.postgres import PostgresContainer
from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

from daybook_infra.stack.interface import Servers
from daybook_infra.stack.places import checkout
from daybook_infra.stack.ports import LOOPBACK, next_free

READY_SECONDS = 120
FIRST_PORT = 30_000
# Without it Docker publishes ports to the whole network, and no client has to say who it is.
ON_LOOPBACK = {"options": {"com.docker.network.bridge.host_binding_ipv4": LOOPBACK}}
# testcontainers' own Kafka container fits another image's layout only.
KAFKA = {
    "KAFKA_NODE_ID": "1",
    "KAFKA_PROCESS_ROLES": "broker,controller",
    "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@127.0.0.1:9093",
    "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
    "KAFKA_INTER_BROKER_LISTENER_NAME": "BROKER",
    "KAFKA_LISTENERS": "BROKER://:9092,CONTROLLER://127.0.0.1:9093",
    "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
    "KAFKA_UNCLEAN_LEADER_ELECTION_ENABLE": "false",
    "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
    "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
    "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
    "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
    "KAFKA_SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR": "1",
    "KAFKA_SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR": "1",
}


@contextmanager
def containers() -> Iterator[Servers]:
    with ExitStack() as running:
        network = running.enter_context(Network(docker_network_kw=ON_LOOPBACK))
        port = next_free(FIRST_PORT)
        running.enter_context(_kafka(port).with_network(network))
        postgres = running.enter_context(PostgresContainer(image("postgres"), driver=None).with_network(network))
        yield Servers(f"{LOOPBACK}:{port}", postgres.get_connection_url(host=LOOPBACK))


def image(name: str) -> str:
    """The tag that the compose file pins."""
    found = re.search(rf"image: (\S*{name}:\S+)", (checkout() / "docker-compose.yml").read_text(encoding="utf-8"))
    if found is None:
        raise LookupError(f"docker-compose.yml pins no image of {name}")
    return found[1]


def _kafka(port: int) -> DockerContainer:
    """Clients come back to the address that the broker advertises, so the port must be known before it starts."""
    container = DockerContainer(image("kafka")).with_bind_ports(9092, port)
    for name, value in {**KAFKA, "KAFKA_ADVERTISED_LISTENERS": f"BROKER://{LOOPBACK}:{port}"}.items():
        container = container.with_env(name, value)
    ready = LogMessageWaitStrategy("Kafka Server started").with_startup_timeout(READY_SECONDS)
    return container.waiting_for(ready)
