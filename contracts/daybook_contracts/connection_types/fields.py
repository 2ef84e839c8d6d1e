"""The types of configs' fields, and the base class of configs. A type's JSON Schema and its validator accept the same
values.
"""

import re
from collections.abc import Hashable
from datetime import date
from typing import Annotated, Any, Final, TypeVar

from pydantic import AfterValidator, BaseModel, Field, StringConstraints, WithJsonSchema

from daybook_contracts.commands.fields import STRICT

_Item = TypeVar("_Item", bound=Hashable)

_DAY: Final = "(?!0000)[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
# No leap seconds: most programs do not support them.
_CLOCK: Final = r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?"
_OFFSET: Final = "([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
_TIME: Final = f"{_DAY}[Tt]{_CLOCK}{_OFFSET}"


def _check_day(text: str) -> str:
    if re.fullmatch(_DAY, text) is None or not _is_in_calendar(text):
        raise ValueError("must be a date, YYYY-MM-DD")
    return text


def _check_time(text: str) -> str:
    if re.fullmatch(_TIME, text) is None or not _is_in_calendar(text[:10]):
        raise ValueError("must be an RFC 3339 time with its offset, as 2026-11-22T15:10:13Z")
    return text


def _is_in_calendar(day: str) -> bool:
    try:
        date.fromisoformat(day)
    except ValueError:
        return False
    return True


def _check_distinct(items: tuple[_Item, ...]) -> tuple[_Item, ...]:
    if not items:
        raise ValueError("must not be empty")
    if len(set(items)) < len(items):
        raise ValueError("must not hold the same item twice")
    return items


Day = Annotated[
    str, AfterValidator(_check_day), WithJsonSchema({"type": "string", "format": "date", "pattern": f"^{_DAY}$"})
]
Time = Annotated[
    str, AfterValidator(_check_time), WithJsonSchema({"type": "string", "format": "date-time", "pattern": f"^{_TIME}$"})
]
Digits = Annotated[str, StringConstraints(pattern="^[0-9]+$")]
Distinct = Annotated[
    tuple[_Item, ...],
    # If an item is wrong, pydantic's own `min_length` would add a second error.
    Field(strict=False, json_schema_extra={"minItems": 1, "uniqueItems": True}),
    AfterValidator(_check_distinct),
]
"""A non-empty list of different items."""


class Closed(BaseModel):
    """An object without unknown fields. An optional field that is None counts as absent."""

    model_config = STRICT

    def to_json(self) -> dict[str, Any]:
        return self.model_dump(mode="json", exclude_none=True)
