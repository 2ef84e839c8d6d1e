"""The handler of each command type and the fold of each kind of success entry, collected from the modules of the nouns
(users, orgs, projects, and so on).
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, Protocol

from daybook_command.domain import (
    alerts,
    connections,
    dead_letters,
    dead_letters_bulk,
    members,
    orgs,
    project_members,
    projects,
    secret_refs,
    syncs,
    users,
)
from daybook_command.domain.decision import NewEntry
from daybook_command.domain.handlers import Fold, Handler
from daybook_command.domain.references import Named
from daybook_contracts.commands.registry import Command
from daybook_contracts.entries.fields import Fact


class Noun(Protocol):
    """The interface of a noun's module."""

    @property
    def HANDLERS(self) -> tuple[Handler[Any], ...]: ...  # noqa: N802 - a constant of the module

    @property
    def FOLDS(self) -> tuple[Fold[Any], ...]: ...  # noqa: N802 - as above


NOUNS: Final[tuple[Noun, ...]] = (
    users,
    orgs,
    members,
    projects,
    project_members,
    connections,
    syncs,
    dead_letters,
    dead_letters_bulk,
    alerts,
    secret_refs,
)
HANDLERS: Final[Mapping[type[Command], Handler[Any]]] = {
    handler.command: handler for noun in NOUNS for handler in noun.HANDLERS
}
FOLDS: Final[Mapping[type[Fact], Fold[Any]]] = {fold.fact: fold for noun in NOUNS for fold in noun.FOLDS}


def named_by(command: Command) -> Named:
    """What has to be looked up before the command is decided."""
    return HANDLERS[type(command)].on.named(command)


def users_named(command: Command, named: Named) -> tuple[str, ...]:
    """The actor and the users that the data names, each once. `named`: what the command names."""
    actor = command.actor_user_id
    return named.users if actor is None or actor in named.users else (actor, *named.users)


def users_referred_to(entry: NewEntry) -> Iterator[str]:
    """The users to whom the entry's columns, or rows made from the entry, refer. They must exist, because the columns
    are foreign keys. The entry of a rejected command refers to its actor at most.
    """
    if entry.actor_user_id is not None:
        yield entry.actor_user_id
    if entry.fact is not None:
        yield from FOLDS[type(entry.fact)].users(entry.fact)
