"""One Kafka node on loopback, broker and KRaft controller in one process. It runs alone or as a member of a cluster."""

import base64
import json
import os
import re
import shutil
import socket
import struct
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from daybook_infra.stack.interface import Say, StackError
from daybook_infra.stack.places import EVERYBODY_READS, Home, checkout, write_file
from daybook_infra.stack.ports import LOOPBACK, release
from daybook_infra.stack.processes import (
    Account,
    Child,
    end_process,
    find_process,
    last_error_line,
    read_pid,
    run,
    spawn,
    start_new_log,
)
from daybook_infra.stack.programs import JAVA, KAFKA_JARS, java, kafka, readable_root

LOG4J = "log4j2.properties"
JVM_OPTIONS = (
    *("-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError", "-Djava.awt.headless=true"),
    # In a broker's first minutes, the optimising compiler takes half of its CPU time. Local brokers rarely run longer.
    "-XX:TieredStopAtLevel=1",
    # Without these, Java 25 prints warnings about how Kafka 4.3 frees mapped buffers and loads zstd.
    *("--sun-misc-unsafe-memory-access=allow", "--enable-native-access=ALL-UNNAMED"),
)
# Kafka reads its folder as a list, separated by commas. Control characters and names that are not UTF-8 cannot be
# written in its settings.
IMPOSSIBLE_IN_A_FOLDER = re.compile(r"[,\x00-\x1f\x7f\ud800-\udfff]")
READY_SECONDS = 60
PROBE_SECONDS = 2
# An ApiVersions request, version 0. A broker answers it as soon as it accepts requests.
API_VERSIONS = struct.pack(">ihhih", 10, 18, 0, 1, -1)
SETTINGS_TEMPLATE = """\
process.roles=broker,controller
node.id={node_id}
controller.quorum.voters={voters}
controller.listener.names=CONTROLLER
inter.broker.listener.name=BROKER
listeners=BROKER://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=BROKER://{host}:{advertised_port}
listener.security.protocol.map=BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={logs}
auto.create.topics.enable=false
unclean.leader.election.enable=false
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms={session_ms}
broker.heartbeat.interval.ms={heartbeat_ms}
offsets.topic.replication.factor={copies}
offsets.topic.num.partitions=4
transaction.state.log.replication.factor={copies}
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor={copies}
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=4
log.cleaner.dedupe.buffer.size=4194304
"""


def new_cluster_id() -> str:
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


@dataclass(frozen=True, slots=True)
class Cluster:
    """The cluster of a node: its id and the ports of its controllers, node 1's first. Every node has a copy of each of
    Kafka's internal topics. A broker counts as dead when its session has expired.
    """

    controller_ports: tuple[int, ...]
    node_id: int = 1
    id: str = field(default_factory=new_cluster_id)
    session_ms: int = 9_000
    heap_mib: int = 512

    def settings(self) -> dict[str, str | int]:
        voters = (f"{number}@{LOOPBACK}:{port}" for number, port in enumerate(self.controller_ports, start=1))
        return {
            "node_id": self.node_id,
            "voters": ",".join(voters),
            "controller_port": self.controller_ports[self.node_id - 1],
            "copies": len(self.controller_ports),
            "session_ms": self.session_ms,
            "heartbeat_ms": self.session_ms // 4,
        }


