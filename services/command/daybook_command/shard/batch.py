"""Deciding a batch: taken commands and a snapshot come in, log records and answers go out. Pure; time is passed in."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import assert_never

from daybook_command.domain.decide import decide
from daybook_command.domain.decision import Decision, Facts, Rejected
from daybook_command.domain.drafts import Draft, drafts
from daybook_command.domain.evolve import evolve
from daybook_command.domain.state import Org
from daybook_command.domain.targets import chosen_ids
from daybook_command.shard.answers import Answers, is_answerable
from daybook_command.shard.backlog import uncounted
from daybook_command.shard.intake import Misrouted, Own, Pending, Refused, Taken
from daybook_command.shard.lookup import Needs, Snapshot
from daybook_command.shard.memory import Memory
from daybook_command.shard.messages import LogAppend, Report
from daybook_command.shard.recording import Place, record
from daybook_contracts.codes import Code
from daybook_contracts.commands import Command, data_json
from daybook_contracts.entries import Entry
from daybook_contracts.hashing import request_hash
from daybook_contracts.ids import entry_id

# A Kafka batch closes here, or holds one command (whose entries stay under 1 MiB); the topic takes 4 MiB.
MAX_BATCH_BYTES = 512 * 1024


@dataclass(frozen=True, slots=True)
class Moment:
    """What the outside gives a batch: this machine's clock and 16 random bytes for each command."""

    now_us: int
    salts: bytes

    def salt(self, index: int) -> bytes:
        return self.salts[16 * index : 16 * index + 16]


@dataclass(slots=True)
class KnownUsers:
    """Users that PostgreSQL had in the snapshot, and those whose registration is in our own tail."""

    snapshot: AbstractSet[str]
    tail: Mapping[str, int]

    def __contains__(self, user_id: object) -> bool:
        return user_id in self.snapshot or user_id in self.tail


