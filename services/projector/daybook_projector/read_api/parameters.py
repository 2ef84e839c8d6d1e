"""The types of the read API's query parameters: they parse the text of a URL into values for PostgreSQL."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, StringConstraints, WithJsonSchema

from daybook_contracts.text import is_uuid

MAX_LIMIT: Final = 500
DEFAULT_LIMIT: Final = 50
MAX_CURSOR: Final = 400


def parse_uuid(text: object) -> str:
    if not isinstance(text, str) or not is_uuid(text):
        raise ValueError("must be a UUID")
    return text.lower()


def parse_time(text: object) -> datetime:
    try:
        moment = datetime.fromisoformat(text if isinstance(text, str) else "")
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise ValueError("must be an RFC 3339 time with an offset, such as 2026-11-22T15:10:13Z")


UuidParameter = Annotated[str, BeforeValidator(parse_uuid), WithJsonSchema({"type": "string", "format": "uuid"})]
TimeParameter = Annotated[
    datetime, BeforeValidator(parse_time), WithJsonSchema({"type": "string", "format": "date-time"})
]
WordParameter = Annotated[str, StringConstraints(pattern="^[A-Za-z][A-Za-z0-9_]{0,63}$")]
LimitParameter = Annotated[int, Field(ge=1, le=MAX_LIMIT, description="The page has at most this many items.")]
# Only for the OpenAPI document. Pydantic does not check this pattern: parse_position does, with a clearer message.
POSITION_PATTERN: Final = r"^[0-9]{1,5}\.[0-9]{1,18}$"
CursorParameter = Annotated[
    str,
    StringConstraints(min_length=1, max_length=MAX_CURSOR),
    Field(
        description="The `next` of the previous page. Send the same filters with it.",
        json_schema_extra={"pattern": "^[A-Za-z0-9_-]+$"},
    ),
]
AfterParameter = Annotated[
    str,
    StringConstraints(min_length=1, max_length=40),
    Field(
        description="Waits until this position, such as 3.1042, is in the tables, as the header Daybook-After does.",
        json_schema_extra={"pattern": POSITION_PATTERN},
    ),
]
WaitParameter = Annotated[
    float,
    Field(
        ge=0,
        le=3600,
        description="Waits at most this many seconds, and never longer than DAYBOOK_WAIT_SECONDS (the default).",
    ),
]


@dataclass(frozen=True, slots=True)
class Filter:
    """`condition` is SQL with `{}` for the value. In it, `t` is the table, and `p` the table of the rows' parents."""

    name: str
    type: Any
    condition: str
    description: str
