"""Folds one success entry into an org: takes the org before it and the entry's fact, and returns the org after it."""

from typing import overload

from daybook_command.domain.handlers import NotFoldable
from daybook_command.domain.registry import FOLDS
from daybook_command.domain.state import Org
from daybook_contracts.entries.fields import Changeable, Fact

__all__ = ["NotFoldable", "evolve"]


@overload
def evolve(org: Org, actor_user_id: str | None, fact: Fact) -> Org: ...


@overload
def evolve(org: None, actor_user_id: str | None, fact: Fact) -> Org | None: ...


def evolve(org: Org | None, actor_user_id: str | None, fact: Fact) -> Org | None:
    """`org` is None before its CREATE_ORG. Raises NotFoldable, but never for a fact that `decide` returned."""
    fold = FOLDS.get(type(fact))
    if fold is None:
        raise NotFoldable(f"{type(fact).__name__} has no fold")
    if isinstance(fact, Changeable) and fact.changed is False:
        return org
    return fold.after(org, actor_user_id, fact)
