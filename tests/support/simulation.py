"""Simulates all of Daybook in one thread. Each partition has two active writers, each with a door, and two active
projectors; logs, commands topic and PostgreSQL are plain state. A seeded scheduler picks each step. Nothing sleeps or
does I/O, so hundreds of schedules run in a minute.

Over 250 lines, because every step is one of the scheduler's choices.
"""

import json
import random
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Literal

from msgspec import structs

from daybook_command.shard.events import RunsOverdue
from daybook_command.shard.records import CommandRecord
from daybook_command.shard.state import ShardConfig
from daybook_contracts.commands.parse import parse_command
from daybook_contracts.routing import partition_of
from daybook_contracts.topics import CORRELATION_ID, PRINCIPAL, REPLY_PARTITION
from support.colliding_ids import colliding_ids
from support.copies import check_memory
from support.simulated_door import Door
from support.simulated_heal import healed, quarantined
from support.simulated_projector import Projector
from support.simulated_writer import Writer
from support.surroundings import START_US, Failed, Request, Surroundings
from support.weather import CALM, Weather
from support.world import CREATED

CONFIG = ShardConfig(partitions=1, cache_bytes=8_000, max_tail=4_000_000, managed_users=True, max_commands=5)
MEMORY_STEPS = 8
"""After every eighth step of any writer, that writer's copies of orgs are judged."""
MAX_CALM_STEPS = 30_000
"""A schedule must be over after this many steps without faults."""
Arrivals = Literal["kafka", "local", "both"]
"""How commands are sent: over Kafka, to doors that may give them to shards in memory, or both."""


def without_chosen_id(record: CommandRecord) -> CommandRecord:
    envelope = json.loads(record.value or b"")
    _, chosen = CREATED.get(envelope["type"], ("", ""))
    envelope["data"].pop(chosen, None)
    return structs.replace(record, value=json.dumps(envelope).encode())