@dataclass(slots=True)
class Deciding:
    """A batch being decided; `memory` moves along with every entry, ahead of the acknowledgement.

    `done` counts the records dealt with; `suspect` is the offset of a command on which the deciders raised:
    the batch ends before it. `doomed` are offsets of commands that failed alone.
    """

    memory: Memory
    snapshot: Snapshot
    needs: Needs
    moment: Moment
    answers: Answers
    managed_users: bool
    doomed: AbstractSet[int]
    appends: list[LogAppend] = field(default_factory=list)
    size: int = 0
    done: int = 0
    suspect: int | None = None
    reports: list[Report] = field(default_factory=list)

    def run(self, taken: Sequence[Taken]) -> None:
        for index, item in enumerate(taken):
            if not self._deal_with(item, self.moment.salt(index)):
                return
            self.done += 1

    def _deal_with(self, item: Taken, salt: bytes) -> bool:
        """False where the batch must end before this item."""
        match item:
            case Refused():
                self.answers.refuse(item)
            case Misrouted():
                self.answers.forward(item)
            case Pending():
                return self._decide(item, salt)
            case Own():
                return self._decide_own(item, salt)
        return True

    def _decide(self, item: Pending, salt: bytes) -> bool:
        if self._decided_before(item):
            self._repeat(item)
        elif item.record.offset in self.doomed:
            self.answers.reject(item, Code.INTERNAL, "the command could not be decided; it was set aside")
        elif self._quarantined(item.command.org_id):
            self.answers.reject(item, Code.ORG_QUARANTINED, "the org is in quarantine; it is being looked after")
        else:
            return self._record(item, salt)
        return True

    def _decide_own(self, item: Own, salt: bytes) -> bool:
        """Nobody waits for it, and where it is not accepted it leaves no entry."""
        if self._quarantined(item.command.org_id):
            return True
        if self._decided_before(item):
            self._report_usurped(item)
            return True
        return self._record(item, salt)

    def _report_usurped(self, item: Own) -> None:
        """Its id follows from the run's, so that anybody who knows the run could have used it."""
        first = self._known(item.entry_id)
        if first is not None and first.metadata_json.principal != str(item.principal):
            detail = f"command {item.command.id} of our own: {first.metadata_json.principal} has used its id"
            self.reports.append(Report("usurped", detail))

    def _decided_before(self, item: Pending | Own) -> bool:
        return item.entry_id in self.memory.tail.by_id or item.entry_id in self.snapshot.entries

    def _quarantined(self, org_id: str | None) -> bool:
        if org_id is None:
            return False
        loaded = self.snapshot.orgs.get(org_id)
        return org_id in self.memory.tail.poisoned or (loaded is not None and loaded.quarantined)

    def _repeat(self, item: Pending) -> None:
        """The first result again, if the content is the same too. A redacted entry has no salt left to tell by."""
        entries = self._entries_of(item)
        if entries is None:
            self.answers.reject(item, Code.INTERNAL, "it was decided, and this version cannot read its result")
            return
        first = entries[0]
        salt, command = first.metadata_json.salt, item.command
        if salt is not None:
            request = request_hash(
                bytes.fromhex(salt), command.type, command.org_id, command.actor_user_id, data_json(command)
            )
            if request != first.metadata_json.request:
                detail = "this command id was used for another command; send this one with an id of its own"
                self.answers.reject(item, Code.COMMAND_ID_REUSED, detail)
                return
        self.answers.outcome(item, entries)

    def _entries_of(self, item: Pending) -> list[Entry] | None:
        """All that the command ended in before; None where any of it cannot be read."""
        key, command_id = item.command.key, item.command.id
        first = self._known(item.entry_id)
        count = 0 if first is None else first.metadata_json.entries
        found = [self._known(entry_id(key, command_id, ordinal)) for ordinal in range(count)]
        entries = [entry for entry in found if entry is not None and is_answerable(entry)]
        return entries if entries and len(entries) == count else None

    def _known(self, an_id: str) -> Entry | None:
        return self.memory.tail.by_id.get(an_id) or self.snapshot.entries.get(an_id)

    def _record(self, item: Pending | Own, salt: bytes) -> bool:
        memory = self.memory
        cached = None if item.command.org_id is None else memory.cache.get(item.command.org_id)
        org = None if cached is None else cached.org
        if uncounted(item.command, org):
            return False
        try:
            drafted, after = self._decided(item, org)
        except Exception as error:  # noqa: BLE001 - a bug in a decider must not stop the partition: it is poison
            return self._failed(item, error)
        recorded = record(item, drafted, salt, Place(memory.partition, memory.head, memory.last_us, self.moment.now_us))
        size = sum(len(made.append.value) for made in recorded)
        if self.appends and self.size + size > MAX_BATCH_BYTES:
            return False
        self.size += size
        for made in recorded:
            self.appends.append(made.append)
            memory.append(made.entry, made.head, made.created_us)
        if cached is not None:
            cached.org = after
        if isinstance(item, Pending):
            self.answers.outcome(item, [made.entry for made in recorded])
        return True

    def _failed(self, item: Pending | Own, error: Exception) -> bool:
        match item:
            case Pending():
                self.reports.append(Report("decide_failed", f"offset {item.record.offset}", error))
                self.suspect = item.record.offset
                return False
            case Own():
                self.reports.append(Report("decide_failed", f"command {item.command.id} of our own", error))
                return True
            case _:
                assert_never(item)

    def _decided(self, item: Pending | Own, org: Org | None) -> tuple[tuple[Draft, ...], Org | None]:
        """The entries to write, and the org after them."""
        facts = Facts(
            principal=item.principal,
            new_id=item.entry_id,
            known_users=KnownUsers(self.snapshot.known_users, self.memory.tail.users),
            taken_ids=self._taken(item.command),
            managed_users=self.managed_users,
            beyond=self._beyond(item.command.org_id),
        )
        decision: Decision = decide(item.command, org, facts)
        if isinstance(item, Own) and isinstance(decision, Rejected):
            return (), org
        drafted = drafts(item.command, decision, org, facts)
        for draft in drafted:
            if draft.fact is not None:
                org = evolve(org, draft.actor_user_id, draft.fact)
        return drafted, org

    def _taken(self, command: Command) -> frozenset[str]:
        """What another org has of the ids that the command chose."""
        taken = self.snapshot.taken_ids
        return frozenset(id_ for _, id_ in chosen_ids(command) if (command.key, id_) in taken)

    def _beyond(self, org_id: str | None) -> int:
        """Of the one org that a filtering command is alone with."""
        return sum(self.memory.beyond(need, self.snapshot) for need in self.needs.orgs if need.org_id == org_id)
