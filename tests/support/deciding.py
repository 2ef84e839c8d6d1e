"""Runs the real deciders on whole orgs, one command after another, and builds the log of their decisions."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from daybook_command.domain.decision import Acceptance
from daybook_command.domain.registry import named_by
from daybook_command.domain.state import Org
from daybook_command.shard import recording
from daybook_command.shard.intake import OwnCommand
from daybook_contracts.commands.parse import parse_command
from daybook_contracts.commands.registry import Command
from daybook_contracts.log.head import Head
from daybook_contracts.routing import partition_of
from daybook_contracts.senders.principals import Principal, parse_principal
from support.given import Given, Outcome
from support.logbook import SALT, START, Logbook
from support.publisher import Send
from support.world import CREATED


@dataclass(slots=True)
class Deciders:
    """`orgs`: by id; `users`: the ids of the registered users; `owners`: for each chosen id, the org that has it."""

    orgs: dict[str, Org | None] = field(default_factory=dict)
    users: set[str] = field(default_factory=set)
    owners: dict[str, str] = field(default_factory=dict)

    def decide(self, send: Send) -> Outcome:
        _, chosen = CREATED.get(send.command["type"], ("", ""))
        if (id_ := send.command["data"].get(chosen)) is not None:
            self.owners.setdefault(id_, send.key)
        return self.decide_parsed(parse_command(send.body), parse_principal(send.principal))

    def decide_parsed(self, command: Command, principal: Principal) -> Outcome:
        """Decides without reserving a chosen id."""
        outcome = self.given(command.key).when(command, principal)
        self.orgs[command.key] = outcome.folded()
        if command.type == "REGISTER_USER" and isinstance(outcome.decision, Acceptance):
            self.users.add(command.key)
        return outcome

    def given(self, org_id: str) -> Given:
        taken = frozenset(id_ for id_, owner in self.owners.items() if owner != org_id)
        return Given(self.orgs.get(org_id), frozenset(self.users), taken)


def append_decision(log: Logbook, outcome: Outcome) -> list[bytes]:
    """Appends a decision's entries to the log as a shard does, and returns their bytes."""
    command, standing = outcome.command, outcome.standing
    at = partition_of(command.key, log.partitions)
    own = OwnCommand(command, named_by(command), outcome.context.principal, standing)
    place = recording.Place(at, log.heads[at], 0, START + 1000 * sum(map(len, log.records)))
    made = recording.record(own, standing, outcome.entries(), bytes.fromhex(SALT), place).appends
    for each in made:
        metadata = each.trusted.entry.metadata_json
        log.append_value(at, each.value, Head(metadata.position, metadata.hash), each.trusted.entry.id)
    return [each.value for each in made]


def log_of(sends: Iterable[Send]) -> Logbook:
    """The log of these commands' decisions, in one partition, with a void record after every seventh command."""
    deciders, log = Deciders(), Logbook()
    for at, send in enumerate(sends):
        append_decision(log, deciders.decide(send))
        if at % 7 == 0:
            log.void(0)
    return log
