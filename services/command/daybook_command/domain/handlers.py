"""Handler: how commands of one type are decided. Fold: how success entries of one kind change an org.

The order of a handler's checks is part of the contract: the actor and the org, the thing that the command acts on, the
actor's rights, other things that the command names, the state.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Container
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from msgspec import Struct

from daybook_command.domain import rejections
from daybook_command.domain.decision import Acceptance, Decision, DecisionContext, NewEntry, Rejection
from daybook_command.domain.permissions import Standings, is_anonymous, is_outsider
from daybook_command.domain.references import ChildRef, Named
from daybook_command.domain.state import Org
from daybook_contracts.commands.registry import Command
from daybook_contracts.entries.fields import Fact, encode_fact
from daybook_contracts.senders.principals import Service

C = TypeVar("C", bound=Command)
S_contra = TypeVar("S_contra", contravariant=True)
T = TypeVar("T")
F = TypeVar("F", bound=Fact)

Ruling = Fact | Rejection
"""What a decider returns: the fact of the command's success entry, or the rejection."""


class Target(Struct, frozen=True, gc=False):
    """What a command acts on, as columns of its entry."""

    entity_type: str
    entity_id: str
    project_id: str | None = None


def successful_entry(command: Command, action: str, target: Target, fact: Fact, *, by_policy: bool = False) -> NewEntry:
    return NewEntry(
        action=action,
        entity_type=target.entity_type,
        entity_id=target.entity_id,
        org_id=command.org_id,
        project_id=target.project_id,
        actor_user_id=None if by_policy else command.actor_user_id,
        data=encode_fact(fact),
        fact=fact,
        by_policy=by_policy,
    )


def _names_nothing(_: object) -> Named:
    return Named()


@dataclass(frozen=True, slots=True)
class Subject(Generic[S_contra]):
    """The kind of thing that commands act on. `target` gets the command, the id for a new thing, and the org. The org
    is None if it does not exist, or if the entry must not depend on it. `named` returns what has to be looked up before
    the decision.
    """

    target: Callable[[S_contra, str, Org | None], Target]
    named: Callable[[S_contra], Named] = _names_nothing


@dataclass(frozen=True, slots=True)
class Thing(Subject[S_contra], Generic[S_contra, T]):
    """A subject that must exist in the org. `find` looks for it; `rights` returns the actor's standings towards it."""

    find: Callable[[S_contra, Org], T | Rejection] = field(kw_only=True)
    rights: Callable[[S_contra, Org, T], Standings] = field(kw_only=True)


@dataclass(frozen=True, slots=True)
class Handler(ABC, Generic[C]):
    """`may`: the standings that allow the command; one of them suffices. `on`: what the command acts on."""

    command: type[C]
    may: Standings
    on: Subject[C]

    def decision(self, command: C, org: Org | None, context: DecisionContext) -> Decision:
        """The decision without the entries that policies add."""
        ruling = self.ruling(command, org, context)
        if isinstance(ruling, Rejection):
            return ruling
        target = self.on.target(command, context.new_id, org)
        return Acceptance((successful_entry(command, command.type, target, ruling),))

    @abstractmethod
    def ruling(self, command: C, org: Org | None, context: DecisionContext) -> Ruling:
        """Makes the checks in order, then calls the noun's decider."""

    def refusal(self, command: C, standings: Standings, context: DecisionContext) -> Rejection | None:
        """A rejection if no standing allows the command, or if the sender chose an id and is not a service."""
        if self.may.isdisjoint(standings):
            return rejections.FORBIDDEN
        if not isinstance(context.principal, Service) and self.on.named(command).chosen is not None:
            return rejections.ONLY_SERVICES_CHOOSE_IDS
        return None


