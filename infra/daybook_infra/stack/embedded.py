"""The embedded stack: Kafka and PostgreSQL as processes on loopback, with their data in one home."""

import os
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from daybook_infra.stack.data import data_folder, data_paths, delete, service_account
from daybook_infra.stack.interface import ALL_PARTS, Part, Say, Servers
from daybook_infra.stack.kafka import Cluster, Kafka
from daybook_infra.stack.lock import lock_or_wait
from daybook_infra.stack.places import Home
from daybook_infra.stack.ports import check_free, release, remembered_ports
from daybook_infra.stack.postgres import Postgres
from daybook_infra.stack.processes import explain_end, read_pid

PORT_NAMES = ("kafka", "kafka_controller", "postgres")


@dataclass(frozen=True, slots=True)
class EmbeddedStack:
    home: Home
    say: Say
    durable: bool = True
    jars: Home | None = None  # the home with the Kafka jars, if not `home`
    kafka_advertised: int | None = None  # the port that Kafka tells its clients, if not its own

    def start(self, parts: frozenset[Part] = ALL_PARTS) -> frozenset[Part]:
        self.home.make()
        with lock_or_wait(self.home.lock("stack"), self.say), ExitStack() as undo:
            kafka, postgres = self._kafka_and_postgres()
            started: set[Part] = set()
            if Part.KAFKA in parts and kafka.process() is None:
                self._start_kafka(kafka, undo)
                started.add(Part.KAFKA)
            if Part.POSTGRES in parts and postgres.process() is None:
                self._start_postgres(postgres, undo)
                started.add(Part.POSTGRES)
            undo.pop_all()
            # Also the ports of a part that was not started here, because another process may start it.
            release(kafka.port, *kafka.cluster.controller_ports, postgres.port)
        return frozenset(started)

    def servers(self) -> Servers:
        if not self._data_paths():
            return Servers()
        self.home.make()
        kafka, postgres = self._kafka_and_postgres()
        return Servers(
            kafka.bootstrap if kafka.process() is not None else "",
            postgres.url if postgres.process() is not None else "",
        )

    def stop(self, parts: frozenset[Part] = ALL_PARTS) -> frozenset[Part]:
        if not self._data_paths():
            return frozenset()
        self.home.make()
        with lock_or_wait(self.home.lock("stack"), self.say):
            kafka, postgres = self._kafka_and_postgres()
            stops = {Part.KAFKA: kafka.stop, Part.POSTGRES: postgres.stop}
            return frozenset(part for part, stop in stops.items() if part in parts and stop())

    def explain_end(self, part: Part) -> str:
        kafka, postgres = self._kafka_and_postgres()
        server = kafka if part is Part.KAFKA else postgres
        return explain_end(part.label, read_pid(server.pid_file), server.port, server.log)

    def data(self) -> list[str]:
        return [str(path) for path in self._data_paths()]

    def delete_data(self) -> None:
        delete(self._data_paths())

    def _data_paths(self) -> list[Path]:
        return data_paths(self.home, as_root=os.geteuid() == 0)

    def _start_kafka(self, kafka: Kafka, undo: ExitStack) -> None:
        check_free(kafka.port, "Kafka", self.home.ports)
        for port in kafka.cluster.controller_ports:
            check_free(port, "Kafka's controller", self.home.ports)
        kafka.prepare()
        undo.callback(kafka.stop)
        self.say(f"starting Kafka on {kafka.bootstrap}")
        kafka.launch()
        kafka.await_ready()

    def _start_postgres(self, postgres: Postgres, undo: ExitStack) -> None:
        check_free(postgres.port, "PostgreSQL", self.home.ports)
        postgres.prepare()
        undo.callback(postgres.stop)
        self.say(f"starting PostgreSQL on port {postgres.port}")
        postgres.launch()

    def _kafka_and_postgres(self) -> tuple[Kafka, Postgres]:
        ports = remembered_ports(self.home.ports, PORT_NAMES)
        account = service_account()
        data = data_folder(self.home, account)
        kafka = Kafka(
            data=data,
            jars_home=self.jars or self.home,
            log=self.home.log("kafka"),
            account=account,
            port=ports["kafka"],
            advertised_port=self.kafka_advertised or ports["kafka"],
            cluster=Cluster((ports["kafka_controller"],)),
            say=self.say,
        )
        postgres = Postgres(
            data=data,
            log=self.home.log("postgres"),
            account=account,
            port=ports["postgres"],
            durable=self.durable,
            say=self.say,
        )
        return kafka, postgres
