"""A record of the commands topic becomes a command to decide, a refusal, or one that belongs elsewhere."""

import re
from dataclasses import dataclass

from daybook_command.shard.messages import CommandRecord, OverdueRun
from daybook_contracts.codes import Code
from daybook_contracts.commands import Command, FailSync, FailSyncData, InvalidCommand, parse_command, with_actor
from daybook_contracts.ids import entry_id, timeout_command_id
from daybook_contracts.principals import DAYBOOK, InvalidPrincipal, Principal, User, parse_publisher
from daybook_contracts.routing import partition_of
from daybook_contracts.topics import (
    CORRELATION_ID,
    DOOR,
    DOOR_HTTP,
    FORWARDED_FROM,
    PRINCIPAL,
    REPLY_PARTITION,
    TRACEPARENT,
    trace_context,
)

TIMED_OUT = "TIMED_OUT"
_PARTITION = re.compile(rb"[0-9]{1,6}")


@dataclass(frozen=True, slots=True)
class Sender:
    """Who waits for the answer, and where; `reply_partition` is None where nobody does."""

    correlation_id: bytes | None
    reply_partition: int | None
    traceparent: bytes | None
    http: bool


@dataclass(frozen=True, slots=True)
class Pending:
    """A well-formed command of this partition; `entry_id` is its first entry's."""

    record: CommandRecord
    sender: Sender
    command: Command
    principal: Principal
    entry_id: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Refused without an entry; `command_id` is None where it could not be read."""

    record: CommandRecord
    sender: Sender
    code: Code
    detail: str
    command_id: str | None
    too_large: bool = False


@dataclass(frozen=True, slots=True)
class Misrouted:
    record: CommandRecord
    partition: int


@dataclass(frozen=True, slots=True)
class Own:
    """A command of the shard's own: nobody sent it, nobody waits for it, and it is never published."""

    command: Command
    principal: Principal
    entry_id: str


Taken = Pending | Refused | Misrouted | Own


def take(record: CommandRecord, partition: int, partitions: int) -> Taken:
    """What a shard of `partition` makes of `record`; the envelope's key decides, never the record's."""
    headers = dict(record.headers)
    sender = _sender(headers, partitions)
    try:
        command = parse_command(record.value or b"")
        principal = _principal(headers, command.id)
        command = _as_actor(command, principal, len(record.value or b""))
    except InvalidCommand as fault:
        return Refused(record, sender, fault.code, fault.detail, fault.command_id, fault.too_large)
    home = partition_of(command.key, partitions)
    if home == partition:
        return Pending(record, sender, command, principal, entry_id(command.key, command.id, 0))
    if FORWARDED_FROM in headers:
        detail = f"forwarded once already, and partition {partition} is not its own ({home})"
        return Refused(record, sender, Code.INVALID_COMMAND, detail, command.id)
    return Misrouted(record, home)


def time_out(run: OverdueRun) -> Own:
    """The command that fails an overdue run. Its id follows from the run, so it happens once, whoever decides it."""
    command = FailSync(
        id=timeout_command_id(run.sync_run_id),
        type="FAIL_SYNC",
        org_id=run.org_id,
        data=FailSyncData(sync_run_id=run.sync_run_id, error_message=TIMED_OUT),
    )
    return Own(command, DAYBOOK, entry_id(command.key, command.id, 0))


def _sender(headers: dict[str, bytes], partitions: int) -> Sender:
    asked = headers.get(REPLY_PARTITION, b"")
    reply_partition = int(asked) if _PARTITION.fullmatch(asked) else None
    if reply_partition is not None and reply_partition >= partitions:
        reply_partition = None
    return Sender(
        correlation_id=headers.get(CORRELATION_ID),
        reply_partition=reply_partition,
        traceparent=trace_context(headers.get(TRACEPARENT)),
        http=headers.get(DOOR) == DOOR_HTTP,
    )


def _principal(headers: dict[str, bytes], command_id: str) -> Principal:
    try:
        return parse_publisher(headers.get(PRINCIPAL))
    except InvalidPrincipal as fault:
        raise InvalidCommand(Code.INVALID_COMMAND, f"header {PRINCIPAL}: {fault}", command_id) from fault


def _as_actor(command: Command, principal: Principal, written: int) -> Command:
    if not isinstance(principal, User):
        return command
    if command.actor_user_id is None:
        return with_actor(command, principal.user_id, written)
    if command.actor_user_id != principal.user_id:
        detail = f"actor_user_id: the sender is {principal} and cannot act for another user"
        raise InvalidCommand(Code.FORBIDDEN, detail, command.id)
    return command
