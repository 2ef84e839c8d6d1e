"""Folds one success entry into an org. Enters: the org before and the entry's data; leaves: the org after."""

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
    """`org` is None before its CREATE_ORG. Raises NotFoldable; what `decide` accepted always folds."""
    fold = FOLDS.get(type(fact))
    if fold is None:
        raise NotFoldable(f"{type(fact).__name__} has no fold")
    if isinstance(fact, Changeable) and fact.changed is False:
        return org
    return fold.after(org, actor_user_id, fact)
