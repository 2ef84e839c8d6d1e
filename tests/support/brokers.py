"""Three Kafka brokers for one test, each also a controller: Kafka survives the loss of one of them, not of two."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from daybook_infra.stack.data import data_folder, service_account
from daybook_infra.stack.kafka import Cluster, Kafka, accepts_requests, new_cluster_id
from daybook_infra.stack.places import Home
from daybook_infra.stack.ports import remembered_ports
from support.stack import own_home

# A broker that is silent for this long counts as dead. Soon afterwards, its partitions have new leaders.
SESSION_MS = 6_000
HEAP_MIB = 256
# The three start at the same time, perhaps while services and publishers keep trying to connect.
START_SECONDS = 180


@dataclass(frozen=True, slots=True)
class Brokers:
    """The brokers by node id."""

    nodes: dict[int, Kafka]

    @property
    def bootstrap(self) -> str:
        return ",".join(node.bootstrap for node in self.nodes.values())

    def start(self, *numbers: int) -> None:
        """Starts these brokers together, because a node accepts no requests before it has found a majority."""
        for number in numbers:
            self.nodes[number].launch()
        deadline = time.monotonic() + START_SECONDS
        for node in (self.nodes[number] for number in numbers):
            while not accepts_requests(node.port):
                assert node.process() is not None, node.log.read_text()
                assert time.monotonic() < deadline, f"no answer at port {node.port}"
                time.sleep(0.1)

    def kill(self, *numbers: int) -> None:
        """Kills these brokers (SIGKILL), unless they are dead already."""
        for process in [self.nodes[number].process() for number in numbers]:
            if process is not None:
                process.kill()
                process.wait(10)


@contextmanager
def three_brokers() -> Iterator[Brokers]:
    with ExitStack() as closing:
        homes = [closing.enter_context(own_home()) for _ in range(3)]
        for home in homes:
            home.make()
        ports = [remembered_ports(home.ports, ("kafka", "kafka_controller")) for home in homes]
        controllers, cluster_id = tuple(each["kafka_controller"] for each in ports), new_cluster_id()
        nodes = {}
        for number, home in enumerate(homes, start=1):
            cluster = Cluster(controllers, number, cluster_id, SESSION_MS, HEAP_MIB)
            nodes[number] = Kafka(**kafka_arguments(home, ports[number - 1]["kafka"], cluster))
        with ThreadPoolExecutor(max_workers=len(nodes)) as threads:
            list(threads.map(Kafka.prepare, nodes.values()))
        brokers = Brokers(nodes)
        # Killed, not stopped: a node that is asked to stop waits for a majority, which may be dead already.
        closing.callback(brokers.kill, *nodes)
        brokers.start(*nodes)
        yield brokers


def kafka_arguments(home: Home, port: int, cluster: Cluster) -> dict[str, Any]:
    """The constructor's arguments for a Kafka that keeps its data in this home."""
    account = service_account()
    places = {"data": data_folder(home, account), "jars_home": Home.of_checkout(), "log": home.log("kafka")}
    return {**places, "account": account, "port": port, "advertised_port": port, "cluster": cluster, "say": print}
