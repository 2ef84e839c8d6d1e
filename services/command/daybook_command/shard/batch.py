"""Decides a batch of commands on a snapshot; makes its records and answers. Pure: time and salts are passed in."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import assert_never

from msgspec import Struct

from daybook_command.domain.decide import decide
from daybook_command.domain.decision import Acceptance, DecisionContext, NewEntry, Rejection
from daybook_command.domain.evolve import evolve
from daybook_command.domain.failures import failed_entry
from daybook_command.domain.permissions import is_outsider
from daybook_command.domain.references import ChosenId, PendingLetters
from daybook_command.domain.registry import users_referred_to
from daybook_command.domain.state import Org
from daybook_command.shard.answers import Answers
from daybook_command.shard.effects import LogAppend, Report
from daybook_command.shard.intake import MisroutedCommand, OwnCommand, RefusedCommand, SentCommand, TakenCommand
from daybook_command.shard.memory import Memory
from daybook_command.shard.recording import Place, record
from daybook_command.shard.records import CommandRecord
from daybook_command.shard.repeats import EarlierEntries, find_repeat, is_id_reused
from daybook_command.shard.snapshot import Needs, Snapshot
from daybook_contracts.codes import Code
from daybook_contracts.commands.registry import Command
from daybook_contracts.entries.identity import Identity
from daybook_contracts.limits import LOG_BATCH_BYTES


class Moment(Struct, frozen=True, gc=False):
    """The time and the random bytes of a batch: this machine's clock, and a salt of 16 bytes for each command."""

    now_us: int
    salts: bytes

    def salt(self, index: int) -> bytes:
        return self.salts[16 * index : 16 * index + 16]


class UsersAtHead(Struct, frozen=True, gc=False):
    """The users who exist at the log's head: those in the snapshot, and those whose registration is in the tail."""

    snapshot: AbstractSet[str]
    tail: Mapping[str, int]

    def __contains__(self, user_id: object) -> bool:
        return user_id in self.snapshot or user_id in self.tail


class _Decided(Struct, frozen=True, gc=False):
    """The entries to write, the org after them, the identity of the first entry, and the text of a rejection."""

    entries: tuple[NewEntry, ...]
    after: Org | None
    first_identity: Identity
    detail: str | None = None


