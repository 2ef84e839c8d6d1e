"""Decides the commands of a log again, in the order of the log, with the deciders on whole orgs. Each command's entries
must be exactly those of this decision.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from daybook_command.domain.decision import NewEntry
from daybook_command.shard.events import OverdueRun
from daybook_command.shard.intake import command_to_time_out
from daybook_command.shard.records import CommandRecord
from daybook_contracts.commands.normalised import request_json
from daybook_contracts.commands.parse import parse_command
from daybook_contracts.commands.registry import Command
from daybook_contracts.entries.entry import Entry, identity_of
from daybook_contracts.entries.hashing import request_hash
from daybook_contracts.senders.principals import DAYBOOK, Principal, parse_principal
from daybook_contracts.topics import PRINCIPAL
from support.deciding import Deciders

Sent = Mapping[str, Sequence[tuple[Command, Principal]]]
"""The sent commands by id. An id that was used again has more than one command."""


def sent_commands(records: Iterable[CommandRecord]) -> Sent:
    commands: dict[str, list[tuple[Command, Principal]]] = {}
    for record in records:
        command = parse_command(record.value or b"")
        principal = parse_principal(dict(record.headers)[PRINCIPAL].decode())
        commands.setdefault(command.id, []).append((command, principal))
    return commands


def by_command(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """The entries, grouped by command; two commands with the same id differ in their requests."""
    for _, group in groupby(entries, key=lambda entry: entry.metadata_json.request):
        yield list(group)


def is_entry_of_command(command: Command, entry: Entry) -> bool:
    """Whether the entry belongs to this command, not to another one with the same id."""
    metadata = entry.metadata_json
    salt = bytes.fromhex(metadata.salt or "")
    content = (command.type, command.org_id, command.actor_user_id, request_json(command))
    return request_hash(salt, *content) == metadata.request


def check_decisions(sent: Sent, entries: Sequence[Entry], users: frozenset[str], owners: Mapping[str, str]) -> None:
    """Checks one partition's log. `owners` maps each chosen id to the org that has it. Raises AssertionError if a
    decision differs.
    """
    own, deciders = _timeouts(entries), Deciders(users={*users}, owners={**owners})
    for group in by_command(entries):
        command_id = group[0].metadata_json.command_id
        command, principal = own.get(command_id) or _sent(sent, command_id, group[0])
        outcome = deciders.decide_parsed(command, principal)
        assert identity_of(group[0]) == outcome.standing, command_id
        wanted = [_drafted(entry, principal) for entry in outcome.entries()]
        assert [_told(entry) for entry in group] == wanted, command_id


def _timeouts(entries: Iterable[Entry]) -> dict[str, tuple[Command, Principal]]:
    """The commands with which Daybook itself may have ended the runs of the log."""
    started = (entry for entry in entries if entry.action == "START_SYNC" and entry.result == "success")
    runs = [(entry.org_id, entry.entity_id) for entry in started]
    commands = [
        command_to_time_out(OverdueRun(org_id, run_id)).command for org_id, run_id in runs if org_id is not None
    ]
    return {command.id: (command, DAYBOOK) for command in commands}


def _sent(sent: Sent, command_id: str, first: Entry) -> tuple[Command, Principal]:
    found = [
        (command, principal) for command, principal in sent.get(command_id, ()) if is_entry_of_command(command, first)
    ]
    assert found, f"nobody sent command {command_id} with the content that the log has"
    return found[0]


def _told(entry: Entry) -> tuple[object, ...]:
    metadata = entry.metadata_json
    code = getattr(metadata.error, "code", None) if metadata.error else None
    return entry.action, entry.entity_id, entry.project_id, json.loads(bytes(metadata.data)), code, metadata.principal


def _drafted(entry: NewEntry, principal: Principal) -> tuple[object, ...]:
    code = entry.error and entry.error.code
    signed = str(DAYBOOK if entry.by_policy else principal)
    return entry.action, entry.entity_id, entry.project_id, json.loads(entry.data), code, signed