@dataclass(frozen=True, slots=True)
class Kafka:
    data: Path
    jars_home: Home
    log: Path
    account: Account | None
    port: int
    advertised_port: int
    cluster: Cluster
    say: Say

    @property
    def bootstrap(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    def process(self) -> psutil.Process | None:
        return find_process(read_pid(self.pid_file), str(self._settings))

    def prepare(self) -> None:
        """Formats the node's folder under another name and then renames it, so that an interrupted run leaves no broken
        folder.
        """
        logs = self.data / "kafka"
        if (logs / "meta.properties").is_file():
            return
        if IMPOSSIBLE_IN_A_FOLDER.search(str(logs)):
            raise StackError(
                f"Kafka cannot keep its data in {str(logs)!a}, because the path has a comma, a control character or a "
                "character that is not UTF-8: rename that folder"
            )
        if logs.exists():
            raise StackError(
                f"{logs} is not a complete Kafka folder (meta.properties is missing): "
                "move it away, or delete it to begin with an empty log"
            )
        self.say("formatting Kafka's storage")
        unfinished = self.data / "kafka.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        self._write_settings(unfinished)
        # Option and id are one argument, because one id in 64 begins with a dash.
        format_it = ["kafka.tools.StorageTool", "format", f"--cluster-id={self.cluster.id}", "-c", str(self._settings)]
        done = run(self._java(format_it))
        if done.code != 0:
            raise StackError(f"Kafka's storage could not be formatted: {done.last_line()}")
        unfinished.rename(logs)

    def launch(self) -> None:
        if self.pid_file.exists():
            pid = read_pid(self.pid_file)
            self.say(f"{self.pid_file} is stale (no Kafka of this stack has pid {pid}): replacing it")
        self._write_settings(self.data / "kafka")
        start_new_log(self.log)
        release(self.port, *self.cluster.controller_ports)
        pid = spawn(self._java(["kafka.Kafka", str(self._settings)]), self.log)
        write_file(self.pid_file, f"{pid}\n", EVERYBODY_READS)

    def await_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not accepts_requests(self.port):
            if self.process() is None:
                raise StackError(f"Kafka ended while starting ({last_error_line(self.log)}); its log: {self.log}")
            if time.monotonic() > deadline:
                raise StackError(f"Kafka did not answer within {READY_SECONDS} s; its log: {self.log}")
            time.sleep(0.1)

    def stop(self) -> bool:
        process = self.process()
        if process is not None:
            end_process(process, "Kafka", self.say)
        self.pid_file.unlink(missing_ok=True)
        return process is not None

    @property
    def _settings(self) -> Path:
        return self.data / "kafka.properties"

    @property
    def pid_file(self) -> Path:
        return self.data / "kafka.pid"

    def _write_settings(self, logs: Path) -> None:
        ports = {"port": self.port, "advertised_port": self.advertised_port}
        # JSON's escapes are also those of Java's .properties files, which must be in ASCII.
        escaped = json.dumps(str(logs))[1:-1]
        text = SETTINGS_TEMPLATE.format(host=LOOPBACK, logs=escaped, **ports, **self.cluster.settings())
        write_file(self._settings, text, EVERYBODY_READS)
        log4j = checkout() / "infra" / "kafka" / LOG4J  # copied, because the account may not be able to read it
        write_file(self.data / LOG4J, log4j.read_text(encoding="utf-8"), EVERYBODY_READS)

    def _java(self, arguments: list[str]) -> Child:
        jars = readable_root(kafka(self.jars_home, self.say), self.account, self.say) / KAFKA_JARS
        runtime = readable_root(java(), self.account, self.say) / JAVA
        classpath = os.pathsep.join(map(str, sorted(jars.glob("*.jar"))))
        heap = ["-Xms256m", f"-Xmx{self.cluster.heap_mib}m"]
        options = [*heap, *JVM_OPTIONS, f"-Dlog4j2.configurationFile={self.data / LOG4J}", "-cp", classpath]
        # With LC_ALL=C, Java could not open files whose names are not ASCII.
        return Child([str(runtime / "bin" / "java"), *options, *arguments], self.account, {"LC_ALL": "C.UTF-8"})


def accepts_requests(port: int) -> bool:
    """Whether a broker accepts requests on this port."""
    try:
        with socket.create_connection((LOOPBACK, port), PROBE_SECONDS) as connection:
            connection.settimeout(PROBE_SECONDS)
            connection.sendall(API_VERSIONS)
            return len(connection.recv(4)) == 4
    except OSError:
        return False
