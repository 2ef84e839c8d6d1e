"""Finds the ids in facts: takes a class of facts, and returns a function that reads the ids of one such fact."""

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, get_args, get_type_hints

from msgspec import UnsetType

from daybook_contracts.entries.fields import Fact, Uuid, Uuids

ReadIds = Callable[[Any], Sequence[str]]


def id_reader(kind: type[Fact]) -> ReadIds:
    hints = get_type_hints(kind, include_extras=True)
    fields = [name for name, hint in hints.items() if not {hint, *get_args(hint)}.isdisjoint((Uuid, Uuids))]
    if len(fields) > 1 and all(hints[name] == Uuid for name in fields):
        return attrgetter(*fields)  # several times faster than the general form
    return lambda fact: [id_ for name in fields for id_ in _ids_in(getattr(fact, name))]


def _ids_in(value: str | tuple[str, ...] | UnsetType) -> Sequence[str]:
    if isinstance(value, UnsetType):
        return ()
    return (value,) if isinstance(value, str) else value
