"""The judges of a simulated schedule. Each judge checks the world after the schedule has ended."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from daybook_command.shard.answers import outcome
from daybook_command.shard.records import CommandRecord
from daybook_contracts.commands.parse import parse_command
from daybook_contracts.commands.registry import Command
from daybook_contracts.entries.entry import Entry, identity_of
from daybook_contracts.entries.identity import Identity, Scope
from daybook_contracts.entries.reading import read_entry
from daybook_contracts.results import encode_record
from daybook_contracts.routing import partition_of
from daybook_contracts.topics import CORRELATION_ID
from daybook_projector.partition.batch_rows import audit_rows
from daybook_projector.partition.entry import read_partition_entry
from support.colliding_ids import colliding_ids
from support.copies import admitted
from support.redeciding import by_command, check_decisions, is_entry_of_command, sent_commands
from support.simulation import World
from support.surroundings import Failed
from support.tables import differences, fold


class Judged:
    """A world whose schedule has ended. `logs` are the entries of the partitions whose logs lost no records."""

    def __init__(self, world: World) -> None:
        self.world = world
        values = {partition: log.values for partition, log in enumerate(world.around.logs)}
        if world.lost is not None:
            values[world.lost] = world.projected
        self._admitted = {partition: admitted(each, partition) for partition, each in values.items()}
        with colliding_ids():
            self.logs = {
                partition: [read_entry(each.value, each.entry).entry for each in log]
                for partition, log in self._admitted.items()
                if partition != world.lost
            }
        self.asked = list(self._asked())
        # Also counts commands sent to a partition whose log lost records: they may have been forwarded before the loss.
        self.times_sent = Counter(parse_command(record.value or b"").id for record in world.sent)
        self.decided = {identity_of(group[0]): group for entries in self.logs.values() for group in by_command(entries)}

    def stops(self) -> None:
        """A log that lost projected records stops every instance of its partition, and nothing else stops one."""
        for partition in range(self.world.config.partitions):
            for reason in self.world.stops(partition):
                assert (reason is not None) == (partition == self.world.lost), f"partition {partition}: {reason}"

    def once(self) -> None:
        """Every command's entries are in its partition's log exactly once, one after another."""
        stood = Counter(identity_of(group[0]) for entries in self.logs.values() for group in by_command(entries))
        twice = [id_ for id_, count in stood.items() if count > 1]
        assert not twice, f"decided twice: {twice}"
        missing = [
            command
            for record, command in self.asked
            if self.group_of(command) is None and not self.is_taken(command) and not self._gave_up(record)
        ]
        assert not missing, f"never decided: {missing}"

    def decisions(self) -> None:
        """Every decision in the log is the one that the deciders make when they see the whole org."""
        sent = sent_commands(self.world.sent)
        with colliding_ids():
            for entries in self.logs.values():
                check_decisions(sent, entries, self.world.around.users, self.world.around.postgres.owners)

    def answers(self) -> None:
        """Every sent command was answered at least once, and every answer agrees with the log."""
        for record, command in self.asked:
            answers = self.world.around.answers.get(dict(record.headers)[CORRELATION_ID], set())
            codes = [json.loads(each).get("code") for each in answers]
            group = self.group_of(command)
            if not answers and self._gave_up(record):
                continue
            if group is None:
                assert codes == ["COMMAND_ID_REUSED"], f"{command.id}: {answers}"
            else:
                wanted = json.loads(encode_record(outcome(command.id, group)))
                assert {_without_detail(json.loads(each)) for each in answers} == {_without_detail(wanted)}, (
                    f"{command.id}: {answers}"
                )

    def nothing_done(self) -> None:
        """A command is not in the log if its client heard that nothing was done, and nobody sent it again."""
        for record, command in self.asked:
            is_sure = _number(record) not in self.world.around.unsure and self.times_sent[command.id] == 1
            if self._gave_up(record) and is_sure:
                assert self.group_of(command) is None, f"{command.id} is in the log"

    def order(self) -> None:
        """A key's commands are in the log in the order in which a door accepted them. Ignores commands sent again."""
        commands = {_number(record): command for record, command in self.asked}
        orders = self.world.around.orders
        accepted = Counter(number for numbers in orders for number in numbers)
        for numbers in orders:
            seen: dict[str, int] = {}
            for number in numbers:
                command = commands.get(number)
                if command is None or self.times_sent[command.id] > 1 or accepted[number] > 1:
                    continue
                group = self.group_of(command)
                if group is not None:
                    position = group[0].metadata_json.position
                    assert position > seen.get(command.key, -1), f"{command.id} comes before an earlier command"
                    seen[command.key] = position

    def _gave_up(self, record: CommandRecord) -> bool:
        return _number(record) in self.world.around.gave_up

    def group_of(self, command: Command) -> list[Entry] | None:
        """The entries of this command, or None. Compares the request too, as another command may have the same id."""
        for identity in identities_of(command):
            group = self.decided.get(identity)
            if group is not None and is_entry_of_command(command, group[0]):
                return group
        return None

    def is_taken(self, command: Command) -> bool:
        """Whether another command's entry has the identity that this command's entry would have."""
        return any(identity in self.decided for identity in identities_of(command))

    def audit_log(self) -> None:
        """The table `audit_log` holds exactly the entries of the topic."""
        stored = self.world.around.postgres.now.audit_log
        topic = [read_partition_entry(0, each) for log in self._admitted.values() for each in log]
        rows = audit_rows(topic)
        assert Counter(stored.values()) == Counter(rows), f"{len(stored)} rows, {len(rows)} entries"

    def tables(self) -> None:
        """The other tables equal an independent fold of the log."""
        entries = (json.loads(each.value) for log in self._admitted.values() for each in log)
        expected, found = fold(entries), self.world.around.postgres.now.tables()
        found["audit_log"] = expected["audit_log"]
        unlike = differences(expected, found)
        assert not unlike, unlike

    def _asked(self) -> Iterator[tuple[CommandRecord, Command]]:
        """The sent commands. Leaves out a command if its own partition, or the one that it was sent to, lost
        records.
        """
        for record, place in zip(self.world.sent, self.world.places, strict=True):
            command = parse_command(record.value or b"")
            home = partition_of(command.key, self.world.config.partitions)
            if home in self.logs and place in self.logs:
                yield record, command


JUDGES = (
    Judged.stops,
    Judged.once,
    Judged.decisions,
    Judged.answers,
    Judged.nothing_done,
    Judged.order,
    Judged.audit_log,
    Judged.tables,
)


def judge(world: World) -> None:
    """Raises `Failed` with the name of the first judge that finds a fault."""
    judged = Judged(world)
    for finds in JUDGES:
        try:
            finds(judged)
        except AssertionError as fault:
            raise Failed(finds.__name__, str(fault)) from fault


def identities_of(command: Command) -> list[Identity]:
    """The identities that the first entry of a command may have."""
    scope: Scope = "user" if command.type == "REGISTER_USER" else "org"
    home = Identity(scope, command.key, None, command.id)
    actor = command.actor_user_id
    return [home] if actor is None else [home, Identity("outsider", command.key, actor, command.id)]


def _number(record: CommandRecord) -> int:
    return int(dict(record.headers)[CORRELATION_ID])


def _without_detail(answer: dict[str, Any]) -> str:
    """Ignores the detail: the first answer to a rejected command may hold more of it than the log and later answers."""
    return json.dumps({name: value for name, value in answer.items() if name != "detail"}, sort_keys=True)
