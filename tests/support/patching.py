"""Replaces parts of the services, to make mutants. Three things are errors, because they mean that the patch may not
have removed the protection: the replaced name does not exist, nothing calls the replacement, or the replacement fails.
"""

import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from types import ModuleType
from typing import Any, Self

import pytest


class NotRemoved(AssertionError):
    """The patch did not remove the protection: adapt the patch to the code."""


class Patch:
    """`calls`: how often each replacement was called, by the name that it replaces. `faults`: TypeErrors and
    AttributeErrors of the replacements themselves, which would otherwise look like faults of the mutant.
    """

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.faults: list[str] = []
        self._monkeypatch = pytest.MonkeyPatch()

    @classmethod
    @contextmanager
    def context(cls) -> Iterator[Self]:
        patch = cls()
        try:
            yield patch
        finally:
            patch._monkeypatch.undo()

    def replace(self, owner: ModuleType | type, name: str, value: Any) -> None:
        """`value`: a function, a property, a tuple of functions, or a text, whose use is not counted. Raises
        `NotRemoved` if the owner does not define the name itself; an inherited name is not enough.
        """
        place = f"{owner.__name__}.{name}"
        if name not in vars(owner):
            raise NotRemoved(f"there is no {place}")
        self._monkeypatch.setattr(owner, name, self._counted(place, value))

    def _counted(self, place: str, value: Any) -> Any:
        match value:
            case str():
                return value
            case tuple():
                return tuple(self._counted(place, each) for each in value)
            case property():
                return property(self._counted(place, value.fget))
            case _:
                self.calls[place] += 0
                return self._counting(place, value)

    def _counting(self, place: str, value: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(value)
        def counted(*arguments: Any, **named: Any) -> Any:
            self.calls[place] += 1
            try:
                return value(*arguments, **named)
            except (TypeError, AttributeError) as error:
                if _raised_in(error) in {value.__name__, "counted"}:
                    self.faults.append(f"the replacement of {place}: {error}")
                raise

        return counted


def require_removed(calls: Counter[str], faults: list[str]) -> None:
    """Raises `NotRemoved` if a replacement was never called, or failed."""
    never = [f"nothing calls the replacement of {place}" for place, count in calls.items() if count == 0]
    if faults or never:
        raise NotRemoved("; ".join(faults or never))


def _raised_in(error: Exception) -> str:
    """The name of the function that raised the error."""
    return traceback.extract_tb(error.__traceback__)[-1].name
