"""Who sends a command: a service or a user, as written in entries (`service:<name>`, `user:<uuid>`).
Enters: the text of a header or an entry. Leaves: a principal. Knows nothing of tokens or rights.
"""

import re
from dataclasses import dataclass
from typing import Final

from daybook_contracts.ids import is_uuid

SERVICE_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


class InvalidPrincipal(ValueError):
    """The text is neither `service:<name>` nor `user:<uuid>`, or takes a reserved name."""


@dataclass(frozen=True, slots=True)
class Service:
    name: str

    def __str__(self) -> str:
        return f"service:{self.name}"


@dataclass(frozen=True, slots=True)
class User:
    user_id: str

    def __str__(self) -> str:
        return f"user:{self.user_id}"


Principal = Service | User

DAYBOOK: Final = Service("daybook")
"""Signs what policies do. Nobody may claim it from outside."""

UNNAMED: Final = Service("unnamed")
"""A Kafka publisher that gave no name."""


def parse_principal(text: str) -> Principal:
    """Reads any principal an entry can hold, `service:daybook` included; raises InvalidPrincipal."""
    kind, _, name = text.partition(":")
    if kind == "user" and is_uuid(name):
        return User(name.lower())
    if kind == "service" and SERVICE_NAME.fullmatch(name):
        return Service(name)
    raise InvalidPrincipal("a principal is service:<name> or user:<uuid>")


def parse_publisher(header: bytes | None) -> Principal:
    """Reads the principal a publisher claims in its header; raises InvalidPrincipal, also for the reserved name."""
    if header is None:
        return UNNAMED
    try:
        principal = parse_principal(header.decode("ascii"))
    except UnicodeDecodeError as error:
        raise InvalidPrincipal("a principal is ASCII") from error
    if principal == DAYBOOK:
        raise InvalidPrincipal("the name daybook is reserved")
    return principal