@dataclass(slots=True)
class BatchDecision:
    """A batch that is being decided. Each entry is folded into `memory` immediately, before Kafka acknowledges it.

    `done`: how many commands are handled. `failed`: whether a decider raised an exception for the next command; the
    batch ends before this command. `doomed`: commands that were tried alone and failed, as places in the batch.
    `named_users`: external users to whom the entries' rows refer. They must not be deleted before the entries are
    projected.
    `known_users`: the users who exist. `earlier`: the entries that the batch's commands may have already.
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
    failed: bool = False
    reports: list[Report] = field(default_factory=list)
    named_users: set[str] = field(default_factory=set)
    known_users: UsersAtHead = field(init=False)
    earlier: EarlierEntries = field(init=False)

    def __post_init__(self) -> None:
        self.known_users = UsersAtHead(self.snapshot.known_users, self.memory.tail.users)
        self.earlier = EarlierEntries(self.memory.tail.by_identity, self.snapshot.entries)

    def run(self, taken: Sequence[TakenCommand]) -> None:
        for index, item in enumerate(taken):
            if not self._process(item, self.moment.salt(index), doomed=index in self.doomed):
                return
            self.done += 1

    def _process(self, item: TakenCommand, salt: bytes, *, doomed: bool) -> bool:
        """False if the batch must end before this item."""
        match item:
            case RefusedCommand():
                self.answers.refuse(item)
            case MisroutedCommand():
                self.answers.forward(item)
            case SentCommand():
                return self._decide(item, salt, doomed=doomed)
            case OwnCommand():
                return self._decide_own(item, salt)
        return True

    def _decide(self, item: SentCommand, salt: bytes, *, doomed: bool) -> bool:
        """Checks in the contract's order: a repeat, quarantine, the decision, a reused command id."""
        earlier = self.earlier
        is_known = earlier.has_any(item.identities)
        repeated = find_repeat(item, earlier) if is_known else None
        if repeated is not None or (is_known and earlier.is_unreadable(item.own_identity)):
            self._answer_repeat(item, repeated)
        elif doomed:
            self.answers.reject(item, Code.INTERNAL, "the command could not be decided; it was set aside")
        elif self._is_quarantined(item.command.org_id):
            self.answers.reject(item, Code.ORG_QUARANTINED, "the org is in quarantine; it is being looked after")
        else:
            return self._record(item, salt, is_known=is_known)
        return True

    def _decide_own(self, item: OwnCommand, salt: bytes) -> bool:
        """Decides a command of the shard itself. It gets no answer, and no entry if it is rejected."""
        if self._is_quarantined(item.command.org_id) or self.earlier.has(item.own_identity):
            return True
        return self._record(item, salt)

    def _is_quarantined(self, org_id: str | None) -> bool:
        if org_id is None:
            return False
        loaded = self.snapshot.orgs.get(org_id)
        return org_id in self.memory.tail.poisoned or (loaded is not None and loaded.quarantined)

    def _answer_repeat(self, item: SentCommand, repeated: Identity | None) -> None:
        """Give the first result again, even if the actor has joined or left the org since."""
        entries = None if repeated is None else self.earlier.entries_of_command(repeated)
        if entries is None:
            self.answers.reject(item, Code.INTERNAL, "it was decided, and this version cannot read its result")
            return
        self.answers.outcome(item, entries)

    def _record(self, item: SentCommand | OwnCommand, salt: bytes, *, is_known: bool = False) -> bool:
        """`is_known`: whether an entry has one of the identities that the command's first entry may have."""
        memory = self.memory
        cached = None if item.command.org_id is None else memory.cache.get(item.command.org_id)
        org = None if cached is None else cached.org
        if item.named.filter is not None and not self._was_looked_up(item.named.filter, item.command, org):
            return False
        try:
            decided = self._decision(item, org)
        except Exception as error:  # noqa: BLE001 - a bug in a decider must not stop the partition: it is poison
            return self._handle_bug(item, error)
        if is_known and isinstance(item, SentCommand) and is_id_reused(item, decided.first_identity, self.earlier):
            detail = "this command id was used for another command; send this one with an id of its own"
            self.answers.reject(item, Code.COMMAND_ID_REUSED, detail)
            return True
        place = Place(memory.partition, memory.head, memory.last_us, self.moment.now_us)
        recorded = record(item, decided.first_identity, decided.entries, salt, place)
        if self.appends and self.size + recorded.size > LOG_BATCH_BYTES:
            return False
        self.size += recorded.size
        self.appends += recorded.appends
        memory.append(recorded)
        if not self.managed_users:
            self.named_users.update(user_id for entry in decided.entries for user_id in users_referred_to(entry))
        if cached is not None:
            cached.org = decided.after
        if isinstance(item, SentCommand):
            self.answers.outcome(item, [made.trusted.entry for made in recorded.appends], decided.detail)
        return True

    def _handle_bug(self, item: SentCommand | OwnCommand, error: Exception) -> bool:
        match item:
            case SentCommand():
                self.reports.append(Report("decide_failed", _place(item), error))
                self.failed = True
                return False
            case OwnCommand():
                self.reports.append(Report("decide_failed", f"command {item.command.id} of our own", error))
                return True
            case _:
                assert_never(item)

    def _decision(self, item: SentCommand | OwnCommand, org: Org | None) -> _Decided:
        command = item.command
        context = DecisionContext(
            principal=item.principal,
            new_id=item.own_identity.second_id(),
            known_users=self.known_users,
            taken_ids=() if item.named.chosen is None else self._taken_ids(command.key, item.named.chosen),
            managed_users=self.managed_users,
            unread_matches=0 if item.named.filter is None else self._unread_matches(command.org_id),
        )
        match decide(command, org, context):
            case Acceptance(entries=entries):
                after = org
                for entry in entries:
                    if entry.fact is not None:
                        after = evolve(after, entry.actor_user_id, entry.fact)
                return _Decided(entries, after, item.own_identity)
            case Rejection() if isinstance(item, OwnCommand):
                return _Decided((), org, item.own_identity)
            case Rejection() as rejection:
                identity = item.own_identity
                if item.outsider_identity is not None and is_outsider(command, org):
                    identity = item.outsider_identity
                entry = failed_entry(command, rejection, org, context, identity)
                return _Decided((entry,), org, identity, rejection.detail)

    def _taken_ids(self, key: str, chosen: ChosenId) -> tuple[str, ...]:
        """The chosen id, if another org has it."""
        return (chosen.id,) if (key, chosen.id) in self.snapshot.taken_ids else ()

    def _was_looked_up(self, letters: PendingLetters, command: Command, org: Org | None) -> bool:
        """Whether the matches of the command's filter were read, or are not needed. They were not read if the actor was
        not a member in the copy of the org that the shard had before the snapshot, but is a member now. In that case,
        the command gets a batch without other commands of its org.
        """
        if is_outsider(command, org):
            return True
        return any(need.filtered == letters for need in self.needs.orgs if need.org_id == command.org_id)

    def _unread_matches(self, org_id: str | None) -> int:
        """How many dead letters match the filter of the org's only command, but were not read."""
        return sum(self.memory.unread_matches(need, self.snapshot) for need in self.needs.orgs if need.org_id == org_id)


def _place(item: SentCommand) -> str:
    record = item.record
    return f"offset {record.offset}" if isinstance(record, CommandRecord) else f"local command {item.command.id}"
