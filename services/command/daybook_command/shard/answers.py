"""Collects the answers to a batch's senders: replies, commands to forward, and refused records."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from daybook_command.shard.effects import Answer, Forward, RefusedRecord, Reply
from daybook_command.shard.intake import MisroutedCommand, RefusedCommand, ReplyAddress, SentCommand
from daybook_command.shard.records import CommandRecord, DoorRecord
from daybook_contracts.codes import TOO_LARGE_STATUS, Code
from daybook_contracts.entries.entry import Entry, EntryError
from daybook_contracts.results import Accepted, EntryRef, Rejected, Result, encode_record, problem
from daybook_contracts.secrets.scan import carries_secret

_CODES = frozenset(code.value for code in Code)


@dataclass(slots=True)
class Answers:
    """`local`: replies to local commands. `after_dead_letters`: replies to local commands that become dead letters.
    They wait until the dead letters are published.
    """

    partition: int
    replies: list[Reply] = field(default_factory=list)
    forwards: list[Forward] = field(default_factory=list)
    refused: list[RefusedRecord] = field(default_factory=list)
    local: list[Reply] = field(default_factory=list)
    after_dead_letters: list[Reply] = field(default_factory=list)

    def outcome(self, item: SentCommand, entries: Sequence[Entry], detail: str | None = None) -> None:
        """Answers a decided command from all of its entries, in order. If `detail` is given, the answer to a rejected
        command has it instead of the entry's text. `detail` may be more specific than the entry is allowed to be. The
        answer to a repeat has the entry's text.
        """
        result = outcome(item.command.id, entries)
        if detail is not None and isinstance(result, Rejected):
            result = replace(result, detail=detail)
        reply = _reply(item.reply_to, item.command.id, result)
        self._add(reply, self.local if isinstance(item.record, DoorRecord) else self.replies)

    def reject(self, item: SentCommand, code: Code, detail: str) -> None:
        """Answers a well-formed command that is refused without an entry."""
        refusal = problem(code, detail, command_id=item.command.id)
        self._refuse(item.record, item.reply_to, item.command.id, refusal)

    def refuse(self, item: RefusedCommand) -> None:
        status = TOO_LARGE_STATUS if item.too_large else None
        refusal = problem(item.code, item.detail, command_id=item.command_id, status=status)
        self._refuse(item.record, item.reply_to, item.command_id, refusal)

    def forward(self, item: MisroutedCommand) -> None:
        self.forwards.append(Forward(item.partition, item.record))

    def seal(self, next_offset: int | None) -> Answer | None:
        """What must be published; None if there is nothing to publish, and no offset to commit."""
        if next_offset is None and not self.refused:
            return None
        published = tuple(self.replies), tuple(self.forwards), tuple(self.refused)
        return Answer(*published, next_offset, tuple(self.after_dead_letters))

    def _refuse(
        self,
        record: CommandRecord | DoorRecord,
        reply_to: ReplyAddress,
        command_id: str | None,
        refusal: Rejected,
    ) -> None:
        is_kept = not reply_to.http or refusal.code is Code.INTERNAL
        if is_kept:
            reason = f"{refusal.code}: {refusal.detail}"
            keep_value = refusal.code is not Code.SECRET_IN_CONFIG and not _must_drop_value(record)
            self.refused.append(RefusedRecord(record, self.partition, reason, keep_value))
        local = self.after_dead_letters if is_kept else self.local
        reply = _reply(reply_to, command_id, refusal)
        self._add(reply, local if isinstance(record, DoorRecord) else self.replies)

    def _add(self, reply: Reply | None, replies: list[Reply]) -> None:
        if reply is not None:
            replies.append(reply)


def _reply(reply_to: ReplyAddress, command_id: str | None, result: Result) -> Reply | None:
    """None if the sender asked for no reply."""
    if reply_to.reply_partition is None:
        return None
    return Reply(
        command_id=command_id or "",
        value=encode_record(result),
        correlation_id=reply_to.correlation_id,
        partition=reply_to.reply_partition,
        traceparent=reply_to.traceparent,
    )


def _must_drop_value(record: CommandRecord | DoorRecord) -> bool:
    """Whether the dead letter leaves out the record's value, because it contains a secret or is too large. An oversize
    value is not searched for secrets: that takes 50 ms for each MiB, and a small batch can decompress to many MiB.
    """
    return record.is_oversize or carries_secret(record.value or b"")


def is_answerable(entry: Entry) -> bool:
    """False if the entry is a rejection with a code that this version does not know."""
    error = entry.metadata_json.error
    return not isinstance(error, EntryError) or error.code in _CODES


def outcome(command_id: str, entries: Sequence[Entry]) -> Result:
    """A decided command's result. It is made only from the command's entries, so that a later look-up returns the same.
    All entries must be answerable.
    """
    last = entries[-1]
    position = f"{last.metadata_json.partition}.{last.metadata_json.position}"
    error = entries[0].metadata_json.error
    if isinstance(error, EntryError):
        return problem(Code(error.code), error.detail, command_id=command_id, entry_id=entries[0].id, position=position)
    refs = [EntryRef(e.id, e.action, e.entity_type, e.entity_id) for e in entries]
    return Accepted(command_id, tuple(refs), position)
