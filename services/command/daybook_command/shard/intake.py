"""Reads a record of the commands topic as a command to decide, a refused command, or one of another partition. Also
makes the command to decide from one that the door has parsed already.
"""

import re

from msgspec import Struct

from daybook_command.domain.references import Named
from daybook_command.domain.registry import named_by
from daybook_command.shard.events import OverdueRun
from daybook_command.shard.records import CommandRecord, DoorRecord
from daybook_contracts.codes import Code
from daybook_contracts.commands.faults import InvalidCommand
from daybook_contracts.commands.parse import parse_command
from daybook_contracts.commands.registry import Command
from daybook_contracts.commands.syncs import FailSync, FailSyncData
from daybook_contracts.entries.identity import Identity, Scope, timeout_command_id
from daybook_contracts.limits import ADDED_VALUES, CORRELATION_ID_BYTES, RECORD_HEADERS
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
TOO_MANY_HEADERS = f"the record has more than {RECORD_HEADERS} headers, and none of them was read"
_OTHER_ACTOR = "actor_user_id: the sender is {sender} and cannot act for another user"
_PARTITION = re.compile(rb"[0-9]{1,6}")


class ReplyAddress(Struct, frozen=True, gc=False):
    """Where the answer goes. `reply_partition` is None if the sender asked for no reply. `http`: whether the command
    came through the HTTP door.
    """

    correlation_id: bytes | None
    reply_partition: int | None
    traceparent: bytes | None
    http: bool


class SentCommand(Struct, frozen=True, gc=False):
    """A well-formed command of this partition, and what its fields name. Its first entry has `own_identity`. If the
    command is rejected because its actor is an outsider, the entry has `outsider_identity` instead (None if the command
    names no actor).
    """

    record: CommandRecord | DoorRecord
    reply_to: ReplyAddress
    command: Command
    named: Named
    principal: Principal
    own_identity: Identity
    outsider_identity: Identity | None

    @property
    def identities(self) -> tuple[Identity, ...]:
        """The identities that the first entry of this command may have."""
        return (self.own_identity,) if self.outsider_identity is None else (self.own_identity, self.outsider_identity)


class RefusedCommand(Struct, frozen=True, gc=False):
    """A command refused without an entry. `command_id` is None if it could not be read."""

    record: CommandRecord
    reply_to: ReplyAddress
    code: Code
    detail: str
    command_id: str | None
    too_large: bool = False


class MisroutedCommand(Struct, frozen=True, gc=False):
    record: CommandRecord
    partition: int


class OwnCommand(Struct, frozen=True, gc=False):
    """A command that the shard makes itself. It is never published and gets no reply. Its entries are in the scope
    `policy`, which no sender's command can use.
    """

    command: Command
    named: Named
    principal: Principal
    own_identity: Identity

    @property
    def identities(self) -> tuple[Identity, ...]:
        return (self.own_identity,)


TakenCommand = SentCommand | RefusedCommand | MisroutedCommand | OwnCommand


def classify(record: CommandRecord, partition: int, partitions: int, rules: SenderRules = NO_RULES) -> TakenCommand:
    """What `record` is for the shard of `partition`. The envelope's key counts, not the record's.

    With a policy, the principal and door headers of an unsigned record are ignored. If the HTTP door signed the record,
    the door has already checked the policy.
    """
    headers = dict(record.headers)
    if rules.policy is not None:
        headers = rules.policy.trusted_headers(headers, record.value or b"")
    reply_to = _reply_address(headers, partitions)
    if record.lost_from is not None:
        return RefusedCommand(record, reply_to, Code.INVALID_COMMAND, LOST_BATCH, None)
    if record.is_bare:
        return RefusedCommand(record, reply_to, Code.INVALID_COMMAND, TOO_MANY_HEADERS, None)
    try:
        # The door has limited the values of the text that it received. The normal form may have a few more.
        command = parse_command(record.value or b"", extra_values=ADDED_VALUES if reply_to.http else 0)
        principal = _principal(headers, command.id)
        command = with_actor(command, principal, len(record.value or b""), _OTHER_ACTOR)
        rules.check(command, principal, policy_checked=reply_to.http)
    except InvalidCommand as fault:
        return RefusedCommand(record, reply_to, fault.code, fault.detail, fault.command_id, fault.too_large)
    own_partition = partition_of(command.key, partitions)
    if own_partition == partition:
        return sent_command(record, reply_to, command, principal)
    if FORWARDED_FROM in headers:
        detail = f"forwarded once already, and partition {partition} is not its own ({own_partition})"
        return RefusedCommand(record, reply_to, Code.INVALID_COMMAND, detail, command.id)
    return MisroutedCommand(record, own_partition)


def sent_command(
    record: CommandRecord | DoorRecord, reply_to: ReplyAddress, command: Command, principal: Principal
) -> SentCommand:
    """A checked command of this shard's partition. The door calls this for each of its commands. The result must be
    what `classify` would return for the published record.
    """
    identity, outsider_identity = own_identity(command), _outsider_identity(command)
    return SentCommand(record, reply_to, command, named_by(command), principal, identity, outsider_identity)


def command_to_time_out(run: OverdueRun) -> OwnCommand:
    """The command that fails an overdue run. Its id is computed from the run's, so a second command is a repeat."""
    command = FailSync(
        id=timeout_command_id(run.sync_run_id),
        type="FAIL_SYNC",
        org_id=run.org_id,
        data=FailSyncData(sync_run_id=run.sync_run_id, error_message=TIMED_OUT),
    )
    return OwnCommand(command, named_by(command), DAYBOOK, Identity("policy", command.key, None, command.id))


def own_identity(command: Command) -> Identity:
    """The identity of the command's first entry in the scope of its org or user."""
    scope: Scope = "user" if command.org_id is None else "org"
    return Identity(scope, command.key, None, command.id)


def _outsider_identity(command: Command) -> Identity | None:
    actor = command.actor_user_id
    return None if actor is None else Identity("outsider", command.key, actor, command.id)


def _reply_address(headers: dict[str, bytes], partitions: int) -> ReplyAddress:
    asked = headers.get(REPLY_PARTITION, b"")
    reply_partition = int(asked) if _PARTITION.fullmatch(asked) else None
    if reply_partition is not None and reply_partition >= partitions:
        reply_partition = None
    correlation_id = headers.get(CORRELATION_ID)
    if correlation_id is not None and len(correlation_id) > CORRELATION_ID_BYTES:
        correlation_id = None
    return ReplyAddress(
        correlation_id=correlation_id,
        reply_partition=reply_partition,
        traceparent=trace_context(headers.get(TRACEPARENT)),
        http=headers.get(DOOR) == DOOR_HTTP,
    )


def _principal(headers: dict[str, bytes], command_id: str) -> Principal:
    try:
        return parse_publisher(headers.get(PRINCIPAL))
    except InvalidPrincipal as fault:
        raise InvalidCommand(Code.INVALID_COMMAND, f"header {PRINCIPAL}: {fault}", command_id) from fault