class World:
    """`sent`: all sent commands, repeats included, each with its own correlation id. `places`: for each of them, the
    partition that it was sent to. `lost`: the partition whose log has lost projected records; `projected`: this log's
    projected records before the loss.
    """

    def __init__(
        self,
        seed: int,
        commands: Iterable[CommandRecord],
        users: frozenset[str],
        config: ShardConfig = CONFIG,
        weather: Weather | None = None,
        arrivals: Arrivals = "kafka",
    ) -> None:
        draw = random.Random(seed)
        self.around = Surroundings(draw, config.partitions, users, weather or Weather.storm(draw))
        if arrivals == "kafka":
            self.around.weather = replace(self.around.weather, rival=0.5)
        if arrivals == "kafka" and weather is None:
            # Not with doors: their clients would not send again what a quarantine refused.
            quarantine, healing = draw.choice([0.0, 0.0, 4.0]), draw.choice([0.5, 2.0])
            self.around.weather = replace(self.around.weather, quarantine=quarantine, healing=healing)
        self.config, self.arrivals = config, arrivals
        self.sent: list[CommandRecord] = []
        self.places: list[int] = []
        self.projected: list[bytes] = []
        self.lost: int | None = None
        self.steps = 0
        self.writers: list[list[Writer]] = [[] for _ in range(config.partitions)]
        self.projectors: list[list[Projector]] = [[] for _ in range(config.partitions)]
        for record in commands:
            # A command with a chosen id would wait forever for the partition that stops (docs/log.md, rule 18).
            self.send(without_chosen_id(record) if self.around.weather.loses_log else record)
        self.start_all()

    def send(self, record: CommandRecord) -> None:
        """Publishes the command, or queues it for a client that publishes it or sends it to a door. One published
        command in twenty goes to a random partition.
        """
        draw, partitions, number = self.around.draw, self.config.partitions, len(self.sent)
        key = parse_command(record.value or b"").key
        home = partition_of(key, partitions)
        headers = {**dict(record.headers), CORRELATION_ID: str(number).encode()}
        record = structs.replace(record, headers=tuple(headers.items()))
        self.sent.append(record)
        if self.arrivals == "kafka":
            self.places.append(home if draw.random() < 0.95 else draw.randrange(partitions))
            self.around.send(self.places[-1], record)
            return
        to_door = self.arrivals == "local" or draw.random() < 0.6
        self.places.append(home if to_door or draw.random() < 0.95 else draw.randrange(partitions))
        self.around.requests.append(Request(number, key, self.places[-1], record, to_door))

    def run(self, steps: int) -> None:
        """Runs `steps` steps with faults. Then runs without faults until every command is answered and every entry
        projected. Raises `Failed`.
        """
        with colliding_ids():
            self._run(steps)

    def _run(self, steps: int) -> None:
        loses_log = self.around.weather.loses_log
        self._play(steps)
        self.around.weather = CALM
        self._assign_left()
        if loses_log:
            self._lose_log()
        for _ in range(MAX_CALM_STEPS // 100):
            self._play(100)
            if self._is_settled() and (self.lost is None or None not in self.stops(self.lost)):
                return
        judge = "stops" if self.lost is not None and self._is_settled() else "end"
        raise Failed(judge, f"not over after {MAX_CALM_STEPS} steps without faults: {self._state()}")

    def start_all(self) -> None:
        """Replaces all writers, doors and projectors with new ones, as after a power cut. These know only the stored
        state.
        """
        for partition in range(self.config.partitions):
            for writer in self.writers[partition]:
                writer.door.die()
            self.writers[partition] = [self._writer(partition) for _ in range(2)]
            self.projectors[partition] = [Projector(partition, self.config.partitions) for _ in range(2)]

    def _writer(self, partition: int) -> Writer:
        writer = Writer.of(partition, self.config, self.around.committed[partition])
        Door(self.around, writer)
        return writer

    def _play(self, steps: int) -> None:
        weather, draw = self.around.weather, self.around.draw
        weights = {
            self._write: 100.0,
            self._project: weather.projecting,
            self._land: weather.landing,
            self._crash: weather.crash,
            self.start_all: weather.power_cut,
            self._rogue: weather.rogue,
            self._restore: weather.restore,
            self._overdue: weather.overdue,
            self._request: weather.requests if self.around.requests else 0.0,
            self._revoke: weather.revoke,
            self._half_wait: weather.half_wait,
            self._quarantine: weather.quarantine,
            self._heal: weather.healing if self._in_quarantine() or any(self.around.refused) else 0.0,
        }
        for act in draw.choices(list(weights), list(weights.values()), k=steps):
            self.around.now_us += draw.randrange(5_000)
            act()

    def _somewhere(self) -> int:
        return self.around.draw.randrange(self.config.partitions)

    def _write(self) -> None:
        partition = self._somewhere()
        which = self.around.draw.random() < self.around.weather.rival
        writer = self.writers[partition][which]
        writer.work(self.around)
        self.steps += 1
        if self.steps % MEMORY_STEPS == 0 and partition != self.lost:
            self._check_memory(writer)

    def _check_memory(self, writer: Writer) -> None:
        """Every copy of an org that the writer keeps must be the org at the head of the writer's log."""
        try:
            check_memory(writer.shard, self.around.logs[writer.shard.partition].values, self.around.postgres.now)
        except AssertionError as fault:
            raise Failed("memory", str(fault)) from fault

    def _project(self) -> None:
        partition = self._somewhere()
        projector = self.around.draw.choice(self.projectors[partition])
        projector.work(self.around.logs[partition], self.around.postgres, self.around.draw)

    def _land(self) -> None:
        self.around.logs[self._somewhere()].append_late(self.around.draw)

    def _crash(self) -> None:
        draw, partition, which = self.around.draw, self._somewhere(), self.around.draw.randrange(2)
        if draw.random() < 0.5:
            self.writers[partition][which].door.die()
            self.writers[partition][which] = self._writer(partition)
        else:
            self.projectors[partition][which] = Projector(partition, self.config.partitions)

    def _rogue(self) -> None:
        logs = self.around.logs
        self.around.draw.choice(logs).add_rogue(self.around.draw, self.around.draw.choice(logs).values)

    def _restore(self) -> None:
        """Restores PostgreSQL from a backup while writers and projectors are running."""
        postgres = self.around.postgres
        if postgres.past:
            postgres.now = self.around.draw.choice(postgres.past)

    def _overdue(self) -> None:
        partition = self._somewhere()
        runs = self.around.postgres.now.running(partition, self.config.partitions)
        self.around.draw.choice(self.writers[partition]).tell(RunsOverdue(runs))

    def _request(self) -> None:
        """A client publishes a command, or sends one to three commands of one key to a door of the key's partition."""
        draw, requests = self.around.draw, self.around.requests
        if not requests:
            return
        first = draw.choice(requests[:10])
        if not first.to_door:
            requests.remove(first)
            self.around.send(first.home, first.record)
            return
        sent = [each for each in requests if each.to_door and each.key == first.key][: draw.randint(1, 3)]
        for each in sent:
            each.tries += 1
            requests.remove(each)
        writer = self.writers[first.home][draw.random() < self.around.weather.rival]
        writer.door.post(sent, waits=draw.random() < 0.9)

    def _revoke(self) -> None:
        """Takes a partition from an instance, or assigns it again if it was taken. The instance keeps running."""
        partition, which = self._somewhere(), self.around.draw.randrange(2)
        if self.writers[partition][which].reads:
            self.writers[partition][which].leave()
        else:
            self._assign(partition, which)

    def _assign(self, partition: int, which: int) -> None:
        door, writer = self.writers[partition][which].door, self._writer(partition)
        self.writers[partition][which] = door.writer = writer
        writer.door = door
        door.short_way.leave(partition)

    def _assign_left(self) -> None:
        """Assigns again all partitions that were taken from their instances."""
        for partition, writers in enumerate(self.writers):
            for which in [number for number, writer in enumerate(writers) if not writer.reads]:
                self._assign(partition, which)

    def _half_wait(self) -> None:
        self.around.draw.choice(self.writers[self._somewhere()]).door.half_wait()

    def _quarantine(self) -> None:
        """An org's rows stop changing, as if the projector could not apply the org's next entry."""
        postgres = self.around.postgres
        free = sorted(org_id for org_id in postgres.now.orgs if org_id not in self._in_quarantine())
        if free:
            postgres.commit(quarantined(postgres.now, self.around.draw.choice(free)))

    def _heal(self) -> None:
        """An operator heals an org. The commands that its quarantine refused are sent again."""
        for org_id in self._in_quarantine()[:1]:
            self.around.postgres.commit(healed(self.around.postgres.now, org_id))
        self.around.send_again(self._in_quarantine())

    def _in_quarantine(self) -> list[str]:
        return sorted(org_id for org_id, (_, active) in self.around.postgres.now.quarantine.items() if active)

    def _lose_log(self) -> None:
        """A log loses its end, at least from the checkpoint's head on. Then all writers and projectors start again."""
        partition = self._somewhere()
        checkpoint, log = self.around.postgres.now.checkpoint(partition), self.around.logs[partition]
        if checkpoint.head_offset >= 0:
            draw, self.lost = self.around.draw, partition
            self.projected = log.values[: checkpoint.next_offset]
            log.lose(draw.randint(0, checkpoint.head_offset), partition, draw)
            self.start_all()

    def _is_settled(self) -> bool:
        """Whether every command is answered, every entry projected and every org healed. Ignores commands and entries
        of the partition whose log lost records.
        """
        around = self.around
        if self._in_quarantine():
            return False
        for partition, log in enumerate(around.logs):
            if partition == self.lost:
                continue
            if around.refused[partition]:
                return False
            projected = around.postgres.now.checkpoint(partition).next_offset
            if any(request.home == partition for request in around.requests):
                return False
            if any(writer.door.requests for writer in self.writers[partition]):
                return False
            if around.committed[partition] < len(around.topics[partition]) or projected < len(log) or log.late:
                return False
        return True

    def stops(self, partition: int) -> list[str | None]:
        """For each writer and projector, the reason why it has stopped; None if it is still running."""
        writers, projectors = self.writers[partition], self.projectors[partition]
        return [*(each.stopped for each in writers), *(each.stopped for each in projectors)]

    def _state(self) -> str:
        around = self.around
        sent, kept = [len(topic) for topic in around.topics], [len(log) for log in around.logs]
        projected = [around.postgres.now.checkpoint(partition).next_offset for partition in range(len(kept))]
        stops = [self.stops(partition) for partition in range(len(kept))]
        waiting = [len(around.requests), *(len(each.door.requests) for writers in self.writers for each in writers)]
        answers = f"waiting {waiting}, committed {around.committed} of {sent}"
        return f"{answers}, projected {projected} of {kept}, lost {self.lost}, {stops}"


def command_record(offset: int, envelope: Mapping[str, object], principal: str = "service:test") -> CommandRecord:
    headers = ((PRINCIPAL, principal.encode()), (REPLY_PARTITION, b"0"), (CORRELATION_ID, str(envelope["id"]).encode()))
    return CommandRecord(offset, None, json.dumps(envelope).encode(), headers, START_US // 1000)
