"""One decision as a sentence: `given(facts).when(command).then(facts)` or `.then_rejected(code)`.

Facts are the data of success entries. ANN founds the org; EVE and every user that a fact names are known.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from msgspec import UNSET, Struct
from msgspec.structs import replace

from daybook_command.domain.decide import decide
from daybook_command.domain.decision import Acceptance, Decision, DecisionContext, NewEntry, Rejection
from daybook_command.domain.evolve import evolve
from daybook_command.domain.failures import failed_entry
from daybook_command.domain.permissions import is_outsider
from daybook_command.domain.state import Org
from daybook_contracts.codes import Code
from daybook_contracts.commands.parse import parse_command
from daybook_contracts.commands.registry import Command
from daybook_contracts.entries.facts import ACTION_OF
from daybook_contracts.entries.fields import Fact, encode_fact
from daybook_contracts.entries.identity import Identity, Scope, thing_id
from daybook_contracts.senders.principals import DAYBOOK, Principal, Service, User
from support.logbook import numbered
from support.world import NOUNS

ORG = "0a000000-0000-4000-8000-000000000001"
COMMAND = "01890000-0000-7000-8000-0000000000c0"
IMPORTER = Service("importer")
person, project, connection, sync_run = map(numbered, ("0b", "0c", "0d", "0e"))
dead_letter, alert, secret_ref = map(numbered, ("0f", "1a", "1b"))
ANN, BOB, CAT, DAN, EVE = (person(number) for number in range(1, 6))
"""ANN founds the orgs; tests give BOB, CAT and DAN their roles; EVE is known but belongs to no org."""

NOBODY = person(999)
"""A user that was never registered."""


def command(type_: str, by: str | None = None, *, id_: str = COMMAND, **data: object) -> Command:
    """Parses the command as the services do, so a test cannot decide a command that they would refuse."""
    envelope = {"id": id_, "type": type_, "actor_user_id": by, "data": data}
    scope = {} if type_ == "REGISTER_USER" else {"org_id": ORG}
    return parse_command(json.dumps(envelope | scope).encode())


def thing_id_of(a_command: Command) -> str:
    """The id of the thing that the command creates, unless the command chooses the id."""
    return thing_id(a_command.key, a_command.id)


def fold(facts: Iterable[Fact], founder: str = ANN) -> Org | None:
    org: Org | None = None
    for fact in facts:
        org = evolve(org, founder, fact)
    return org


class Given(Struct, frozen=True):
    org: Org | None
    known: frozenset[str]
    taken: frozenset[str] = frozenset()
    managed: bool = True
    unread_matches: int = 0

    def with_taken(self, *ids: str) -> Self:
        """`ids` are reserved or used by another org."""
        return replace(self, taken=self.taken | frozenset(ids))

    def with_external_users(self) -> Self:
        return replace(self, managed=False)

    def with_unread_matches(self, count: int) -> Self:
        """Besides the loaded dead letters, `count` others match the filter."""
        return replace(self, unread_matches=count)

    def when(self, a_command: Command, principal: Principal | None = None) -> "Outcome":
        """Decides the command as sent by `principal`: by default the actor, or a service if there is no actor."""
        actor = a_command.actor_user_id
        sender = principal or (IMPORTER if actor is None else User(actor))
        context = DecisionContext(
            sender, thing_id_of(a_command), self.known, self.taken, self.managed, self.unread_matches
        )
        return Outcome(a_command, self.org, context, decide(a_command, self.org, context))


@dataclass(frozen=True)
class Outcome:
    command: Command
    before: Org | None
    context: DecisionContext
    decision: Decision

    def then(self, *facts: Fact) -> Self:
        """Asserts that the decision is exactly these facts, in this order, with the columns that the contract
        demands.
        """
        assert self.decision == Acceptance(tuple(entry_of(fact, self.command, self.before) for fact in facts))
        self.folded()
        return self

    def then_rejected(self, code: Code) -> Self:
        assert isinstance(self.decision, Rejection)
        assert self.decision.code is code
        assert [(entry.error and entry.error.code, entry.fact) for entry in self.entries()] == [(code, None)]
        return self

    def after(self) -> Org:
        """The org with the decision's entries folded into it."""
        org = self.folded()
        assert org is not None
        return org

    def folded(self) -> Org | None:
        """Like `after`, but None while there is no org."""
        org = self.before
        for entry in self.entries():
            if entry.fact is not None:
                org = evolve(org, entry.actor_user_id, entry.fact)
        return org

    def entries(self) -> tuple[NewEntry, ...]:
        """The entries that a shard writes for the decision."""
        if isinstance(self.decision, Acceptance):
            return self.decision.entries
        return (failed_entry(self.command, self.decision, self.before, self.context, self.standing),)

    @property
    def standing(self) -> Identity:
        """The identity of the command's first entry."""
        key, command_id, actor = self.command.key, self.command.id, self.command.actor_user_id
        if self.context.principal == DAYBOOK:
            return Identity("policy", key, None, command_id)
        if isinstance(self.decision, Rejection) and actor is not None and is_outsider(self.command, self.before):
            return Identity("outsider", key, actor, command_id)
        scope: Scope = "user" if self.command.type == "REGISTER_USER" else "org"
        return Identity(scope, key, None, command_id)


def given(*facts: Fact) -> Given:
    named = {getattr(fact, "user_id", ANN) for fact in facts}
    return Given(fold(facts), frozenset({ANN, EVE} | named))


def entry_of(fact: Fact, a_command: Command, before: Org | None) -> NewEntry:
    """The success entry of a fact, with the columns that the contract demands. `before` is the org before the command;
    it knows the projects of connections, dead letters and alerts.
    """
    action = ACTION_OF[type(fact)]
    entity_type, id_field = NOUNS[action.partition("_")[2]]
    by_policy = isinstance(getattr(fact, "rule", UNSET), str)
    return NewEntry(
        action=action,
        entity_type=entity_type,
        entity_id=getattr(fact, id_field, ORG),
        org_id=None if a_command.type == "REGISTER_USER" else ORG,
        project_id=_project_of(fact, before),
        actor_user_id=None if by_policy else a_command.actor_user_id,
        data=encode_fact(fact),
        fact=fact,
        by_policy=by_policy,
    )


def _project_of(fact: Fact, before: Org | None) -> str | None:
    """The project that the fact names, or the project of its alert, dead letter or connection."""
    named: str | None = getattr(fact, "project_id", None)
    if named is not None or before is None:
        return named
    raised = before.alerts.get(getattr(fact, "alert_id", ""))
    if raised is not None:
        return raised.project_id
    letter = before.dead_letters.get(getattr(fact, "dlq_event_id", ""))
    connection_id = letter.connection_id if letter is not None else getattr(fact, "connection_id", None)
    return None if connection_id is None else before.connections[connection_id].project_id
