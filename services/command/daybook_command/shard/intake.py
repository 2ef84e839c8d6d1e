"""A record of the commands topic becomes a command to decide, a refusal, or one that belongs elsewhere."""

import re
from dataclasses import dataclass

from daybook_command.shard.events import OverdueRun
from daybook_command.shard.records import CommandRecord
from daybook_contracts.codes import Code
from daybook_contracts.commands.faults import InvalidCommand
from daybook_contracts.commands.parse import parse_command
from daybook_contracts.commands.registry import Command
from daybook_contracts.commands.syncs import FailSync, FailSyncData
from daybook_contracts.entries.identity import Identity, Scope, timeout_command_id
from daybook_contracts.routing import partition_of
from daybook_contracts.senders.actor import with_actor
from daybook_contracts.senders.principals import DAYBOOK, InvalidPrincipal, Principal, parse_publisher
from daybook_contracts.senders.sender_rules import NO_RULES, SenderRules
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
LOST_BATCH = "the record batch unfolds to more than 64 MiB, and none of its records was read"
_PARTITION = re.compile(rb"[0-9]{1,6}")


@dataclass(frozen=True, slots=True)
class ReplyAddress:
    """Where the answer goes; `reply_partition` is None if no reply was asked for."""

    correlation_id: bytes | None
    reply_partition: int | None
    traceparent: bytes | None
    http: bool


@dataclass(frozen=True, slots=True)
class SentCommand:
    """A well-formed command of this partition. Its first entry stands at `home`; if the actor is refused because it has
    no standing in the org, at `outsider` (None if the command names no actor).
    """

    record: CommandRecord
    reply_to: ReplyAddress
    command: Command
    principal: Principal
    home: Identity
    outsider: Identity | None

    @property
    def identities(self) -> tuple[Identity, ...]:
        """Where an earlier entry of this command may be."""
        return (self.home,) if self.outsider is None else (self.home, self.outsider)


@dataclass(frozen=True, slots=True)
class RefusedCommand:
    """Refused without an entry; `command_id` is None where it could not be read."""

    record: CommandRecord
    reply_to: ReplyAddress
    code: Code
    detail: str
    command_id: str | None
    too_large: bool = False


@dataclass(frozen=True, slots=True)
class MisroutedCommand:
    record: CommandRecord
    partition: int


@dataclass(frozen=True, slots=True)
class OwnCommand:
    """A command that the shard makes itself: it is never published and has no reply. Its ids are in a scope of their
    own, which no sender's command can use.
    """

    command: Command
    principal: Principal
    home: Identity

    @property
    def identities(self) -> tuple[Identity, ...]:
        return (self.home,)


TakenCommand = SentCommand | RefusedCommand | MisroutedCommand | OwnCommand


def take(record: CommandRecord, partition: int, partitions: int, rules: SenderRules = NO_RULES) -> TakenCommand:
    """What a shard of `partition` makes of `record`; the envelope's key decides, never the record's.
    With a policy, the principal and the door mark of an unsigned record are ignored. Commands that the HTTP door
    signed were checked against the policy there.
    """
    headers = dict(record.headers)
    if rules.policy is not None:
        headers = rules.policy.trusted_headers(headers, record.value or b"")
    reply_to = _reply_address(headers, partitions)
    if record.lost_from is not None:
        return RefusedCommand(record, reply_to, Code.INVALID_COMMAND, LOST_BATCH, None)
    try:
        command = parse_command(record.value or b"")
        principal = _principal(headers, command.id)
        refusal = f"actor_user_id: the sender is {principal} and cannot act for another user"
        command = with_actor(command, principal, len(record.value or b""), refusal)
        rules.check(command, principal, policy_checked=reply_to.http)
    except InvalidCommand as fault:
        return RefusedCommand(record, reply_to, fault.code, fault.detail, fault.command_id, fault.too_large)
    home = partition_of(command.key, partitions)
    if home == partition:
        return SentCommand(record, reply_to, command, principal, home_of(command), _outsider(command))
    if FORWARDED_FROM in headers:
        detail = f"forwarded once already, and partition {partition} is not its own ({home})"
        return RefusedCommand(record, reply_to, Code.INVALID_COMMAND, detail, command.id)
    return MisroutedCommand(record, home)


def time_out(run: OverdueRun) -> OwnCommand:
    """The command that fails an overdue run. Its id is derived from the run's, so a second one is a repeat."""
    command = FailSync(
        id=timeout_command_id(run.sync_run_id),
        type="FAIL_SYNC",
        org_id=run.org_id,
        data=FailSyncData(sync_run_id=run.sync_run_id, error_message=TIMED_OUT),
    )
    return OwnCommand(command, DAYBOOK, Identity("policy", command.key, None, command.id))


def home_of(command: Command) -> Identity:
    """The first entry of a command in its key's own scope."""
    scope: Scope = "user" if command.org_id is None else "org"
    return Identity(scope, command.key, None, command.id)


def _outsider(command: Command) -> Identity | None:
    actor = command.actor_user_id
    return None if actor is None else Identity("outsider", command.key, actor, command.id)


def _reply_address(headers: dict[str, bytes], partitions: int) -> ReplyAddress:
    asked = headers.get(REPLY_PARTITION, b"")
    reply_partition = int(asked) if _PARTITION.fullmatch(asked) else None
    if reply_partition is not None and reply_partition >= partitions:
        reply_partition = None
    return ReplyAddress(
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