@dataclass(frozen=True, slots=True)
class OpenHandler(Handler[C]):
    """For a command whose actor need not be a member of an org."""

    rights: Callable[[C, DecisionContext], Standings | Rejection]
    decide: Callable[[C, Org | None, DecisionContext], Ruling]

    def ruling(self, command: C, org: Org | None, context: DecisionContext) -> Ruling:
        standings = self.rights(command, context)
        if isinstance(standings, Rejection):
            return standings
        return self.refusal(command, standings, context) or self.decide(command, org, context)


@dataclass(frozen=True, slots=True)
class OrgHandler(Handler[C]):
    """For a command that acts on the org itself, or adds something to it."""

    rights: Callable[[C, Org], Standings]
    decide: Callable[[C, Org, DecisionContext], Ruling]

    def ruling(self, command: C, org: Org | None, context: DecisionContext) -> Ruling:
        if org is None or not _is_visible(org, command, context):
            return rejections.ORG_NOT_FOUND
        return self.refusal(command, self.rights(command, org), context) or self.decide(command, org, context)


@dataclass(frozen=True, slots=True)
class ThingHandler(Handler[C], Generic[C, T]):
    """For a command that acts on something in an org."""

    on: Thing[C, T]
    decide: Callable[[C, Org, T, DecisionContext], Ruling]

    def ruling(self, command: C, org: Org | None, context: DecisionContext) -> Ruling:
        if org is None or not _is_visible(org, command, context):
            return rejections.ORG_NOT_FOUND
        thing = self.on.find(command, org)
        if isinstance(thing, Rejection):
            return thing
        standings = self.on.rights(command, org, thing)
        return self.refusal(command, standings, context) or self.decide(command, org, thing, context)


def _is_visible(org: Org, command: Command, context: DecisionContext) -> bool:
    """Whether the org exists for the command: only its members and services can see an org."""
    return not (is_anonymous(command, context.principal) or is_outsider(command, org))


def is_taken(id_: str, present_ids: Container[str], context: DecisionContext) -> bool:
    """Whether the id is taken: it is one of the org's `present_ids`, or another org has it."""
    return id_ in present_ids or id_ in context.taken_ids


class NotFoldable(ValueError):
    """The entry contradicts the entries before it, or has no fold."""


def _no_ids(_: object) -> tuple[()]:
    return ()


@dataclass(frozen=True, slots=True)
class Fold(ABC, Generic[F]):
    """Each function gets the entry's fact. `touches`: the children that the entry creates or changes. `users`: users to
    whom rows made from the entry refer. `deletes`: connections that the entry deletes, with their runs and dead
    letters.
    """

    fact: type[F]
    touches: Callable[[F], tuple[ChildRef, ...]] = field(default=_no_ids, kw_only=True)
    users: Callable[[F], tuple[str, ...]] = field(default=_no_ids, kw_only=True)
    deletes: Callable[[F], tuple[str, ...]] = field(default=_no_ids, kw_only=True)

    @abstractmethod
    def after(self, org: Org | None, actor_user_id: str | None, fact: F) -> Org | None:
        """The org after the entry. Raises NotFoldable."""


@dataclass(frozen=True, slots=True)
class OpenFold(Fold[F]):
    """For an entry that needs no org before it."""

    evolve: Callable[[Org | None, str | None, F], Org | None]

    def after(self, org: Org | None, actor_user_id: str | None, fact: F) -> Org | None:
        return self.evolve(org, actor_user_id, fact)


@dataclass(frozen=True, slots=True)
class OrgFold(Fold[F]):
    """For an entry that changes an org. `evolve` raises KeyError if the entry names something that the org lacks."""

    evolve: Callable[[Org, F], Org]

    def after(self, org: Org | None, actor_user_id: str | None, fact: F) -> Org:  # noqa: ARG002 - as in Fold
        if org is None:
            raise NotFoldable(f"{type(fact).__name__} comes before its org exists")
        try:
            return self.evolve(org, fact)
        except KeyError as error:
            raise NotFoldable(f"{type(fact).__name__} names something that the org does not have") from error
